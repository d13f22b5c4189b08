package plugin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
)

// chatClient speaks OpenAI's chat, and is answered by the Responses API, too.
var chatClient = speaker{name: "chat", surface: provider.OpenAIChat, format: "openai", route: chatRoute, path: fixed("/v1/chat/completions"),
	ask: asks(openai.Upstream{}), read: openai.Upstream{}, media: "text/event-stream", errorShape: "error.message"}

// only are models that exist in the Responses API only, by provider.
var only = map[string]string{"openai": "gpt-5-pro", "azure": "gpt-5.1-codex", "xai": "grok-4.20-multi-agent"}

func TestEveryDialectWorksWithModelsOfTheResponsesAPI(t *testing.T) {
	t.Parallel()
	s := newStage(t, mock.Handler(mock.Options{}))
	for name, model := range only {
		for _, c := range append([]speaker{chatClient}, speakers...) {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				inst := s.instance(calledBy(c.format, c.route, name, model, mock.Model, ""))
				for _, scenario := range mock.Scenarios {
					if !lossy(scenario.Name) {
						s.t = t
						s.exchange(t, inst, c, scenario, name)
					}
				}
				for _, r := range s.seen {
					if !strings.HasSuffix(r.URL.Path, "/responses") {
						t.Errorf("asked %s", r.URL)
					}
				}
			})
		}
	}
}

// calledBy is confOf with an alias of the model.
func calledBy(format, route, provider, model, alias, more string) string {
	return strings.Replace(confOf(format, route, provider, model, more), `"name":"`, `"model_alias":"`+alias+`","name":"`, 1)
}

const (
	chatTool   = `"tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}]`
	claudeTool = `"tools":[{"name":"look","input_schema":{"type":"object"}}]`
	claudeWeb  = `"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3},{"name":"look","input_schema":{"type":"object"}}]`
)

// The Responses API is asked for what chat/completions refuses, and for nothing else.
func TestResponsesAPIIsAskedForWhatChatRefuses(t *testing.T) {
	const thinks = `,"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":4000}`
	for _, c := range []struct {
		name, format, provider, model, more, ask string
		responses                                bool
		path                                     string
	}{
		{"a model of that API only", "openai", "openai", "gpt-5.2-codex", "", ``, true, "/v1/responses"},
		{"functions and effort", "openai", "openai", "gpt-5.4", "", `,"reasoning_effort":"high",` + chatTool, true, "/v1/responses"},
		{"functions, and the default is none", "openai", "openai", "gpt-5.4-mini", "", `,` + chatTool, false, "/v1/chat/completions"},
		{"functions, and the default is another", "openai", "openai", "gpt-5.6-terra", "", `,` + chatTool, true, "/v1/responses"},
		{"functions and no effort", "openai", "openai", "gpt-5.6-terra", "", `,"reasoning_effort":"none",` + chatTool, false, "/v1/chat/completions"},
		{"effort alone", "openai", "openai", "gpt-5.6-terra", "", `,"reasoning_effort":"high"`, false, "/v1/chat/completions"},
		{"an older model", "openai", "openai", "gpt-5-mini", "", `,"reasoning_effort":"high",` + chatTool, false, "/v1/chat/completions"},
		{"a search", "openai", "openai", "gpt-4.1", "", `,"web_search_options":{}`, true, "/v1/responses"},
		{"a search of a model that searches in chat", "openai", "openai", "gpt-4o-search-preview", "", `,"web_search_options":{}`, false, "/v1/chat/completions"},
		{"a name as a router of many makers has it", "openai", "openai", "openai/gpt-5.6", `"upstream_url":"http://x.test/api/v1/chat/completions"`, `,` + chatTool, false, "/api/v1/chat/completions"},
		{"an unknown name", "openai", "openai", "acme", "", `,"reasoning_effort":"high",` + chatTool, false, "/v1/chat/completions"},
		{"a custom tool", "openai", "openai", "gpt-5.6", "", `,"tools":[{"type":"custom","custom":{"name":"x"}}]`, true, "/v1/responses"},
		{"a tool that cannot be translated", "openai", "openai", "gpt-5.6", "", `,"tools":[{"type":"scent","scent":{"name":"x"}}]`, false, "/v1/chat/completions"},
		{"Claude's thinking and functions", "anthropic", "openai", "gpt-5.4", "", thinks + `,` + claudeTool, true, "/v1/responses"},
		{"Claude's thinking without a budget", "anthropic", "openai", "gpt-5.4", "", `,"max_tokens":9000,"thinking":{"type":"adaptive"},` + claudeTool, true, "/v1/responses"},
		{"Claude without thinking", "anthropic", "openai", "gpt-5.4", "", `,"max_tokens":9000,` + claudeTool, false, "/v1/chat/completions"},
		{"Claude's thinking, an older model", "anthropic", "openai", "gpt-5", "", thinks + `,` + claudeTool, false, "/v1/chat/completions"},
		{"Claude's search", "anthropic", "openai", "gpt-4o", "", `,"max_tokens":99,` + claudeWeb, true, "/v1/responses"},
		{"Claude's search on xai", "anthropic", "xai", "grok-4", "", `,"max_tokens":99,` + claudeWeb, true, "/v1/responses"},
		{"azure, an old version", "openai", "azure", "gpt-5-pro", "", ``, true, "/openai/v1/responses"},
		{"azure, a dated version with the API", "openai", "azure", "gpt-5-pro", `"azure_api_version":"2025-04-01-preview"`, ``, true, "/openai/responses?api-version=2025-04-01-preview"},
		{"azure, v1", "openai", "azure", "gpt-5-pro", `"azure_api_version":"v1"`, ``, true, "/openai/v1/responses"},
		{"azure, preview", "openai", "azure", "gpt-5-pro", `"azure_api_version":"preview"`, ``, true, "/openai/v1/responses?api-version=preview"},
		{"azure, the URL has the version", "openai", "azure", "gpt-5-pro", `"upstream_url":"http://x.test/p/openai/deployments/d/chat/completions?api-version=2025-04-01-preview"`, ``, true, "/p/openai/responses?api-version=2025-04-01-preview"},
		{"azure, the URL has an old version", "openai", "azure", "gpt-5-pro", `"upstream_url":"http://x.test/openai/deployments/d/chat/completions?api-version=2024-10-21"`, ``, false, "/openai/deployments/d/chat/completions?api-version=2024-10-21"},
		{"a proxy's URL", "openai", "openai", "gpt-5-pro", `"upstream_url":"http://x.test/llm/chat/completions"`, ``, true, "/llm/responses"},
		{"a URL of the API", "openai", "openai", "gpt-5-pro", `"upstream_url":"http://x.test/llm/v1/responses"`, ``, true, "/llm/v1/responses"},
		{"a URL that says nothing", "openai", "openai", "gpt-5-pro", `"upstream_url":"http://x.test/llm"`, ``, false, "/llm"},
		{"a path", "openai", "openai", "gpt-5-pro", `"upstream_path":"/eu/v1/chat/completions"`, ``, true, "/eu/v1/responses"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, mock.Handler(mock.Options{}))
			path := map[string]string{"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[c.format]
			inst := s.instance(confOf(c.format, chatRoute, c.provider, c.model, c.more))
			out, rec := s.post(inst, path, "trace=1", fmt.Appendf(nil, `{"model":%q,"messages":[{"role":"user","content":"x"}]%s}`, c.model, c.ask))
			if len(s.seen) != 1 {
				t.Fatalf("asked %d times: %s", len(s.seen), out.body.Bytes())
			}
			if got := strings.TrimSuffix(strings.Replace(s.seen[0].URL.String(), "trace=1&", "", 1), "?trace=1"); got != c.path || strings.Contains(string(s.sent[0]), `"input":[`) != c.responses {
				t.Errorf("asked %s, want %s\n%s", got, c.path, s.sent[0])
			}
			if d := rec.Data(); d.Label.Provider != c.provider || len(d.Tried) != 1 || d.Tried[0].Route != chatRoute {
				t.Errorf("the record's provider and route are %q and %+v", d.Label.Provider, d.Tried)
			}
		})
	}
}

