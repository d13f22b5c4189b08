package anthropic

import (
	"regexp"

	"go-ai-proxy/translators/jsonedit"
)

// DropEmptyThinking removes thinking blocks without text and signature from
// the history in a Messages body, which the API refuses: clients make them of
// streams that were cut off. Blocks with a signature stay, even where their
// text was left out (thinking.display omitted). It returns body itself when
// there is nothing to remove, or the new body appended to dst.
func DropEmptyThinking(dst, body []byte) []byte {
	if !emptyText.Match(body) {
		return body
	}
	v, err := jsonedit.Parse(body)
	if err != nil || v.Type() != jsonedit.TypeObject {
		return body
	}
	changed := false
	messages := []byte{'['}
	for _, m := range v.GetArray("messages") {
		messages = jsonedit.AppendComma(messages)
		content, dropped := appendKept(nil, m.GetArray("content"))
		if !dropped {
			messages = append(messages, m.Raw()...)
			continue
		}
		changed = true
		messages = appendReplaced(messages, m.Raw(), "content", content)
	}
	if !changed {
		return body
	}
	return appendReplaced(dst, body, "messages", append(messages, ']'))
}

// appendKept writes those of a message's blocks that are no empty thinking,
// and says whether any was and something is left: a message must have content,
// an all-empty one is the API's to refuse.
func appendKept(dst []byte, blocks []*jsonedit.Value) (content []byte, dropped bool) {
	dst = append(dst, '[')
	start := len(dst)
	for _, b := range blocks {
		if emptyThinking(b) {
			dropped = true
			continue
		}
		dst = append(jsonedit.AppendComma(dst), b.Raw()...)
	}
	return append(dst, ']'), dropped && len(dst) > start
}

// appendReplaced writes a valid object with another value for one member.
func appendReplaced(dst, object []byte, name string, value []byte) []byte {
	members := jsonedit.Members(object, nil)
	return jsonedit.Join(dst, jsonedit.Splice(nil, object, members, []jsonedit.Edit{{Key: name, Value: value}}))
}

// emptyText finds what must be there for a body to be looked into.
var emptyText = regexp.MustCompile(`"thinking"\s*:\s*""`)

func emptyThinking(b *jsonedit.Value) bool {
	return string(b.GetStringBytes("type")) == "thinking" &&
		len(b.GetStringBytes("thinking")) == 0 && len(b.GetStringBytes("signature")) == 0
}
