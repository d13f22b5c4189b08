package anthropic

import (
	"bytes"
	"strconv"
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// Refusals are the errors of Anthropic's format that name what a platform does not take.
var Refusals = []provider.Refusal{unsigned, {Words: []string{strings.ToLower(notPermitted)}, What: "members that it names as not permitted", Without: withoutNamed, Document: "https://github.com/anthropics/claude-code/issues/21625"}}

// ownRefusals are those of Anthropic's own API, whose members are the client's to know.
var ownRefusals = []provider.Refusal{unsigned}

// unsigned is the error of a history with a thought that another model signed, or another
// maker with Anthropic's format.
var unsigned = provider.Refusal{
	Status: 400, Words: []string{"signature", "in `thinking` block"}, What: "thinking in the history", Without: withoutThoughts,
	Document: "https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks",
}

// notPermitted stands behind the path of each member that is not taken.
const notPermitted = ": Extra inputs are not permitted"

// withoutThoughts is a Refusal.Without: no thought is left of the history.
func withoutThoughts(body []byte, message string) []byte {
	if message == "" {
		return body
	}
	h := history{nothing: true}
	edited := jsonedit.With(body, "messages", jsonedit.Each(jsonedit.Lookup(body, "messages"), h.message))
	if h.unready && string(jsonedit.Lookup(edited, "thinking", "type")) == `"enabled"` {
		edited = withoutThinking(edited)
	}
	return edited
}

// maxNamed is how many members of one error are left out.
const maxNamed = 16

// withoutNamed is a Refusal.Without: the members whose paths the message has are left out,
// as "tools.0.custom.defer_loading: Extra inputs are not permitted".
func withoutNamed(body []byte, message string) []byte {
	for range maxNamed {
		path, rest, found := strings.Cut(message, notPermitted)
		if !found {
			break
		}
		path = path[strings.LastIndexAny(path, " \n\"'`,")+1:]
		body = withoutPath(body, strings.SplitN(path, ".", maxSteps+1))
		message = rest
	}
	return body
}

// maxSteps is how deep a path may lead.
const maxSteps = 16

// withoutPath returns value without the member at the path, if there is one. A step that
// is no member says which kind of object is meant: custom, tool_use.
func withoutPath(value []byte, path []string) []byte {
	if len(path) == 0 || len(path) > maxSteps {
		return value
	}
	step, rest := path[0], path[1:]
	switch {
	case jsonedit.IsArray(value):
		at, err := strconv.Atoi(step)
		if err != nil || len(rest) == 0 {
			return value
		}
		i := -1
		return jsonedit.Each(value, func(element []byte) []byte {
			if i++; i != at {
				return element
			}
			return withoutPath(element, rest)
		})
	case !jsonedit.IsObject(value):
		return value
	}
	inner := jsonedit.Lookup(value, step)
	switch {
	case inner == nil:
		return withoutPath(value, rest)
	case len(rest) == 0:
		return jsonedit.With(value, step, nil)
	}
	return jsonedit.With(value, step, withoutPath(inner, rest))
}

// WithoutCaching returns a body without any cache_control: of tools, the system prompt and
// the messages.
func WithoutCaching(body []byte) []byte {
	if !jsonedit.Contains(body, `"cache_control"`) {
		return body
	}
	body = jsonedit.With(bytes.TrimSpace(body), "cache_control", nil)
	for _, name := range [...]string{"tools", "system"} {
		if list := jsonedit.Lookup(body, name); jsonedit.IsArray(list) {
			body = jsonedit.With(body, name, jsonedit.Each(list, uncached))
		}
	}
	messages := jsonedit.Lookup(body, "messages")
	if !jsonedit.IsArray(messages) {
		return body
	}
	return jsonedit.With(body, "messages", jsonedit.Each(messages, uncachedWithin))
}

// uncachedWithin returns a message, or the result of a tool, without any cache_control.
func uncachedWithin(object []byte) []byte {
	content := jsonedit.Lookup(object, "content")
	if !jsonedit.IsArray(content) {
		return object
	}
	return jsonedit.With(object, "content", jsonedit.Each(content, func(block []byte) []byte {
		if block = uncached(block); string(jsonedit.Lookup(block, "type")) == `"tool_result"` {
			if inner := jsonedit.Lookup(block, "content"); jsonedit.IsArray(inner) {
				block = jsonedit.With(block, "content", jsonedit.Each(inner, uncached))
			}
		}
		return block
	}))
}

func uncached(block []byte) []byte {
	if !jsonedit.IsObject(block) || jsonedit.Lookup(block, "cache_control") == nil {
		return block
	}
	return jsonedit.With(block, "cache_control", nil)
}
