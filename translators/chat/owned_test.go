package chat_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

func TestUnknownBlocksOfTheModelAreLeftOutByName(t *testing.T) {
	block := func(kind string) chat.Part { return chat.Part{Kind: chat.Opaque, Type: kind} }
	said := chat.Part{Text: jsonedit.Plain("x")}
	many := make([]chat.Part, 100)
	for i := range many {
		many[i] = block(fmt.Sprint("kind", i))
	}
	r := &chat.Request{Messages: []chat.Message{
		{Role: chat.User, Parts: []chat.Part{block("theirs"), said}},
		{Role: chat.Assistant, Parts: []chat.Part{block("ours"), block("new"), said, block("new"), block(strings.Repeat("x", 65))}},
		{Role: chat.Assistant, Parts: []chat.Part{block("new")}},
		{Role: chat.Assistant},
	}}
	before := r.Messages
	left := r.LeaveOut(func(p *chat.Part) bool { return p.Type == "ours" })
	if want := []string{"new", "a block of an unknown type"}; !slices.Equal(left, want) {
		t.Errorf("left out %q", left)
	}
	want := []chat.Message{before[0], {Role: chat.Assistant, Parts: []chat.Part{block("ours"), said}}, {Role: chat.Assistant}}
	if !reflect.DeepEqual(r.Messages, want) {
		t.Errorf("kept %+v", r.Messages)
	}
	if len(before) != 4 || len(before[1].Parts) != 5 || before[1].Parts[1].Type != "new" {
		t.Error("the client's messages have changed")
	}
	r = &chat.Request{Messages: []chat.Message{{Role: chat.Assistant, Parts: many}}}
	if left := r.LeaveOut(nil); len(left) != 16 || len(r.Messages) != 0 {
		t.Errorf("of many kinds %d are named, %d messages are kept", len(left), len(r.Messages))
	}
}

func TestCallsCarryTheRunsBeforeThem(t *testing.T) {
	for name, c := range map[string]struct {
		call string
		runs []string
	}{
		"none":       {"sig", nil},
		"two":        {"c2ln", []string{`[{"a":"\"é"}]`, `[1]`}},
		"looks like": {`hosted:["x"]`, []string{"r"}},
	} {
		call := chat.Part{Kind: chat.ToolCall, Signature: chat.WithRuns(c.call, c.runs), Origin: origin.Google}
		var parts []chat.Part
		chat.TakeRuns(&parts, &call)
		var runs []string
		for _, p := range parts {
			if p.Kind != chat.HostedRun || p.Origin != origin.Google {
				t.Errorf("%s: got %+v", name, p)
			}
			runs = append(runs, p.Signature)
		}
		if call.Signature != c.call || !slices.Equal(runs, c.runs) {
			t.Errorf("%s: came back as %q and %q", name, call.Signature, runs)
		}
	}
	if got := chat.WithRuns("sig", []string{strings.Repeat("x", 2<<20)}); got != "" {
		t.Errorf("%d bytes are carried along", len(got))
	}
	if got := chat.WithRuns("", []string{"r"}); got != "" {
		t.Errorf("a call without a signature carries %q", got)
	}
}

func FuzzTakeRuns(f *testing.F) {
	for _, s := range []string{"", "sig", "hosted:", "hosted:[]", `hosted:["a","b"]`, `hosted:[1,{},"b"]`, `hosted:{"a":1}`, `hosted:["a"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		defer workload.Linear(t, len(token))()
		call, parts := chat.Part{Signature: token}, []chat.Part(nil)
		chat.TakeRuns(&parts, &call)
		if strings.HasPrefix(token, "hosted:") && len(parts) == 0 && call.Signature == token {
			t.Errorf("%q went on as it was", token)
		}
	})
}
