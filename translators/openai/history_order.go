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
func bridged(list []byte, answer string) []byte {
	messages := jsonedit.Elements(list, nil)
	dst := append(make([]byte, 0, len(list)+128), '[')
	changed := false
	before := "" // the role of the message before
	for _, m := range messages {
		role := string(jsonedit.Lookup(m, "role"))
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
