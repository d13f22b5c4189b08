package chat

import (
	"hash/fnv"
	"slices"
	"strconv"

	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// longestProperty is how long the name of a property at the top of a function's schema may
// be for Claude, of the pattern [a-zA-Z0-9_.-]+: "Property keys should match pattern". Those
// of properties within others are free.
//
//	https://github.com/decocms/studio/pull/6874
//	https://github.com/aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws/issues/709
const longestProperty = 64

// Properties are the client's names of properties that have others at the provider, by the
// function's name and by those others.
type Properties map[string]map[string]string

// Properties returns what NameProperties renames, nil for nothing.
func (r *Request) Properties() Properties {
	if !r.oddProperties {
		return nil
	}
	p := Properties{}
	for i := range r.Tools {
		if t := &r.Tools[i]; hasOddProperties(t) {
			p[t.Name] = clientProperties(jsonedit.Lookup(t.Parameters, "properties"))
		}
	}
	return p
}

// NameProperties returns r, or a copy in which the properties of functions have names that
// Claude takes: in their schemas and in the calls of the history. Properties has the
// client's for the answer.
func (r *Request) NameProperties() *Request {
	all := r.Properties()
	if all == nil {
		return r
	}
	named := *r
	named.Tools = slices.Clone(r.Tools)
	own := map[string]map[string]string{} // as all, from the client's names
	for i := range named.Tools {
		t := &named.Tools[i]
		if names := turned(all[t.Name]); names != nil && t.Hosted == "" {
			own[t.Name] = names
			t.Parameters = renameSchema(t.Parameters, names)
		}
	}
	named.Messages = slices.Clone(r.Messages)
	for i := range named.Messages {
		m := &named.Messages[i]
		calls := func(p Part) bool { return p.Kind == ToolCall && own[p.Name] != nil }
		if !slices.ContainsFunc(m.Parts, calls) {
			continue
		}
		m.Parts = slices.Clone(m.Parts)
		for j := range m.Parts {
			if p := &m.Parts[j]; calls(*p) {
				p.Arguments = jsonedit.Plain(string(renameMembers([]byte(p.Arguments.String()), own[p.Name])))
			}
		}
	}
	return &named
}

// Restore gives the arguments of resp's calls the client's names.
func (p Properties) Restore(resp *Response) {
	for i := range resp.Choices {
		parts := resp.Choices[i].Parts
		for j := range parts {
			if call := &parts[j]; call.Kind == ToolCall && p[call.Name] != nil {
				call.Arguments = jsonedit.Plain(string(renameMembers([]byte(call.Arguments.String()), p[call.Name])))
			}
		}
	}
}

// Stream returns from with the client's names in the arguments of calls, which come in one
// piece then; from itself if there are none.
func (p Properties) Stream(from Stream) Stream {
	if p == nil {
		return from
	}
	return &restoring{from: from, properties: p}
}

// maxHeld is how many calls are held at once. Their arguments come one call after the
// other at every provider.
const maxHeld = 64

// restoring is a stream whose calls of some functions are held until they are complete.
type restoring struct {
	from       Stream
	properties Properties
	held       []heldCall
	deltas     []Delta
}

type heldCall struct {
	choice, index int
	names         map[string]string
	arguments     []byte
	end           objectEnd
}

// Next implements Stream.
func (s *restoring) Next(ev frame.Event) ([]Delta, error) {
	deltas, err := s.from.Next(ev)
	s.deltas = s.deltas[:0]
	for i := range deltas {
		s.add(deltas[i])
	}
	return s.deltas, err
}

func (s *restoring) add(d Delta) {
	switch d.Kind {
	case ToolStart:
		names := s.properties[string(d.Name)]
		if names == nil {
			break
		}
		if len(s.held) == maxHeld {
			s.release(0)
		}
		s.held = append(s.held, heldCall{choice: d.Choice, index: d.Index, names: names})
		text := d.Text
		d.Text = nil
		s.deltas = append(s.deltas, d)
		s.take(len(s.held)-1, text)
		return
	case ToolArguments:
		for i := range s.held {
			if s.held[i].choice == d.Choice && s.held[i].index == d.Index {
				s.take(i, d.Text)
				return
			}
		}
	case Finish, End, ErrorDelta:
		for len(s.held) > 0 {
			s.release(0)
		}
	}
	s.deltas = append(s.deltas, d)
}

// take adds text to the arguments of a call, which are told when they are complete.
func (s *restoring) take(i int, text []byte) {
	c := &s.held[i]
	c.arguments = append(c.arguments, text...)
	if c.end.read(text); c.end.ended || len(c.arguments) > maxWaiting {
		s.release(i)
	}
}

func (s *restoring) release(i int) {
	c := s.held[i]
	s.held = slices.Delete(s.held, i, i+1)
	if len(c.arguments) > 0 {
		s.deltas = append(s.deltas, Delta{Kind: ToolArguments, Choice: c.choice, Index: c.index, Text: renameMembers(c.arguments, c.names)})
	}
}

// Rest implements Resting.
func (s *restoring) Rest() {
	s.deltas = s.deltas[:0]
	if from, ok := s.from.(Resting); ok {
		from.Rest()
	}
}

func hasOddProperties(t *Tool) bool {
	if t.Hosted != "" || !jsonedit.IsObject(t.Parameters) {
		return false
	}
	for m := jsonedit.Walk(jsonedit.Lookup(t.Parameters, "properties")); m.Next(); {
		if !isProperty(m.Key) {
			return true
		}
	}
	return false
}

func isProperty(name []byte) bool {
	for _, c := range name {
		if !inToolName(c) && c != '.' {
			return false
		}
	}
	return len(name) > 0 && len(name) <= longestProperty
}

// clientProperties names the odd ones of properties, each alike in every turn.
func clientProperties(properties []byte) map[string]string {
	taken, names := map[string]bool{}, map[string]string{}
	for m := jsonedit.Walk(properties); m.Next(); {
		taken[string(m.Key)] = true
	}
	for m := jsonedit.Walk(properties); m.Next(); {
		if isProperty(m.Key) {
			continue
		}
		name := slices.Clone(m.Key)
		for i, c := range name {
			if !inToolName(c) && c != '.' {
				name[i] = '_'
			}
		}
		if len(name) == 0 || len(name) > longestProperty || taken[string(name)] {
			h := fnv.New32a()
			_, _ = h.Write(m.Key) // never fails
			end := "_" + strconv.FormatUint(uint64(h.Sum32()), 36)
			name = append(name[:min(len(name), longestProperty-len(end))], end...)
		}
		taken[string(name)] = true
		names[string(name)] = string(m.Key)
	}
	return names
}

func turned(names map[string]string) map[string]string {
	if names == nil {
		return nil
	}
	back := make(map[string]string, len(names))
	for name, client := range names {
		back[client] = name
	}
	return back
}

// renameSchema renames the properties at the top of a schema.
func renameSchema(schema Raw, names map[string]string) Raw {
	renamed := jsonedit.With(schema, "properties", renameMembers(jsonedit.Lookup(schema, "properties"), names))
	required := jsonedit.Lookup(renamed, "required")
	if !jsonedit.IsArray(required) {
		return renamed
	}
	return jsonedit.With(renamed, "required", jsonedit.Each(required, func(element []byte) []byte {
		client, _ := jsonedit.String(element)
		if name, odd := names[client]; odd {
			return jsonedit.AppendString(nil, name)
		}
		return element
	}))
}

// renameMembers renames members of an object; what is none stays as it is.
func renameMembers(object []byte, names map[string]string) []byte {
	members, err := jsonedit.Object(object, nil)
	if err != nil {
		return object
	}
	renamed := []byte{'{'}
	for _, m := range members {
		name := string(m.Key)
		if other, known := names[name]; known {
			name = other
		}
		renamed = append(jsonedit.AppendKey(renamed, name), m.Value...)
	}
	return append(renamed, '}')
}
