package anthropic

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/jsonedit"
)

func TestMarksAreSetWhereClaudeTakesThem(t *testing.T) {
	const mark = `,"cache_control":{"type":"ephemeral"}`
	for _, c := range []struct{ name, body, want string }{
		{"a text", `{"messages":[{"role":"user","content":"a"}]}`, `{"messages":[{"role":"user","content":[{"type":"text","text":"a"` + mark + `}]}]}`},
		{"not on thinking, nor on blank text", `{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"},{"type":"text","text":" "},{"type":"thinking","thinking":"x"}]}]}`,
			`{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"` + mark + `},{"type":"text","text":" "},{"type":"thinking","thinking":"x"}]}]}`},
		{"not on a tool that is loaded later", `{"tools":[{"name":"a"},{"name":"b","defer_loading":true}]}`, `{"tools":[{"name":"a"` + mark + `},{"name":"b","defer_loading":true}]}`},
		{"the user's last two turns", `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"user","content":"d"}]}`,
			`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"c"` + mark + `}]},{"role":"user","content":[{"type":"text","text":"d"` + mark + `}]}]}`},
		{"nothing to mark", `{"system":"","tools":[],"messages":[{"role":"user","content":""}]}`, ""},
		{"other types", `{"system":1,"tools":{},"messages":[1,{"role":"user"}]}`, ""},
	} {
		m := chat.Marks{Control: chat.Raw(`{"type":"ephemeral"}`)}
		got, n, own := Mark([]byte(c.body), &m)
		if c.want == "" {
			c.want = c.body
		}
		if string(got) != c.want || n != strings.Count(c.want, "cache_control") || own {
			t.Errorf("%s: %d, %v\n got %s\nwant %s", c.name, n, own, got, c.want)
		}
	}
}

func TestLeastCachedPromptIsTheModels(t *testing.T) {
	for name, want := range map[string]int{
		"claude-opus-4-5-20251101": 4096, "us.anthropic.claude-haiku-4-5-20251001-v1:0": 4096, "claude-3-5-haiku-20241022": 2048,
		"claude-sonnet-4-5": 1024, "claude-3-7-sonnet@20250219": 1024, "claude-opus-4-7": 2048, "claude-opus-4-8": 1024, "claude-opus-5": 512, "claude-fable-5": 512, "deployment": 1024,
	} {
		if got := MarksOf(name).Least; got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

func TestTimeToMarkGrowsWithTheBody(t *testing.T) {
	m := chat.Marks{Control: chat.Raw(`{"type":"ephemeral"}`)}
	growth.Check(t, func(body []byte) {
		if jsonedit.Valid(body) == nil {
			Mark(body, &m)
		}
	}, []byte(`{"system":[{"type":"text","text":"s"}],"tools":[{"name":"a"}],"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`))
}
