package bedrock

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

// embeddings translates OpenAI's embeddings to InvokeModel of Amazon's and
// Cohere's models.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html
type embeddings struct{}

// AppendRequest implements provider.Translator.
func (embeddings) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	r, err := openai.EmbeddingsOf(t, body)
	if err != nil {
		return nil, err
	}
	if strings.Contains(t.Model, "cohere.embed") {
		return appendCohereEmbed(dst, t, r), nil
	}
	if len(r.Inputs) > 1 {
		return nil, &chat.RequestError{Field: "input", Message: "must be one text: Titan takes no more at a time"}
	}
	dst = jsonedit.AppendRaw(append(dst, '{'), "inputText", r.Inputs[0])
	switch {
	case strings.Contains(t.Model, "titan-embed-text-v1"), strings.Contains(t.Model, "titan-embed-g1"):
	case strings.Contains(t.Model, "titan-embed-image"):
		if r.Dimensions > 0 {
			dst = append(jsonedit.AppendInt(append(jsonedit.AppendName(dst, "embeddingConfig"), '{'), "outputEmbeddingLength", r.Dimensions), '}')
		}
	default:
		if r.Dimensions > 0 {
			dst = jsonedit.AppendInt(dst, "dimensions", r.Dimensions)
		}
		dst = jsonedit.AppendRaw(dst, "normalize", normalize(t, r)) // always sent: the API's default differs from Kong's
	}
	return append(dst, '}'), nil
}

// normalize returns whether to normalize the vectors, in JSON: the configured value or
// the client's.
func normalize(t *target.Target, r *openai.NewEmbeddings) []byte {
	on := t.Options.Bedrock.EmbeddingsNormalize // false may mean that nothing is configured
	if own := jsonedit.Find(r.Members, "normalize"); own != nil && !(on && t.Options.Overrides()) {
		return own
	}
	return strconv.AppendBool(nil, t.Options.Bedrock.EmbeddingsNormalize)
}

// appendCohereEmbed writes Cohere's body. The API requires the purpose of the
// vectors.
func appendCohereEmbed(dst []byte, t *target.Target, r *openai.NewEmbeddings) []byte {
	dst = append(dst, `{"texts":[`...)
	for _, input := range r.Inputs {
		dst = append(jsonedit.AppendComma(dst), input...)
	}
	dst = append(dst, ']')
	purpose := r.Text("input_type")
	if purpose == "" {
		purpose = t.Options.Cohere.EmbeddingInputType
	}
	if purpose == "" {
		purpose = "search_document"
	}
	dst = jsonedit.AppendText(dst, "input_type", purpose)
	if own := r.Text("truncate"); own != "" {
		dst = jsonedit.AppendText(dst, "truncate", own)
	}
	if strings.Contains(t.Model, "cohere.embed-v4") {
		dst = append(jsonedit.AppendName(dst, "embedding_types"), `["float"]`...)
		if r.Dimensions > 0 {
			dst = jsonedit.AppendInt(dst, "output_dimension", r.Dimensions)
		}
	}
	return append(dst, '}')
}

// AppendResponse implements provider.Translator.
func (embeddings) AppendResponse(dst []byte, _ *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error) {
	w := openai.NewEmbeddingsWriter(dst)
	tokens := meta.PromptTokens
	if n, ok := jsonedit.Int(jsonedit.Lookup(body, "inputTextTokenCount")); ok {
		tokens = n
		seen.Usage.Prompt, seen.HasUsage = n, true
	}
	if vector := jsonedit.Lookup(body, "embedding"); jsonedit.IsArray(vector) {
		w.Vector(vector)
		return w.End(meta.Model, tokens), nil
	}
	list := jsonedit.Lookup(body, "embeddings")
	if jsonedit.IsObject(list) {
		list = jsonedit.Lookup(list, "float")
	}
	vectors, err := jsonedit.Array(list, nil)
	if err != nil || len(vectors) == 0 {
		return nil, &chat.ResponseError{Message: "'embedding' not in bedrock response"}
	}
	for _, v := range vectors {
		w.Vector(v)
	}
	return w.End(meta.Model, tokens), nil
}
