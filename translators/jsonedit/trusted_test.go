package jsonedit

import (
	"bytes"
	"reflect"
	"testing"

	"go-ai-proxy/translators/conformance/workload"
)

// checkTrusted holds Members and Elements to what Object and Array say of valid
// text, and to doing no harm with any other.
func checkTrusted(t *testing.T, text []byte) {
	t.Helper()
	text = bytes.Trim(text, " \t\r\n")
	members, elements := Members(text, nil), Elements(text, nil)
	if want, err := Object(text, nil); err == nil && !reflect.DeepEqual(members, want) {
		t.Fatalf("%q: members %v, want %v", text, members, want)
	}
	if want, err := Array(text, nil); err == nil && !reflect.DeepEqual(elements, want) {
		t.Fatalf("%q: elements %q, want %q", text, elements, want)
	}
	outline, whole := Outline(append([]byte(" \n"), text...), nil)
	if want, err := Object(append([]byte(" \n"), text...), nil); err == nil && (!whole || !reflect.DeepEqual(outline, want)) {
		t.Fatalf("%q: outline %v, want %v", text, outline, want)
	}
	start := StringAtStart(text)
	if _, err := str(append(bytes.Clone(text), ' '), 0); IsString(text) && err == nil && len(start) < 2 {
		t.Fatalf("%q starts with a string, not with %q", text, start)
	}
}

func TestMembersReturnsTheSameAsObject(t *testing.T) {
	for _, text := range texts {
		checkTrusted(t, []byte(text))
		for cut := range len(text) {
			checkTrusted(t, []byte(text[:cut]))
			checkTrusted(t, []byte(text[cut:]))
		}
	}
}

func TestUnterminatedOutlineIsRefused(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: true, `{"a":[1,{"b":"}"}]} `: true, ``: false, `[]`: false, `{"a":1}{"b":2}`: false, `{"a":1`: false, `{"a":"b}`: false,
		`{"a":[1}`: false, `{"a":{"b":1}`: false, `{"a":1},`: false, `{"a"`: false, `{"a":1]`: false, `null`: false,
	} {
		if _, ok := Outline([]byte(text), nil); ok != want {
			t.Errorf("%s: %v", text, ok)
		}
	}
}

func FuzzMembers(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		defer workload.Linear(t, len(text))()
		if len(text) <= 2*MaxDepth {
			checkTrusted(t, text)
		}
	})
}
