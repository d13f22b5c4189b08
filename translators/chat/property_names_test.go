package chat

import (
	"regexp"
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

const oddSchema = `{"type":"object","properties":{"filter[id]":{"type":"string"},"filter_id_":{"type":"string"},"$top":{"type":"integer"},"plain.one-2":{"type":"object","properties":{"a b":{}}},` +
	`"a_property_of_a_generated_client_whose_name_is_longer_than_64_letters":{"type":"string"},"":{}},"required":["filter[id]","plain.one-2"]}`

func oddRequest() *Request {
	r := &Request{Tools: []Tool{{Name: "look", Parameters: Raw(oddSchema)}, {Name: "other", Parameters: Raw(`{"type":"object","properties":{"q":{}}}`)}},
		Messages: []Message{{Role: Assistant, Parts: []Part{
			{Kind: ToolCall, Name: "look", Arguments: jsonedit.Plain(`{"filter[id]":"7","plain.one-2":{"$top":1}}`)}, {Kind: ToolCall, Name: "other", Arguments: jsonedit.Plain(`{"filter[id]":"7"}`)},
		}}}}
	r.FitSchemas()
	return r
}

func TestPropertiesThatClaudeRefusesHaveOtherNamesThere(t *testing.T) {
	r := oddRequest()
	named := r.NameProperties()
	pattern := regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)
	names := 0
	for m := jsonedit.Walk(jsonedit.Lookup(named.Tools[0].Parameters, "properties")); m.Next(); names++ {
		if !pattern.Match(m.Key) {
			t.Errorf("a property is called %q", m.Key)
		}
	}
	own := turned(r.Properties()["look"])
	if names != 6 || own["$top"] != "_top" || own["filter[id]"] == "filter_id_" || own["filter_id_"] != "" {
		t.Errorf("%d properties, names %v", names, own)
	}
	if required := string(jsonedit.Lookup(named.Tools[0].Parameters, "required")); required != `["`+own["filter[id]"]+`","plain.one-2"]` {
		t.Errorf("requires %s", required)
	}
	parts := named.Messages[0].Parts
	if got, want := parts[0].Arguments.String(), `{"`+own["filter[id]"]+`":"7","plain.one-2":{"$top":1}}`; got != want || parts[1].Arguments.String() != `{"filter[id]":"7"}` {
		t.Errorf("calls have the arguments %s and %s", got, parts[1].Arguments.String())
	}
	if string(r.Tools[0].Parameters) != oddSchema || !strings.Contains(r.Messages[0].Parts[0].Arguments.String(), "filter[id]") {
		t.Error("the request itself was changed: another attempt begins with it")
	}
	if plain := (&Request{Tools: r.Tools[1:]}); plain.NameProperties() != plain || plain.Properties() != nil {
		t.Error("a request without odd names is copied")
	}
}

// cutStream gives the deltas of a call, its arguments in pieces of so many bytes.
type cutStream struct {
	arguments string
	size      int
}

func (s cutStream) Next(frame.Event) ([]Delta, error) {
	deltas := []Delta{
		{Kind: TextDelta, Text: []byte("hm")}, {Kind: ToolStart, Index: 0, ID: []byte("1"), Name: []byte("look")}, {Kind: ToolStart, Index: 1, ID: []byte("2"), Name: []byte("other")},
		{Kind: ToolArguments, Index: 1, Text: []byte(`{"_top":1}`)},
	}
	for rest := s.arguments; rest != ""; {
		n := min(s.size, len(rest))
		deltas, rest = append(deltas, Delta{Kind: ToolArguments, Index: 0, Text: []byte(rest[:n])}), rest[n:]
	}
	return append(deltas, Delta{Kind: Finish, Reason: ToolCalls}, Delta{Kind: End}), nil
}

func TestCallsHaveTheClientsNamesOfProperties(t *testing.T) {
	p := oddRequest().Properties()
	own := turned(p["look"])
	for given, want := range map[string]string{
		`{"_top":1,"` + own["filter[id]"] + `":"a}b","filter_id_":"c","n":{"_top":2}}`: `{"$top":1,"filter[id]":"a}b","filter_id_":"c","n":{"_top":2}}`,
		`{}`: `{}`, `{"_top":`: `{"_top":`, "": "",
	} {
		resp := &Response{Choices: []Choice{{Parts: []Part{{Kind: ToolCall, Name: "look", Arguments: jsonedit.Plain(given)}, {Kind: ToolCall, Name: "other", Arguments: jsonedit.Plain(`{"_top":1}`)}}}}}
		p.Restore(resp)
		if parts := resp.Choices[0].Parts; parts[0].Arguments.String() != want || parts[1].Arguments.String() != `{"_top":1}` {
			t.Errorf("whole, %s: got %s and %s", given, parts[0].Arguments.String(), parts[1].Arguments.String())
		}
		for size := 1; size <= max(1, len(given)); size++ {
			deltas, _ := p.Stream(cutStream{given, size}).Next(frame.Event{})
			pieces, arguments := 0, map[int]string{}
			for i, d := range deltas {
				if d.Kind == ToolArguments {
					pieces++
					arguments[d.Index] += string(d.Text)
				}
				if d.Kind == Finish && i != len(deltas)-2 {
					t.Errorf("%s by %d: something is told behind the finish", given, size)
				}
			}
			if arguments[0] != want || arguments[1] != `{"_top":1}` || pieces > 2 {
				t.Errorf("%s by %d: got %v in %d pieces", given, size, arguments, pieces)
			}
		}
	}
	if s := (cutStream{}); Properties(nil).Stream(s) != Stream(s) {
		t.Error("a stream without odd names is wrapped")
	}
}

func TestPropertiesAreRenamedInLinearTime(t *testing.T) {
	growth.Check(t, func(schema []byte) {
		r := &Request{Tools: []Tool{{Name: "f", Parameters: schema}}, Messages: []Message{{Parts: []Part{{Kind: ToolCall, Name: "f", Arguments: jsonedit.Plain(string(schema))}}}}}
		r.FitSchemas()
		r.NameProperties()
	}, []byte(`{"type":"object","properties":{"$a":{"type":"string"},"b c":{}},"required":["$a"]}`))
}

// callStream tells one start of a call after the other, and an argument for the first.
type callStream struct{ deltas []Delta }

func (s *callStream) Next(frame.Event) ([]Delta, error) { return s.deltas, nil }

func TestCallsThatNeverEndAreHeldInLinearTime(t *testing.T) {
	properties := Properties{"look": {"_top": "$top"}}
	growth.Linear(t, "calls that are open", func(n int) func() {
		from := &callStream{}
		for i := range n {
			from.deltas = append(from.deltas, Delta{Kind: ToolStart, Index: i, Name: []byte("look")})
		}
		for range n {
			from.deltas = append(from.deltas, Delta{Kind: ToolArguments, Index: n - 1, Text: []byte("{")})
		}
		return func() {
			if _, err := properties.Stream(from).Next(frame.Event{}); err != nil {
				t.Error(err)
			}
		}
	})
}
