package plugin

import (
	"net/http"
	"strings"
	"testing"
)

// A chat client's custom tools reach every API: as they are where it has them, and as
// functions elsewhere, also where it speaks OpenAI's format otherwise. What else the client
// says reaches such an API all the same.
func TestChatClientsCustomToolsWorkEverywhere(t *testing.T) {
	const body = `{"model":"m","chat_template_kwargs":{"a":1},"reasoning_effort":"low","messages":[{"role":"user","content":"go"},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"call_0old1","type":"custom","custom":{"name":"patch","input":"old"}}]},{"role":"tool","tool_call_id":"call_0old1","content":"Done"}],` +
		`"tools":[{"type":"custom","custom":{"name":"patch","description":"edits"}}]`
	const chatWhole = `{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"patch","arguments":"{\"input\":\"a\\n\\\"b\\\"\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
	const chatStream = `data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"patch","arguments":""}}]}}]}` + "\n\n" +
		`data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"input\":\"a\\n"}}]}}]}` + "\n\n" +
		`data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\\"b\\\"\"}"}}]}}]}` + "\n\n" +
		`data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}` + "\n\ndata: [DONE]\n\n"
	const claudeWhole = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"tool_use","id":"toolu_1","name":"patch","input":{"input":"a\n\"b\""}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`
	for name, c := range map[string]struct{ model, whole, stream, offered, called, kept string }{
		"openai":    {"m", chatWhole, chatStream, `{"type":"custom","custom":{"name":"patch","description":"edits"}}`, `"custom":{"name":"patch","input":"old"}`, `"chat_template_kwargs"`},
		"vllm":      {"m", chatWhole, chatStream, `{"type":"function","function":{"name":"patch","description":"edits"`, `"arguments":"{\"input\":\"old\"}"`, `"chat_template_kwargs":{"a":1}`},
		"mistral":   {"m", chatWhole, chatStream, `{"type":"function","function":{"name":"patch","description":"edits"`, `"arguments":"{\"input\":\"old\"}"`, `"Done"`},
		"anthropic": {"m", claudeWhole, "", `{"name":"patch","description":"edits","input_schema":{"type":"object"`, `"input":{"input":"old"}`, `"Done"`},
	} {
		for _, stream := range []bool{false, true} {
			answer, ask, media := c.whole, body+"}", "application/json"
			if stream {
				answer, ask, media = c.stream, body+`,"stream":true}`, "text/event-stream"
			}
			if answer == "" {
				continue
			}
			s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", media)
				_, _ = w.Write([]byte(answer))
			}))
			out, _ := s.post(s.instance(confOf("openai", chatRoute, name, c.model, "")), "/v1/chat/completions", "", []byte(ask))
			sent, got := string(s.sent[0]), out.body.String()
			for _, want := range []string{c.offered, c.called, c.kept} {
				if !strings.Contains(sent, want) {
					t.Errorf("%s, stream %v: %s was not sent: %s", name, stream, want, sent)
				}
			}
			switch {
			case name == "openai":
			case stream && (strings.Count(got, `"type":"custom"`) != 1 || !strings.Contains(got, `"custom":{"input":"a\n"}`) || !strings.Contains(got, `"custom":{"input":"\"b\""}`) || strings.Contains(got, `"function"`)),
				!stream && !strings.Contains(got, `"type":"custom","custom":{"name":"patch","input":"a\n\"b\""}`):
				t.Errorf("%s, stream %v: the client got %s", name, stream, got)
			}
		}
	}
}
