package jsonedit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/workload"
)

func TestValuesAreWrittenAsTheyCame(t *testing.T) {
	for in, want := range map[string]string{
		` {"a\u0001" : "\u0001\u0007\"é" , "n":[1.0,-0 , 1e5,12345678901234567890],"o":{ },"e":[ ],"t":true,"z":null} `: `{"a\u0001":"\u0001\u0007\"é","n":[1.0,-0,1e5,12345678901234567890],"o":{},"e":[],"t":true,"z":null}`,
		`"\u00e9\/\n\ud83d\ude00"`: `"é/\n😀"`,
		`"a\ud83d"`:                `"a` + "\ufffd" + `"`,
		"\"\xff\"":                 `"\ufffd"`,
	} {
		v := MustParse(in)
		if got := string(AppendValue(nil, v)); got != want {
			t.Errorf("%s\nis written %s\n      want %s", in, got, want)
		}
		if got, want := string(v.Raw()), strings.TrimSpace(in); got != want {
			t.Errorf("Raw is %s, want %s", got, want)
		}
	}
	if got := string(AppendValue(nil, nil)); got != "null" {
		t.Errorf("a value that is not there is written %s", got)
	}
}

func TestValuesAreReadByTheirType(t *testing.T) {
	v := MustParse(`{"s":"a\tb","i":-42,"f":1.5e1,"t":true,"no":false,"z":null,"l":[1,{"x":"y"}],"o":{"p":{"q":"r"}},"big":1e999,"esc\u0061pe":1}`)
	for name, got := range map[string]any{
		"a\tb": string(v.GetStringBytes("s")), "r": string(v.Get("o", "p").GetObject().GetStringBytes("q")), "y": string(v.GetStringBytes("l", "1", "x")),
		"-42": v.GetInt("i"), "15": v.GetFloat64("f"), "0": v.GetInt("f"), "2": len(v.GetArray("l")), "10": v.Len(), "1": v.GetInt("escape"),
		"true": v.GetBool("t") && !v.GetBool("no") && v.Exists("z") && !v.Exists("y") && !v.Exists("l", "2") && !v.Exists("l", "-1") && !v.Exists("s", "x"),
		"null": v.Get("z").Type(), "nothing": v.Get("y").Type(), "object": v.Type(),
	} {
		if fmt.Sprint(got) != name {
			t.Errorf("got %v, want %s", got, name)
		}
	}
	if f, err := v.Get("big").Float64(); err == nil {
		t.Errorf("1e999 is %v", f)
	}
	var none *Value
	_, noInt := none.Int()
	_, noBool := none.Bool()
	_, noList := none.Array()
	_, noObject := none.Object()
	_, noString := none.StringBytes()
	if noInt == nil || noBool == nil || noList == nil || noObject == nil || noString == nil || none.Raw() != nil || none.Get("x") != nil {
		t.Error("what is not there has a value")
	}
}

func TestStringsWithoutEscapesAliasTheText(t *testing.T) {
	text := []byte(`{"a":"plain","b":"not\n"}`)
	v, _ := Parse(text)
	if s := v.GetStringBytes("a"); &s[0] != &text[6] || cap(s) != len(s) {
		t.Error("a plain string is a copy, or can be appended to")
	}
	if a, b := v.GetStringBytes("b"), v.GetStringBytes("b"); &a[0] != &b[0] {
		t.Error("a string is made twice")
	}
}

// checkValue compares a parsed text with what encoding/json says of it.
func checkValue(t *testing.T, text []byte) {
	t.Helper()
	v, err := Parse(text)
	if (err == nil) != json.Valid(text) {
		t.Fatalf("%q: %v, valid is %v", text, err, json.Valid(text))
	}
	if other := Valid(text); fmt.Sprint(err) != fmt.Sprint(other) {
		t.Fatalf("%q: Parse says %v, Valid %v", text, err, other)
	}
	if err != nil {
		return
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var want any
	if err := d.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if got := decoded(v); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q:\n got %#v\nwant %#v", text, got, want)
	}
	written := AppendValue(nil, v)
	if again, err := Parse(written); err != nil || !reflect.DeepEqual(decoded(again), want) {
		t.Fatalf("%q became %q, %v", text, written, err)
	}
	if !bytes.Equal(v.Raw(), bytes.Trim(text, " \t\r\n")) {
		t.Fatalf("%q is %q as written", text, v.Raw())
	}
}

