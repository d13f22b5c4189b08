package openai

import (
	"go-ai-proxy/translators/jsonedit"
)

// ordered returns a list of messages with the results of calls directly behind the
// message that made the calls, as chat.Request.Paired does; the list itself if they
// are. Results without a call stay where they are.
func ordered(list []byte) []byte {
	if !jsonedit.Contains(list, `"tool_call_id"`) {
		return list
	}
	messages := jsonedit.Elements(list, nil)
	results := map[string][]int{} // where they are, by the call's id
	for i, m := range messages {
		if id := jsonedit.Lookup(m, "tool_call_id"); id != nil {
			results[string(id)] = append(results[string(id)], i)
		}
	}
	order, placed := make([]int, 0, len(messages)), make([]bool, len(messages))
	for i, m := range messages {
		if placed[i] {
			continue
		}
		order = append(order, i)
		for _, call := range jsonedit.Elements(jsonedit.Lookup(m, "tool_calls"), nil) {
			id := string(jsonedit.Lookup(call, "id"))
			for len(results[id]) > 0 && results[id][0] < i {
				results[id] = results[id][1:]
			}
			if left := results[id]; len(left) > 0 {
				order, results[id] = append(order, left[0]), left[1:]
				placed[left[0]] = true
			}
		}
	}
	moved := false
	for place, i := range order {
		moved = moved || place != i
	}
	if !moved {
		return list
	}
	dst := append(make([]byte, 0, len(list)), '[')
	for _, i := range order {
		dst = append(jsonedit.AppendComma(dst), messages[i]...)
	}
	return append(dst, ']')
}

// bridged returns a list of messages with an answer between results and what the user
// says next, and with the system's words behind an answer as the user's; the list itself
// if there is nothing to change.
//
// An answer of nothing is left out: "Assistant message must have either content or
// tool_calls, but not none". One at the end, which the model is to go on with, is marked
// where the API knows the mark: "Expected last role User or Tool (or Assistant with prefix
// True)".
//
//	https://github.com/OpenHands/OpenHands/issues/8685
//	https://github.com/anomalyco/opencode/issues/19115
func bridged(list []byte, answer string, marks bool) []byte {
	messages := jsonedit.Elements(list, nil)
	dst := append(make([]byte, 0, len(list)+128), '[')
	changed := false
	before := "" // the role of the message before
	for i, m := range messages {
		role := string(jsonedit.Lookup(m, "role"))
		if role == `"assistant"` {
			calls := len(jsonedit.Elements(jsonedit.Lookup(m, "tool_calls"), nil)) > 0
			if !calls && silent(m) {
				changed = true
				continue
			}
			if marks && i == len(messages)-1 && !calls && jsonedit.Lookup(m, "prefix") == nil {
				m, changed = jsonedit.With(m, "prefix", []byte("true")), true
			}
		}
		results := before == `"tool"`
		if (role == `"system"` || role == `"developer"`) && (results || before == `"assistant"`) {
			role, changed = `"user"`, true
			m = jsonedit.With(m, "role", []byte(role))
		}
		if results && role == `"user"` {
			changed = true
			dst = append(jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"role":"assistant"`...), "content", answer), '}')
		}
		dst = append(jsonedit.AppendComma(dst), m...)
		before = role
	}
	if !changed {
		return list
	}
	return append(dst, ']')
}

// silent reports whether a message has neither content nor a refusal nor a thought.
func silent(m []byte) bool {
	for _, name := range [...]string{"content", "refusal", "reasoning_content", "reasoning", "thinking_blocks"} {
		switch value := jsonedit.Lookup(m, name); string(value) {
		case "", "null", `""`, "[]":
		default:
			return false
		}
	}
	return true
}
