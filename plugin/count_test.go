package plugin

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// counts answers as the counters do, and nothing else.
func counts(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		if !strings.HasSuffix(path, "count_tokens") && !strings.HasSuffix(path, "count-tokens:rawPredict") && !strings.HasSuffix(path, ":countTokens") && !strings.HasSuffix(path, "/count-tokens") && !strings.HasSuffix(path, "/input_tokens") {
			t.Errorf("the provider was asked %s", path)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"input_tokens":42,"inputTokens":42,"totalTokens":42}`))
	}
}

const (
	claudeAsks  = `{"model":"m","system":"be brief","messages":[{"role":"user","content":"hello there"}],"tools":[{"name":"look","input_schema":{"type":"object"}}]}`
	geminiAsks  = `{"generateContentRequest":{"contents":[{"role":"user","parts":[{"text":"hello there"}]}]}}`
	openAIAsks  = `{"model":"m","input":"hello there"}`
	bedrockAsks = `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"hello there"}]}]}}}`
)

// countConf is a target for a client that counts.
func countConf(format, provider, model, more string) string {
	wanted := chatRoute
	if format == "openai" {
		wanted = "llm/v1/responses"
	}
	if provider == "bedrock" {
		more += `,"bedrock":{"aws_region":"us-east-1"}`
	}
	return servesModels(format, "", `"route_type":"`+wanted+`","model":{"provider":"`+provider+`","name":"`+model+`","model_alias":"m","options":{`+strings.TrimPrefix(more, ",")+`}}`)
}

func TestPromptIsCountedByTheProvidersOwnCounter(t *testing.T) {
	const vertex = `,"gemini":{"api_endpoint":"us-east5-aiplatform.googleapis.com","project_id":"p","location_id":"us-east5"}`
	const sonnet, profiled = "anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
	invoked := `{"input":{"invokeModel":{"body":"` + base64.StdEncoding.EncodeToString([]byte(claudeAsks)) + `"}}}`
	for _, c := range []struct{ format, provider, model, more, path, body, want, upPath, upBody string }{
		{"anthropic", "gemini", "gemini-2.5-pro", "", "/v1/messages/count_tokens", claudeAsks, `{"input_tokens":42}`, "/v1beta/models/gemini-2.5-pro:countTokens", `{"generateContentRequest":{"model":"models/gemini-2.5-pro","systemInstruction":`},
		{"anthropic", "gemini", "gemini-2.5-pro", vertex, "/v1/messages/count_tokens", claudeAsks, `{"input_tokens":42}`, "/v1/projects/p/locations/us-east5/publishers/google/models/gemini-2.5-pro:countTokens", `{"systemInstruction":`},
		{"anthropic", "bedrock", profiled, "", "/v1/messages/count_tokens", claudeAsks, `{"input_tokens":42}`, "/model/" + strings.ReplaceAll(sonnet, ":", "%3A") + "/count-tokens", `{"input":{"converse":{"messages":`},
		{"gemini", "anthropic", "claude-sonnet-4-5", "", "/v1beta/models/m:countTokens", geminiAsks, `{"totalTokens":42}`, "/v1/messages/count_tokens", `{"model":"claude-sonnet-4-5"`},
		{"gemini", "gemini", "claude-sonnet-4-5", vertex, "/v1beta/models/m:countTokens", geminiAsks, `{"totalTokens":42}`, "/v1/projects/p/locations/us-east5/publishers/anthropic/models/count-tokens:rawPredict", `{"model":"claude-sonnet-4-5",`},
		{"gemini", "bedrock", sonnet, "", "/v1beta/models/m:countTokens", geminiAsks, `{"totalTokens":42}`, "/model/" + strings.ReplaceAll(sonnet, ":", "%3A") + "/count-tokens", `{"input":{"converse":`},
		{"openai", "anthropic", "claude-sonnet-4-5", "", "/v1/responses/input_tokens", openAIAsks, `{"object":"response.input_tokens","input_tokens":42}`, "/v1/messages/count_tokens", `hello there`},
		{"openai", "gemini", "gemini-2.5-pro", "", "/v1/responses/input_tokens", openAIAsks, `{"object":"response.input_tokens","input_tokens":42}`, "/v1beta/models/gemini-2.5-pro:countTokens", `hello there`},
		{"openai", "openai", "gpt-5", "", "/v1/responses/input_tokens", openAIAsks, `"input_tokens":42`, "/v1/responses/input_tokens", `{"model":"gpt-5","input":"hello there"}`},
		{"openai", "openai", "gpt-5", `,"upstream_url":"http://u/x/v1/responses"`, "/v1/responses/input_tokens", openAIAsks, `"input_tokens":42`, "/x/v1/responses/input_tokens", `{"model":"gpt-5","input":"hello there"}`},
		{"bedrock", "openai", "gpt-5", "", "/model/m/count-tokens", bedrockAsks, `{"inputTokens":42}`, "/v1/responses/input_tokens", `{"model":"gpt-5","input":[{"type":"message","role":"user","content":"hello there"}]}`},
		{"anthropic", "openai", "gpt-4o", `,"upstream_url":"https://api.openai.com/v1/chat/completions"`, "/v1/messages/count_tokens", claudeAsks, `{"input_tokens":42}`, "/v1/responses/input_tokens",
			`{"model":"gpt-4o","input":[{"type":"message","role":"system","content":"be brief"},{"type":"message","role":"user","content":"hello there"}],"tools":[{"type":"function","name":"look","parameters":{"type":"object","properties":{}},"strict":false}]}`},
		{"gemini", "azure", "gpt-5", `,"azure_instance":"i","azure_deployment_id":"d","azure_api_version":"2024-10-21"`, "/v1beta/models/m:countTokens", geminiAsks, `{"totalTokens":42}`, "/openai/v1/responses/input_tokens", `{"model":"d","input":`},
		{"bedrock", "anthropic", "claude-sonnet-4-5", "", "/model/m/count-tokens", bedrockAsks, `{"inputTokens":42}`, "/v1/messages/count_tokens", `hello there`},
		{"bedrock", "anthropic", "claude-sonnet-4-5", "", "/model/m/count-tokens", invoked, `{"inputTokens":42}`, "/v1/messages/count_tokens", `be brief`},
		{"bedrock", "bedrock", sonnet, "", "/model/m/count-tokens", bedrockAsks, `"inputTokens":42`, "/model/" + strings.ReplaceAll(sonnet, ":", "%3A") + "/count-tokens", bedrockAsks},
	} {
		b := newBench(t, countConf(c.format, c.provider, c.model, c.more), counts(t)).elsewhere()
		resp, got := b.send("POST", c.path, asJSON, c.body)
		if resp.StatusCode != 200 || !strings.Contains(got, c.want) || resp.Header.Get(headerCount) != "" {
			t.Errorf("%s to %s: %d %s", c.format, c.provider, resp.StatusCode, got)
			b.record()
			continue
		}
		asked, body := b.asked()
		if asked.URL.EscapedPath() != c.upPath || !strings.Contains(body, c.upBody) || strings.Contains(body, "max_tokens") || strings.Contains(body, `"stream"`) {
			t.Errorf("%s to %s: asked %s %s", c.format, c.provider, asked.URL.EscapedPath(), body)
		}
		if rec := b.record(); at(rec, "meta.outcome") != "completed" || at(rec, "usage.total_tokens") != 0.0 || at(rec, "usage.cost") != 0.0 || at(rec, "usage.estimated") != nil {
			t.Errorf("record %v", rec)
		}
	}
}

func TestPromptIsEstimatedWhereTheProviderHasNoCounter(t *testing.T) {
	for _, c := range []struct{ format, provider, model, more, path, body, want string }{
		{"anthropic", "mistral", "mistral-large", "", "/v1/messages/count_tokens", claudeAsks, `{"input_tokens":14}`},
		{"anthropic", "ollama", "m", `,"upstream_url":"http://u/api/chat"`, "/v1/messages/count_tokens", claudeAsks, `{"input_tokens":14}`},
		{"anthropic", "bedrock", "amazon.nova-pro-v1:0", "", "/v1/messages/count_tokens", claudeAsks, `{"input_tokens":14}`},
		{"anthropic", "gemini", "gemini-2.5-pro", `,"upstream_url":"http://u/some/where"`, "/v1/messages/count_tokens", claudeAsks, `{"input_tokens":14}`},
		{"anthropic", "openai", "gpt-5", `,"upstream_url":"http://u/v1/chat/completions"`, "/v1/messages/count_tokens", claudeAsks, `{"input_tokens":14}`},
		{"gemini", "deepseek", "deepseek-chat", "", "/v1beta/models/m:countTokens", geminiAsks, `{"totalTokens":3}`},
		{"gemini", "cohere", "command-a", "", "/v1beta/models/m:countTokens", geminiAsks, `{"totalTokens":3}`},
		{"openai", "mistral", "mistral-large", "", "/v1/responses/input_tokens", openAIAsks, `"input_tokens":3}`},
		{"openai", "xai", "grok-4", "", "/v1/responses/input_tokens", openAIAsks, `"input_tokens":3}`},
	} {
		b := newBench(t, countConf(c.format, c.provider, c.model, c.more), unasked(t)).elsewhere()
		resp, got := b.send("POST", c.path, asJSON, c.body)
		if resp.StatusCode != 200 || !strings.Contains(got, c.want) || resp.Header.Get(headerCount) != "estimated" {
			t.Errorf("%s to %s: %d %s", c.format, c.provider, resp.StatusCode, got)
		}
		if rec := b.record(); at(rec, "meta.outcome") != "completed" || at(rec, "usage.total_tokens") != 0.0 || at(rec, "usage.estimated") != true {
			t.Errorf("record %v", rec)
		}
	}
}

func TestPromptIsEstimatedWhereTheCounterRefusesTheModel(t *testing.T) {
	for status, want := range map[int]int{400: 200, 404: 200, 401: 401, 429: 429} {
		b := newBench(t, countConf("anthropic", "bedrock", "anthropic.claude-x-v1:0", ""), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"message":"The provided model doesn't support counting tokens."}`))
		}).elsewhere()
		resp, got := b.send("POST", "/v1/messages/count_tokens", asJSON, claudeAsks)
		if resp.StatusCode != want || (want == 200) != (got == `{"input_tokens":14}`) {
			t.Errorf("%d: %d %s", status, resp.StatusCode, got)
		}
		b.record()
	}
}
