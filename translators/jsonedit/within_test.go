package jsonedit

import (
	"bytes"
	"testing"
)

func TestEachLeavesOutAndReplaces(t *testing.T) {
	edit := func(e []byte) []byte {
		switch string(e) {
		case "0":
			return nil
		case "1":
			return []byte(`"one"`)
		}
		return e
	}
	for in, want := range map[string]string{
		`[]`: `[]`, `[0]`: `[]`, `[ 0 , 0 ]`: `[]`, `[1]`: `["one"]`, `[2, 0 ,1]`: `[2,"one"]`, `[0,2]`: `[2]`, `[2,[0],{"a":0}]`: `[2,[0],{"a":0}]`, `{}`: `{}`,
	} {
		if got := string(Each([]byte(in), edit)); got != want {
			t.Errorf("%s became %s, not %s", in, got, want)
		}
	}
}

func TestWhatDoesNotChangeIsNotCopied(t *testing.T) {
	list, object := []byte(`[1, {"a": 2}]`), []byte(`{"a": 1, "b": [2]}`)
	if got := Each(list, func(e []byte) []byte { return With(e, "a", Lookup(e, "a")) }); &got[0] != &list[0] {
		t.Errorf("the list was copied: %s", got)
	}
	if got := With(object, "c", nil); &got[0] != &object[0] {
		t.Errorf("the object was copied: %s", got)
	}
	if got := With(object, "b", nil); !bytes.Equal(got, []byte(`{"a": 1}`)) {
		t.Errorf("without b: %s", got)
	}
}
