package plugin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// anAnswer is an answer of OpenAI's chat.
const anAnswer = `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`

func TestToolsLeftOutAreNamedInHeaderAndRecord(t *testing.T) {
	s := newStage(t, says(200, "application/json", anAnswer))
	inst := s.instance(confOf("anthropic", chatRoute, "openai", "gpt-4-turbo", ""))
	const search, look = `{"type":"web_search_20250305","name":"web_search"}`, `{"name":"look","input_schema":{"type":"object"}}`
	ask := func(tools, more string) []byte {
		return fmt.Appendf(nil, `{"model":"gpt-4-turbo","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[%s]%s}`, tools, more)
	}
	out, rec := s.post(inst, "/v1/messages", "", ask(search+","+look, ""))
	if out.status != 200 || strings.Contains(string(s.sent[0]), "web_search") || !strings.Contains(string(s.sent[0]), `"name":"look"`) {
		t.Errorf("%d, sent %s", out.status, s.sent[0])
	}
	if got := out.header.Get("X-Kong-Llm-Tools-Left-Out"); got != "web_search" || !slices.Equal(rec.Data().LeftOut, []string{"web_search"}) {
		t.Errorf("header %q, record %q", got, rec.Data().LeftOut)
	}
	for name, body := range map[string][]byte{
		"forced": ask(search+","+look, `,"tool_choice":{"type":"tool","name":"web_search"}`), "nothing else": ask(search, ""),
	} {
		if out, _ := s.post(inst, "/v1/messages", "", body); out.status != 400 || !strings.Contains(out.body.String(), "web_search") {
			t.Errorf("%s: %d %s", name, out.status, out.body.String())
		}
	}
}

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

func TestToolsOfAServerAreAskedOfClaudeWithTheirBeta(t *testing.T) {
	s := newStage(t, says(200, "application/json", `{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`))
	inst := s.instance(confOf("openai", "llm/v1/responses", "anthropic", "claude-sonnet-4-5", ""))
	for tool, want := range map[string]string{
		`{"type":"mcp","server_label":"d","server_url":"https://m.test","require_approval":"never"}`: "mcp-client-2025-11-20",
		`{"type":"function","name":"f"}`: "",
	} {
		out, _ := s.post(inst, "/v1/responses", "", []byte(`{"model":"claude-sonnet-4-5","input":"x","tools":[`+tool+`]}`))
		if out.status != 200 || len(s.seen) == 0 {
			t.Fatalf("%d %s", out.status, out.body.String())
		}
		if got := s.seen[len(s.seen)-1].Header.Get("Anthropic-Beta"); got != want {
			t.Errorf("%s: %q, want %q", tool, got, want)
		}
	}
}
