package provider

import (
	"fmt"
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// Offer reduces the tools of r, which must be the caller's own copy, to those that
// the operation has at t, and the model's messages to the blocks that it takes. It returns
// the client's names of the hosted tools and the kinds of the blocks that were left out.
//
// The error is a *chat.RequestError if the client forces a tool that the operation does
// not have, or if no tool of the client would be left: a client that asks only for a
// search must not get an answer without one.
func (o *Operation) Offer(t *target.Target, r *chat.Request) (left []string, err error) {
	missing := func(tool *chat.Tool) bool {
		return tool.Hosted != "" && (o.Hosts == nil || !o.Hosts(t, r, tool))
	}
	kept := r.Tools
	for i := range r.Tools {
		tool := &r.Tools[i]
		if !missing(tool) {
			if left != nil {
				kept = append(kept, *tool)
			}
			continue
		}
		if r.ToolChoice.Mode == "function" && r.ToolChoice.Name == tool.Name {
			return nil, o.notHosted(t, i, tool)
		}
		if left == nil {
			kept = slices.Clone(r.Tools[:i])
		}
		left = append(left, tool.Name)
	}
	if len(left) > 0 && len(kept) == 0 {
		return nil, o.notHosted(t, 0, &r.Tools[0])
	}
	r.Tools = kept
	var takes func(p *chat.Part) bool
	if own, ok := o.Chat.(taker); ok {
		takes = own.Takes
	}
	if o.Edit.Models.Of(t.Model).IsBlind() && r.LeaveOutImages() {
		left = append(left, "image")
	}
	return append(left, r.LeaveOut(takes)...), nil
}

// taker is an API that takes blocks which the internal form does not know.
type taker interface{ Takes(p *chat.Part) bool }

func (o *Operation) notHosted(t *target.Target, i int, tool *chat.Tool) error {
	return &chat.RequestError{Field: fmt.Sprintf("tools[%d]", i), Message: fmt.Sprintf(
		"the target runs no %s of its own%s: offer functions, or use a target that has it", tool.Name, o.Edit.Hosting.Of(t.Model).elsewhere(tool))}
}
