package jsonedit

import (
	"reflect"
	"strings"
	"testing"
)

// checkOneLook holds Parser.Object to what Object says of the same body.
func checkOneLook(t *testing.T, body []byte) {
	t.Helper()
	var p Parser
	o, got, err := p.Object(body, nil)
	_, _ = p.Parse([]byte(`{"\u0061nother":"\u0061 text"}`)) // the members do not lie in the parser
	want, wantErr := Object(body, nil)
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(err, wantErr) || (o == nil) != (err != nil) {
		t.Fatalf("%q: members %v, %v, want %v, %v", body, got, err, want, wantErr)
	}
}

func TestOneLookFindsTheSameMembersAndFaults(t *testing.T) {
	bodies := []string{
		`{"a":1,"\u0061":2,"a":3}`, ` { "a\\\"b" : [1, {"c":2}] , "é" : "\ud800" , "" : null } `, `{"a":1}x`, `["a"]`, `"a"`, ``, ` `,
		`{"a":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}`,
		`{"a":` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth) + `}`,
	}
	for _, text := range append(bodies, texts...) {
		checkOneLook(t, []byte(text))
		for cut := range len(text) {
			checkOneLook(t, []byte(text[:cut]))
			checkOneLook(t, []byte(text[cut:]))
		}
	}
}
