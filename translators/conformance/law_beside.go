package conformance

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// The law of hosted tools beside functions: Gemini tells of the calls of its own tools that
// stand beside functions, and wants all parts of such a turn back, each with its signature,
// or the model fails. So in the next turn of every client the signature of the function's
// call stands behind the parts that it is about, or there is none of them.
// https://ai.google.dev/gemini-api/docs/tool-combination

// The parts that Google's own search left before the call of a function, and the call's.
var (
	ranParts = []string{
		`{"toolCall":{"toolType":"GOOGLE_SEARCH_WEB","id":"own1","args":{"queries":["oslo"]}},"thoughtSignature":"c2lnbmVkLWNhbGw="}`,
		`{"toolResponse":{"toolType":"GOOGLE_SEARCH_WEB","id":"own1","response":{"search_suggestions":"<div>"}},"thoughtSignature":"c2lnbmVkLXJlc3BvbnNl"}`,
	}
	besideSignature = "c2lnbmVkLWZ1bmN0aW9u"
)

func checkBeside(t *testing.T, p *pair) {
	if p.op.Format != provider.GeminiGenerate {
		return
	}
	var parts []chat.Part
	for i, name := range []string{"toolCall", "toolResponse"} {
		parts = append(parts, chat.Part{Kind: chat.Opaque, Type: name, Raw: chat.Raw(ranParts[i])})
	}
	s := answering("beside", append(parts, chat.Part{Kind: chat.Text, Text: jsonedit.Plain("It was searched.")},
		chat.Part{Kind: chat.ToolCall, ID: "lawBeside1", Name: "look", Arguments: jsonedit.Plain(`{"city":"Oslo"}`), Signature: besideSignature})...)
	history := p.client.says("Look at both cities.")
	for _, stream := range []bool{false, true} {
		u, err := p.ask(t, p.body(history, stream), stream)
		if err != nil {
			t.Fatal(err)
		}
		answer := &told{}
		if stream {
			contentType, events := u.mock.Stream(s, u.upstream)
			answer = u.streamed(t, contentType, events)
		} else {
			answer, _ = u.whole(t, s)
		}
		if len(answer.of(chat.ToolCall)) != 1 {
			t.Fatalf("the client was told of %+v", answer.parts)
		}
		for _, keeps := range []bool{true, false} {
			kept := answer.kept
			if !keeps {
				kept = withoutExtras(kept)
			}
			next := append(append(append([]json.RawMessage(nil), history...), kept...), p.client.results(answer.of(chat.ToolCall), bothResults[:1])...)
			again, err := p.ask(t, p.body(next, false), false)
			if err != nil {
				t.Fatalf("the second turn is refused: %v", err)
			}
			again.noMarks(t)
			again.checkBeside(t, keeps)
		}
	}
}

// checkBeside checks a request that has the answer in it, of a client that keeps members
// which OpenAI's format does not have, or drops them.
func (u *turn) checkBeside(t *testing.T, keeps bool) {
	t.Helper()
	u.wants(t, "It was searched.", "look", bothResults[0])
	ran := 0
	for _, part := range ranParts {
		ran += strings.Count(string(u.upstream), part)
	}
	signed := u.has(t, besideSignature)
	if signed && ran != len(ranParts) && !u.same || ran != 0 && ran != len(ranParts) && !u.same {
		t.Errorf("the signature of the call came back: %v, with %d parts of %d before it: %s", signed, ran, len(ranParts), clip(u.upstream))
	}
	if !signed && ran != 0 && u.api.Format == provider.OpenAIChat {
		t.Errorf("the parts came back without the signature of the call: %s", clip(u.upstream))
	}
	if keeps && !u.same {
		u.had(t, Joined, ran == len(ranParts))
	}
}

// withoutExtras are messages without members that OpenAI's chat format does not have.
func withoutExtras(messages []json.RawMessage) (list []json.RawMessage) {
	for _, m := range messages {
		if calls := jsonedit.Lookup(m, "tool_calls"); calls != nil {
			m = jsonedit.With(m, "tool_calls", jsonedit.Each(calls, func(call []byte) []byte { return jsonedit.With(call, "extra_content", nil) }))
		}
		list = append(list, bytes.Clone(m))
	}
	return list
}
