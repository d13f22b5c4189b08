package chat

import (
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/jsonedit"
)

func toolNames(r *Request) (list []string) {
	for i := range r.Tools {
		list = append(list, r.Tools[i].Name)
	}
	return list
}

func TestFunctionsGetNamesThatEveryProviderTakes(t *testing.T) {
	long := "mcp__" + strings.Repeat("server", 12)
	r := &Request{
		Tools:      []Tool{{Name: "a_b"}, {Name: "a.b"}, {Name: long + "/1"}, {Name: long + "/2"}, {Name: "web.search", Hosted: WebSearch}},
		ToolChoice: ToolChoice{Mode: "function", Name: "a.b"},
		Messages:   []Message{{Role: Assistant, Parts: []Part{{Kind: ToolCall, Name: "a.b"}, {Kind: ToolCall, Name: "gone/1"}}}, {Role: ToolRole, Parts: []Part{{Kind: ToolResult, Name: "a.b"}, {Kind: ToolResult}}}},
	}
	nameTools(r)
	got := toolNames(r)
	if got[0] != "a_b" || got[1] == "a_b" || !strings.HasPrefix(got[1], "a_b_") || got[2] == got[3] || got[4] != "web.search" {
		t.Errorf("tools: %q", got)
	}
	for _, name := range got[:4] {
		if !isToolName(name) {
			t.Errorf("%q is no name for a function", name)
		}
	}
	calls := r.Messages[0].Parts
	if r.ToolChoice.Name != got[1] || calls[0].Name != got[1] || calls[1].Name != "gone_1" || r.Messages[1].Parts[0].Name != got[1] || r.Messages[1].Parts[1].Name != "" {
		t.Errorf("choice %q, calls %+v, results %+v", r.ToolChoice.Name, calls, r.Messages[1].Parts)
	}
	m := &Meta{Tools: r.ClientTools()}
	if ToolName(m, got[1]) != "a.b" || string(ToolName(m, []byte(got[2]))) != long+"/1" || ToolName(m, "a_b") != "a_b" || ToolName(nil, "x") != "x" {
		t.Errorf("the client's names: %+v", m.Tools)
	}
	again := &Request{Tools: []Tool{{Name: long + "/2"}, {Name: "a.b"}, {Name: "a_b"}}}
	if nameTools(again); !slices.Equal(toolNames(again), []string{got[3], got[1], "a_b"}) {
		t.Errorf("in the next turn: %q, before %q", toolNames(again), got)
	}
}

func TestLastOfFunctionsWithOneNameRemains(t *testing.T) {
	r := &Request{Tools: []Tool{{Name: "f", Description: jsonedit.Plain("old")}, {Name: "g"}, {Name: "f", Description: jsonedit.Plain("new")}, {Name: "f", Hosted: OtherHosted}}}
	nameTools(r)
	if got := toolNames(r); !slices.Equal(got, []string{"f", "g", "f"}) || r.Tools[0].Description.String() != "new" || r.Tools[2].Hosted == "" {
		t.Errorf("%+v", r.Tools)
	}
}

func TestOnlyAllowedFunctionsRemain(t *testing.T) {
	r := &Request{Tools: []Tool{{Name: "a"}, {Name: "b"}, {Name: "s", Hosted: WebSearch}, {Name: "c"}}}
	if r.Allow([]string{"a", "x"}) || len(r.Tools) != 4 {
		t.Errorf("a name that is no tool's: %q", toolNames(r))
	}
	if !r.Allow(nil) || !r.Allow([]string{"c", "a"}) || !slices.Equal(toolNames(r), []string{"a", "s", "c"}) {
		t.Errorf("%q", toolNames(r))
	}
}
