package gemini

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// taskType returns the purpose of the vectors: Google's task_type, or the equivalent
// of Cohere's input_type, which some clients send to every provider.
// https://ai.google.dev/gemini-api/docs/embeddings#task-types
func taskType(r *openai.NewEmbeddings) string {
	for _, name := range [...]string{"task_type", "taskType"} {
		if t := r.Text(name); t != "" {
			return strings.ToUpper(t)
		}
	}
	switch r.Text("input_type") {
	case "search_document":
		return "RETRIEVAL_DOCUMENT"
	case "search_query":
		return "RETRIEVAL_QUERY"
	case "classification":
		return "CLASSIFICATION"
	case "clustering":
		return "CLUSTERING"
	}
	return ""
}

// batchEmbed translates embeddings to batchEmbedContents of the public API.
// https://ai.google.dev/api/embeddings#method:-models.batchembedcontents
type batchEmbed struct{}

// AppendRequest implements provider.Translator.
func (batchEmbed) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	r, err := openai.EmbeddingsOf(t, body)
	if err != nil {
		return nil, err
	}
	task, title := taskType(r), r.Text("title")
	dst = append(dst, `{"requests":[`...)
	for _, input := range r.Inputs {
		dst = append(jsonedit.AppendComma(dst), '{')
		dst = jsonedit.AppendText(dst, "model", "models/"+strings.TrimPrefix(t.Model, "models/"))
		dst = jsonedit.AppendRaw(dst, "content", `{"parts":[{"text":`+string(input)+`}]}`)
		dst = jsonedit.AppendOptional(dst, "taskType", task)
		dst = jsonedit.AppendOptional(dst, "title", title)
		if r.Dimensions > 0 {
			dst = jsonedit.AppendInt(dst, "outputDimensionality", r.Dimensions)
		}
		dst = append(dst, '}')
	}
	return append(dst, "]}"...), nil
}

// AppendResponse implements provider.Translator. Newer models count tokens.
func (batchEmbed) AppendResponse(dst []byte, _ *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error) {
	list, err := jsonedit.Array(jsonedit.Lookup(body, "embeddings"), nil)
	if err != nil || len(list) == 0 {
		return nil, &chat.ResponseError{Message: "'embeddings' not in gemini response"}
	}
	w := openai.NewEmbeddingsWriter(dst)
	for _, e := range list {
		values := jsonedit.Lookup(e, "values")
		if !jsonedit.IsArray(values) {
			return nil, &chat.ResponseError{Message: "'values' not in gemini response"}
		}
		w.Vector(values)
	}
	return w.End(meta.Model, counted(body, meta, seen)), nil
}

// counted returns the prompt's tokens that Google reports, or the estimate.
func counted(body []byte, meta chat.Meta, seen *chat.Seen) int {
	if chat.CounterIn(&seen.Usage.Prompt, jsonedit.Lookup(body, "usageMetadata", "promptTokenCount")) {
		seen.HasUsage = true
		return seen.Usage.Prompt
	}
	return meta.PromptTokens
}

// predictEmbed translates embeddings to predict on Vertex AI, or to
// embedContent for the models that have that instead, one text at a time.
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
type predictEmbed struct{}

// embedsContent reports whether a model has embedContent instead of predict: Gemini's
// embedding models since the second, and open models as a service.
func embedsContent(model string) bool {
	return strings.Contains(model, "gemini") && model != "gemini-embedding-001" || strings.Contains(model, "maas")
}

func vertexEmbedPath(t *target.Target, stream bool) (string, error) {
	method := ":predict"
	if embedsContent(t.Model) {
		method = ":embedContent"
	}
	return published("google", func(bool) string { return method })(t, stream)
}

// AppendRequest implements provider.Translator.
func (predictEmbed) AppendRequest(dst []byte, t *target.Target, body []byte) ([]byte, error) {
	r, err := openai.EmbeddingsOf(t, body)
	if err != nil {
		return nil, err
	}
	if embedsContent(t.Model) {
		return appendEmbedContent(dst, r)
	}
	task, title := taskType(r), r.Text("title")
	dst = append(dst, `{"instances":[`...)
	for _, input := range r.Inputs {
		dst = jsonedit.AppendRaw(append(jsonedit.AppendComma(dst), '{'), "content", input)
		dst = jsonedit.AppendOptional(dst, "task_type", task)
		dst = jsonedit.AppendOptional(dst, "title", title)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if r.Dimensions > 0 {
		dst = append(jsonedit.AppendInt(append(dst, `,"parameters":{`...), "outputDimensionality", r.Dimensions), '}')
	}
	return append(dst, '}'), nil
}

func appendEmbedContent(dst []byte, r *openai.NewEmbeddings) ([]byte, error) {
	if len(r.Inputs) > 1 {
		return nil, &chat.RequestError{Field: "input", Message: "the model takes one text at a time"}
	}
	dst = append(append(append(dst, `{"content":{"parts":[{"text":`...), r.Inputs[0]...), "}]}"...)
	dst = append(dst, `,"embedContentConfig":{`...)
	if task := taskType(r); task != "" {
		dst = jsonedit.AppendText(dst, "taskType", task)
	}
	if r.Dimensions > 0 {
		dst = jsonedit.AppendInt(dst, "outputDimensionality", r.Dimensions)
	}
	return append(dst, "}}"...), nil
}

// AppendResponse implements provider.Translator.
func (predictEmbed) AppendResponse(dst []byte, _ *target.Target, body []byte, meta chat.Meta, seen *chat.Seen) ([]byte, error) {
	w := openai.NewEmbeddingsWriter(dst)
	if values := jsonedit.Lookup(body, "embedding", "values"); jsonedit.IsArray(values) {
		w.Vector(values)
		return w.End(meta.Model, counted(body, meta, seen)), nil
	}
	list, err := jsonedit.Array(jsonedit.Lookup(body, "predictions"), nil)
	if err != nil || len(list) == 0 {
		return nil, &chat.ResponseError{Message: "'predictions' not in gemini response"}
	}
	tokens := 0
	for _, p := range list {
		values := jsonedit.Lookup(p, "embeddings", "values")
		if !jsonedit.IsArray(values) {
			return nil, &chat.ResponseError{Message: "'embeddings.values' not in gemini response"}
		}
		w.Vector(values)
		if n := 0; chat.CounterIn(&n, jsonedit.Lookup(p, "embeddings", "statistics", "token_count")) {
			tokens += n
			seen.HasUsage = true
		}
	}
	seen.Usage.Prompt = tokens
	if !seen.HasUsage {
		tokens = meta.PromptTokens
	}
	return w.End(meta.Model, tokens), nil
}

var _ = [...]provider.Translator{batchEmbed{}, predictEmbed{}}
