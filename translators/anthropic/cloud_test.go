package anthropic

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/jsonedit"
)

var aCloud = Cloud{
	Members:     []string{"messages", "system", "tools", "tool_choice", "max_tokens"},
	Gated:       map[string]string{"context_management": "context-management-2025-06-27"},
	Betas:       []string{"interleaved-thinking-2025-05-14", "context-management-2025-06-27", toolSearchBeta},
	Tools:       []string{"bash_", "tool_search_tool_"},
	Blocks:      []string{"tool_search_tool_result"},
	ToolMembers: []string{"name", "input_schema", "cache_control"},
}

func TestCloudsGetWhatTheyTakeOfARequest(t *testing.T) {
	const said = `"messages":[{"role":"user","content":"x"}]`
	for _, c := range []struct {
		name, body, betas, want string
		sent, left              []string
	}{
		{name: "nothing to change", body: ` {` + said + `,"max_tokens":1.0} `, want: ` {` + said + `,"max_tokens":1.0} `},
		{name: "members", body: `{` + said + `,"mcp_servers":[],"service_tier":"auto","speed":"fast"}`, want: `{` + said + `}`},
		{name: "a member without its beta", body: `{` + said + `,"context_management":{}}`, want: `{` + said + `}`},
		{name: "a member with its beta", body: `{` + said + `,"context_management":{}}`, betas: "context-management-2025-06-27, unknown-2030-01-01",
			want: `{` + said + `,"context_management":{}}`, sent: []string{"context-management-2025-06-27"}},
		{name: "betas in the body", body: `{` + said + `,"anthropic_beta":["context-management-2025-06-27","unknown-2030-01-01"],"context_management":{}}`, betas: "context-management-2025-06-27",
			want: `{` + said + `,"context_management":{}}`, sent: []string{"context-management-2025-06-27"}},
		{name: "who called", body: `{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{},"caller":{"type":"direct"}}]}]}`,
			want: `{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}]}`},
		{name: "attribution", body: `{"system":[{"type":"text","text":"x-anthropic-billing-header: a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral","scope":"global"}}],` + said + `}`,
			want: `{"system":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}],` + said + `}`},
		{name: "attribution alone", body: `{"system":[{"type":"text","text":"x-anthropic-billing-header: a"}],` + said + `}`, want: `{` + said + `}`},
		{name: "automatic caching", body: `{` + said + `,"cache_control":{"type":"ephemeral","ttl":"1h"}}`,
			want: `{"messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}`},
		{name: "automatic caching where there are four", body: `{"system":[{"cache_control":1},{"cache_control":1},{"cache_control":1},{"cache_control":1}],` + said + `,"cache_control":{"type":"ephemeral"}}`,
			want: `{"system":[{"cache_control":1},{"cache_control":1},{"cache_control":1},{"cache_control":1}],` + said + `}`},
		{name: "tools", body: `{` + said + `,"tools":[{"type":"bash_20250124","name":"bash"},{"type":"web_search_20250305","name":"web_search"},{"name":"f","input_schema":{"scope":1},"defer_loading":true,"eager_input_streaming":true}]}`,
			want: `{` + said + `,"tools":[{"type":"bash_20250124","name":"bash"},{"name":"f","input_schema":{"scope":1}}]}`, left: []string{"web_search_20250305"}},
		{name: "tool search", body: `{` + said + `,"tools":[{"type":"tool_search_tool_regex_20251119","name":"s"},{"name":"f","input_schema":{},"defer_loading":true}]}`, betas: "advanced-tool-use-2025-11-20",
			want: `{` + said + `,"tools":[{"type":"tool_search_tool_regex_20251119","name":"s"},{"name":"f","input_schema":{},"defer_loading":true}]}`, sent: []string{toolSearchBeta}},
		{name: "what servers did", body: `{"messages":[{"role":"assistant","content":[{"type":"server_tool_use","id":"s"},{"type":"web_search_tool_result","tool_use_id":"s"},{"type":"text","text":"y"}]},{"role":"assistant","content":[{"type":"mcp_tool_use"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"tool_reference","tool_name":"f"}]}]}]}`,
			want: `{"messages":[{"role":"assistant","content":[{"type":"text","text":"y"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"f"}]}]}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, sent, left, err := aCloud.Fit("claude-x", []byte(c.body), []string{c.betas})
			if err != nil || string(got) != c.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
			}
			if !slices.Equal(sent, c.sent) || !slices.Equal(left, c.left) {
				t.Errorf("betas %q, left out %q", sent, left)
			}
		})
	}
}

func TestToolsThatACloudLacksAreRefusedWhereTheyAreForced(t *testing.T) {
	const search, f = `{"type":"web_search_20250305","name":"web_search"}`, `{"name":"f","input_schema":{}}`
	for tools, field := range map[string]string{
		`"tools":[` + search + `]`: "tools[0]",
		`"tools":[` + f + `,` + search + `],"tool_choice":{"type":"tool","name":"web_search"}`: "tools[1]",
	} {
		_, _, _, err := aCloud.Fit("claude-x", []byte(`{"messages":[],`+tools+`}`), nil)
		var refused *chat.RequestError
		if !errors.As(err, &refused) || refused.Field != field || !strings.Contains(err.Error(), "web_search_20250305") {
			t.Errorf("%s: %v", tools, err)
		}
	}
}

func FuzzCloudFit(f *testing.F) {
	f.Add(`{"messages":[{"content":[{"type":"tool_result","content":[{"type":"tool_reference"}]}]}],"cache_control":{},"tools":[1,{"type":"x"}],"system":["x"]}`)
	f.Fuzz(func(t *testing.T, body string) {
		defer workload.Linear(t, len(body))()
		if jsonedit.ValidString(body) != nil || !strings.HasPrefix(body, "{") {
			return
		}
		got, _, _, err := aCloud.Fit("claude-x", []byte(body), nil)
		if err == nil && jsonedit.Valid(got) != nil {
			t.Errorf("%s\nbecame %s", body, got)
		}
	})
}

func TestWhatAModelDoesNotTakeOfOutputConfigIsLeftOutOrSaidInWords(t *testing.T) {
	const format = `"format":{"type":"json_schema","schema":{"type":"object"}}`
	const words = `Answer with one valid JSON value and nothing else. It must match this JSON schema: {\"type\":\"object\"}`
	cloud := aCloud
	cloud.Members = append(slices.Clone(aCloud.Members), "output_config", "system")
	cloud.ToolMembers = append(slices.Clone(aCloud.ToolMembers), "strict")
	cloud.Betas = append(slices.Clone(aCloud.Betas), effortBeta)
	for _, c := range []struct{ name, model, betas, body, want string }{
		{"everything", "newest", "", `{"messages":[],"output_config":{"effort":"low",` + format + `}}`, `{"messages":[],"output_config":{"effort":"low",` + format + `}}`},
		{"a schema", "", "", `{"messages":[],"output_config":{` + format + `}}`, `{"messages":[],"system":"` + words + `"}`},
		{"a schema and a prompt", "", "", `{"system":"Be brief.","messages":[],"output_config":{` + format + `}}`, `{"system":"Be brief.\n\n` + words + `","messages":[]}`},
		{"a schema and parts", "", "", `{"system":[{"type":"text","text":"Be brief."}],"messages":[],"output_config":{` + format + `}}`, `{"system":[{"type":"text","text":"Be brief."},{"type":"text","text":"` + words + `"}],"messages":[]}`},
		{"a schema and no parts", "", "", `{"system":[],"messages":[],"output_config":{` + format + `}}`, `{"system":"` + words + `","messages":[]}`},
		{"effort", "", "", `{"messages":[],"output_config":{"effort":"low"}}`, `{"messages":[]}`},
		{"effort by its beta", "", effortBeta, `{"messages":[],"output_config":{"effort":"low"}}`, `{"messages":[],"output_config":{"effort":"low"}}`},
		{"something new", "", "", `{"messages":[],"output_config":{"effort":"low","task_budget":{}}}`, `{"messages":[],"output_config":{"task_budget":{}}}`},
		{"a strict tool", "", "", `{"messages":[],"tools":[{"name":"f","strict":true}]}`, `{"messages":[],"tools":[{"name":"f"}]}`},
		{"a strict tool of the newest", "newest", "", `{"messages":[],"tools":[{"name":"f","strict":true}]}`, `{"messages":[],"tools":[{"name":"f","strict":true}]}`},
	} {
		cloud.Output = func(model string) Output { return Output{model != "", model != "", model != ""} }
		got, _, _, err := cloud.Fit(c.model, []byte(c.body), []string{c.betas})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, got, c.want)
		}
	}
}

// Bedrock refuses what Anthropic's own API joins itself; pydantic-ai sends foreign
// thoughts as a user message behind the user's.
func TestCloudsAreSentAlternatingRoles(t *testing.T) {
	cloud := Cloud{Members: []string{"messages"}}
	for _, c := range []struct{ in, want string }{
		{`[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]},{"role":"assistant","content":"c"},{"role":"assistant","content":"d"},{"role":"user","content":"e"}]`,
			`[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]},{"role":"user","content":"e"}]`},
		{`[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]},{"role":"user","content":"a"},{"role":"user","content":"b"}]`,
			`[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"},{"type":"text","text":"a"},{"type":"text","text":"b"}]}]`},
		{`[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]`, ""},
		{`[{"role":"user","content":7},{"role":"user","content":"b"}]`, ""},
		{`[{"content":"a"},{"content":"b"}]`, ""},
		{`[]`, ""},
	} {
		body := []byte(`{"messages":` + c.in + `}`)
		want := string(body)
		if c.want != "" {
			want = `{"messages":` + c.want + `}`
		}
		if got, _, _, err := cloud.Fit("m", body, nil); err != nil || string(got) != want {
			t.Errorf("%s\nbecame %s, %v\nwant   %s", body, got, err, want)
		}
	}
}

func TestMessagesOfOneRoleAreJoinedInLinearTime(t *testing.T) {
	growth.Linear(t, "messages of one role", func(n int) func() {
		messages := []byte("[" + strings.Repeat(`{"role":"user","content":"some words of a user"},`, n) + `{"role":"user","content":"x"}]`)
		return func() { alternating(messages) }
	})
}
