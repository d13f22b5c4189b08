package provider

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Settings are the paths, with dots, of the members in which a format has the
// tuning options; "" where it has none like it.
type Settings struct {
	MaxTokens, Temperature, TopP, TopK string
}

// Tune returns the edits that lay the tuning options of t over a body with
// members ms: what is configured wins over what the client said.
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

// Tuned says whether o has tuning options.
func Tuned(o *target.Options) bool {
	return o.MaxTokens != nil || o.Temperature != nil || o.TopP != nil || o.TopK != nil
}

// Layer collects edits of a body's members, also of those that are deeper in it.
type Layer struct {
	Members []jsonedit.Member // of the body
	Edits   []jsonedit.Edit
}

// Set puts value, JSON, at a path of names with dots; nil removes what is there.
// An empty path is nowhere.
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

// Find returns the value of a member of the body as the edits leave it, nil
// where there is none.
func (l *Layer) Find(name string) []byte {
	for i := range l.Edits {
		if l.Edits[i].Key == name {
			return l.Edits[i].Value
		}
	}
	return jsonedit.Find(l.Members, name)
}

// within returns object with value at path. What is no object gives way to one;
// nil is nothing to change.
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
