package jsonedit

import (
	"fmt"
	"strings"
	"testing"
)

func TestLastOfDuplicateNamesIsKept(t *testing.T) {
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, `"k%d":%d,`, i, i)
	}
	for in, want := range map[string]string{
		`{"a":1,"b":2}`:                       `{"a":1,"b":2}`,
		`{"a":1,"b":2,"a":3,"\u0061":4}`:      `{"b":2,"a":4}`,
		`[{"a":{"b":1,"b":{"c":1,"c":2}}},1]`: `[{"a":{"b":{"c":2}}},1]`,
		`{"a":{"x":1},"a":{"y":1,"y":2}}`:     `{"a":{"y":2}}`,
		`"a"`:                                 `"a"`,
		`{` + many.String() + `"k0":"x","k39":"y","k39":"z"}`: `{` + strings.Replace(strings.TrimPrefix(many.String(), `"k0":0,`), `"k39":39,`, "", 1) + `"k0":"x","k39":"z"}`,
	} {
		v, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendValue(nil, v)); got != want {
			t.Errorf("%s\ngives %s\nwant  %s", in, got, want)
		}
	}
}
