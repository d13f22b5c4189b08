package compatible

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// interrupted is a conversation in which the user stopped the agent behind a result.
const interrupted = `{"model":"m","messages":[{"role":"user","content":"look"},` +
	`{"role":"assistant","content":null,"tool_calls":[{"id":"a1b2c3d4e","type":"function","function":{"name":"ls","arguments":"{}"}}]},` +
	`{"role":"tool","tool_call_id":"a1b2c3d4e","content":"a.txt"},{"role":"user","content":"stop"}]}`

func TestMistralsModelsGetAnAnswerBehindResultsWhereverTheyAreServed(t *testing.T) {
	for _, c := range []struct {
		provider *provider.Provider
		model    string
		want     string
	}{
		{mistral, "mistral-large-latest", "user assistant tool assistant user"},
		{&vllm, "mistralai/Devstral-Small-2507", "user assistant tool assistant user"},
		{&vllm, "Qwen/Qwen3-32B", "user assistant tool user"},
	} {
		to := &target.Target{Model: c.model}
		own := c.provider
		if own.Variant != nil {
			own = own.Variant(to)
		}
		op := own.Operations[route.Chat]
		got := roles(op.Edit.Request(nil, to, []byte(interrupted)))
		if got != c.want {
			t.Errorf("%s, the client's body: got %s, want %s", c.model, got, c.want)
		}
		req := &chat.Request{Model: c.model, Messages: []chat.Message{
			{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("look")}}},
			{Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.ToolCall, ID: "a1b2c3d4e", Name: "ls", Arguments: jsonedit.Plain("{}")}}},
			{Role: chat.ToolRole, Parts: []chat.Part{{Kind: chat.ToolResult, ID: "a1b2c3d4e", Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("a.txt")}}}}},
			{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("stop")}}},
		}}
		body, err := op.Chat.AppendRequest(nil, to, req)
		if err != nil {
			t.Fatal(err)
		}
		if got := roles(body); got != c.want {
			t.Errorf("%s, another client's: got %s, want %s", c.model, got, c.want)
		}
	}
}

func roles(body []byte) string {
	var roles []string
	for _, m := range jsonedit.Elements(jsonedit.Lookup(body, "messages"), nil) {
		role, _ := jsonedit.String(jsonedit.Lookup(m, "role"))
		roles = append(roles, role)
	}
	return strings.Join(roles, " ")
}
