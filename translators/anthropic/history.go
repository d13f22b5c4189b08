package anthropic

import (
	"bytes"
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/target"
)

// OwnThinking leaves in the history of a Messages body only the thinking and the
// citations that Claude takes back: with a signature of its own. Thoughts without one are another model's,
// or of a stream that was cut off, and refused. It returns body itself when there is
// nothing to change, or the new body appended to dst.
//
// Where a model that thinks within a budget is in the middle of calling tools, and
// its thought was left out, it is not asked to think: the last turn of the model
// would have to begin with a thought. The same is so for the edit that clears
// thinking, which is refused without.
// https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks
func OwnThinking(dst []byte, _ *target.Target, body []byte) []byte {
	if !hasThoughts(body) {
		return body
	}
	whole := bytes.TrimSpace(body)
	var h history
	edited := jsonedit.With(whole, "messages", jsonedit.Each(jsonedit.Lookup(whole, "messages"), h.message))
	if !h.changed {
		return body
	}
	if h.unready && string(jsonedit.Lookup(edited, "thinking", "type")) == `"enabled"` {
		edited = withoutThinking(edited)
	}
	return append(dst, edited...)
}

// hasThoughts says whether there may be a block of thinking, or a citation of the web,
// in body: a block's type is the value of a member, where the member "thinking" is a name.
func hasThoughts(body []byte) bool {
	if jsonedit.Contains(body, `"encrypted_index"`) || origin.Marked(body) {
		return true
	}
	for _, word := range [...]string{`"thinking"`, `"redacted_thinking"`} {
		for rest := body; ; {
			i := jsonedit.Index(rest, word)
			if i < 0 {
				break
			}
			if before := bytes.TrimRight(rest[:i], " \t\r\n"); len(before) > 0 && before[len(before)-1] == ':' {
				return true
			}
			rest = rest[i+len(word):]
		}
	}
	return false
}

// history is what is found while the messages are edited, one after the other.
type history struct {
	changed bool
	// unready says that the last turn of the model lost the thought that it began
	// with, and the user's turn after it has the results of calls.
	unready bool
	lost    bool // of the last turn of the model
	nothing bool // no thinking is kept at all
}

// message returns m with its own thinking only; nil if nothing else was in it.
func (h *history) message(m []byte) []byte {
	members := jsonedit.Members(m, nil)
	content := jsonedit.Find(members, "content")
	if string(jsonedit.Find(members, "role")) != `"assistant"` {
		h.unready = h.lost && bytes.Contains(content, []byte(`"tool_result"`))
		return m
	}
	h.lost, h.unready = false, false
	first, left := true, false
	own := jsonedit.Each(content, func(block []byte) []byte {
		kept := ownBlock(block)
		if h.nothing && isThought(block) {
			kept = nil
		}
		h.lost = h.lost || first && kept == nil
		first, left = first && kept == nil, left || kept != nil
		return kept
	})
	if jsonedit.IsArray(content) && !left && h.lost {
		h.changed = true
		return nil
	}
	edited := jsonedit.With(m, "content", own)
	h.changed = h.changed || len(edited) != len(m) || &edited[0] != &m[0]
	return edited
}

// isThought reports whether a block is thinking, redacted or not.
func isThought(block []byte) bool {
	kind := string(jsonedit.Lookup(block, "type"))
	return kind == `"thinking"` || kind == `"redacted_thinking"`
}

// ownBlock returns a block as Claude takes it, without a mark; nil for thinking that
// is not Claude's.
func ownBlock(block []byte) []byte {
	member, members := "", jsonedit.Members(block, nil)
	switch string(jsonedit.Find(members, "type")) {
	case `"thinking"`:
		member = "signature"
	case `"redacted_thinking"`:
		member = "data"
	case `"text"`:
		return ownCitations(block)
	case `"server_tool_use"`, `"mcp_tool_use"`:
		return ownRun(block, jsonedit.Find(members, "id"))
	default:
		return ownRun(block, jsonedit.Find(members, "tool_use_id"))
	}
	sent, _ := jsonedit.String(jsonedit.Find(members, member))
	whose, token := origin.Of(sent, origin.Anthropic)
	switch {
	case whose != origin.Anthropic || token == "":
		return nil
	case token == sent:
		return block
	}
	return jsonedit.With(block, member, jsonedit.AppendString(nil, token))
}

// ownRun returns the block of a server's tool, nil if the id says that another provider
// ran it.
func ownRun(block, id []byte) []byte {
	if sent, _ := jsonedit.String(id); origin.IsMarked(sent) {
		return nil
	}
	return block
}

// withoutThinking takes out of body that the model shall think.
func withoutThinking(body []byte) []byte {
	body = jsonedit.With(body, "thinking", nil)
	management := jsonedit.Lookup(body, "context_management")
	edits := jsonedit.Lookup(management, "edits")
	if edits == nil {
		return body
	}
	kept := jsonedit.Each(edits, func(edit []byte) []byte {
		if name, _ := jsonedit.String(jsonedit.Lookup(edit, "type")); strings.HasPrefix(name, "clear_thinking") {
			return nil
		}
		return edit
	})
	if len(jsonedit.Elements(kept, nil)) == 0 {
		return jsonedit.With(body, "context_management", nil)
	}
	return jsonedit.With(body, "context_management", jsonedit.With(management, "edits", kept))
}
