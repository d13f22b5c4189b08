package provider

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

func TestHostedToolsThatTheTargetLacksAreLeftOutByName(t *testing.T) {
	look := chat.Tool{Name: "look"}
	search := chat.HostedTool("web_search_20250305", "web_search", nil)
	fetch := chat.HostedTool("web_fetch_20250910", "web_fetch", nil)
	searches := &Operation{Hosts: func(_ *target.Target, _ *chat.Request, tool *chat.Tool) bool { return tool.Hosted == chat.WebSearch }}
	elsewhere := &Operation{}
	elsewhere.Edit.Hosting = Hostings{{Kinds: []chat.Hosted{chat.WebSearch}, Elsewhere: "in another API"}}
	elsewhere.Hosts = func(t *target.Target, r *chat.Request, tool *chat.Tool) bool {
		return elsewhere.Edit.Hosting.Of(t.Model).Runs(r, tool)
	}
	for _, c := range []struct {
		name   string
		op     *Operation
		tools  []chat.Tool
		choice chat.ToolChoice
		kept   []string
		left   []string
		refuse string
		says   string
	}{
		{name: "no tools", op: &Operation{}},
		{name: "functions stay", op: &Operation{}, tools: []chat.Tool{look}, kept: []string{"look"}},
		{name: "what it runs stays", op: searches, tools: []chat.Tool{look, fetch, search}, kept: []string{"look", "web_search"}, left: []string{"web_fetch"}},
		{name: "beside a function", op: &Operation{}, tools: []chat.Tool{search, look, fetch}, kept: []string{"look"}, left: []string{"web_search", "web_fetch"}},
		{name: "forced", op: &Operation{}, tools: []chat.Tool{look, search}, choice: chat.ToolChoice{Mode: "function", Name: "web_search"}, refuse: "tools[1]"},
		{name: "what runs elsewhere", op: elsewhere, tools: []chat.Tool{look, search}, kept: []string{"look"}, left: []string{"web_search"}},
		{name: "forced, and it runs elsewhere", op: elsewhere, tools: []chat.Tool{search}, refuse: "tools[0]", says: "web_search of its own: the provider runs it in another API: offer functions"},
		{name: "forced, and it runs nowhere", op: elsewhere, tools: []chat.Tool{fetch}, refuse: "tools[0]", says: "web_fetch of its own: offer functions"},
		{name: "all there is", op: &Operation{}, tools: []chat.Tool{search, fetch}, refuse: "tools[0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &chat.Request{Tools: c.tools, ToolChoice: c.choice}
			before := slices.Clone(c.tools)
			left, err := c.op.Offer(&target.Target{}, r)
			var refused *chat.RequestError
			if errors.As(err, &refused); (refused != nil || c.refuse != "") && (refused == nil || refused.Field != c.refuse) {
				t.Fatalf("error %v, want one at %q", err, c.refuse)
			}
			if c.says != "" && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if !slices.Equal(left, c.left) {
				t.Errorf("left out %v, want %v", left, c.left)
			}
			names := func(tools []chat.Tool) (names []string) {
				for _, tool := range tools {
					names = append(names, tool.Name)
				}
				return names
			}
			if c.refuse == "" && !slices.Equal(names(r.Tools), c.kept) {
				t.Errorf("offers %v, want %v", names(r.Tools), c.kept)
			}
			if !slices.Equal(names(before), names(c.tools)) {
				t.Errorf("the client's tools have changed to %v", names(c.tools))
			}
		})
	}
}
