package plugin

import (
	"bytes"
	"fmt"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// checkNames refuses members that a provider might take for others: some
// decoders do not mind the case of names, so that "MODEL" would be the model
// where we saw none.
func checkNames(members []jsonedit.Member) error {
	for i := range members {
		key := members[i].Key
		for _, name := range [...]string{"model", "stream"} {
			if string(key) != name && bytes.EqualFold(key, []byte(name)) {
				return badField(name, fmt.Sprintf("%q is not how %q is written", key, name))
			}
		}
	}
	if v := jsonedit.Find(members, "stream"); v != nil && !jsonedit.IsTrue(v) && !jsonedit.IsFalse(v) && !jsonedit.IsNull(v) {
		return badField("stream", "stream must be true or false") // some take "true" for true
	}
	return nil
}

// mergeExtraBody merges the client's extra_body into the provider's body, but
// for what is not the client's to say.
func (a *attempt) mergeExtraBody(extra []byte) error {
	if len(extra) == 0 || jsonedit.IsNull(extra) {
		return nil
	}
	if extra[0] != '{' {
		return &chat.RequestError{Field: "extra_body", Message: "must be an object"}
	}
	extra, err := a.ownExtra(extra)
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

// ownExtra is extra_body without the model, which is checked like the one at
// the top level, without what decides about streams and how they are counted,
// and without the options that the configuration has set.
func (a *attempt) ownExtra(extra []byte) ([]byte, error) {
	members, err := jsonedit.Object(extra, nil)
	if err != nil {
		return nil, err
	}
	var edits []jsonedit.Edit
	for _, m := range members {
		key := string(m.Key)
		switch name := plainName(key); name {
		case "model", "modelid", "streamoptions":
			if model, _ := jsonedit.String(m.Value); name != "streamoptions" {
				if err := a.ownModel(model); err != nil {
					return nil, err
				}
			}
		case "stream":
			if jsonedit.IsTrue(m.Value) != a.stream {
				return nil, badField("extra_body.stream", "extra_body.stream: set stream at the top level of the request")
			}
		default:
			continue
		}
		edits = append(edits, jsonedit.Edit{Key: key})
	}
	extra = jsonedit.Join(nil, jsonedit.Splice(nil, extra, members, edits))
	return unpinned(extra, pinned(a.target.Options), 2), nil
}

// pinned are the options that the configuration has set, by the names that
// formats have for them, plain.
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

// plainName is a name without what formats differ in: max_tokens, maxTokens.
func plainName(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// unpinned is an object without the members called names, also in the objects
// in it, down to depth levels.
func unpinned(object []byte, names map[string]bool, depth int) []byte {
	members, err := jsonedit.Object(object, nil)
	if err != nil || depth == 0 {
		return object
	}
	var edits []jsonedit.Edit
	for _, m := range members {
		switch key := string(m.Key); {
		case names[plainName(key)]:
			edits = append(edits, jsonedit.Edit{Key: key})
		case jsonedit.IsObject(m.Value):
			edits = append(edits, jsonedit.Edit{Key: key, Value: unpinned(m.Value, names, depth-1)})
		}
	}
	if edits == nil {
		return object
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, object, members, edits))
}

// unpinnedExtra is what the client says in a provider's own members
// (generationConfig, inferenceConfig), without what the configuration has set.
func (a *attempt) unpinnedExtra(extra []chat.Member) []chat.Member {
	names := pinned(a.target.Options)
	own := make([]chat.Member, 0, len(extra))
	for _, m := range extra {
		if !names[plainName(m.Name)] {
			own = append(own, chat.Member{Name: m.Name, Value: unpinned(m.Value, names, 1)})
		}
	}
	return own
}
