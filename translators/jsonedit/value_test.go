package jsonedit

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/valyala/fastjson"
)

func TestValuesThatWereReadStayJSON(t *testing.T) {
	const text = `{"a\u0001":"\u0001\u0007\"é","n":[1.0,-0,1e5,12345678901234567890],"o":{},"t":true,"z":null}`
	v := fastjson.MustParse(text)
	v.GetObject().Visit(func([]byte, *fastjson.Value) {}) // keys and strings are read
	v.GetStringBytes("a\x01")
	got := AppendValue(nil, v)
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	_ = json.Unmarshal([]byte(text), &b)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s became %s", text, got)
	}
	if got := string(AppendValue(nil, fastjson.MustParse(`[nan, 1-2]`))); got != "[null,null]" {
		t.Errorf("numbers that JSON does not know: %s", got)
	}
}

func FuzzValue(f *testing.F) {
	f.Add(`{"a":["\u0001","é",1.5e3,{"b":null}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := fastjson.Parse(text)
		if err != nil || !json.Valid([]byte(text)) {
			return
		}
		if got := AppendValue(nil, v); !json.Valid(got) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
