package plugin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/translators/mock"
)

// A provider that has a part of the Responses API gets what it has as it is. What it would
// ignore or refuse is translated: nothing is lost without a name.
func TestResponsesAreForwardedAsFarAsTheProviderHasThem(t *testing.T) {
	const patch = `,"tools":[{"type":"custom","name":"patch"},{"type":"web_search"}]`
	const inNamespace = `,"tools":[{"type":"namespace","name":"mail","tools":[{"type":"function","name":"send","parameters":{"type":"object"}}]},{"type":"web_search","external_web_access":true}]`
	for _, c := range []struct {
		name, provider, model, more, ask string
		path, sends                      string // "" for a refusal, which says what sends is
		left                             string
	}{
		{"a text", "dashscope", "qwen3.8-max", "", `"input":"x"`, "/compatible-mode/v1/responses", `"input":"x"`, ""},
		{"the answer before", "dashscope", "qwen3.7-plus", "", `"input":"x","previous_response_id":"resp_1","include":[],"user":"u"`, "/compatible-mode/v1/responses", `"previous_response_id":"resp_1"`, ""},
		{"a tool of its own", "dashscope", "qwen3.7-plus", "", `"input":"x","tools":[{"type":"web_extractor"}]`, "/compatible-mode/v1/responses", `{"type":"web_extractor"}`, ""},
		{"a schema, which it ignores", "dashscope", "qwen3.8-max", "", `"input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}`, "/compatible-mode/v1/chat/completions", `"json_schema"`, ""},
		{"a schema and the answer before", "dashscope", "qwen3.8-max", "", `"input":"x","previous_response_id":"r","text":{"format":{"type":"json_object"}}`, "", `this provider stores no answers`, ""},
		{"Codex", "dashscope", "qwen3-coder-plus", "", `"input":"x"` + patch, "/compatible-mode/v1/chat/completions", `"function":{"name":"patch"`, "web_search"},
		{"a model without it", "dashscope", "qwen2.5-72b-instruct", "", `"input":"x"`, "/compatible-mode/v1/chat/completions", `"messages"`, ""},
		{"Groq's own tool", "groq", "openai/gpt-oss-20b", "", `"input":"x","tools":[{"type":"mcp","server_label":"a","server_url":"https://m.test"}]`, "/v1/responses", `"mcp"`, ""},
		{"Groq and the answer before", "groq", "openai/gpt-oss-20b", "", `"input":"x","previous_response_id":"resp_1"`, "", `this provider stores no answers`, ""},
		{"Groq and what it refuses", "groq", "openai/gpt-oss-20b", "", `"input":"x","store":false,"include":["reasoning.encrypted_content"]`, "/v1/chat/completions", `"messages"`, ""},
		{"Groq and a call of Codex's", "groq", "openai/gpt-oss-20b", "", `"input":[{"type":"custom_tool_call","call_id":"c","name":"patch","input":"a"},{"type":"custom_tool_call_output","call_id":"c","output":"ok"}],"tools":[]`, "/v1/chat/completions", `"tool_calls"`, ""},
		{"Groq and its own call", "groq", "openai/gpt-oss-20b", "", `"input":[{"role":"user","content":"x"},{"type":"mcp_call","id":"m","name":"a","arguments":"{}","output":"o"},{"type":"function_call","call_id":"c","name":"a","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"}]`, "/v1/responses", `"mcp_call"`, ""},
		{"Fireworks keeps answers", "fireworks", "accounts/fireworks/models/kimi-k2", "", `"input":"x","previous_response_id":"resp_1","store":true`, "/v1/responses", `"previous_response_id"`, ""},
		{"Fireworks and Codex", "fireworks", "accounts/fireworks/models/kimi-k2", "", `"input":"x"` + patch, "/v1/chat/completions", `"patch"`, "web_search"},
		{"OpenAI's model at Databricks", "databricks", "databricks-gpt-5-2", "", `"input":"x"` + inNamespace, "/serving-endpoints/responses", `"namespace"`, ""},
		{"Claude at Databricks", "databricks", "databricks-claude-sonnet-4-5", "", `"input":"x"`, "/serving-endpoints/v1/chat/completions", `"messages"`, ""},
		{"an open model of OpenAI's at Databricks", "databricks", "databricks-gpt-oss-120b", "", `"input":"x"`, "/serving-endpoints/v1/chat/completions", `"messages"`, ""},
		{"xAI keeps answers", "xai", "grok-4.6", "", `"input":"x","previous_response_id":"resp_1","tools":[{"type":"x_search"}]`, "/v1/responses", `"x_search"`, ""},
		{"xAI and Codex", "xai", "grok-4.6", "", `"input":"x"` + inNamespace, "/v1/responses", `"name":"mail__send"`, ""},
		{"xAI and Codex's search", "xai", "grok-4.6", "", `"input":"x"` + inNamespace, "/v1/responses", `{"type":"web_search"}`, ""},
		{"xAI and a custom tool", "xai", "grok-4.6", "", `"input":"x"` + patch, "/v1/responses", `{"type":"function","name":"patch"`, ""},
		{"a URL of the API's own", "groq", "openai/gpt-oss-20b", `"upstream_url":"http://x.test/g/v1/responses"`, `"input":"x"` + patch, "/g/v1/chat/completions", `"patch"`, ""},
		{"OpenRouter has all of Codex's tools", "openrouter", "a/b", "", `"input":"x"` + inNamespace, "/v1/responses", `"namespace"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, mock.Handler(mock.Options{}))
			out, rec := s.post(s.instance(confOf("openai", "llm/v1/responses", c.provider, c.model, c.more)), "/v1/responses", "", fmt.Appendf(nil, `{"model":%q,%s}`, c.model, c.ask))
			if c.path == "" {
				if out.status != 400 || len(s.seen) != 0 || !strings.Contains(out.body.String(), c.sends) {
					t.Errorf("answered %d %s, want a refusal: %s", out.status, out.body.Bytes(), c.sends)
				}
				return
			}
			if len(s.seen) != 1 || s.seen[0].URL.Path != c.path || !strings.Contains(string(s.sent[0]), c.sends) {
				t.Fatalf("answered %d %s after %d calls: %v %s", out.status, out.body.Bytes(), len(s.seen), s.seen, s.sent)
			}
			if left := strings.Join(rec.Data().LeftOut, ","); left != c.left {
				t.Errorf("left out %q, want %q", left, c.left)
			}
			if out.status != 200 || !strings.Contains(out.body.String(), `"object":"response"`) {
				t.Errorf("answered %d %s", out.status, out.body.Bytes())
			}
		})
	}
}

// DashScope tells of its limits with status 200 and a response of no model: another target
// answers.
func TestAResponseOfNoModelFailsOver(t *testing.T) {
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/compatible-mode") {
			_, _ = w.Write([]byte(`{"created_at":1,"error":{"code":"server_error","message":"request rate limit exceeded"},"id":"resp_1","model":"","object":"response","output":[],"status":"failed"}`))
			return
		}
		_, _ = w.Write([]byte(`{"id":"resp_2","object":"response","status":"completed","model":"gpt-5","output":[],"error":null}`))
	}))
	const one = `{"route_type":"llm/v1/responses","weight":%d,"auth":{"header_name":"Authorization","header_value":"Bearer k"},"model":{"provider":%q,"name":%q,"model_alias":"m"}}`
	inst := s.instance(`{"balancer":{"algorithm":"priority","retries":1,"failover_criteria":["error","non_idempotent"]},"targets":[` +
		fmt.Sprintf(one, 10, "dashscope", "qwen3.8-max") + `,` + fmt.Sprintf(one, 5, "openai", "gpt-5") + `]}`)
	for _, stream := range []string{"", `,"stream":true`} {
		out, _ := s.post(inst, "/v1/responses", "", []byte(`{"model":"m","input":"x"`+stream+`}`))
		if out.status != 200 || !strings.Contains(out.body.String(), "resp_2") {
			t.Errorf("answered %d %s", out.status, out.body.Bytes())
		}
	}
}
