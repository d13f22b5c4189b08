package jsonedit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// texts are JSON texts, good and bad: cases of the tables, seeds of the fuzzers.
var texts = []string{
	`{}`, ` { } `, `{"a":1}`, "\t{\r\n\"a\" : 1 ,\"b\":[1,2, {\"c\":null}] }\n",
	`{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83d"}`, `{"\u0061":1,"a":2,"a\/b":3}`,
	`{"a":-0,"b":0.5e-7,"c":1E+2,"d":123456789012345678901234567890}`,
	`{"a":true,"b":false,"c":null,"d":{},"e":[],"f":""}`,
	`{"":{"":{"":0}}}`, "{\"\xff\":\"\xff\"}", "{\"\u2028\":\"\x7f\"}", `{"0123456789abcdef":"0123456789abcdef0123"}`,
	``, ` `, `{`, `}`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a":1 "b":2}`,
	`{a:1}`, `{'a':1}`, `{"a":1}x`, `{"a":1}{}`, `[]`, `[1]`, `1`, `"a"`, `null`, `{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`,
	`{"a":1e}`, `{"a":1e+}`, `{"a":+1}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":tru}`, `{"a":truex}`, `{"a":nul`, `{"a":[1,]}`, `{"a":[,]}`,
	`{"a":[1 2]}`, `{"a":[1}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, `{"a":"\`, "{\"a\":\"\n\"}", "{\"a\":\"12345678\x1f\"}", "{\"a\":\"1234567\x00890\"}",
	"{\"a\":1\x00}", "\xef\xbb\xbf{}", "{\x0b}", "{\u00a0}",
}

func deep(n int) string {
	return strings.Repeat(`{"a":[`, n/2) + strings.Repeat("]}", n/2)
}

func TestObjectFindsItsMembersAsWritten(t *testing.T) {
	body := []byte(" {\"a\" : 1.50,\n\"b\\u0062\":{\"x\":[\"}\"]}  , \"a\":\"\\\"\" } ")
	ms, err := Object(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct{ key, value, text string }{
		{"a", "1.50", `"a" : 1.50`},
		{"bb", `{"x":["}"]}`, `"b\u0062":{"x":["}"]}`},
		{"a", `"\""`, `"a":"\""`},
	}
	if len(ms) != len(want) {
		t.Fatalf("%d members", len(ms))
	}
	for i, w := range want {
		m := ms[i]
		if string(m.Key) != w.key || string(m.Value) != w.value || string(body[m.Start:m.End]) != w.text {
			t.Errorf("member %d: key %q value %q text %q", i, m.Key, m.Value, body[m.Start:m.End])
		}
	}
	if v := Find(ms, "a"); string(v) != `"\""` {
		t.Errorf("Find gives %q, not the last a", v)
	}
	if Find(ms, "x") != nil {
		t.Error("Find finds a member of a member")
	}
}

func TestObjectAcceptsExactlyValidJSON(t *testing.T) {
	for _, text := range append(texts, deep(MaxDepth)) {
		checkObject(t, []byte(text))
	}
}

// checkObject compares Object with encoding/json.
func checkObject(t *testing.T, text []byte) {
	t.Helper()
	ms, err := Object(text, nil)
	trimmed := strings.Trim(string(text), " \t\r\n")
	want := json.Valid(text) && trimmed[0] == '{'
	if want != (err == nil) {
		t.Fatalf("%q: valid %v, error %v", text, want, err)
	}
	if valid := Valid(text) == nil; valid != json.Valid(text) {
		t.Fatalf("%q: Valid says %v", text, valid)
	}
	if err != nil {
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(text) {
			t.Fatalf("%q: %#v", text, err)
		}
		return
	}
	var decoded map[string]json.RawMessage
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	found := map[string]json.RawMessage{}
	for _, m := range ms {
		found[valid(string(m.Key))] = json.RawMessage(m.Value)
		if end := m.End; string(text[end-len(m.Value):end]) != string(m.Value) || text[m.Start] != '"' {
			t.Fatalf("%q: wrong offsets %d, %d", text, m.Start, m.End)
		}
	}
	if fmt.Sprintf("%q", found) != fmt.Sprintf("%q", decoded) {
		t.Fatalf("%q: members %q, decoded %q", text, found, decoded)
	}
}

// valid is s as encoding/json decodes it: each byte that is not UTF-8 is U+FFFD.
func valid(s string) string { return string([]rune(s)) }

func TestNestingIsLimited(t *testing.T) {
	for _, text := range []string{deep(MaxDepth + 2), strings.Repeat(`{"a":`, 1<<20), `{"a":` + strings.Repeat(`[`, 1<<20)} {
		if _, err := Object([]byte(text), nil); err == nil || !strings.Contains(err.Error(), "too deep") {
			t.Errorf("%.20s…: %v", text, err)
		}
	}
}

func TestErrorsNameOffsetAndCause(t *testing.T) {
	for text, want := range map[string]string{
		``:                "the text ends where an object must stand at byte 0",
		`[1]`:             "found '[' where an object must stand at byte 0",
		`{"a":1,}`:        "found '}' where a name in quotes must stand at byte 7",
		`{"a":"x`:         "the text ends where the end of a string must stand at byte 7",
		"{\"a\":\"x\n\"}": "found 0x0a within a string, where it must be escaped at byte 7",
		`{"a":1} 2`:       "found '2' where the end must stand at byte 8",
		`{"a":01}`:        "found '1' where a comma or '}' must stand at byte 6",
		`{"a":tru}`:       "found '}' where true must stand at byte 8",
	} {
		if _, err := Object([]byte(text), nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestArrayFindsItsElements(t *testing.T) {
	got, err := Array([]byte(` [ 1,"a]" , [2,[]],{"b":[3]} ] `), nil)
	if want := `["1" "\"a]\"" "[2,[]]" "{\"b\":[3]}"]`; err != nil || fmt.Sprintf("%q", got) != want {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{``, `{}`, `[`, `[1`, `[1,`, `[1,]`, `[1]]`, `[1 2]`} {
		if _, err := Array([]byte(bad), nil); err == nil {
			t.Errorf("%q is no array", bad)
		}
	}
}

func TestLookupFollowsAPath(t *testing.T) {
	body := []byte(`{"a":{"b":1,"b": {"c": [1] } },"n":null} `)
	for path, want := range map[string]string{
		"a b c": "[1]", "a b": `{"c": [1] }`, "n": "null", "": `{"a":{"b":1,"b": {"c": [1] } },"n":null}`,
	} {
		if got := Lookup(body, strings.Fields(path)...); string(got) != want {
			t.Errorf("%q: %s", path, got)
		}
	}
	for _, path := range []string{"x", "a x", "n x", "a b c d"} {
		if got := Lookup(body, strings.Fields(path)...); got != nil {
			t.Errorf("%q: %s", path, got)
		}
	}
	for _, text := range texts {
		if got := Lookup([]byte(text), "a", "b"); got != nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestKindsOfValues(t *testing.T) {
	is := []func([]byte) bool{IsObject, IsArray, IsString, IsNumber, IsTrue, IsFalse, IsNull}
	for i, value := range []string{`{}`, `[]`, `""`, `-1`, `true`, `false`, `null`} {
		for j, f := range is {
			if f([]byte(value)) != (i == j) {
				t.Errorf("%s: kind %d is %v", value, j, i != j)
			}
			if f(nil) {
				t.Errorf("nil is of kind %d", j)
			}
		}
	}
	for text, want := range map[string]int{"0": 0, "-12": -12, "1e3": 1000, "2.0": 2, "9007199254740993": 9007199254740993} {
		if got, ok := Int([]byte(text)); !ok || got != want {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "1.5", "1e400", "1e19", "-1e19", `"1"`, "null"} {
		if got, ok := Int([]byte(text)); ok {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestStringsAreUnquoted(t *testing.T) {
	for _, text := range append(texts, `"\ud83d\ude00"`, `"\ude00\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\ud83d\ud83d\ude00"`, `"plain"`, `"a" `, `"`, `"\"`) {
		checkString(t, []byte(text))
	}
}

func checkString(t *testing.T, text []byte) {
	t.Helper()
	var want string
	wantOK := len(text) > 0 && text[0] == '"' && text[len(text)-1] == '"' && json.Unmarshal(text, &want) == nil
	got, ok := String(text)
	if ok != wantOK || valid(got) != want {
		t.Fatalf("%q: %q %v, want %q %v", text, got, ok, want, wantOK)
	}
	if b, ok := AppendUnquoted([]byte("x"), text); ok != wantOK || valid(string(b)) != "x"+want {
		t.Fatalf("%q: %q %v", text, b, ok)
	}
}

func TestStringsAreQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"":                        `""`,
		"a\"\\\n\r\t\b\f\x00\x1f": `"a\"\\\n\r\t\b\f\u0000\u001f"`,
		"<&>\u2028\u2029\x7f/é😀":  "\"<&>\u2028\u2029\x7f/é😀\"",
		"a\xffb\xe2\x82":          `"a\ufffdb\ufffd\ufffd"`,
	} {
		if got := AppendString(nil, in); string(got) != want {
			t.Errorf("%q: %s", in, got)
		}
		checkQuoted(t, in)
	}
	for n := range 40 { // every place in a word of eight bytes
		for _, c := range []string{"\"", "\\", "\x1f", "\xff", "é"} {
			checkQuoted(t, strings.Repeat("x", n)+c+strings.Repeat("y", 40-n))
		}
	}
}

func checkQuoted(t *testing.T, s string) {
	t.Helper()
	quoted := AppendString([]byte("x"), s)
	var back string
	if err := json.Unmarshal(quoted[1:], &back); err != nil || back != valid(s) {
		t.Fatalf("%q: %s, %q, %v", s, quoted, back, err)
	}
	if b := AppendBytes([]byte("x"), []byte(s)); string(b) != string(quoted) {
		t.Fatalf("%q: %s as bytes, %s as a string", s, b, quoted)
	}
}

func TestSpliceKeepsAllBytesOutsideTheEdits(t *testing.T) {
	v := func(s string) []byte { return []byte(s) }
	for _, c := range []struct {
		body  string
		edits []Edit
		want  string
	}{
		{`{ "a" : 1 , "b" : 2 }`, nil, `{ "a" : 1 , "b" : 2 }`},
		{`{ "a" : 1 , "b" : 2 }`, []Edit{{Key: "a", Value: v("9")}}, `{ "a" : 9 , "b" : 2 }`},
		{`{ "a" : 1 , "b" : 2 }`, []Edit{{Key: "a"}}, `{ "b" : 2 }`},
		{`{ "a" : 1 , "b" : 2 }`, []Edit{{Key: "b"}}, `{ "a" : 1 }`},
		{`{ "a" : 1 , "b" : 2 }`, []Edit{{Key: "a"}, {Key: "b"}}, `{  }`},
		{`{ "a" : 1 , "b" : 2 }`, []Edit{{Key: "a"}, {Key: "b"}, {Key: "c", Value: v("3")}}, `{ "c":3 }`},
		{`{ "a" : 1 , "b" : 2 }`, []Edit{{Key: "c", Value: v("3")}, {Key: "d", Value: v("4")}}, `{ "a" : 1 , "b" : 2,"c":3,"d":4 }`},
		{`{ "a" : 1 , "b" : 2 , "c":3}`, []Edit{{Key: "b"}}, `{ "a" : 1 , "c":3}`},
		{` {} `, []Edit{{Key: "a\n", Value: v("1")}}, ` {"a\n":1} `},
		{` { } `, []Edit{{Key: "a", Value: v("1")}, {Key: "b"}}, ` {"a":1 } `},
		{`{}`, nil, `{}`},
		{`{"a":1,"a":2,"b":0,"a":3}`, []Edit{{Key: "a", Value: v("9")}}, `{"b":0,"a":9}`},
		{`{"a":1,"b":0,"a":2}`, []Edit{{Key: "a"}}, `{"b":0}`},
		{`{"\u0061":1}`, []Edit{{Key: "a", Value: v("2")}}, `{"\u0061":2}`},
		{`{"a":1}`, []Edit{{Key: "a", Value: v("2")}, {Key: "a", Value: v("3")}}, `{"a":3}`},
		{`{"a" : 1,"b":2}`, []Edit{{Key: "a", Name: "c"}}, `{"c" : 1,"b":2}`},
		{`{"a" : 1,"b":2}`, []Edit{{Key: "a", Name: "c", Value: v("5")}}, `{"c" : 5,"b":2}`},
		{`{"a" : 1,"b":2}`, []Edit{{Key: "a", Name: "b"}}, `{"b" : 1}`},
		{`{"b":2,"a" : 1}`, []Edit{{Key: "a", Name: "b"}}, `{"b" : 1}`},
		{`{"b":2}`, []Edit{{Key: "a", Name: "b"}}, `{"b":2}`},
		{`{"b":2}`, []Edit{{Key: "a", Name: "b", Value: v("5")}}, `{"b":5}`},
		{`{"x":2}`, []Edit{{Key: "a", Name: "b", Value: v("5")}}, `{"x":2,"b":5}`},
		{`{"a":1,"b":2}`, []Edit{{Key: "a", Name: "b"}, {Key: "b", Name: "a"}}, `{"b":1,"a":2}`},
		{`{"a":1}`, []Edit{{Key: "a", Name: "a"}}, `{"a":1}`},
		{`{"a":1}`, []Edit{{Key: "b"}}, `{"a":1}`},
	} {
		body := []byte(c.body)
		ms, err := Object(body, nil)
		if err != nil {
			t.Fatal(err)
		}
		pieces := Splice(nil, body, ms, c.edits)
		got := string(Join(nil, pieces))
		if got != c.want {
			t.Errorf("%s with %+v:\n got %s\nwant %s", c.body, c.edits, got, c.want)
		}
		if string(body) != c.body {
			t.Errorf("%s: the body was changed to %s", c.body, body)
		}
	}
}

func TestPiecesAliasTheBody(t *testing.T) {
	body := []byte(`{"model":"a","messages":["` + strings.Repeat("x", 1000) + `"],"stream":true}`)
	ms, _ := Object(body, nil)
	pieces := Splice(nil, body, ms, []Edit{{Key: "model", Value: []byte(`"b"`)}})
	if len(pieces) != 3 || unsafe.SliceData(pieces[0]) != unsafe.SliceData(body) {
		t.Errorf("%q", pieces)
	}
}

// checkSplice compares Splice with the same edits of a decoded map.
func checkSplice(t *testing.T, body []byte, edits []Edit) {
	t.Helper()
	ms, err := Object(body, nil)
	if err != nil {
		return
	}
	want := map[string]json.RawMessage{}
	for _, m := range ms {
		want[string(m.Key)] = m.Value
	}
	before := map[string]json.RawMessage{}
	for k, v := range want {
		before[k] = v
	}
	for _, e := range edits {
		delete(want, e.Key)
	}
	for _, e := range edits {
		value, there := before[e.Key]
		if e.Value == nil && e.Name == "" || e.Value == nil && !there {
			continue
		}
		if e.Value != nil {
			value = e.Value
		}
		want[e.name()] = value
	}
	out := Join(nil, Splice(nil, body, ms, edits))
	after, err := Object(out, nil)
	if err != nil {
		t.Fatalf("%q with %+v: %q, %v", body, edits, out, err)
	}
	got := map[string]json.RawMessage{}
	for _, m := range after {
		got[string(m.Key)] = m.Value
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Fatalf("%q with %+v:\n got %q\nwant %q", body, edits, got, want)
	}
}

func TestMergeIsDeepAndKeepsText(t *testing.T) {
	for _, c := range []struct{ base, over, want string }{
		{`{}`, `{}`, `{}`},
		{`{"a":1.0, "b":{"x":1,"y": [1, 2]}}`, `{"b":{"x":null,"z":{}},"c":"d"}`, `{"a":1.0,"b":{"x":null,"y":[1, 2],"z":{}},"c":"d"}`},
		{`{"a":{"b":1}}`, `{"a":2}`, `{"a":2}`},
		{`{"a":[1]}`, `{"a":[2]}`, `{"a":[2]}`},
		{`{"a":1}`, `{"a":{"b": 1}}`, `{"a":{"b": 1}}`},
		{`{"a":1,"a":{"x":1}}`, `{"a":{"y":1},"a":{"z":1}}`, `{"a":{"x":1,"z":1}}`},
		{`{"\u0061":1}`, `{"a":2}`, `{"\u0061":2}`},
	} {
		got, err := Merge([]byte("dst"), []byte(c.base), []byte(c.over))
		if err != nil || string(got) != "dst"+c.want {
			t.Errorf("%s with %s: %s, %v", c.base, c.over, got, err)
		}
		checkMerge(t, []byte(c.base), []byte(c.over))
	}
	for _, c := range [][2]string{{`[]`, `{}`}, {`{}`, `[]`}, {`{}`, ``}, {deep(100), deep(100)[:8]}} {
		if got, err := Merge([]byte("dst"), []byte(c[0]), []byte(c[1])); err == nil || string(got) != "dst" {
			t.Errorf("%.20s with %.20s: %s, %v", c[0], c[1], got, err)
		}
	}
	nested := []byte(strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100))
	if got, err := Merge([]byte("dst"), nested, nested); err == nil || string(got) != "dst" {
		t.Errorf("no limit: %v", err)
	}
}

func checkMerge(t *testing.T, base, over []byte) {
	t.Helper()
	var under, upper map[string]any
	if json.Unmarshal(base, &under) != nil || json.Unmarshal(over, &upper) != nil || under == nil || upper == nil {
		return
	}
	out, err := Merge(nil, base, over)
	if err != nil {
		if strings.Contains(err.Error(), "too deep") {
			return
		}
		t.Fatalf("%q with %q: %v", base, over, err)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%q with %q: %q: %v", base, over, out, err)
	}
	if want := mergeMaps(under, upper); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q with %q:\n got %v\nwant %v", base, over, got, want)
	}
}

func mergeMaps(base, over map[string]any) map[string]any {
	for k, v := range over {
		under, ok := base[k].(map[string]any)
		upper, too := v.(map[string]any)
		if ok && too {
			v = mergeMaps(under, upper)
		}
		base[k] = v
	}
	return base
}

func TestIntRefusesIntegersThatAFloatCannotHold(t *testing.T) {
	if got, ok := Int([]byte("9223372036854775808")); ok || got == math.MinInt {
		t.Error(got, ok)
	}
}
