package dashscope

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// A model that thinks refuses a tool_choice that demands a call: it does not think then,
// where that is possible and nobody wants it, or else is asked in words.
func TestCallsAreDemandedOfQwenAsItTakesThem(t *testing.T) {
	const tools = `"max_tokens":9000,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":{"type":"object"}}]`
	const forced = tools + `,"tool_choice":{"type":"tool","name":"f"}`
	for _, c := range []struct{ name, model, body, has, hasNot string }{
		{"a call is demanded", "qwen3.5-plus", forced, `"enable_thinking":false`, `"auto"`},
		{"any call is demanded", "qwen3.8-max", tools + `,"tool_choice":{"type":"any"}`, `"tool_choice":"required"`, `"auto"`},
		{"the client wants thoughts", "qwen3.5-plus", forced + `,"thinking":{"type":"enabled","budget_tokens":4000}`, `"tool_choice":"auto"`, `"enable_thinking"`},
		{"it always thinks", "qwq-plus", forced, `"tool_choice":"auto"`, `"enable_thinking"`},
		{"it does not think", "qwen-plus", forced, `"name":"f"}}`, `"enable_thinking"`},
		{"nothing is demanded", "qwen3.5-plus", tools, `"name":"f"`, `"enable_thinking"`},
		{"a whole answer of an open model", "qwen3-32b", tools, `"enable_thinking":false`, `"stream":true`},
		{"a whole answer with thoughts of an open model", "Qwen3-8B", tools + `,"thinking":{"type":"enabled","budget_tokens":4000}`, `"enable_thinking":false`, `"reasoning_effort"`},
		{"a whole answer with a demanded call", "qwen3-235b-a22b", forced, `"enable_thinking":false`, `"auto"`},
		{"a stream of an open model", "qwen3-32b", tools + `,"stream":true`, `"stream":true`, `"enable_thinking"`},
		{"an open model that never thinks", "qwen3-235b-a22b-instruct-2507", forced, `"name":"f"}}`, `"enable_thinking"`},
		{"an open model that always thinks", "qwen3-30b-a3b-thinking-2507", forced, `"tool_choice":"auto"`, `"enable_thinking"`},
		{"no thoughts are wanted", "qwen3.5-plus", tools + `,"thinking":{"type":"disabled"}`, `"enable_thinking":false`, `"reasoning_effort"`},
	} {
		r, err := chat.ParseRequest(anthropic.Dialect, []byte("{"+c.body+"}"))
		if err != nil {
			t.Fatal(err)
		}
		to := &target.Target{Provider: "dashscope", Route: route.Chat, Model: c.model, Options: &target.Options{}}
		body, err := Provider.Operations[route.Chat].AppendRequest(nil, to, r)
		if err != nil || !strings.Contains(string(body), c.has) || strings.Contains(string(body), c.hasNot) {
			t.Errorf("%s: %v %s\nwant %s and no %s", c.name, err, body, c.has, c.hasNot)
		}
	}
}