// A summary of the reasoning is asked for where the client shows thoughts, and only there.
func TestSummariesAreAskedForByClientsThatShowThoughts(t *testing.T) {
	const gemini = `{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":5000%s}}}`
	const claude = `{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"x"}],"thinking":%s}`
	const converse = `{"messages":[{"role":"user","content":[{"text":"x"}]}],"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":5000}}}`
	for _, c := range []struct{ format, path, ask, want string }{
		{"anthropic", "/v1/messages", fmt.Sprintf(claude, `{"type":"enabled","budget_tokens":5000}`), `"reasoning":{"effort":"high","summary":"auto"}`},
		{"anthropic", "/v1/messages", fmt.Sprintf(claude, `{"type":"enabled","budget_tokens":5000,"display":"omitted"}`), `"reasoning":{"effort":"high"}`},
		{"anthropic", "/v1/messages", fmt.Sprintf(claude, `{"type":"disabled"}`), `"reasoning":{"effort":"high"}`}, // the least of this model
		{"gemini", "/v1beta/models/m:generateContent", fmt.Sprintf(gemini, `,"includeThoughts":true`), `"reasoning":{"effort":"high","summary":"auto"}`},
		{"gemini", "/v1beta/models/m:generateContent", fmt.Sprintf(gemini, ``), `"reasoning":{"effort":"high"}`},
		{"bedrock", "/model/m/converse", converse, `"reasoning":{"effort":"high","summary":"auto"}`},
		{"openai", "/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"x"}],"reasoning_effort":"high"}`, `"reasoning":{"effort":"high"}`},
	} {
		s := newStage(t, mock.Handler(mock.Options{}))
		inst := s.instance(calledBy(c.format, chatRoute, "openai", "gpt-5-pro", "m", ""))
		if out, _ := s.post(inst, c.path, "", []byte(c.ask)); out.status != http.StatusOK || !strings.Contains(string(s.sent[0]), c.want) {
			t.Errorf("%s: %d, sent %s, want %s", c.ask, out.status, s.sent[0], c.want)
		}
	}
}

// What the model encrypted of its reasoning comes back to it, and to nobody else.
func TestEncryptedReasoningComesBackToWhereItIsFrom(t *testing.T) {
	s := newStage(t, mock.Handler(mock.Options{}))
	inst := s.instance(calledBy("anthropic", chatRoute, "openai", "gpt-5.4", "m", ""))
	const ask = `{"model":"m","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":4000},"messages":[{"role":"user","content":"scenario:thinking_tools"}%s],` + claudeTool + `}`
	out, _ := s.post(inst, "/v1/messages", "", fmt.Appendf(nil, ask, ""))
	if out.status != http.StatusOK {
		t.Fatalf("%d %s", out.status, out.body.Bytes())
	}
	sealed := `"encrypted_content":"c2lnbmF0dXJlLW9mLXRoaW5raW5nLXRvb2xz"`
	answer := out.body.String()
	content := answer[strings.Index(answer, `"content":`)+len(`"content":`):]
	content = content[:strings.Index(content, `],"`)+1]
	history := `,{"role":"assistant","content":` + content + `},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_Think2Bc6","content":"rain"}]}`
	if out, _ = s.post(inst, "/v1/messages", "", fmt.Appendf(nil, ask, history)); out.status != http.StatusOK || !strings.Contains(string(s.sent[0]), sealed) {
		t.Errorf("%d, sent %s", out.status, s.sent[0])
	}
	if got := string(s.sent[0]); strings.Index(got, sealed) > strings.Index(got, `"function_call"`) {
		t.Errorf("the reasoning is behind its call: %s", got)
	}
	other := s.instance(calledBy("anthropic", chatRoute, "azure", "gpt-5.4", "m", ""))
	if _, _ = s.post(other, "/v1/messages", "", fmt.Appendf(nil, ask, history)); strings.Contains(string(s.sent[0]), "c2lnbmF0dXJl") {
		t.Errorf("another provider was sent %s", s.sent[0])
	}
}

// The plugin's options and extra_body have their effect in the Responses API, too.
func TestOptionsReachTheResponsesAPI(t *testing.T) {
	s := newStage(t, mock.Handler(mock.Options{}))
	inst := s.instance(confOf("", chatRoute, "openai", "gpt-5-pro", `"max_tokens":77,"temperature":0.5`))
	out, _ := s.post(inst, "/v1/chat/completions", "", []byte(`{"model":"gpt-5-pro","messages":[{"role":"user","content":"x"}],"extra_body":{"truncation":"auto"}}`))
	for _, want := range []string{`"max_output_tokens":77`, `"truncation":"auto"`, `"store":false`} {
		if !strings.Contains(string(s.sent[0]), want) {
			t.Errorf("%s is missing in %s", want, s.sent[0])
		}
	}
	if strings.Contains(string(s.sent[0]), "temperature") { // which models that reason refuse
		t.Errorf("sent %s", s.sent[0])
	}
	if out.status != http.StatusOK || !strings.Contains(out.body.String(), `"object":"chat.completion"`) {
		t.Errorf("%d %s", out.status, out.body.Bytes())
	}
}

// A response that fails before its first content lets another target answer.
func TestResponseThatFailsAtOnceFailsOver(t *testing.T) {
	for _, answer := range []struct{ name, media, body string }{
		{"failed stream", "text/event-stream", "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\nevent: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"gave up\"}}}\n\n"},
		{"error event", "text/event-stream", "data: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"slow down\"}\n\n"},
		{"failed whole", "application/json", `{"id":"resp_1","object":"response","status":"failed","error":{"code":"server_error","message":"gave up"},"output":[]}`},
	} {
		t.Run(answer.name, func(t *testing.T) {
			s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/responses") {
					w.Header().Set("Content-Type", answer.media)
					_, _ = w.Write([]byte(answer.body))
					return
				}
				mock.Handler(mock.Options{}).ServeHTTP(w, r)
			}))
			target := func(model string) string {
				return `{"route_type":"llm/v1/chat","auth":{"header_name":"Authorization","header_value":"Bearer k"},"model":{"provider":"openai","name":"` + model + `","model_alias":"m"}}`
			}
			inst := s.instance(`{"balancer":{"algorithm":"priority","retries":1,"failover_criteria":["error","http_500","http_429","non_idempotent"]},"targets":[` + strings.Replace(target("gpt-5-pro"), `{`, `{"weight":100,`, 1) + `,` + strings.Replace(target("gpt-5"), `{`, `{"weight":1,`, 1) + `]}`)
			stream := fmt.Sprint(answer.media == "text/event-stream")
			out, rec := s.post(inst, "/v1/chat/completions", "", []byte(`{"model":"m","stream":`+stream+`,"messages":[{"role":"user","content":"x"}]}`))
			var paths []string
			for _, r := range s.seen {
				paths = append(paths, r.URL.Path)
			}
			if out.status != 200 || !slices.Equal(paths, []string{"/v1/responses", "/v1/chat/completions"}) || strings.Contains(out.body.String(), "resp_1") {
				t.Errorf("%d, asked %q: %s %+v", out.status, paths, out.body.Bytes(), rec.Data().Tried)
			}
		})
	}
}