// decoded is v as encoding/json decodes it.
func decoded(v *Value) any {
	switch v.Type() {
	case TypeObject:
		m := map[string]any{}
		v.Visit(func(name []byte, member *Value) {
			if v.Get(string(name)) != member {
				panic("Get and Visit do not agree on " + string(name))
			}
			m[valid(string(name))] = decoded(member)
		})
		return m
	case TypeArray:
		list := make([]any, 0, 4)
		for _, e := range v.GetArray() {
			list = append(list, decoded(e))
		}
		return list
	case TypeString:
		return valid(string(v.GetStringBytes()))
	case TypeNumber:
		return json.Number(v.Raw())
	case TypeNull:
		return nil
	}
	return v.GetBool()
}

func TestValuesEqualThoseOfEncodingJSON(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 5)
	for _, text := range texts {
		checkValue(t, []byte(text))
	}
	// Each escape, and what is none, at each place of a block and across two.
	for n := range 80 {
		for _, piece := range []string{`\n`, `\"`, `\\`, `\\\\`, `\\\`, `\/`, `\u00e9`, `\ud83d\ude00`, `\ud83d`, `\u12g4`, `\x`, `\`, "é", "\xff", "\x00", "\x1f", "\x7f", `"`, ``} {
			for _, after := range []string{``, `\n`, `a`, long} {
				checkValue(t, []byte(`["`+long[:n]+piece+after+`"]`))
				checkValue(t, []byte(`["`+long[:n]+piece+after))
			}
		}
	}
}

func TestObjectsOfManyMembersAreLookedUpByTable(t *testing.T) {
	for _, n := range []int{fewNames - 1, fewNames, fewNames + 1, 1000} {
		text := []byte{'{'}
		for i := range n {
			text = append(text, fmt.Sprintf(`"k%d":0,`, i)...)
		}
		for i := range n {
			text = append(text, fmt.Sprintf(`"\u006b%d":%d,`, i, i)...)
		}
		v := MustParse(string(append(text[:len(text)-1], '}')))
		if v.Len() != n || v.Get("k") != nil {
			t.Errorf("%d members, want %d", v.Len(), n)
		}
		for i := range n {
			if got := v.GetInt("k" + strconv.Itoa(i)); got != i {
				t.Fatalf("of %d members, k%d is %d", n, i, got)
			}
		}
	}
}

func TestReusedParserDoesNotAllocate(t *testing.T) {
	texts := [][]byte{agentBody(denseCode), []byte(`{"choices":[{"delta":{"content":"a\nb"},"index":0}],"\u0061":1}`), []byte(`{"a":` + deep(MaxDepth-2) + `}`)}
	var p Parser
	read := func() {
		for _, text := range texts {
			v, _ := p.Parse(text)
			for _, m := range v.GetArray("messages") {
				m.GetStringBytes("content")
			}
			v.GetStringBytes("choices", "0", "delta", "content")
		}
	}
	read()
	if got := testing.AllocsPerRun(20, read); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestPuttingAParserBackInvalidatesItsValues(t *testing.T) {
	p := Parsers.Get()
	v, _ := p.Parse([]byte(`{"a":["b\n"]}`))
	list := v.GetArray("a")
	if w, err := p.Parse([]byte(`[1,2]`)); err != nil || len(w.GetArray()) != 2 || string(list[0].Raw()) == `"b\n"` {
		t.Error("a parser has two texts")
	}
	Parsers.Put(p)
	if p.text != nil {
		t.Error("the pool holds a text")
	}
}

func FuzzValue(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"a":["\u0001","é",1.5e3,{"b":null}],"a":{"\\":"\ud83d\ud83d\ude00"}}`))
	f.Add([]byte(`["` + strings.Repeat(`\n\"`, 20) + strings.Repeat(`é\\`, 20) + `"]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		defer workload.Linear(t, len(text))()
		if len(text) <= 2*MaxDepth {
			checkValue(t, text)
		}
	})
}

func TestValueOfTenMegabytesIsParsed(t *testing.T) {
	item := `{"text":"` + strings.Repeat("a line of text\\n", 60) + `","numbers":[1,-2.5e3,null]}`
	n := 10<<20/len(item) + 1
	v, err := Parse([]byte("[" + strings.Repeat(item+",", n-1) + item + "]"))
	if err != nil {
		t.Fatal(err)
	}
	list := v.GetArray()
	if len(list) != n || string(list[n-1].Raw()) != item || len(list[n-1].GetStringBytes("text")) != 60*len("a line of text\n") {
		t.Errorf("%d elements, want %d; the last is %.50s", len(list), n, list[len(list)-1].Raw())
	}
}
