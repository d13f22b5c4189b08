package huggingface

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Embeddings translates OpenAI's embeddings to feature extraction.
// https://huggingface.co/docs/inference-providers/tasks/feature-extraction
var Embeddings provider.Translator = embeddings{}

type embeddings struct{}

// embedNatives lists members of feature extraction that OpenAI's format does not
// have.
var embedNatives = []string{"normalize", "prompt_name", "truncate", "truncation_direction"}

// AppendRequest writes an OpenAI embeddings body with one or several strings.
// encoding_format is left out, since the answer always has numbers.
func (embeddings) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	r, err := openai.EmbeddingsOf(t, body)
	if err != nil {
		return nil, err
	}
	dst = append(append(dst, `{"inputs":`...), r.Input...)
	if r.Dimensions > 0 {
		dst = jsonedit.AppendInt(dst, "dimensions", r.Dimensions)
	}
	for _, name := range embedNatives {
		if m := jsonedit.Find(r.Members, name); m != nil && !jsonedit.IsNull(m) {
			dst = append(jsonedit.AppendName(dst, name), m...)
		}
	}
	return append(appendOptions(dst, t), '}'), nil
}

// AppendResponse writes vectors as OpenAI's list. The answer for a single input may
// be just its vector. Vectors of single tokens, which models without pooling return,
// are refused.
func (embeddings) AppendResponse(dst []byte, _ *target.Target, body []byte, meta chat.Meta, _ *chat.Seen) ([]byte, error) {
	v, err := parse(body)
	if err != nil {
		return nil, err
	}
	list := v.GetArray()
	if len(list) == 0 {
		return nil, invalid()
	}
	if list[0].Type() == jsonedit.TypeNumber {
		list = []*jsonedit.Value{v}
	}
	w := openai.NewEmbeddingsWriter(dst)
	for _, vector := range list {
		numbers := vector.GetArray()
		if len(numbers) == 0 || numbers[0].Type() != jsonedit.TypeNumber {
			return nil, invalid()
		}
		w.Vector(jsonedit.AppendValue(nil, vector))
	}
	return w.End(meta.Model, meta.PromptTokens), nil // the API does not count tokens
}
