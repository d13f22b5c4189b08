package jsonedit

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go-ai-proxy/translators/conformance/workload"
)

// learned has learned text, in which the strings after "a": and "p": vary.
func learned(text string) *Alike {
	var a Alike
	padding := strings.Index(text, `"p":`) + 4
	if padding == 3 {
		padding = 0
	}
	a.Learn([]byte(text), strings.Index(text, `"a":`)+4, padding)
	return &a
}

func TestTextsThatDifferInOneStringAreRecognized(t *testing.T) {
	const one, two = `{"i":1,"a":"x","b":[2]}`, `{"p":"--","i":1,"a":"x"}`
	for _, c := range []struct {
		name, before, text, want string
		ok                       bool
	}{
		{"another content", one, `{"i":1,"a":"other words","b":[2]}`, "other words", true},
		{"no content", one, `{"i":1,"a":"","b":[2]}`, "", true},
		{"content beyond ASCII", one, `{"i":1,"a":"größer","b":[2]}`, "größer", true},
		{"another padding, too", two, `{"p":"-----","i":1,"a":"y"}`, "y", true},
		{"no padding", two, `{"p":"","i":1,"a":"y"}`, "y", true},
		{"another beginning", one, `{"i":2,"a":"x","b":[2]}`, "", false},
		{"another end", one, `{"i":1,"a":"x","b":[3]}`, "", false},
		{"more at the end", one, `{"i":1,"a":"x","b":[2]} `, "", false},
		{"another member in the content", one, `{"i":1,"a":"x","usage":{},"c":"","b":[2]}`, "", false},
		{"another member in the padding", two, `{"p":"-","usage":{},"q":"","i":1,"a":"y"}`, "", false},
		{"an escape", one, `{"i":1,"a":"x\n","b":[2]}`, "", false},
		{"an escaped quote at the end", one, `{"i":1,"a":"x\","b":[2]}`, "", false},
		{"a control character", one, "{\"i\":1,\"a\":\"x\n\",\"b\":[2]}", "", false},
		{"broken UTF-8", one, "{\"i\":1,\"a\":\"\xff\",\"b\":[2]}", "", false},
		{"not a string", one, `{"i":1,"a":null,"b":[2]}`, "", false},
		{"cut off", one, `{"i":1,"a":"x`, "", false},
		{"nothing", one, ``, "", false},
		{"an escape was learned", `{"i":1,"a":"x\n","b":[2]}`, one, "", false},
	} {
		got, ok := learned(c.before).Content([]byte(c.text))
		if ok != c.ok || ok && string(got) != c.want {
			t.Errorf("%s: got %q, %v", c.name, got, ok)
		}
	}
	if _, ok := new(Alike).Content(nil); ok {
		t.Error("nothing is recognized before a text was learned")
	}
}

func TestATextWithEscapesDoesNotReplaceTheOneBefore(t *testing.T) {
	const text = `{"a":"x"}`
	a := learned(text)
	a.Learn([]byte(`{"a":"\n"}`), 5, 0)
	if _, ok := a.Content([]byte(text)); !ok {
		t.Error("it was forgotten")
	}
}

func TestNothingIsLearnedAnyMoreWhereEachTextIsAnother(t *testing.T) {
	var a Alike
	for i := range byte(2 * maxVain) {
		a.Learn([]byte{'[', '0' + i%10, ',', '"', 'x', '"', ']'}, 3, 0)
	}
	if _, ok := a.Content([]byte(`[5,"y"]`)); ok {
		t.Error("the last text was learned")
	}
	a = Alike{}
	for range 2 * maxVain { // but where some are alike
		a.Learn([]byte(`[1,"x"]`), 3, 0)
		if _, ok := a.Content([]byte(`[1,"y"]`)); !ok {
			t.Fatal("not recognized")
		}
	}
	a.Learn(append(bytes.Repeat([]byte(" "), maxAlike), `"x"`...), maxAlike, 0)
	if len(a.last.fixed) > maxAlike {
		t.Errorf("%d bytes are kept", len(a.last.fixed))
	}
}

func TestRecognizingAllocatesNothing(t *testing.T) {
	a, text := learned(`{"a":"x"}`), []byte(`{"a":"yz"}`)
	if n := testing.AllocsPerRun(100, func() { a.Learn(text, 5, 0); a.Content(text) }); n > 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// What is recognized is what was learned with other contents, which need no unescaping.
func FuzzAlike(f *testing.F) {
	f.Add([]byte(`{"a":"x","p":"y"}`), []byte(`{"a":"words","p":""}`))
	f.Add([]byte(`{"p":"\n","a":"x"}`), []byte(`{"p":"y","a":"\u0041"}`))
	f.Fuzz(func(t *testing.T, before, text []byte) {
		defer workload.Linear(t, len(before)+len(text))()
		v, err := Parse(before)
		if err != nil {
			return
		}
		var a Alike
		a.LearnValue(v.Get("a"), v.Get("p"))
		for _, text := range [][]byte{before, text} {
			content, ok := a.Content(text)
			if !ok {
				continue
			}
			now, err := Parse(text)
			if err != nil || now.Get("a").Type() != TypeString || !bytes.Equal(now.Get("a").GetStringBytes(), content) || !utf8.Valid(content) {
				t.Fatalf("%q after %q: %q, %v", text, before, content, err)
			}
			if rest(v) != rest(now) {
				t.Fatalf("%q after %q", text, before)
			}
		}
	})
}

// rest is the text of v without the strings called a and p.
func rest(v *Value) string {
	raw := v.Raw()
	all := []*Value{v.Get("a"), v.Get("p")}
	slices.SortFunc(all, func(a, b *Value) int { return int(at(b)) - int(at(a)) })
	for _, one := range all {
		if one.Type() == TypeString {
			raw = slices.Concat(raw[:one.start-v.start], []byte("0"), raw[one.end-v.start:])
		}
	}
	return string(raw)
}

func at(v *Value) uint32 {
	if v == nil {
		return 0
	}
	return v.start
}
