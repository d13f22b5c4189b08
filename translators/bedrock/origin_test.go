package bedrock

import (
	"fmt"
	"testing"

	"go-ai-proxy/translators/origin"
)

func TestReasoningGoesBackToTheModelThatMadeIt(t *testing.T) {
	reasoning := func(signature string) string {
		if signature == "" {
			return `{"reasoningContent":{"reasoningText":{"text":"hm"}}}`
		}
		return `{"reasoningContent":{"reasoningText":{"text":"hm","signature":"` + signature + `"}}}`
	}
	google := origin.Text(origin.Google, origin.Anthropic, "Q3RH")
	amazon := origin.Text(origin.Amazon, origin.Anthropic, "QUFB")
	const claude, nova, deepseek, arn = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-2-lite-v1:0", "us.deepseek.v3-v1:0", "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"
	for name, c := range map[string]struct{ model, in, want string }{
		"Claude's to Claude":      {claude, "RXFD", reasoning("RXFD")},
		"unsigned to Claude":      {claude, "", ""},
		"Google's to Claude":      {claude, google, ""},
		"Claude's to Nova":        {nova, "RXFD", ""},
		"unsigned to Nova":        {nova, "", ""},
		"Claude's to DeepSeek":    {deepseek, "RXFD", ""},
		"unsigned to DeepSeek":    {deepseek, "", reasoning("")},
		"Amazon's to DeepSeek":    {deepseek, amazon, reasoning("QUFB")},
		"unmarked to a profile":   {arn, "RXFD", reasoning("RXFD")},
		"Google's to a profile":   {arn, google, ""},
		"its own to a profile":    {arn, amazon, reasoning("QUFB")},
		"another's to an unnamed": {"x", google, ""},
	} {
		before := `{"messages":[{"role":"assistant","content":[{"text":"x"}`
		want := before
		if c.want != "" {
			want += "," + c.want
		}
		if got := string(ownReasoning(nil, chatTarget(c.model), []byte(before+","+reasoning(c.in)+`]}]}`))); got != want+`]}]}` {
			t.Errorf("%s: got %s", name, got)
		}
	}
	redacted := `{"messages":[{"role":"assistant","content":[{"reasoningContent":{"redactedContent":"` + google + `"}}]},{"role":"user","content":[{"text":"x"}]}]}`
	if got := string(ownReasoning(nil, chatTarget(claude), []byte(redacted))); got != `{"messages":[{"role":"user","content":[{"text":"x"}]}]}` {
		t.Errorf("a turn of foreign redacted reasoning: got %s", got)
	}
}

func TestHistoryWithoutReasoningAsksForNoneBeforeCalls(t *testing.T) {
	const before = `{"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"a","signature":"b"}}}]},{"role":"assistant","content":[{"reasoningContent":{"redactedContent":"YQ=="}},%s]},{"role":"user","content":[{"text":"y"}]}],"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000},"top_k":5}}`
	const after = `{"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[%s]},{"role":"user","content":[{"text":"y"}]}],"additionalModelRequestFields":{%s"top_k":5}}`
	const thinks = `"thinking":{"type":"enabled","budget_tokens":2000},`
	for block, thinking := range map[string]string{
		`{"text":"c"}`: thinks,
		`{"toolUse":{"toolUseId":"t1","name":"f","input":{}}}`: "",
	} {
		body := fmt.Sprintf(before, block)
		if got, want := string(withoutReasoning([]byte(body), "refused")), fmt.Sprintf(after, block, thinking); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := string(withoutReasoning([]byte(body), "")); got != body {
			t.Errorf("remembered: got %s", got)
		}
	}
}
