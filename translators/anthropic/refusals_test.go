package anthropic

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/jsonedit"
)

func TestWhatAnErrorNamesIsLeftOut(t *testing.T) {
	const says = ": Extra inputs are not permitted"
	for _, c := range []struct{ name, message, body, want string }{
		{"a member", "speed" + says, `{"speed":"fast","max_tokens":9}`, `{"max_tokens":9}`},
		{"of a tool, with its kind", "tools.1.custom.eager_input_streaming" + says,
			`{"tools":[{"name":"a","eager_input_streaming":true},{"name":"b","eager_input_streaming":true}]}`, `{"tools":[{"name":"a","eager_input_streaming":true},{"name":"b"}]}`},
		{"of a block", "messages.0.content.1.tool_use.caller" + says,
			`{"messages":[{"role":"assistant","content":[{"type":"text","text":"x"},{"type":"tool_use","caller":{"type":"direct"}}]}]}`,
			`{"messages":[{"role":"assistant","content":[{"type":"text","text":"x"},{"type":"tool_use"}]}]}`},
		{"several, after other words", "The model returned the following errors: system.0.cache_control.ephemeral.scope" + says + ", context_hint" + says,
			`{"context_hint":{},"system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","scope":"global"}}]}`, `{"system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}`},
		{"what is not there", "tools.7.x" + says, `{"tools":[{"x":1}]}`, `{"tools":[{"x":1}]}`},
		{"a whole element", "tools.0" + says, `{"tools":[{"x":1}]}`, `{"tools":[{"x":1}]}`},
		{"nothing", "max_tokens: Field required", `{"speed":1}`, `{"speed":1}`},
		{"remembered", "", `{"speed":1}`, `{"speed":1}`},
	} {
		if got := string(withoutNamed([]byte(c.body), c.message)); got != c.want {
			t.Errorf("%s: %s\nbecame %s\nwant   %s", c.name, c.body, got, c.want)
		}
	}
}

func TestARefusedSignatureLeavesNoThoughts(t *testing.T) {
	row := &ownRefusals[0]
	e := &chat.Error{Status: 400, Message: "messages.1.content.0: Invalid `signature` in `thinking` block"}
	if !row.Is(e) {
		t.Fatalf("%q is not recognized", e.Message)
	}
	const body = `{"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"x"},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"b"},{"type":"redacted_thinking","data":"c"},{"type":"tool_use","id":"1","name":"look","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"y"}]}]}`
	const want = `{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"look","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"y"}]}]}`
	if got := string(row.Without([]byte(body), e.Message)); got != want {
		t.Errorf("became %s\nwant   %s", got, want)
	}
	if got := string(row.Without([]byte(body), "")); got != body {
		t.Errorf("a later conversation became %s", got)
	}
}

func TestAModelThatCachesNothingIsSentNoCacheControl(t *testing.T) {
	const mark = `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
	body := `{"cache_control":{"type":"ephemeral"},"tools":[{"name":"a"MARK}],"system":[{"type":"text","text":"s"MARK}],"messages":[{"role":"user","content":[{"type":"text","text":"x"MARK},` +
		`{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"y"MARK}]MARK}]},{"role":"assistant","content":"z"}]}`
	want := strings.ReplaceAll(strings.Replace(body, `"cache_control":{"type":"ephemeral"},`, "", 1), "MARK", "")
	body = strings.ReplaceAll(body, "MARK", mark)
	if got := string(WithoutCaching([]byte(body))); got != want {
		t.Errorf("became %s\nwant   %s", got, want)
	}
	for keeps, want := range map[Keeps]string{KeepsHour: strings.Replace(want, `{"name":"a"}`, `{"name":"a"`+mark+`}`, 1), KeepsMinutes: "", KeepsNothing: want} {
		cloud := Cloud{Members: []string{"tools", "system", "messages"}, ToolMembers: []string{"name", "cache_control"}, Keeps: func(string) Keeps { return keeps }}
		got, _, _, err := cloud.Fit("m", []byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		ttls, marks := strings.Count(string(got), `"ttl"`), strings.Count(string(got), `"cache_control"`)
		switch {
		case keeps == KeepsNothing && string(got) != want, keeps == KeepsMinutes && (ttls > 0 || marks < 4), keeps == KeepsHour && ttls < 4:
			t.Errorf("%d: became %s", keeps, got)
		}
	}
}

// An error's message and a body are foreign: what is left out leaves valid JSON.
func FuzzWithoutNamed(f *testing.F) {
	f.Add([]byte(`{"tools":[{"custom":{"x":1}}],"a":{"b":[[{"c":1}]]}}`), "tools.0.custom.x: Extra inputs are not permitted, a.b.0.0.c: Extra inputs are not permitted")
	f.Add([]byte(`{"":{"":{"":1}}}`), "...: Extra inputs are not permitted")
	f.Fuzz(func(t *testing.T, body []byte, message string) {
		defer workload.Linear(t, len(body)+len(message))()
		if _, err := jsonedit.Object(body, nil); err != nil {
			return
		}
		got := withoutNamed(body, message)
		if _, err := jsonedit.Object(got, nil); err != nil || len(got) > len(body) {
			t.Errorf("%q made %s of %s: %v", message, got, body, err)
		}
		WithoutCaching(got)
	})
}
