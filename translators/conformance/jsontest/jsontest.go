// Package jsontest compares JSON in tests, whatever the order of members and the white
// space.
package jsontest

import (
	"encoding/json"
	"reflect"
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
