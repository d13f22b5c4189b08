// Package extrabody merges what a client adds to a provider's body beside the API's own
// members, extra_body, and leaves out what a client may not set. Start with Merge.
package extrabody

import (
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Rules are what a client may set.
type Rules struct {
	Options *target.Options         // those that are configured are not for the client to set
	Stream  bool                    // whether the client gets a stream, which only the body itself says
	Model   func(name string) error // refuses a model that the client may not have
}

// Merge merges extra into a provider's body, which is given and returned in pieces.
func Merge(body [][]byte, extra []byte, rules *Rules) ([][]byte, error) {
	if len(extra) == 0 || jsonedit.IsNull(extra) {
		return body, nil
	}
	if extra[0] != '{' {
		return nil, &chat.RequestError{Field: "extra_body", Message: "must be an object"}
	}
	extra, err := allowed(extra, rules)
	if err != nil {
		return nil, err
	}
	merged, err := jsonedit.Merge(nil, jsonedit.Join(nil, body), extra)
	if err != nil {
		return nil, err
	}
	return [][]byte{merged}, nil
}

// allowed returns extra_body without members that the client may not set: what
// decides about streams and how they are counted, and the options that the
// configuration sets. The model is removed, too; it is checked like the one at the
// top level.
func allowed(extra []byte, rules *Rules) ([]byte, error) {
	members, err := jsonedit.Object(extra, nil)
	if err != nil {
		return nil, err
	}
	own, err := rewritten(extra, members, func(m *jsonedit.Member) ([]byte, error) {
		switch name := plainName(string(m.Key)); name {
		case "model", "modelid":
			model, _ := jsonedit.String(m.Value)
			return nil, rules.Model(model)
		case "streamoptions":
			return nil, nil
		case "stream":
			if jsonedit.IsTrue(m.Value) != rules.Stream {
				e := chat.NewError(http.StatusBadRequest, "extra_body.stream: set stream at the top level of the request")
				e.Param = "extra_body.stream"
				return nil, e
			}
			return nil, nil
		}
		return m.Value, nil
	})
	if err != nil {
		return nil, err
	}
	return unpinned(own, pinned(rules.Options), 2), nil
}

// rewritten returns an object in which value replaces the value of each member and
// nil removes it. When nothing changes it returns object itself.
func rewritten(object []byte, members []jsonedit.Member, value func(*jsonedit.Member) ([]byte, error)) ([]byte, error) {
	out, changed := []byte{'{'}, false
	for i := range members {
		m := &members[i]
		v, err := value(m)
		if err != nil {
			return nil, err
		}
		changed = changed || len(v) != len(m.Value) // a changed value is shorter: a part of the old one
		if v == nil {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(jsonedit.AppendString(out, string(m.Key)), ':'), v...)
	}
	if !changed {
		return object, nil
	}
	return append(out, '}'), nil
}

// pinned returns the options that the configuration sets, by all names that
// formats have for them, in plain form (see plainName).
func pinned(o *target.Options) map[string]bool {
	names := map[string]bool{}
	set := func(is bool, list ...string) {
		for _, name := range list {
			names[name] = names[name] || is
		}
	}
	set(o.MaxTokens != nil, "maxtokens", "maxcompletiontokens", "maxoutputtokens", "maxnewtokens", "maxtokenstosample", "numpredict")
	set(o.Temperature != nil, "temperature")
	set(o.TopP != nil, "topp", "p")
	set(o.TopK != nil, "topk", "k")
	return names
}

// plainName is a name without what differs between formats: max_tokens and
// maxTokens are the same.
func plainName(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// unpinned returns an object without the members in names, also inside nested
// objects, down to depth levels.
func unpinned(object []byte, names map[string]bool, depth int) []byte {
	members, err := jsonedit.Object(object, nil)
	if err != nil || depth == 0 {
		return object
	}
	out, _ := rewritten(object, members, func(m *jsonedit.Member) ([]byte, error) {
		switch {
		case names[plainName(string(m.Key))]:
			return nil, nil
		case jsonedit.IsObject(m.Value):
			return unpinned(m.Value, names, depth-1), nil
		}
		return m.Value, nil
	})
	return out
}

// Own returns the client's members that are a provider's own (generationConfig,
// inferenceConfig), without the options that the configuration sets.
func Own(extra []chat.Member, o *target.Options) []chat.Member {
	names := pinned(o)
	own := make([]chat.Member, 0, len(extra))
	for _, m := range extra {
		if !names[plainName(m.Name)] {
			own = append(own, chat.Member{Name: m.Name, Value: unpinned(m.Value, names, 1)})
		}
	}
	return own
}
