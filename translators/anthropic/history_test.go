package anthropic

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/target"
)

func TestOnlyClaudesThinkingGoesBackToClaude(t *testing.T) {
	google := origin.Text(origin.Google, origin.Anthropic, "Q3RHRQ==")
	own := origin.Text(origin.Anthropic, "openai", "RXFD") // as no format of Anthropic's own hands it out
	for name, c := range map[string]struct{ in, want string }{
		"empty":      {`{"type":"thinking","thinking":"","signature":""},{"type":"text","text":"x"}`, `{"type":"text","text":"x"}`},
		"unsigned":   {`{"type":"thinking","thinking":"hm"},{"type":"text","text":"x"}`, `{"type":"text","text":"x"}`},
		"omitted":    {`{"type":"thinking","thinking":"","signature":"s"}`, `{"type":"thinking","thinking":"","signature":"s"}`},
		"google's":   {`{"type":"thinking","thinking":"hm","signature":"` + google + `"},{"type":"text","text":"x"}`, `{"type":"text","text":"x"}`},
		"marked own": {`{"type":"thinking","thinking":"hm","signature":"` + own + `"}`, `{"type":"thinking","thinking":"hm","signature":"RXFD"}`},
		"redacted":   {`{"type":"redacted_thinking","data":"d"}, {"type":"redacted_thinking","data":"` + google + `"}`, `{"type":"redacted_thinking","data":"d"}`},
	} {
		in := `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` + c.in + `]}],"n":1.0}`
		want := `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` + c.want + `]}],"n":1.0}`
		if got := string(OwnThinking(nil, nil, []byte(in))); got != want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestTurnOfForeignThinkingAloneIsLeftOut(t *testing.T) {
	in := ` {"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm"}]},{"role":"user","content":"b"}]} `
	want := `{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`
	if got := string(OwnThinking(nil, &target.Target{}, []byte(in))); got != want {
		t.Errorf("got %s", got)
	}
}

func TestBodiesWithoutForeignThinkingAreNotCopied(t *testing.T) {
	for _, body := range []string{
		`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"}]}],"thinking":{"type":"enabled"}}`,
		`{"messages":[{"role":"user","content":"\"type\":\"thinking\""}],"thinking":{"type":"enabled"}}`,
		`{"messages":[{"role":"assistant","content":"x"}]}`,
		`{"messages":"thinking"}`, `{"type":"thinking"}`, `{"thinking" : "thinking"}`,
	} {
		in := []byte(body)
		if got := OwnThinking(nil, nil, in); &got[0] != &in[0] {
			t.Errorf("%s became %s", body, got)
		}
	}
}

// TestClaudeIsNotAskedToThinkAmidCallsWithoutItsThought: the API refuses it.
func TestClaudeIsNotAskedToThinkAmidCallsWithoutItsThought(t *testing.T) {
	body := func(thought, thinking, last string) string {
		return `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` + thought + `{"type":"tool_use","id":"t","name":"f","input":{}}]},` + last + `],"thinking":` + thinking +
			`,"context_management":{"edits":[{"type":"clear_thinking_20251015"},{"type":"clear_tool_uses_20250919"}]}}`
	}
	const foreign, enabled, results = `{"type":"thinking","thinking":"hm"},`, `{"type":"enabled","budget_tokens":2000}`, `{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}`
	for name, c := range map[string]struct {
		body   string
		thinks bool
	}{
		"amid calls":             {body(foreign, enabled, results), false},
		"adaptive":               {body(foreign, `{"type":"adaptive"}`, results), true},
		"its own thought":        {body(`{"type":"thinking","thinking":"hm","signature":"s"},`+foreign, enabled, results), true},
		"a new turn of the user": {body(foreign, enabled, results+`,{"role":"assistant","content":"so"},{"role":"user","content":"b"}`), true},
	} {
		got := string(OwnThinking(nil, nil, []byte(c.body)))
		if strings.Contains(got, `"hm"}`) || strings.Contains(got, `"thinking":{`) != c.thinks || strings.Contains(got, "clear_thinking") != c.thinks || !strings.Contains(got, "clear_tool_uses") {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
