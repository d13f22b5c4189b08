package provider

import (
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Settings holds the dotted paths of the members that hold the tuning options in a
// format; "" if the format has no such member.
type Settings struct {
	MaxTokens, Temperature, TopP, TopK string
}

// Tune returns the edits that put the tuning options of t into a body with members
// ms, but for those that yield to the client's.
func (s Settings) Tune(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	o := s.Yielding(t, ms).Options
	l := Layer{Members: ms}
	if o.MaxTokens != nil {
		l.Set(s.MaxTokens, strconv.AppendInt(nil, int64(*o.MaxTokens), 10))
	}
	if o.Temperature != nil {
		l.Set(s.Temperature, appendFloat(*o.Temperature))
	}
	if o.TopP != nil {
		l.Set(s.TopP, appendFloat(*o.TopP))
	}
	if o.TopK != nil {
		l.Set(s.TopK, strconv.AppendInt(nil, int64(*o.TopK), 10))
	}
	return l.Edits
}

// Yielding returns t, or a copy without the tuning options that a body with members ms
// has values of its own for, where the client's values win.
func (s Settings) Yielding(t *target.Target, ms []jsonedit.Member) *target.Target {
	if t.Options.Overrides() {
		return t
	}
	l, o := Layer{Members: ms}, *t.Options
	if l.Has(s.MaxTokens) {
		o.MaxTokens = nil
	}
	if l.Has(s.Temperature) {
		o.Temperature = nil
	}
	if l.Has(s.TopP) {
		o.TopP = nil
	}
	if l.Has(s.TopK) {
		o.TopK = nil
	}
	yielding := *t
	yielding.Options = &o
	return &yielding
}

func appendFloat(f float64) []byte { return strconv.AppendFloat(nil, f, 'g', -1, 64) }

// Tuned reports whether o has tuning options.
func Tuned(o *target.Options) bool {
	return o.MaxTokens != nil || o.Temperature != nil || o.TopP != nil || o.TopK != nil
}

// TuneDimensions returns an Operation.Tune for bodies of embeddings that have the
// length of vectors at a dotted path; others are where clients may have put it as well.
func TuneDimensions(path string, others ...string) func(*target.Target, []jsonedit.Member) []jsonedit.Edit {
	return func(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
		l := Layer{Members: ms}
		d := t.Options.EmbeddingsDimensions
		said := slices.ContainsFunc(others, l.Has)
		if d == nil || said && !t.Options.Overrides() {
			return nil
		}
		l.Contest(t, path, strconv.AppendInt(nil, int64(*d), 10))
		for _, other := range others {
			if l.Has(other) {
				l.Set(other, nil)
			}
		}
		return l.Edits
	}
}

// Layer collects edits of a body's members, including nested ones.
type Layer struct {
	Members []jsonedit.Member // of the body
	Edits   []jsonedit.Edit
}

// Set sets the member at a dotted path to value, which is JSON; nil removes the
// member. It does nothing for an empty path.
func (l *Layer) Set(path string, value []byte) {
	top, rest, nested := strings.Cut(path, ".")
	if top == "" {
		return
	}
	if nested {
		value = within(l.Find(top), rest, value)
		if value == nil {
			return
		}
	}
	for i := range l.Edits {
		if l.Edits[i].Key == top {
			l.Edits[i].Value = value
			return
		}
	}
	l.Edits = append(l.Edits, jsonedit.Edit{Key: top, Value: value})
}

// Find returns the value of a member of the body with the edits applied, or nil if
// there is none.
func (l *Layer) Find(name string) []byte {
	for i := range l.Edits {
		if l.Edits[i].Key == name {
			return l.Edits[i].Value
		}
	}
	return jsonedit.Find(l.Members, name)
}

// Has reports whether the body has a value at a dotted path, with the edits applied.
func (l *Layer) Has(path string) bool {
	top, rest, nested := strings.Cut(path, ".")
	value := l.Find(top)
	if nested {
		value = jsonedit.Lookup(value, strings.Split(rest, ".")...)
	}
	return value != nil && !jsonedit.IsNull(value)
}

// Contest sets the member at a dotted path, unless the body has one and the client's
// values win.
func (l *Layer) Contest(t *target.Target, path string, value []byte) {
	if t.Options.Overrides() || !l.Has(path) {
		l.Set(path, value)
	}
}

// within returns object with value at path. If object is not an object, it is
// replaced by one. within returns nil if there is nothing to change.
func within(object []byte, path string, value []byte) []byte {
	members, err := jsonedit.Object(object, nil)
	if err != nil {
		if value == nil {
			return nil
		}
		object = []byte("{}")
	}
	name, rest, nested := strings.Cut(path, ".")
	if nested {
		if value = within(jsonedit.Find(members, name), rest, value); value == nil {
			return nil
		}
	} else if value == nil && jsonedit.Find(members, name) == nil {
		return nil
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, object, members, []jsonedit.Edit{{Key: name, Value: value}}))
}
