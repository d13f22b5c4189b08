package plugin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// contested are the options that clients can set as well: what is configured, and what
// the client says, in the words of the surface that the law is run on.
var contested = []struct {
	name, field      string // in model.options
	configured, said string // JSON
}{
	{"max_tokens", "max_tokens", `7`, `9`},
	{"temperature", "temperature", `0.5`, `0.25`},
	{"top_p", "top_p", `0.5`, `0.75`},
	{"top_k", "top_k", `3`, `5`},
	{"tier", "service_tier", `"priority"`, `"flex"`},
	{"latency", "bedrock.performance_config_latency", `"optimized"`, `"standard"`},
	{"dimensions", "embeddings_dimensions", `64`, `128`},
	{"normalize", "bedrock.embeddings_normalize", `true`, `false`}, // false is Kong's default, and may mean that nothing is configured
}

// surface is a format that clients speak, and a provider that serves it. members are
// where the client says each option, and where the provider is told it, if that is
// elsewhere: "here > there".
type surface struct {
	name, format, route, provider, model, options, path, body string
	members                                                   map[string]string
}

const (
	chatBody  = `{"messages":[{"role":"user","content":"x"}]}`
	vectorsIn = `{"input":"x"}`

	vertexModels = "/v1/projects/acme/locations/us-east5/publishers/google/models/"
)

