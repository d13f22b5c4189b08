package jsonedit_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/jsonedit"
)

// readBody does with a body all that the package can do.
func readBody(body []byte) {
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return
	}
	var edits []jsonedit.Edit
	for i := range members {
		edits = append(edits, jsonedit.Edit{Key: string(members[i].Key), Value: []byte("1"), Name: "new " + strconv.Itoa(i)})
	}
	jsonedit.Join(nil, jsonedit.Splice(nil, body, members, edits))
	jsonedit.Join(nil, jsonedit.Splice(nil, body, members, []jsonedit.Edit{{Key: "a"}, {Key: "b", Name: "c"}}))
	_, _ = jsonedit.Merge(nil, body, body)
	jsonedit.Outline(body, nil)
	jsonedit.Lookup(body, "a", "b", "c")
	for i := range members {
		jsonedit.Elements(members[i].Value, nil)
		jsonedit.Members(members[i].Value, nil)
		if text, ok := jsonedit.String(members[i].Value); ok {
			jsonedit.AppendString(nil, text)
		}
	}
	if v, err := jsonedit.Parse(body); err == nil {
		jsonedit.AppendValue(nil, v)
	}
}

func TestBodiesAreReadAndEditedInLinearTime(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("times say nothing here")
	}
	growth.Check(t, readBody, []byte(`{"a":{"b":{"c":["x",1,true,null,{"d":"e"}]}},"f":"g","h":[]}`))
	for name, piece := range map[string]string{"brackets": "[", "objects": `{"a":`, "quotes": `"`, "backslashes": `\`, "bad UTF-8": "\xff", "digits": "1", "spaces": " "} {
		growth.Linear(t, name, func(n int) func() {
			text := bytes.Repeat([]byte(piece), n)
			inString := []byte(`{"a":"` + strings.Repeat(piece, n) + `"}`)
			return func() {
				readBody(text)
				readBody(inString)
				_ = jsonedit.Valid(text)
				jsonedit.AppendBytes(nil, text)
				jsonedit.StringAtStart(inString[5:])
			}
		})
	}
}

func TestManyLookupsInALargeObjectTakeLinearTime(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("times say nothing here")
	}
	growth.Linear(t, "lookups", func(n int) func() {
		body, names := []byte(`{"a":0`), make([]string, n/8)
		for i := range names {
			names[i] = "k" + strconv.Itoa(i)
			body = append(body, `,"`+names[i]+`":0`...)
		}
		body = append(body, '}')
		return func() {
			v, _ := jsonedit.Parse(body)
			for _, name := range names {
				v.Get(name)
			}
		}
	})
}

// The figures of the attack: a body of 200,000 equal names, and edits of 80,000
// members. Both took up to a minute.
func TestHundredThousandsOfMembersAreReadFast(t *testing.T) {
	equal := []byte(`{"a":0` + strings.Repeat(`,"a":0`, 200_000) + `}`)
	v, err := jsonedit.Parse(equal)
	if err != nil || v.GetObject().Len() != 1 {
		t.Fatalf("%v: %d members are left of equal ones", err, v.GetObject().Len())
	}
	var many strings.Builder
	var edits []jsonedit.Edit
	for i := range 80_000 {
		many.WriteString(`,"k` + strconv.Itoa(i) + `":0`)
		edits = append(edits, jsonedit.Edit{Key: "k" + strconv.Itoa(i)})
	}
	body := []byte(`{"a":1` + many.String() + `}`)
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := jsonedit.Join(nil, jsonedit.Splice(nil, body, members, edits)); string(got) != `{"a":1}` {
		t.Errorf("left is %.100s", got)
	}
}
