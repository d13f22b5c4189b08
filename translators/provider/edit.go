package provider

import (
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Apply appends body, an object with members ms, to dst as pieces, with the
// caller's edits and then e's own applied. The pieces alias body and the edits.
func (e *Edit) Apply(dst [][]byte, t *target.Target, body []byte, ms []jsonedit.Member, edits []jsonedit.Edit) [][]byte {
	model := e.Models.Of(t.Model)
	if model != nil { // what the caller sets: the plugin's options cannot know the model
		edits = slices.DeleteFunc(edits, func(d jsonedit.Edit) bool { return d.Value != nil && slices.Contains(model.Refuses, d.Key) })
	}
	if model != nil && model.Limit != "" {
		edits = rename(edits, ms, "max_tokens", model.Limit)
	}
	if e.Rename != nil {
		for from, to := range e.Rename(t) {
			edits = rename(edits, ms, from, to)
		}
	}
	if e.Set != nil {
		for _, m := range e.Set(t) {
			edits = append(edits, jsonedit.Edit{Key: m.Name, Value: m.Value})
		}
	}
	for _, name := range e.Drop {
		edits = drop(edits, ms, name)
	}
	if e.Only != nil { // of what the caller sets, too: top_k may be configured
		edits = slices.DeleteFunc(edits, func(d jsonedit.Edit) bool { return d.Value != nil && !slices.Contains(e.Only, d.Key) })
		for i := range ms { // drop would look through all of them for each
			if name := string(ms[i].Key); !slices.Contains(e.Only, name) {
				edits = append(edits, jsonedit.Edit{Key: name})
			}
		}
	}
	return jsonedit.Splice(dst, body, ms, edits)
}

// rename moves the value that an edit or the client gave one member to another.
func rename(edits []jsonedit.Edit, ms []jsonedit.Member, from, to string) []jsonedit.Edit {
	for i := range edits {
		if edits[i].Key == from && edits[i].Value != nil {
			value := edits[i].Value
			edits = append(drop(edits, ms, from), jsonedit.Edit{Key: to, Value: value})
			return edits
		}
	}
	if value := jsonedit.Find(ms, from); value != nil {
		edits = drop(edits, ms, from)
		set := slices.ContainsFunc(edits, func(e jsonedit.Edit) bool { return e.Key == to && e.Value != nil })
		if jsonedit.Find(ms, to) == nil && !set {
			edits = append(edits, jsonedit.Edit{Key: to, Value: value})
		}
	}
	return edits
}

// drop removes a member, whether the client or an edit set it.
func drop(edits []jsonedit.Edit, ms []jsonedit.Member, name string) []jsonedit.Edit {
	edits = slices.DeleteFunc(edits, func(e jsonedit.Edit) bool { return e.Key == name })
	if jsonedit.Find(ms, name) != nil {
		edits = append(edits, jsonedit.Edit{Key: name})
	}
	return edits
}

// Unknown returns the first top-level member, of a request's members ms, that the API
// refuses; "" if there is none.
func (e *Edit) Unknown(ms []jsonedit.Member) string {
	for i := range ms {
		name := string(ms[i].Key)
		if slices.Contains(e.Drop, name) || e.Only != nil && !slices.Contains(e.Only, name) {
			return name
		}
	}
	return ""
}

// Always is an Edit.NoStreamOptions: the API refuses them for all targets.
func Always(*target.Target) bool { return true }

// RefusesStreamOptions reports whether the API refuses stream_options for t.
func (e *Edit) RefusesStreamOptions(t *target.Target) bool {
	return e.NoStreamOptions != nil && e.NoStreamOptions(t)
}

// Edited is a maker's own format with the edits that another platform needs, for
// clients of other formats.
type Edited struct {
	chat.Upstream
	Edit *Edit
}

// AppendRequest implements chat.Upstream.
func (e Edited) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	body, err := e.Upstream.AppendRequest(nil, t, req)
	if err != nil {
		return nil, err
	}
	if e.Edit.Fit != nil {
		// Hosted tools have been offered before; what remains is members.
		if body, _, _, err = e.Edit.Fit.Body(t.Model, body, nil); err != nil {
			return nil, err
		}
	}
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, &chat.RequestError{Message: err.Error()}
	}
	var edits []jsonedit.Edit
	if e.Edit.RefusesStreamOptions(t) {
		edits = append(edits, jsonedit.Edit{Key: "stream_options"})
	}
	return jsonedit.Join(dst, e.Edit.Apply(nil, t, body, members, edits)), nil
}
