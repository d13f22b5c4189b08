package plugin

import (
	"strings"
	"testing"

	"go-ai-proxy/plugin/record"
)

// Codex knows no other end of a stream that fails than response.failed: an error event, or
// an end without any, is not enough.
func TestResponsesThatFailEndWithTheirOwnEvent(t *testing.T) {
	const begun = `event: response.created` + "\n" + `data: {"type":"response.created","response":{"id":"resp_1","object":"response","status":"in_progress","output":[],"error":null}}` + "\n\n" +
		`event: response.output_text.delta` + "\n" + `data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hel"}` + "\n\n"
	const failed = `event: response.failed` + "\n" + `data: {"type":"response.failed","response":{"id":"resp_1","object":"response","status":"failed","output":[],"error":{"code":"server_error","message":"boom"}}}` + "\n\n"
	for _, c := range []struct {
		name, rest, says string
		outcome          record.Outcome
	}{
		{"an error event", "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"boom\",\"param\":null}\n\n", "boom", record.Failed},
		{"an error event with an object", "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"server_error\",\"code\":\"server_error\",\"message\":\"boom\"}}\n\n", "boom", record.Failed},
		{"a bare error", "data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\"}}\n\n", "boom", record.Failed},
		{"the provider's own end", failed, "boom", record.Failed},
		{"an error event, and the provider's own end", "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"boom\",\"param\":null}\n\n" + failed, "boom", record.Failed},
		{"no end", "", "ended the stream", record.CutOff},
	} {
		s := newStage(t, says(200, "text/event-stream", begun+c.rest))
		out, rec := s.post(s.instance(confOf("openai", "llm/v1/responses", "openai", "gpt-5", "")), "/responses", "", []byte(`{"stream":true,"input":"hello"}`))
		got := out.body.String()
		if n := strings.Count(got, "event: response.failed\n"); n != 1 || !strings.HasPrefix(got, begun) {
			t.Errorf("%s: %d ends in %s", c.name, n, got)
		}
		last := got[strings.LastIndex(got, "event: "):]
		if !strings.HasPrefix(last, "event: response.failed\n") || !strings.Contains(last, c.says) || !strings.Contains(last, `"status":"failed"`) || !strings.Contains(last, `"id":"resp_1"`) {
			t.Errorf("%s: the last event is %s", c.name, last)
		}
		if rec.Outcome() != c.outcome {
			t.Errorf("%s: the outcome is %v, want %v", c.name, rec.Outcome(), c.outcome)
		}
	}
}

// A target whose configured URL is that of the provider's chat is asked there, also if the
// provider has the Responses API, too.
func TestAConfiguredChatAnswersResponses(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"well"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`))
	for provider, model := range map[string]string{"dashscope": "qwen3-max", "databricks": "databricks-gpt-5", "groq": "openai/gpt-oss-120b"} {
		inst := s.instance(confOf("openai", "llm/v1/responses", provider, model, `"upstream_url":"http://own.example/v1/chat/completions"`))
		out, _ := s.post(inst, "/responses", "", []byte(`{"input":"hello"}`))
		if len(s.sent) != 1 || !strings.Contains(string(s.sent[0]), `"messages"`) || !strings.Contains(out.body.String(), `"object":"response"`) {
			t.Errorf("%s is sent %s\nthe client gets %d %s", provider, s.sent, out.status, out.body.String())
		}
	}
}
