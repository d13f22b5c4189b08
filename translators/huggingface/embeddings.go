package huggingface

import (
	"fmt"
	"strconv"

	"github.com/valyala/fastjson"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Embeddings translates OpenAI's embeddings to feature extraction.
// https://huggingface.co/docs/inference-providers/tasks/feature-extraction
var Embeddings provider.Translator = embeddings{}

type embeddings struct{}

// embedNatives are members of feature extraction that OpenAI's format lacks.
var embedNatives = []string{"normalize", "prompt_name", "truncate", "truncation_direction"}

// AppendRequest writes an OpenAI embeddings body: a string or several.
// encoding_format is left out, the answer is numbers.
func (embeddings) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	v, err := fastjson.ParseBytes(body)
	if err != nil || v.Type() != fastjson.TypeObject {
		return nil, &chat.RequestError{Message: "request body is not valid JSON"}
	}
	input := v.Get("input")
	if input == nil || input.Type() != fastjson.TypeString && len(input.GetArray()) == 0 {
		return nil, &chat.RequestError{Field: "input", Message: "must be a string or a list of strings"}
	}
	for i, e := range input.GetArray() {
		if e.Type() != fastjson.TypeString {
			return nil, &chat.RequestError{Field: fmt.Sprintf("input[%d]", i), Message: "must be a string: feature extraction takes no token numbers"}
		}
	}
	dst = jsonedit.AppendValue(append(dst, `{"inputs":`...), input)
	switch d := v.Get("dimensions"); {
	case t.Options != nil && t.Options.EmbeddingsDimensions != nil:
		dst = strconv.AppendInt(appendMember(dst, "dimensions"), int64(*t.Options.EmbeddingsDimensions), 10)
	case d != nil && d.Type() == fastjson.TypeNumber:
		dst = jsonedit.AppendValue(appendMember(dst, "dimensions"), d)
	}
	for _, name := range embedNatives {
		if m := v.Get(name); m != nil && m.Type() != fastjson.TypeNull {
			dst = jsonedit.AppendValue(appendMember(dst, name), m)
		}
	}
	return append(appendOptions(dst, t), '}'), nil
}

// AppendResponse writes vectors as OpenAI's list. A single input may be
// answered with its vector alone. Vectors of single tokens, which models
// without pooling answer with, are no embeddings.
func (embeddings) AppendResponse(dst []byte, _ *target.Target, body []byte, meta chat.Meta, _ *chat.Seen) ([]byte, error) {
	v, err := parse(body)
	if err != nil {
		return nil, err
	}
	list := v.GetArray()
	if len(list) == 0 {
		return nil, invalid()
	}
	if list[0].Type() == fastjson.TypeNumber {
		list = []*fastjson.Value{v}
	}
	dst = append(dst, `{"object":"list","data":[`...)
	for i, vector := range list {
		numbers := vector.GetArray()
		if len(numbers) == 0 || numbers[0].Type() != fastjson.TypeNumber {
			return nil, invalid()
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"object":"embedding","index":`...), int64(i), 10)
		dst = append(jsonedit.AppendValue(appendMember(dst, "embedding"), vector), '}')
	}
	// Nobody counts tokens here.
	dst = jsonedit.AppendString(append(dst, `],"model":`...), meta.Model)
	dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), int64(meta.PromptTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(meta.PromptTokens), 10)
	return append(dst, "}}"...), nil
}
