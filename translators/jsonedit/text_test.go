package jsonedit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/workload"
)

// said are JSON strings and what they say.
var said = []struct{ name, json, text string }{
	{"nothing", `""`, ""},
	{"letters", `"abc"`, "abc"},
	{"UTF-8", `"Grüße ☺"`, "Grüße ☺"},
	{"code", `"if x {\n\treturn \"a\\b\"\r\n}\b\f"`, "if x {\n\treturn \"a\\b\"\r\n}\b\f"},
	{"a slash that need not be escaped", `"a\/b"`, "a/b"},
	{"hexadecimal escapes", `"\u00e9\u0041\u0000"`, "éA\x00"},
	{"a pair of surrogates", `"a\ud83d\ude00b"`, "a😀b"},
	{"a lone surrogate", `"a\ud83db"`, "a\ufffdb"},
	{"two high surrogates", `"\ud83d\ud83d\ude00"`, "\ufffd😀"},
	{"white space", `" \n\t\r "`, " \n\t\r "},
	{"a no-break space", `"\n\u00a0"`, "\n\u00a0"},
	{"a line separator", "\"\\n\u2028 x\"", "\n\u2028 x"},
	{"a data URI", `"data:image\/png;base64,iVBO\/w=="`, "data:image/png;base64,iVBO/w=="},
	{"a comma as an escape", `"data:x\u002cy"`, "data:x,y"},
}

// All that a Text tells is the same, however the text is kept.
func TestTextSaysTheSameInEveryForm(t *testing.T) {
	for _, c := range said {
		for form, text := range map[string]Text{"as it came": MustParse(c.json).Text(), "plain": Plain(c.text)} {
			at := c.name + ", " + form
			equal := func(what string, got, want any) {
				if got != want {
					t.Errorf("%s: %s: got %q, want %q", at, what, got, want)
				}
			}
			equal("String", text.String(), c.text)
			equal("AppendDecoded", string(text.AppendDecoded([]byte("x"))), "x"+c.text)
			var back string
			if err := json.Unmarshal(text.Append(nil), &back); err != nil || back != c.text {
				t.Errorf("%s: %s: got %q, %v", at, text.Append(nil), back, err)
			}
			equal("AppendInside", `"`+string(text.AppendInside(nil))+`"`, string(text.Append(nil)))
			equal("AppendMember", string(text.AppendMember([]byte("{"), "a")), `{"a":`+string(text.Append(nil)))
			equal("Empty", text.Empty(), c.text == "")
			equal("AppendOptional", len(text.AppendOptional(nil, "a")) == 0, c.text == "")
			equal("Blank", text.Blank(), strings.TrimSpace(c.text) == "")
			equal("Len", text.Len(), len(c.text))
			start := strings.TrimLeft(c.text, " \t\r\n") + "\x00"
			equal("Start", text.Start(), start[0])
			for i := range len(c.text) + 1 {
				equal("HasPrefix", text.HasPrefix(c.text[:i]), true)
				equal("HasPrefix of another", text.HasPrefix(c.text[:i]+"~"), false)
			}
			before, after, found := text.Cut(',')
			wantBefore, wantAfter, wantFound := strings.Cut(c.text, ",")
			equal("before the comma", before, wantBefore)
			equal("after the comma", after.String(), wantAfter)
			equal("a comma", found, wantFound)
		}
	}
}

func TestTextOfAValueThatIsNoStringIsEmpty(t *testing.T) {
	for _, text := range []string{"null", "1", "{}", `["a"]`} {
		if got := MustParse(text).Text(); !got.Empty() {
			t.Errorf("%s: %q", text, got.String())
		}
	}
	if got := (*Value)(nil).GetText("a"); !got.Empty() {
		t.Errorf("%q", got.String())
	}
}

// What need not be changed is not: that is what a Text is for.
func TestTextIsWrittenAsItCame(t *testing.T) {
	for _, text := range []string{`"abc"`, `"Grüße\n\t\"\\\b\f\r"`, `""`} {
		if got := MustParse(text).Text().Append(nil); string(got) != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
}

func TestTextThatIsNotUTF8IsReplaced(t *testing.T) {
	v, err := Parse([]byte("\"a\xff\\n\""))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(v.Text().Append(nil)); got != `"a\ufffd\n"` {
		t.Errorf("got %s", got)
	}
}

// Texts are joined without being decoded.
func TestTextsAreJoinedAsTheyAre(t *testing.T) {
	inside := Plain("a\n").AppendInside(nil)
	inside = MustParse(`"\"b\\"`).Text().AppendInside(inside)
	joined := Quoted(string(inside))
	if got := joined.String(); got != "a\n\"b\\" {
		t.Errorf("got %q", got)
	}
	if got := string(joined.Append(nil)); got != `"a\n\"b\\"` {
		t.Errorf("got %s", got)
	}
}

func TestArgumentsBecomeAnObject(t *testing.T) {
	for _, c := range []struct {
		text, want string
		ok         bool
	}{
		{`{"a":1.0}`, `{"a":1.0}`, true},
		{" {\"a\":\"b\\\"c\\n\"}\n", `{"a":"b\"c\n"}`, true},
		{"", "{}", true},
		{" \n", "{}", true},
		{"null", "{}", true},
		{"[1]", "", false},
		{`{"a":1`, "", false},
		{`{} {}`, "", false},
		{`"a"`, "", false},
	} {
		for _, text := range []Text{Plain(c.text), MustParse(string(AppendString(nil, c.text))).Text()} {
			if got, ok := text.AppendObject([]byte("x")); ok != c.ok || string(got) != "x"+c.want {
				t.Errorf("%q: got %s, %v", c.text, got, ok)
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, c := range said {
		f.Add([]byte(c.json))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		defer workload.Linear(t, len(data))()
		v, err := Parse(data)
		if err != nil || v.Type() != TypeString {
			return
		}
		text, plain := v.Text(), Plain(string(v.GetStringBytes()))
		written, want := text.Append(nil), plain.Append(nil)
		if Valid(written) != nil || !bytes.Equal(MustParse(string(written)).GetStringBytes(), MustParse(string(want)).GetStringBytes()) {
			t.Errorf("%q: written as %s, want %s", data, written, want)
		}
		if text.Len() != plain.Len() || text.Blank() != plain.Blank() || text.Start() != plain.Start() || text.String() != plain.String() {
			t.Errorf("%q: %d %v %q, want %d %v %q", data, text.Len(), text.Blank(), text.Start(), plain.Len(), plain.Blank(), plain.Start())
		}
		for _, prefix := range []string{"\n", "data:", "é"} {
			if text.HasPrefix(prefix) != plain.HasPrefix(prefix) {
				t.Errorf("%q: begins with %q", data, prefix)
			}
		}
	})
}
