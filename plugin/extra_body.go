package plugin

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// mergeExtraBody merges the client's extra_body into the provider's body, without
// the members that a client may not set.
func mergeExtraBody(a *attempt, extra []byte) error {
	if len(extra) == 0 || jsonedit.IsNull(extra) {
		return nil
	}
	if extra[0] != '{' {
		return &chat.RequestError{Field: "extra_body", Message: "must be an object"}
	}
	extra, err := ownExtra(a, extra)
	if err != nil {
		return err
	}
	merged, err := jsonedit.Merge(nil, jsonedit.Join(nil, a.pieces), extra)
	if err != nil {
		return err
	}
	a.pieces = [][]byte{merged}
	return nil
}

// ownExtra returns extra_body without members that the client may not set: what
// decides about streams and how they are counted, and the options that the
// configuration sets. The model is removed, too; it is checked like the one at the
// top level.
func ownExtra(a *attempt, extra []byte) ([]byte, error) {
	members, err := jsonedit.Object(extra, nil)
	if err != nil {
		return nil, err
	}
	own, err := rewritten(extra, members, func(m *jsonedit.Member) ([]byte, error) {
		switch name := plainName(string(m.Key)); name {
		case "model", "modelid":
			model, _ := jsonedit.String(m.Value)
			return nil, a.ownModel(model)
		case "streamoptions":
			return nil, nil
		case "stream":
			if jsonedit.IsTrue(m.Value) != a.request.stream {
				return nil, badField("extra_body.stream", "extra_body.stream: set stream at the top level of the request")
			}
			return nil, nil
		}
		return m.Value, nil
	})
	if err != nil {
		return nil, err
	}
	return unpinned(own, pinned(a.target.Options), 2), nil
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

// unpinnedExtra returns the client's members that are a provider's own
// (generationConfig, inferenceConfig), without the options that the configuration
// sets.
func unpinnedExtra(a *attempt, extra []chat.Member) []chat.Member {
	names := pinned(a.target.Options)
	own := make([]chat.Member, 0, len(extra))
	for _, m := range extra {
		if !names[plainName(m.Name)] {
			own = append(own, chat.Member{Name: m.Name, Value: unpinned(m.Value, names, 1)})
		}
	}
	return own
}
