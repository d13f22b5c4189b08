package chat

import (
	"slices"

	"go-ai-proxy/translators/jsonedit"
)

// ImageLeftOut stands where an image was, so that the model does not speak of what it has
// not seen.
var ImageLeftOut = jsonedit.Plain("[An image was left out here: this model takes no images.]")

// LeaveOutImages puts words in place of the images of the conversation, for a model that
// takes none, and reports whether there were any. r must be the caller's own copy; its
// messages do not change.
func (r *Request) LeaveOutImages() (left bool) {
	messages := r.Messages
	for i := range messages {
		parts, changed := withoutImages(messages[i].Parts)
		if !changed {
			continue
		}
		if !left {
			left, r.Messages = true, slices.Clone(messages)
		}
		r.Messages[i].Parts = parts
	}
	return left
}

func withoutImages(parts []Part) (kept []Part, changed bool) {
	kept = parts
	for i := range parts {
		p := parts[i]
		if p.Kind == Image {
			p = Part{Kind: Text, Text: ImageLeftOut}
		} else if inside, differs := withoutImages(p.Parts); differs {
			p.Parts = inside
		} else {
			continue
		}
		if !changed {
			changed, kept = true, slices.Clone(parts)
		}
		kept[i] = p
	}
	return kept, changed
}
