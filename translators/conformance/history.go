package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/origin"
)

// checkHistory sends an answer back as the next request's history: ids, arguments,
// thinking and its signature must reach the provider unchanged.
func checkHistory(t *testing.T, r *run, s *mock.Scenario, a *answer) {
	t.Helper()
	if len(s.Answer.Choices) != 1 || len(s.Answer.Choices[0].Parts) == 0 {
		return
	}
	next := r.nextRequest(t, s, &a.Choices[0])
	upstream := r.send(t, next, false)
	if r.same() {
		return
	}
	said := decodeNumbers(t, upstream)
	for _, p := range s.Answer.Choices[0].Parts {
		switch p.Kind {
		case chat.ToolCall:
			if !holds(said, p.Arguments.String()) && !holdsJSON(t, said, p.Arguments.String()) {
				t.Errorf("history: the arguments of %s did not reach the provider: %s", p.Name, clip(upstream))
			}
			if !r.lacks(ToolIDs) && !holds(said, p.ID) {
				t.Errorf("history: the id %s did not reach the provider: %s", p.ID, clip(upstream))
			}
		case chat.Thinking:
			if !r.lacks(Thinking) && !holds(said, p.Text.String()) {
				t.Errorf("history: the thinking did not reach the provider: %s", clip(upstream))
			}
			if !r.lacks(Signatures) && !holds(said, p.Signature) {
				t.Errorf("history: the signature did not reach the provider: %s", clip(upstream))
			}
		}
	}
}

// The tokens of another model, in a conversation that it began.
const (
	foreignSignature = "Zm9yZWlnbi1zaWduYXR1cmU="
	foreignData      = "Zm9yZWlnbi1kYXRh"
)

// checkMoved sends the history of a conversation that another model began. No token of
// that model and no mark may reach the provider; its text, its call and the call's result
// must.
func checkMoved(t *testing.T, r *run) {
	const elsewhere = "elsewhere"
	signature := origin.Text(elsewhere, origin.Anthropic, foreignSignature)
	said := fmt.Sprintf(`{"role":"assistant","content":"I will look.","reasoning_content":"foreign thought","thinking_blocks":[`+
		`{"type":"thinking","thinking":"foreign thought","signature":%q},{"type":"redacted_thinking","data":%q}],`+
		`"tool_calls":[{"id":"toolu_01ForeignCall","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"},"extra_content":{"google":{"thought_signature":%q}}}]}`,
		signature, origin.Text(elsewhere, origin.Anthropic, foreignData), signature)
	body := []byte(`{"model":"mock-model-1","messages":[{"role":"user","content":"the weather"},` + said +
		`,{"role":"tool","tool_call_id":"toolu_01ForeignCall","content":"rainy in Oslo"},{"role":"user","content":"scenario:text"}],` +
		`"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}`)
	upstream, err := r.upstreamBody(body, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, no := range []string{foreignSignature, foreignData, origin.Prefix} {
		if bytes.Contains(upstream, []byte(no)) {
			t.Errorf("moved: %s reached the provider: %s", no, clip(upstream))
		}
	}
	for _, want := range []string{"I will look.", "get_weather", "rainy in Oslo"} {
		if !bytes.Contains(upstream, []byte(want)) {
			t.Errorf("moved: %q did not reach the provider: %s", want, clip(upstream))
		}
	}
}

// nextRequest returns s's request followed by its answer, a result for each call, and
// one more question.
func (r *run) nextRequest(t *testing.T, s *mock.Scenario, c *answerChoice) []byte {
	t.Helper()
	var req map[string]json.RawMessage
	var messages []json.RawMessage
	must(t, json.Unmarshal([]byte(s.Request), &req))
	must(t, json.Unmarshal(req["messages"], &messages))
	messages = append(messages, c.Message)
	for _, call := range c.message.Calls {
		messages = append(messages, asJSON(t, map[string]string{"role": "tool", "tool_call_id": call.ID, "content": `{"ok":true}`}))
	}
	messages = append(messages, asJSON(t, map[string]string{"role": "user", "content": "scenario:text"}))
	req["messages"] = asJSON(t, messages)
	return asJSON(t, req)
}

// holds reports whether a string is want, or is a longer text that contains it.
func holds(v any, want string) bool {
	found := false
	walk(v, func(v any) bool {
		s, ok := v.(string)
		found = found || ok && (s == want || len(want) > 10 && bytes.Contains([]byte(s), []byte(want)))
		return !found
	})
	return found
}

// holdsJSON reports whether there is an object equal to the one in want. Numbers are
// compared as they are written.
func holdsJSON(t *testing.T, v any, want string) bool {
	object := decodeNumbers(t, []byte(want))
	found := false
	walk(v, func(v any) bool {
		found = found || reflect.DeepEqual(v, object)
		return !found
	})
	return found
}

func decodeNumbers(t *testing.T, body []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	must(t, d.Decode(&v))
	return v
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	must(t, e.Encode(v))
	return b.Bytes()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
