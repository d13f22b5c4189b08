package ollama

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

type embedFormat struct{}

// AppendRequest writes an OpenAI embeddings request as a body of /api/embed. Vectors
// are always lists of numbers there; the writer of the client's answer handles
// encoding_format. https://docs.ollama.com/api/embed
func (embedFormat) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	r, err := openai.EmbeddingsOf(t, body)
	if err != nil {
		return nil, err
	}
	dst = jsonedit.AppendString(append(dst, `{"model":`...), t.Model)
	dst = jsonedit.AppendRaw(dst, "input", r.Input)
	if r.Dimensions > 0 {
		dst = jsonedit.AppendInt(dst, "dimensions", r.Dimensions)
	}
	for _, name := range [...]string{"truncate", "keep_alive", "options"} {
		dst = jsonedit.AppendRaw(dst, name, jsonedit.Find(r.Members, name))
	}
	return append(dst, '}'), nil
}

// AppendResponse writes the vectors in OpenAI's format, with each number unchanged.
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
	w := openai.NewEmbeddingsWriter(dst)
	for _, v := range vectors {
		w.Vector(v)
	}
	return w.End(model, tokens), nil
}
