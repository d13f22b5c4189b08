package openai

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

func TestClientThatOffersFunctionsReadsFunctionCall(t *testing.T) {
	req := parse(t, `{"functions":[{"name":"f"}],"function_call":"auto","messages":[]}`)
	if req.ParallelTools == nil || *req.ParallelTools {
		t.Error("several calls are allowed, and the format has a place for one")
	}
	m := meta
	m.Tools = req.ClientTools()
	parts := []chat.Part{{Kind: chat.ToolCall, ID: "a", Name: "f", Arguments: jsonedit.Plain(`{"x":1}`)}, {Kind: chat.ToolCall, ID: "b", Name: "f"}}
	whole, err := Chat.AppendResponse(nil, &chat.Response{Meta: m, Choices: []chat.Choice{{Parts: parts, Finish: chat.ToolCalls}}})
	if want := `"content":null,"function_call":{"name":"f","arguments":"{\"x\":1}"}},"finish_reason":"function_call"`; err != nil || !strings.Contains(string(whole), want) || strings.Contains(string(whole), "tool_calls") {
		t.Errorf("%v %s", err, whole)
	}
	e := Chat.NewEncoder(m)
	var out []byte
	deltas := deltasOf(parts, chat.ToolCalls, nil)
	for i := range deltas {
		out = e.Append(out, &deltas[i])
	}
	for _, want := range []string{`{"function_call":{"name":"f","arguments":""}}`, `{"function_call":{"arguments":"x"}}`, `"finish_reason":"function_call"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is missing in %s", want, out)
		}
	}
	if strings.Contains(string(out), "tool_calls") || strings.Count(string(out), `"name":"f"`) != 1 {
		t.Errorf("tool_calls, or a second call, in %s", out)
	}
	if out, _ := Chat.AppendResponse(nil, &chat.Response{Choices: []chat.Choice{{Parts: parts, Finish: chat.ToolCalls}}}); !strings.Contains(string(out), `"tool_calls":[`) {
		t.Errorf("without functions: %s", out)
	}
}