var surfaces = []surface{
	{"chat", "openai", chatRoute, "openai", "gpt-4o", "", "/chat", chatBody, map[string]string{
		"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "tier": "service_tier"}},
	{"chat of a model that reasons", "openai", chatRoute, "openai", "gpt-5", "", "/chat", chatBody, map[string]string{"max_tokens": "max_completion_tokens", "tier": "service_tier"}},
	{"chat on azure", "openai", chatRoute, "azure", "gpt-4o", "", "/chat", chatBody, map[string]string{"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "tier": "service_tier"}},
	{"chat on vllm", "openai", chatRoute, "vllm", "m", "", "/chat", chatBody, map[string]string{"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}},
	{"responses", "openai", "llm/v1/responses", "openai", "gpt-4o", "", "/responses", vectorsIn, map[string]string{
		"max_tokens": "max_output_tokens", "temperature": "temperature", "top_p": "top_p", "tier": "service_tier"}},
	{"chat to messages", "openai", chatRoute, "anthropic", "claude-3-haiku", "", "/chat", chatBody, map[string]string{
		"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p"}},
	{"messages to chat", "anthropic", chatRoute, "openai", "gpt-4o", "", "/v1/messages", chatBody, map[string]string{
		"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p"}},
	{"messages", "anthropic", chatRoute, "anthropic", "claude-3-haiku", "", "/v1/messages", chatBody, map[string]string{
		"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}},
	{"messages on bedrock", "anthropic", chatRoute, "bedrock", "anthropic.claude-3-haiku-v1:0", "", "/v1/messages", chatBody, map[string]string{
		"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}},
	{"converse", "bedrock", chatRoute, "bedrock", "qwen.q", "", "/model/qwen.q/converse", `{"messages":[{"role":"user","content":[{"text":"x"}]}]}`, map[string]string{
		"max_tokens": "inferenceConfig.maxTokens", "temperature": "inferenceConfig.temperature", "top_p": "inferenceConfig.topP",
		"top_k": "additionalModelRequestFields.top_k", "tier": "serviceTier.type", "latency": "performanceConfig.latency"}},
	{"chat to converse", "openai", chatRoute, "bedrock", "qwen.q", "", "/chat", chatBody, map[string]string{
		"max_tokens": "max_tokens > inferenceConfig.maxTokens", "temperature": "temperature > inferenceConfig.temperature", "top_p": "top_p > inferenceConfig.topP",
		"tier": "service_tier > serviceTier.type", "latency": "performanceConfig.latency"}},
	{"invoke", "bedrock", chatRoute, "bedrock", "amazon.nova-pro-v1:0", "", "/model/amazon.nova-pro-v1:0/invoke", `{"messages":[]}`, map[string]string{
		"max_tokens": "inferenceConfig.maxTokens", "temperature": "inferenceConfig.temperature", "top_p": "inferenceConfig.topP", "top_k": "inferenceConfig.topK"}},
	{"gemini", "gemini", chatRoute, "gemini", "g", "", "/v1beta/models/g:generateContent", `{"contents":[{"parts":[{"text":"x"}]}]}`, map[string]string{
		"max_tokens": "generationConfig.maxOutputTokens", "temperature": "generationConfig.temperature", "top_p": "generationConfig.topP", "top_k": "generationConfig.topK", "tier": "serviceTier"}},
	{"chat to gemini", "openai", chatRoute, "gemini", "g", "", "/chat", chatBody, map[string]string{
		"max_tokens": "max_tokens > generationConfig.maxOutputTokens", "temperature": "temperature > generationConfig.temperature", "top_p": "top_p > generationConfig.topP", "tier": "service_tier > serviceTier"}},
	{"gemini to chat", "gemini", chatRoute, "openai", "gpt-4o", "", "/v1beta/models/gpt-4o:generateContent", `{"contents":[{"parts":[{"text":"x"}]}]}`, map[string]string{
		"max_tokens": "generationConfig.maxOutputTokens > max_tokens", "temperature": "generationConfig.temperature > temperature", "top_p": "generationConfig.topP > top_p"}},
	{"cohere", "cohere", chatRoute, "cohere", "c", "", "/v2/chat", chatBody, map[string]string{"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "p", "top_k": "k"}},
	{"TGI", "huggingface", chatRoute, "huggingface", "h", "", "/generate", `{"inputs":"x"}`, map[string]string{
		"max_tokens": "parameters.max_new_tokens", "temperature": "parameters.temperature", "top_p": "parameters.top_p", "top_k": "parameters.top_k"}},
	{"embeddings", "openai", "llm/v1/embeddings", "openai", "text-embedding-3-small", "", "/embeddings", vectorsIn, map[string]string{"dimensions": "dimensions"}},
	{"embeddings to cohere", "openai", "llm/v1/embeddings", "cohere", "embed-v4.0", "", "/embeddings", vectorsIn, map[string]string{"dimensions": "dimensions > output_dimension"}},
	{"embeddings to titan", "openai", "llm/v1/embeddings", "bedrock", "amazon.titan-embed-text-v2:0", "", "/embeddings", vectorsIn, map[string]string{"dimensions": "dimensions", "normalize": "normalize"}},
	{"cohere's embeddings", "cohere", "llm/v1/embeddings", "cohere", "embed-v4.0", "", "/v2/embed", `{"texts":["x"]}`, map[string]string{"dimensions": "output_dimension"}},
	{"gemini's embeddings", "gemini", "llm/v1/embeddings", "gemini", "g", "", "/v1beta/models/g:embedContent", `{"content":{}}`, map[string]string{"dimensions": "outputDimensionality"}},
	{"embeddings to titan's pictures", "openai", "llm/v1/embeddings", "bedrock", "amazon.titan-embed-image-v1", "", "/embeddings", vectorsIn, map[string]string{"dimensions": "dimensions > embeddingConfig.outputEmbeddingLength"}},
	{"titan's embeddings", "bedrock", "llm/v1/embeddings", "bedrock", "amazon.titan-embed-text-v2:0", "", "/model/amazon.titan-embed-text-v2:0/invoke", `{"inputText":"x"}`, map[string]string{"dimensions": "dimensions", "normalize": "normalize"}},
	{"titan's pictures", "bedrock", "llm/v1/embeddings", "bedrock", "amazon.titan-embed-image-v1", "", "/model/amazon.titan-embed-image-v1/invoke", `{"inputText":"x"}`, map[string]string{"dimensions": "embeddingConfig.outputEmbeddingLength"}},
	{"cohere's embeddings on bedrock", "bedrock", "llm/v1/embeddings", "bedrock", "us.cohere.embed-v4:0", "", "/model/us.cohere.embed-v4:0/invoke", `{"texts":["x"]}`, map[string]string{"dimensions": "output_dimension"}},
	{"nova's embeddings", "bedrock", "llm/v1/embeddings", "bedrock", "amazon.nova-2-multimodal-embeddings-v1:0", "", "/model/amazon.nova-2-multimodal-embeddings-v1:0/invoke",
		`{"taskType":"SINGLE_EMBEDDING"}`, map[string]string{"dimensions": "singleEmbeddingParams.embeddingDimension"}},
	{"embedContent on vertex", "gemini", "llm/v1/embeddings", "gemini", "gemini-embedding-2", vertexOptions, vertexModels + "gemini-embedding-2:embedContent", `{"content":{}}`, map[string]string{"dimensions": "embedContentConfig.outputDimensionality"}},
	{"predict on vertex", "gemini", "llm/v1/embeddings", "gemini", "text-embedding-005", vertexOptions, vertexModels + "text-embedding-005:predict", `{"instances":[{"content":"x"}]}`, map[string]string{"dimensions": "parameters.outputDimensionality"}},
}

// TestOptionsWinOrYieldInEveryFormat is a law over options, formats and override: what is
// configured reaches the provider under the format's own name, unless override is false
// and the client said something itself. A text may be a template.
func TestOptionsWinOrYieldInEveryFormat(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{}`))
	checked := 0
	for _, f := range surfaces {
		for _, o := range contested {
			members := f.members[o.name]
			if members == "" {
				continue
			}
			here, there, _ := strings.Cut(members, " > ")
			if there == "" {
				there = here
			}
			for _, override := range []string{"", "true", "false"} {
				for _, said := range []bool{false, true} {
					for _, template := range []bool{false, true} {
						if template && o.configured[0] != '"' {
							continue
						}
						body, value := f.body, o.configured
						if said {
							body = withMember(t, body, here, o.said)
						}
						var headers []string
						if template {
							value, headers = `"$(headers.x-own)"`, []string{"X-Own", strings.Trim(o.configured, `"`)}
						}
						want := o.configured
						if said && override == "false" {
							want = o.said
						}
						inst := s.instance(confOf(f.format, f.route, f.provider, f.model, optionsWith(f.options, o.field, value, override)))
						out, _ := s.post(inst, f.path, "", []byte(body), headers...)
						at := fmt.Sprintf("%s, %s, override %q, said %t, template %t", f.name, o.name, override, said, template)
						if len(s.sent) != 1 {
							t.Errorf("%s: %d %s", at, out.status, out.body.String())
							continue
						}
						if got := memberOf(s.sent[0], there); got != want {
							t.Errorf("%s: %s is %s, want %s: %s", at, there, got, want, s.sent[0])
						}
						checked++
					}
				}
			}
		}
	}
	if checked < 500 {
		t.Errorf("only %d combinations", checked)
	}
}

// optionsWith are options with one field more, and whether they override.
func optionsWith(options, field, value, override string) string {
	record, name, nested := strings.Cut(field, ".")
	text := fmt.Sprintf(`%q:%s`, field, value)
	if nested {
		text = fmt.Sprintf(`%q:{"aws_region":"us-east-1",%q:%s}`, record, name, value)
	}
	if override != "" {
		text += `,"override":` + override
	}
	if options != "" {
		text += "," + options
	}
	return text
}

// withMember is body with a member at a dotted path.
func withMember(t *testing.T, body, path, value string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		t.Fatal(err)
	}
	names := strings.Split(path, ".")
	at := object
	for _, name := range names[:len(names)-1] {
		inner := map[string]any{}
		at[name] = inner
		at = inner
	}
	at[names[len(names)-1]] = json.RawMessage(value)
	out, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// memberOf is the JSON at a dotted path.
func memberOf(body []byte, path string) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return "no JSON"
	}
	text, _ := json.Marshal(at(v, path))
	return string(text)
}
