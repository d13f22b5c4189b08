package openai

import (
	"fmt"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// NewEmbeddings is the body of an embeddings request, for providers that take texts.
type NewEmbeddings struct {
	Members    []jsonedit.Member
	Input      []byte   // as the client wrote it
	Inputs     [][]byte // the texts as JSON strings, at least one
	Dimensions int      // options.embeddings_dimensions or the client's; 0 if neither is set
}

// EmbeddingsOf reads the body of an embeddings request. Errors are
// *chat.RequestError. Token numbers are refused, since only OpenAI's models know
// them.
// https://platform.openai.com/docs/api-reference/embeddings/create
func EmbeddingsOf(t *target.Target, body []byte) (*NewEmbeddings, error) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, &chat.RequestError{Message: "request body is not valid JSON: " + err.Error()}
	}
	r := &NewEmbeddings{Members: members}
	input := jsonedit.Find(members, "input")
	r.Input = input
	if jsonedit.IsString(input) {
		r.Inputs = [][]byte{input}
	} else if r.Inputs, err = jsonedit.Array(input, nil); err != nil || len(r.Inputs) == 0 {
		return nil, &chat.RequestError{Field: "input", Message: "must be a string or an array of strings"}
	}
	for i, one := range r.Inputs {
		if !jsonedit.IsString(one) {
			return nil, &chat.RequestError{Field: fmt.Sprintf("input[%d]", i), Message: "must be a string: the provider takes no token numbers"}
		}
	}
	switch d := jsonedit.Find(members, "dimensions"); {
	case t.Options != nil && t.Options.EmbeddingsDimensions != nil && (t.Options.Overrides() || d == nil || jsonedit.IsNull(d)):
		r.Dimensions = *t.Options.EmbeddingsDimensions
	case d != nil && !jsonedit.IsNull(d):
		n, ok := jsonedit.Int(d)
		if !ok || n < 1 {
			return nil, &chat.RequestError{Field: "dimensions", Message: "must be a number from 1"}
		}
		r.Dimensions = n
	}
	if format, _ := jsonedit.String(jsonedit.Find(members, "encoding_format")); format != "" && format != "float" && format != "base64" {
		return nil, &chat.RequestError{Field: "encoding_format", Message: fmt.Sprintf("%q is neither float nor base64", format)}
	}
	return r, nil
}

// Text returns a string member of the body that is not one of OpenAI's, or "" if
// there is none.
func (r *NewEmbeddings) Text(name string) string {
	text, _ := jsonedit.String(jsonedit.Find(r.Members, name))
	return text
}

// EmbeddingsWriter writes an answer of the embeddings API.
// https://platform.openai.com/docs/api-reference/embeddings/object
type EmbeddingsWriter struct {
	buf []byte
	n   int
}

// NewEmbeddingsWriter begins an answer at the end of dst.
func NewEmbeddingsWriter(dst []byte) *EmbeddingsWriter {
	return &EmbeddingsWriter{buf: append(dst, `{"object":"list","data":[`...)}
}

// Vector adds a vector, a JSON array of numbers, which are written unchanged.
func (w *EmbeddingsWriter) Vector(numbers []byte) {
	if w.n > 0 {
		w.buf = append(w.buf, ',')
	}
	w.buf = strconv.AppendInt(append(w.buf, `{"object":"embedding","index":`...), int64(w.n), 10)
	w.buf = append(jsonedit.AppendRaw(w.buf, "embedding", numbers), '}')
	w.n++
}

// End returns the answer.
func (w *EmbeddingsWriter) End(model string, tokens int) []byte {
	w.buf = jsonedit.AppendString(append(w.buf, `],"model":`...), model)
	w.buf = strconv.AppendInt(append(w.buf, `,"usage":{"prompt_tokens":`...), int64(tokens), 10)
	w.buf = jsonedit.AppendInt(w.buf, "total_tokens", tokens)
	return append(w.buf, "}}"...)
}
