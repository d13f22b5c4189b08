package plugin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestToolsLeftOutAreNamedInHeaderAndRecord(t *testing.T) {
	s := newStage(t, says(200, "application/json", anAnswer))
	inst := s.instance(confOf("anthropic", chatRoute, "openai", "gpt-4-turbo", ""))
	const search, fetch, look = `{"type":"web_search_20250305","name":"web_search"}`, `{"type":"web_fetch_20250910","name":"web_fetch"}`, `{"name":"look","input_schema":{"type":"object"}}`
	ask := func(tools, more string) []byte {
		return fmt.Appendf(nil, `{"model":"gpt-4-turbo","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[%s]%s}`, tools, more)
	}
	out, rec := s.post(inst, "/v1/messages", "", ask(search+","+fetch+","+look, ""))
	if out.status != 200 || strings.Contains(string(s.sent[0]), "web_search") || !strings.Contains(string(s.sent[0]), `"name":"look"`) {
		t.Errorf("%d, sent %s", out.status, s.sent[0])
	}
	if got := out.header.Get("X-Kong-Llm-Tools-Left-Out"); got != "web_search, web_fetch" || !slices.Equal(rec.Data().LeftOut, []string{"web_search", "web_fetch"}) {
		t.Errorf("header %q, record %q", got, rec.Data().LeftOut)
	}
	for name, body := range map[string][]byte{
		"forced": ask(search+","+look, `,"tool_choice":{"type":"tool","name":"web_search"}`), "nothing else": ask(search, ""),
	} {
		if out, _ := s.post(inst, "/v1/messages", "", body); out.status != 400 || !strings.Contains(out.body.String(), "web_search") {
			t.Errorf("%s: %d %s", name, out.status, out.body.String())
		}
	}
	if out, _ := s.post(inst, "/v1/messages", "", ask(look, "")); out.status != 200 || out.header["X-Kong-Llm-Tools-Left-Out"] != nil {
		t.Errorf("nothing was left out: %d %v", out.status, out.header)
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
