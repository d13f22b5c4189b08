package jsonedit_test

import (
	"fmt"
	"testing"

	"go-ai-proxy/translators/jsonedit"
)

type (
	named string
	raw   []byte
)

func Example() {
	dst := []byte{'{'}
	dst = jsonedit.AppendText(dst, "model", "gpt-4o")
	dst = jsonedit.AppendOptional(dst, "user", "")
	dst = jsonedit.AppendRaw(dst, "temperature", []byte("0.50"))
	dst = jsonedit.AppendInt(dst, "n", 2)
	dst = append(jsonedit.AppendName(dst, "options"), '{')
	dst = jsonedit.AppendTexts(dst, "stop", []string{"a", "b"})
	dst = append(jsonedit.AppendBool(dst, "stream", true), "}}"...)
	fmt.Println(string(dst))
	// Output: {"model":"gpt-4o","temperature":0.50,"n":2,"options":{"stop":["a","b"],"stream":true}}
}

func TestMembersAreSeparatedByCommas(t *testing.T) {
	tests := []struct{ name, before, want string }{
		{"first of an object", `{`, `{"a":1`},
		{"first of what is put together later", ``, `"a":1`},
		{"after a member", `{"b":2`, `{"b":2,"a":1`},
		{"after a string that ends like an object begins", `{"b":"{"`, `{"b":"{","a":1`},
		{"after a list", `{"b":[]`, `{"b":[],"a":1`},
	}
	for _, test := range tests {
		if got := jsonedit.AppendInt([]byte(test.before), "a", 1); string(got) != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	if got := string(jsonedit.AppendString(jsonedit.AppendComma([]byte(`["a"`)), "b")); got != `["a","b"` {
		t.Errorf("a further element: %s", got)
	}
}

func TestTextsAndBytesAreWrittenAlike(t *testing.T) {
	const text = "a\"b\n\xff{é"
	const want = `"m":"a\"b\n\ufffd{é"`
	for i, got := range [][]byte{
		jsonedit.AppendText(nil, "m", text),
		jsonedit.AppendText(nil, "m", named(text)),
		jsonedit.AppendText(nil, "m", []byte(text)),
		jsonedit.AppendText(nil, "m", raw(text)),
		jsonedit.AppendOptional(nil, "m", text),
		jsonedit.AppendOptional(nil, "m", raw(text)),
	} {
		if string(got) != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	for i, got := range [][]byte{jsonedit.AppendKey(nil, "a\"b"), jsonedit.AppendKey(nil, raw("a\"b"))} {
		if string(got) != `"a\"b":` {
			t.Errorf("name %d: %s", i, got)
		}
	}
}

func TestOnlyTextWritesAnEmptyValue(t *testing.T) {
	for i, got := range [][]byte{
		jsonedit.AppendRaw(nil, "m", ""), jsonedit.AppendRaw(nil, "m", raw(nil)),
		jsonedit.AppendOptional(nil, "m", ""), jsonedit.AppendTexts(nil, "m", nil),
	} {
		if len(got) > 0 {
			t.Errorf("%d: %s", i, got)
		}
	}
	if got := string(jsonedit.AppendText(nil, "m", raw(nil))); got != `"m":""` {
		t.Errorf("an empty text: %s", got)
	}
	if got := string(jsonedit.AppendStrings(nil, nil)); got != "[]" {
		t.Errorf("an empty list: %s", got)
	}
}

func TestMembersAreWrittenWithoutAllocating(t *testing.T) {
	buf := make([]byte, 0, 1<<10)
	text, list := []byte("some text"), []string{"a", "b"}
	allocated := testing.AllocsPerRun(100, func() {
		dst := append(buf, '{')
		dst = jsonedit.AppendText(dst, "a", text)
		dst = jsonedit.AppendText(dst, "b", "a string")
		dst = jsonedit.AppendOptional(dst, "c", named("a string"))
		dst = jsonedit.AppendRaw(dst, "d", raw(text))
		dst = jsonedit.AppendKey(dst, text)
		dst = jsonedit.AppendInt(dst, "e", 1<<40)
		dst = jsonedit.AppendBool(dst, "f", true)
		buf = jsonedit.AppendTexts(dst, "g", list)[:0]
	})
	if allocated > 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func TestFlatPutsJSONOnOneLine(t *testing.T) {
	for value, want := range map[string]string{"{\n\t\"a\\n\": [1,\r\n2]\n}": `{ 	"a\n": [1,  2] }`, `{"a":1}`: `{"a":1}`, "": ""} {
		given := []byte(value)
		if got := string(jsonedit.Flat(given)); got != want || string(given) != value {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}
