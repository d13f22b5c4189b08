package ollama

import (
	"fmt"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

type embedFormat struct{}

// AppendRequest writes an OpenAI embeddings request as a body of /api/embed.
// Vectors are always lists of numbers there: encoding_format is the business
// of who writes the client's answer. https://docs.ollama.com/api/embed
func (embedFormat) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, &chat.RequestError{Message: "request body is not valid JSON: " + err.Error()}
	}
	input := jsonedit.Find(members, "input")
	if err := checkInput(input); err != nil {
		return nil, err
	}
	dst = jsonedit.AppendString(append(dst, `{"model":`...), t.Model)
	dst = appendMember(dst, "input", input)
	dimensions := jsonedit.Find(members, "dimensions")
	if t.Options != nil && t.Options.EmbeddingsDimensions != nil {
		dimensions = strconv.AppendInt(nil, int64(*t.Options.EmbeddingsDimensions), 10)
	}
	if dimensions != nil {
		dst = appendMember(dst, "dimensions", dimensions)
	}
	for _, name := range [...]string{"truncate", "keep_alive", "options"} {
		if v := jsonedit.Find(members, name); v != nil {
			dst = appendMember(dst, name, v)
		}
	}
	return append(dst, '}'), nil
}

// checkInput wants a text, or several.
func checkInput(input []byte) error {
	if jsonedit.IsString(input) {
		return nil
	}
	list, err := jsonedit.Array(input, nil)
	if err != nil {
		return &chat.RequestError{Field: "input", Message: "must be a string or an array of strings"}
	}
	for i, v := range list {
		if !jsonedit.IsString(v) {
			return &chat.RequestError{Field: fmt.Sprintf("input[%d]", i), Message: "must be a string: Ollama takes no token numbers"}
		}
	}
	return nil
}

// AppendResponse writes the vectors in OpenAI's format, each number as the
// server wrote it.
func (embedFormat) AppendResponse(dst []byte, _ *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, &chat.ResponseError{Message: "failed to decode ollama response"}
	}
	vectors, err := jsonedit.Array(jsonedit.Find(members, "embeddings"), nil)
	if err != nil {
		return nil, &chat.ResponseError{Message: "'embeddings' not in ollama response"}
	}
	model, _ := jsonedit.String(jsonedit.Find(members, "model"))
	if model == "" {
		model = meta.Model
	}
	tokens, counted := jsonedit.Int(jsonedit.Find(members, "prompt_eval_count"))
	tokens = max(tokens, 0)
	seen.Model, seen.Content = model, true
	if counted {
		seen.Usage.Prompt, seen.HasUsage = tokens, true
	}
	dst = append(dst, `{"object":"list","data":[`...)
	for i, v := range vectors {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"object":"embedding","index":`...), int64(i), 10)
		dst = append(appendMember(dst, "embedding", v), '}')
	}
	dst = jsonedit.AppendString(append(dst, `],"model":`...), model)
	dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), int64(tokens), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(tokens), 10)
	return append(dst, "}}"...), nil
}
