package plugin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// anAnswer is an answer of OpenAI's chat.
const anAnswer = `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`

// Claude Code drops the thoughts of an answer whose model has another name than it asked for.
func TestAnswersToClaudesClientsNameTheModelThatWasAskedFor(t *testing.T) {
	for stream, answer := range map[bool]http.Handler{
		false: says(200, "application/json", anAnswer),
		true:  says(200, "text/event-stream", "data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"),
	} {
		s := newStage(t, answer)
		inst := s.instance(strings.Replace(confOf("anthropic", chatRoute, "openai", "gpt-4o", ""), `"name":"`, `"model_alias":"claude-*","name":"`, 1))
		for asked, want := range map[string]string{`"model":"claude-sonnet-4-6",`: "claude-sonnet-4-6", "": "gpt-4o"} {
			out, rec := s.post(inst, "/v1/messages", "", fmt.Appendf(nil, `{%s"max_tokens":9,"stream":%v,"messages":[{"role":"user","content":"x"}]}`, asked, stream))
			if body := out.body.String(); out.status != 200 || !strings.Contains(body, `"model":"`+want+`"`) {
				t.Errorf("asked %s: %d %s", asked, out.status, body)
			}
			if got := rec.Data().Model; got != "gpt-4o" {
				t.Errorf("asked %s: the record has %s", asked, got)
			}
		}
	}
}
