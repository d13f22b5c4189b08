// Package jsontest has what tests do with JSON: it compares texts, whatever the order of
// members and the white space, and replaces values in them by strange ones.
package jsontest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Equal says whether a and b mean the same. It fails the test if either is not JSON.
func Equal[A, B ~string | ~[]byte](t testing.TB, a A, b B) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return reflect.DeepEqual(x, y)
}

// Same fails the test unless got and want mean the same.
func Same[A, B ~string | ~[]byte](t testing.TB, got A, want B) {
	t.Helper()
	if !Equal(t, got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Strange are values that may stand in the place of any other: of the wrong type, without
// what a reader looks for, out of range, or nested deeply. The first is null. Some are not
// valid everywhere ("1e999", bytes that are not UTF-8), as those of servers.
var Strange = []string{
	"null", "0", "-7", "9223372036854775807", "9223372036854775808", "1e300", "1e999", "true",
	`""`, `"x"`, `"\ud83d"`, "\"\xff\"",
	"[]", "[null]", `[{"type":"x"}]`, strings.Repeat("[", 400) + strings.Repeat("]", 400),
	"{}", `{"a":null}`, `{"type":"error"}`,
}

// Span is where a value stands in a text, in bytes: from Start up to End.
type Span struct{ Start, End int }

// Replace returns a copy of text with another value at the place.
func (s Span) Replace(text []byte, value string) []byte {
	return slices.Concat(text[:s.Start], []byte(value), text[s.End:])
}

// Values returns where the values of a JSON text are, each behind those within it. It
// returns those before the first error of a text that is not JSON.
func Values(text []byte) (spans []Span) {
	d := json.NewDecoder(bytes.NewReader(text))
	var walk func()
	walk = func() {
		start := int(d.InputOffset())
		for start < len(text) && strings.IndexByte(" \t\r\n:,", text[start]) >= 0 {
			start++
		}
		token, err := d.Token()
		if err != nil {
			return
		}
		if open, ok := token.(json.Delim); ok {
			for d.More() {
				if open == '{' {
					if _, err := d.Token(); err != nil {
						return
					}
				}
				walk()
			}
			_, _ = d.Token()
		}
		spans = append(spans, Span{start, int(d.InputOffset())})
	}
	walk()
	return spans
}
