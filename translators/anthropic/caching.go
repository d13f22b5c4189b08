package anthropic

import (
	"bytes"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// leasts are the shortest beginnings that Claude caches, in tokens, by family ("" for
// all) and lowest version. The first row that fits holds; a model whose name does not
// tell is taken for the last row. Shorter ones are no error, and are not cached.
// https://platform.claude.com/docs/en/build-with-claude/prompt-caching
var leasts = []struct {
	family string
	since  int // as 100 × major + minor
	tokens int
}{
	{"fable", 0, 512},
	{"mythos", 0, 512},
	{"opus", 500, 512},
	{"opus", 408, 1024},
	{"opus", 407, 2048},
	{"opus", 405, 4096},
	{"haiku", 405, 4096},
	{"haiku", 0, 2048},
	{"", 0, 1024},
}

// Caching is how Claude is asked to cache prompts, in Anthropic's format.
var Caching = &provider.Caching{
	Marks: func(t *target.Target) (chat.Marks, bool, bool) { return MarksOf(t.Model), true, true },
	Mark:  Mark,
}

// MarksOf returns how prompts for a Claude model are marked.
func MarksOf(name string) chat.Marks {
	family, version := parseModel(name)
	m := chat.Marks{Tools: true, Results: true}
	for _, row := range leasts {
		if (row.family == "" || row.family == family) && version >= row.since {
			m.Least = row.tokens
			break
		}
	}
	return m
}

// Mark returns a body of Messages, a valid object, with cache_control on the last tool,
// the end of the system prompt and the user's last two turns, as far as what comes before
// is long enough. own says that the client has set some.
func Mark(body []byte, m *chat.Marks) (marked []byte, n int, own bool) {
	if bytes.Contains(body, []byte(`"cache_control"`)) {
		return body, 0, true
	}
	members := jsonedit.Members(body, nil)
	var edits []jsonedit.Edit
	tools, system, messages := jsonedit.Find(members, "tools"), jsonedit.Find(members, "system"), jsonedit.Find(members, "messages")
	if m.Reaches(len(tools)) {
		if list, ok := markTool(tools, m.Control); ok {
			edits = append(edits, jsonedit.Edit{Key: "tools", Value: list})
		}
	}
	size := len(tools) + len(system)
	if m.Reaches(size) {
		if content, ok := markContent(system, m.Control); ok {
			edits = append(edits, jsonedit.Edit{Key: "system", Value: content})
		}
	}
	n = len(edits)
	list, turns := m.Turns(messages, size, func(content []byte) ([]byte, bool) { return markContent(content, m.Control) })
	if turns > 0 {
		edits = append(edits, jsonedit.Edit{Key: "messages", Value: list})
	}
	if len(edits) == 0 {
		return body, 0, false
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, body, members, edits)), n + turns, false
}

// markTool marks the last tool that can be marked: one that is loaded later cannot.
func markTool(tools []byte, control chat.Raw) (list []byte, ok bool) {
	at, i := -1, 0
	for tool := range jsonedit.EachOf(tools) {
		if jsonedit.IsObject(tool) && !jsonedit.IsTrue(jsonedit.Lookup(tool, "defer_loading")) {
			at = i
		}
		i++
	}
	return markAt(tools, at, control), at >= 0
}

// markContent marks the last block of a content that can be marked. A text becomes a
// block of its own.
func markContent(content []byte, control chat.Raw) (marked []byte, ok bool) {
	if jsonedit.IsString(content) && len(bytes.TrimSpace(content[1:len(content)-1])) > 0 {
		content = append(append([]byte(`[{"type":"text","text":`), content...), "}]"...)
	}
	at, i := -1, 0
	for block := range jsonedit.EachOf(content) {
		if markable(block) {
			at = i
		}
		i++
	}
	return markAt(content, at, control), at >= 0
}

// markable says whether a block may have a cache_control. Thinking and blank text may
// not.
func markable(block []byte) bool {
	kind := jsonedit.Lookup(block, "type")
	switch {
	case !jsonedit.IsString(kind), bytes.Contains(kind, []byte("thinking")):
		return false
	case string(kind) == `"text"`:
		text := jsonedit.Lookup(block, "text")
		return jsonedit.IsString(text) && len(bytes.TrimSpace(text[1:len(text)-1])) > 0
	}
	return true
}

// markAt puts a cache_control on element at of a list.
func markAt(list []byte, at int, control chat.Raw) []byte {
	i := -1
	return jsonedit.Each(list, func(element []byte) []byte {
		if i++; i != at {
			return element
		}
		return jsonedit.With(element, "cache_control", control)
	})
}
