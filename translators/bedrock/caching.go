package bedrock

import (
	"bytes"
	"slices"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// caching is how Converse is asked to cache prompts.
// https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
var caching = &provider.Caching{Marks: marksOf, Mark: markConverse}

// leastOfNova is the shortest beginning that Nova caches, in tokens.
const leastOfNova = 1000

// minutely are the Claude models that keep a prompt for five minutes only, by a part of
// their id; newer ones keep it for an hour if asked to.
// https://aws.amazon.com/about-aws/whats-new/2026/01/amazon-bedrock-one-hour-duration-prompt-caching/
var minutely = []string{"claude-3", "claude-sonnet-4-2025", "claude-opus-4-2025", "claude-opus-4-1"}

func marksOf(t *target.Target) (m chat.Marks, hour, ok bool) {
	model := modelOf(t.Model)
	switch {
	case !model.caches:
		return m, false, false
	case model.nova: // neither behind tools nor behind a result
		return chat.Marks{Least: leastOfNova}, false, true
	}
	return anthropic.MarksOf(t.Model), !model.unnamed && !isMinutely(t.Model), true
}

// isMinutely says whether a Claude model keeps a prompt for five minutes only.
func isMinutely(id string) bool {
	return slices.ContainsFunc(minutely, func(part string) bool { return strings.Contains(id, part) })
}

// markConverse returns a body of Converse, a valid object, with cache points behind the
// tools, the system prompt and the user's last two turns, as far as what comes before is
// long enough. own says that the client has set some.
func markConverse(body []byte, m *chat.Marks) (marked []byte, n int, own bool) {
	if bytes.Contains(body, []byte(`"cachePoint"`)) {
		return body, 0, true
	}
	members := jsonedit.Members(body, nil)
	point := pointOf(m.Control)
	var edits []jsonedit.Edit
	config, system, messages := jsonedit.Find(members, "toolConfig"), jsonedit.Find(members, "system"), jsonedit.Find(members, "messages")
	if list := jsonedit.Lookup(config, "tools"); m.Tools && m.Reaches(len(list)) {
		if list, ok := appended(list, point); ok {
			edits = append(edits, jsonedit.Edit{Key: "toolConfig", Value: jsonedit.With(config, "tools", list)})
		}
	}
	size := len(config) + len(system)
	if m.Reaches(size) {
		if list, ok := appended(system, point); ok {
			edits = append(edits, jsonedit.Edit{Key: "system", Value: list})
		}
	}
	n = len(edits)
	list, turns := m.Turns(messages, size, func(content []byte) ([]byte, bool) {
		if !m.Results && bytes.Contains(content, []byte(`"toolResult"`)) {
			return nil, false
		}
		return appended(content, point)
	})
	if turns > 0 {
		edits = append(edits, jsonedit.Edit{Key: "messages", Value: list})
	}
	if len(edits) == 0 {
		return body, 0, false
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, body, members, edits)), n + turns, false
}

// pointOf is a cache point for a cache_control.
func pointOf(control chat.Raw) []byte {
	if chat.Lasts(control) == "1h" {
		return []byte(`{"cachePoint":{"type":"default","ttl":"1h"}}`)
	}
	return []byte(`{"cachePoint":{"type":"default"}}`)
}

// appended is a list that is not empty with one more element.
func appended(list, element []byte) ([]byte, bool) {
	if !jsonedit.IsArray(list) || len(bytes.TrimSpace(list[1:len(list)-1])) == 0 {
		return list, false
	}
	out := append([]byte(nil), list[:len(list)-1]...)
	return append(append(append(out, ','), element...), ']'), true
}

// uncached is the error of a model that caches no prompts, in lower case.
const uncached = "did not allow prompt caching"

// ownConverse is the Edit.Request of a Converse body: the history is one that t's model takes,
// and cache points stand only where it has them.
func ownConverse(dst []byte, t *target.Target, body []byte) []byte {
	m := modelOf(t.Model)
	if m.caches && !m.nova || !jsonedit.Contains(body, `"cachePoint"`) {
		return ownReasoning(dst, t, body)
	}
	whole := bytes.TrimSpace(ownReasoning(nil, t, body))
	if !m.caches {
		return append(dst, withoutPoints(whole, "")...)
	}
	whole = withoutToolPoints(whole)
	return append(dst, jsonedit.With(whole, "messages", jsonedit.Each(jsonedit.Lookup(whole, "messages"), func(m []byte) []byte {
		if content := jsonedit.Lookup(m, "content"); jsonedit.Contains(content, `"toolResult"`) {
			return jsonedit.With(m, "content", jsonedit.Each(content, withoutPoint))
		}
		return m
	}))...)
}

// withoutPoints is a Refusal.Without: the body has no cache points.
func withoutPoints(body []byte, _ string) []byte {
	body = withoutToolPoints(body)
	if system := jsonedit.Lookup(body, "system"); jsonedit.IsArray(system) {
		body = jsonedit.With(body, "system", jsonedit.Each(system, withoutPoint))
	}
	return jsonedit.With(body, "messages", jsonedit.Each(jsonedit.Lookup(body, "messages"), func(m []byte) []byte {
		return jsonedit.With(m, "content", jsonedit.Each(jsonedit.Lookup(m, "content"), withoutPoint))
	}))
}

func withoutToolPoints(body []byte) []byte {
	config := jsonedit.Lookup(body, "toolConfig")
	tools := jsonedit.Lookup(config, "tools")
	if !jsonedit.IsArray(tools) {
		return body
	}
	return jsonedit.With(body, "toolConfig", jsonedit.With(config, "tools", jsonedit.Each(tools, withoutPoint)))
}

// withoutPoint is nil for a cache point.
func withoutPoint(block []byte) []byte {
	if jsonedit.Lookup(block, "cachePoint") != nil {
		return nil
	}
	return block
}
