package affinity

import (
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/jsonedit"
)

func key(t *testing.T, f *Finder, body string, header ...string) (uint64, string) {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	var ms []jsonedit.Member
	if body != "" {
		var err error
		if ms, err = jsonedit.Object([]byte(body), nil); err != nil {
			t.Fatal(err)
		}
	}
	return f.Key(h, ms)
}

func TestTheFirstThatNamesAConversationCounts(t *testing.T) {
	const prompt = `"messages":[{"role":"user","content":"hi"}]`
	for _, c := range []struct {
		name, body string
		header     []string
		want       string
	}{
		{"Claude Code", `{"metadata":{"user_id":"u"},` + prompt + `}`, []string{"x-claude-code-session-id", "s"}, "X-Claude-Code-Session-Id"},
		{"Codex", `{"prompt_cache_key":"k","input":[]}`, []string{"session-id", "s"}, "Session-Id"},
		{"Codex before that", `{"input":[]}`, []string{"session_id", "s"}, "Session_id"},
		{"an empty header does not count", `{"user":"u",` + prompt + `}`, []string{"x-session-id", ""}, "user"},
		{"a key for the cache", `{"user":"u","prompt_cache_key":"k",` + prompt + `}`, nil, "prompt_cache_key"},
		{"a stored conversation", `{"user":"u","conversation":"c","input":"hi"}`, nil, "conversation"},
		{"a stored conversation as an object", `{"user":"u","conversation":{"id":"c"},"input":"hi"}`, nil, "conversation.id"},
		{"Anthropic's user", `{"metadata":{"user_id":"u"},` + prompt + `}`, nil, "metadata.user_id"},
		{"an empty user", `{"user":"","safety_identifier":"s",` + prompt + `}`, nil, "safety_identifier"},
		{"nothing but the prompt", `{` + prompt + `}`, nil, Prefix},
		{"nothing", `{"model":"m"}`, nil, ""},
		{"no JSON", ``, nil, ""},
	} {
		if _, got := key(t, New(nil), c.body, c.header...); got != c.want {
			t.Errorf("%s: by %q, want %q", c.name, got, c.want)
		}
	}
	if !Named("user") || Named(Prefix) || Named("") {
		t.Error("what names a conversation is mistaken")
	}
}

func TestConfiguredHeadersReplaceTheKnownOnes(t *testing.T) {
	f := New([]string{"x-agent", "x-team"})
	for _, c := range [][2]string{{"X-Team", "X-Team"}, {"X-Session-Id", ""}} {
		if _, got := key(t, f, "", c[0], "v"); got != c[1] {
			t.Errorf("%s: by %q", c[0], got)
		}
	}
}

// The turns of one conversation have the same key, whatever comes behind its first
// message and wherever the client puts its marks; other conversations have others.
func TestPrefixIsThatOfAllTurnsOfAConversation(t *testing.T) {
	first := []string{
		`{"system":"s","tools":[{"name":"t"}],"messages":[{"role":"user","content":"one"}]}`,
		`{"tools":[{"name":"t"}],"messages":[{"role":"user","content":"one"},{"role":"assistant","content":"a"},{"role":"user","content":"two"}],"system":"s"}`,
		`{"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"tools":[{"name":"t","cache_control":{"type":"ephemeral"}}],
			"messages":[{"role":"user","content":[{"type":"text","text":"one","cache_control":{"type":"ephemeral"}}]}]}`,
	}
	want, _ := key(t, New(nil), first[0])
	for _, body := range first[1:] {
		if got, source := key(t, New(nil), body); got != want || source != Prefix {
			t.Errorf("%s has another key, by %q", body, source)
		}
	}
	seen := map[uint64]string{want: first[0]}
	for _, body := range []string{
		`{"system":"s","tools":[{"name":"t"}],"messages":[{"role":"user","content":"two"}]}`,
		`{"system":"s2","tools":[{"name":"t"}],"messages":[{"role":"user","content":"one"}]}`,
		`{"system":"s","tools":[{"name":"t2"}],"messages":[{"role":"user","content":"one"}]}`,
		`{"messages":[{"role":"system","content":"s"},{"role":"user","content":"one"}]}`,
		`{"messages":[{"role":"system","content":"so"},{"role":"user","content":"ne"}]}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"one"},{"type":"image_url","image_url":{"url":"u"}}]}]}`,
		`{"contents":[{"parts":[{"text":"one"}]}]}`,
		`{"contents":[{"role":"user","parts":[{"text":"two"}]}]}`,
		`{"instructions":"s","input":"one"}`,
		`{"input":[{"role":"user","content":[{"type":"input_text","text":"other"}]}]}`,
	} {
		got, _ := key(t, New(nil), body)
		if seen[got] != "" {
			t.Errorf("%s has the key of %s", body, seen[got])
		}
		seen[got] = body
	}
}

func TestBedrocksCachePointsAreNoPartOfThePrefix(t *testing.T) {
	a, _ := key(t, New(nil), `{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"one"}]}]}`)
	b, _ := key(t, New(nil), `{"system":[{"text":"s"},{"cachePoint":{"type":"default"}}],"messages":[{"role":"user","content":[{"text":"one"},{"cachePoint":{"type":"default"}}]}]}`)
	if a != b {
		t.Error("they have different keys")
	}
}

func TestNoTurnBehindTheFirstIsRead(t *testing.T) {
	turn := func(n int) []jsonedit.Member {
		ms, err := jsonedit.Object([]byte(`{"messages":[{"role":"user","content":"one"}`+strings.Repeat(`,{"role":"assistant","content":"two"}`, n)+`]}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		return ms
	}
	f, few, many := New(nil), turn(1), turn(100_000)
	a, _ := f.Key(nil, few)
	b, _ := f.Key(nil, many)
	if a != b {
		t.Fatal("they have different keys")
	}
	if got := testing.AllocsPerRun(100, func() { f.Key(nil, many) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestTimeForAKeyGrowsWithThePrompt(t *testing.T) {
	f := New(nil)
	growth.Check(t, func(body []byte) {
		if ms, err := jsonedit.Object(body, nil); err == nil {
			f.Key(nil, ms)
		}
	}, []byte(`{"system":[{"text":"s","cache_control":{"a":1}}],"tools":[{"name":"t","cachePoint":{}}],"metadata":{"a":1},"messages":[{"role":"system","content":[{"text":"x"}]},{"role":"user","content":"one"}]}`))
}

func BenchmarkKeyByPrefix(b *testing.B) {
	ms, err := jsonedit.Object([]byte(`{"tools":[`+strings.Repeat(`{"name":"tool","input_schema":{"type":"object"}},`, 400)+`{}],"messages":[{"role":"user","content":"one"}`+strings.Repeat(`,{"role":"assistant","content":"two"}`, 10000)+`]}`), nil)
	if err != nil {
		b.Fatal(err)
	}
	f := New(nil)
	b.ReportAllocs()
	for b.Loop() {
		f.Key(nil, ms)
	}
}
