package provider

import (
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
// ms. Configured values win over the client's.
func (s Settings) Tune(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	o := t.Options
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

func appendFloat(f float64) []byte { return strconv.AppendFloat(nil, f, 'g', -1, 64) }

// Tuned reports whether o has tuning options.
func Tuned(o *target.Options) bool {
	return o.MaxTokens != nil || o.Temperature != nil || o.TopP != nil || o.TopK != nil
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
