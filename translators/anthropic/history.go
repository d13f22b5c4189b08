package anthropic

import (
	"regexp"

	"github.com/valyala/fastjson"
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
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return body
	}
	changed := false
	var arena fastjson.Arena
	for _, m := range v.GetArray("messages") {
		blocks := m.GetArray("content")
		kept := arena.NewArray()
		n := 0
		for _, b := range blocks {
			if !emptyThinking(b) {
				kept.SetArrayItem(n, b)
				n++
			}
		}
		// A message must have content: an all-empty one is the API's to refuse.
		if n < len(blocks) && n > 0 {
			m.Set("content", kept)
			changed = true
		}
	}
	if !changed {
		return body
	}
	return jsonedit.AppendValue(dst, v)
}

// emptyText finds what must be there for a body to be looked into.
var emptyText = regexp.MustCompile(`"thinking"\s*:\s*""`)

func emptyThinking(b *fastjson.Value) bool {
	return string(b.GetStringBytes("type")) == "thinking" &&
		len(b.GetStringBytes("thinking")) == 0 && len(b.GetStringBytes("signature")) == 0
}
