package cohere

import (
	"cmp"
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Embed translates OpenAI's embeddings to POST /v2/embed.
// https://docs.cohere.com/reference/embed
var Embed provider.Translator = embed{}

type embed struct{}

// defaultInputType is sent if neither the client nor the configuration has an input
// type, since the API requires one.
const defaultInputType = "classification"

// AppendRequest writes an OpenAI embeddings body as Cohere's. The input may be one or
// several strings; data URIs of images are sent as images. The client's own
// input_type wins over the configured one, which always has a value.
func (embed) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	v, err := jsonedit.Parse(body)
	if err != nil || v.Type() != jsonedit.TypeObject {
		return nil, &chat.RequestError{Message: "request body is not valid JSON"}
	}
	dst = jsonedit.AppendString(append(dst, `{"model":`...), t.Model)
	inputType := cmp.Or(v.GetString("input_type"), t.Options.Cohere.EmbeddingInputType, defaultInputType)
	if dst, err = appendInputs(dst, v, inputType); err != nil {
		return nil, err
	}
	kind := `["float"]`
	switch format := v.GetString("encoding_format"); format {
	case "base64":
		kind = `["base64"]`
	case "", "float":
	default:
		return nil, &chat.RequestError{Field: "encoding_format", Message: fmt.Sprintf("%q is neither float nor base64", format)}
	}
	dst = append(jsonedit.AppendName(dst, "embedding_types"), kind...)
	switch d := v.Get("dimensions"); {
	case t.Options.EmbeddingsDimensions != nil && (t.Options.Overrides() || d == nil || d.Type() == jsonedit.TypeNull):
		dst = jsonedit.AppendInt(dst, "output_dimension", *t.Options.EmbeddingsDimensions)
	case d != nil && d.Type() == jsonedit.TypeNumber:
		dst = jsonedit.AppendValue(jsonedit.AppendName(dst, "output_dimension"), d)
	}
	for _, name := range [...]string{"max_tokens", "truncate"} {
		if v.Has(name) {
			dst = jsonedit.AppendValue(jsonedit.AppendName(dst, name), v.Get(name))
		}
	}
	return append(dst, '}'), nil
}

// appendInputs writes texts, images, or both as inputs, and input_type.
func appendInputs(dst []byte, v *jsonedit.Value, inputType string) ([]byte, error) {
	if v.Has("inputs") { // Cohere's own
		dst = jsonedit.AppendValue(jsonedit.AppendName(dst, "inputs"), v.Get("inputs"))
		return jsonedit.AppendText(dst, "input_type", inputType), nil
	}
	list, err := inputsOf(v)
	if err != nil {
		return nil, err
	}
	images := 0
	for _, s := range list {
		if isImage(s) {
			images++
		}
	}
	switch images {
	case 0:
		dst = jsonedit.AppendTexts(dst, "texts", list)
	case len(list):
		dst, inputType = jsonedit.AppendTexts(dst, "images", list), "image"
	default:
		dst = append(jsonedit.AppendName(dst, "inputs"), '[')
		for _, s := range list {
			dst = jsonedit.AppendComma(dst)
			dst = append(dst, `{"content":[`...)
			if isImage(s) {
				dst = appendImage(dst, &chat.Media{URL: s})
			} else {
				dst = appendTextBlock(dst, jsonedit.Plain(s))
			}
			dst = append(dst, "]}"...)
		}
		dst = append(dst, ']')
	}
	return jsonedit.AppendText(dst, "input_type", inputType), nil
}

func isImage(s string) bool { return strings.HasPrefix(s, "data:image/") }

// inputsOf returns the strings of input, and of Cohere's own images.
func inputsOf(v *jsonedit.Value) ([]string, error) {
	var list []string
	input := v.Get("input")
	if input != nil && input.Type() == jsonedit.TypeString {
		list = append(list, v.GetString("input"))
	}
	for i, e := range input.GetArray() {
		s, err := e.StringBytes()
		if err != nil {
			return nil, &chat.RequestError{Field: fmt.Sprintf("input[%d]", i), Message: "must be a string: Cohere takes no token numbers"}
		}
		list = append(list, string(s))
	}
	for _, e := range v.GetArray("images") {
		list = append(list, string(e.GetStringBytes()))
	}
	if len(list) == 0 {
		return nil, &chat.RequestError{Field: "input", Message: "must be a string or a list of strings"}
	}
	return list, nil
}

// AppendResponse writes Cohere's embeddings as OpenAI's list. base64 is the same in
// both: the bytes of 32-bit floats, little endian.
func (embed) AppendResponse(dst []byte, t *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error) {
	v, err := jsonedit.Parse(body)
	if err != nil {
		return nil, &chat.ResponseError{Message: fmt.Sprintf("failed to decode %s response", t.Route)}
	}
	list := v.Get("embeddings")
	for _, name := range [...]string{"float", "base64"} {
		if l := v.Get("embeddings", name); l != nil && l.Type() == jsonedit.TypeArray {
			list = l
		}
	}
	if list == nil || list.Type() != jsonedit.TypeArray {
		return nil, &chat.ResponseError{Message: "'embeddings' missing from cohere response body"}
	}
	seen.HasUsage = readUsage(&seen.Usage, v)
	w := openai.NewEmbeddingsWriter(dst)
	for _, e := range list.GetArray() {
		w.Vector(jsonedit.AppendValue(nil, e))
	}
	tokens := seen.Usage.Prompt
	if !seen.HasUsage {
		tokens = meta.PromptTokens
	}
	return w.End(meta.Model, tokens), nil
}
