package translators

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// An agent that was cancelled keeps a call that nobody answered, and perhaps a result
// whose call it has forgotten.
func TestInterruptedCallsDoNotEndTheConversation(t *testing.T) {
	r, err := chat.ParseRequest(openai.Chat, []byte(`{"messages":[{"role":"user","content":"look"},{"role":"tool","tool_call_id":"call_gone00","content":"forgotten"},`+
		`{"role":"assistant","tool_calls":[{"id":"call_first0","type":"function","function":{"name":"look","arguments":"{}"}},{"id":"call_second","type":"function","function":{"name":"look","arguments":"{}"}}]},`+
		`{"role":"user","content":"stop that"},{"role":"tool","tool_call_id":"call_second","content":"sunny"},{"role":"user","content":"go on"}],"tools":[{"type":"function","function":{"name":"look"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	models := map[string]string{"anthropic": "claude-sonnet-4-5", "bedrock": "amazon.nova-pro-v1:0", "gemini": "gemini-3-flash", "cohere": "command-a", "openai": "gpt-4o"}
	for _, p := range Providers {
		to := &target.Target{Provider: p.Name, Model: models[p.Name], Route: route.Chat, Options: &target.Options{}}
		if to.Model == "" {
			to.Model = "m"
		}
		if p.Variant != nil {
			p = p.Variant(to)
		}
		op := p.Operations[route.Chat]
		if op == nil || op.Chat == nil || strings.HasPrefix(string(op.Format), "llama2") {
			continue
		}
		body, err := op.AppendRequest(nil, to, r)
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		at := 0
		for _, words := range []string{"look", "forgotten", "it has no result", "sunny", "stop that", "go on"} {
			i := strings.Index(string(body[at:]), words)
			if i < 0 {
				t.Errorf("%s: %q is not where it belongs: %s", p.Name, words, body)
				break
			}
			at += i
		}
	}
}

// Where a result can be a failure, that of an interrupted call is.
func TestResultOfAnInterruptedCallIsAFailure(t *testing.T) {
	r, err := chat.ParseRequest(openai.Chat, []byte(`{"messages":[{"role":"user","content":"look"},{"role":"assistant","tool_calls":[{"id":"call_first0","type":"function","function":{"name":"look","arguments":"{}"}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"anthropic": {"claude-sonnet-4-5", `"is_error":true`},
		"bedrock":   {"amazon.nova-pro-v1:0", `"status":"error"`},
		"gemini":    {"gemini-3-flash", `"response":{"error":"The call was interrupted: it has no result."}`},
	} {
		to := &target.Target{Provider: name, Model: c[0], Route: route.Chat, Options: &target.Options{}}
		body, err := Lookup(name).Operations[route.Chat].AppendRequest(nil, to, r)
		if err != nil || !strings.Contains(string(body), c[1]) {
			t.Errorf("%s: %s, %v", name, body, err)
		}
	}
}
