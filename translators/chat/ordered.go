package chat

// Ordered returns r with the results of calls directly behind the message that made
// the calls, wherever the client put them: Codex has the user's words between after an
// interruption. What stood between comes after them. r itself does not change, and is
// returned if its results are in place. Results without a call stay where they are.
func (r *Request) Ordered() *Request {
	if inPlace(r.Messages) {
		return r
	}
	ordered := *r
	ordered.Messages = make([]Message, 0, len(r.Messages))
	at := map[string][]int{} // where in r.Messages the results for a call are
	for i := range r.Messages {
		if id, only := resultOf(&r.Messages[i]); only {
			at[id] = append(at[id], i)
		}
	}
	placed := make([]bool, len(r.Messages))
	for i := range r.Messages {
		if placed[i] {
			continue
		}
		m := &r.Messages[i]
		ordered.Messages = append(ordered.Messages, *m)
		for j := range m.Parts {
			p := &m.Parts[j]
			if p.Kind != ToolCall {
				continue
			}
			for len(at[p.ID]) > 0 && at[p.ID][0] < i {
				at[p.ID] = at[p.ID][1:]
			}
			if left := at[p.ID]; len(left) > 0 {
				ordered.Messages = append(ordered.Messages, r.Messages[left[0]])
				placed[left[0]], at[p.ID] = true, left[1:]
			}
		}
	}
	return &ordered
}

// inPlace says whether no message is between calls and their results.
func inPlace(msgs []Message) bool {
	open := map[string]bool(nil) // calls of the last message that made any
	behind := true               // nothing but results since
	for i := range msgs {
		m := &msgs[i]
		id, only := resultOf(m)
		switch {
		case only && open[id] && !behind:
			return false
		case only:
			continue
		}
		behind = false
		if m.Role != Assistant {
			continue
		}
		for j := range m.Parts {
			if m.Parts[j].Kind != ToolCall {
				continue
			}
			if !behind {
				open, behind = map[string]bool{}, true
			}
			open[m.Parts[j].ID] = true
		}
	}
	return true
}

// resultOf returns the id of the call that m is the result of, and whether it is that
// and nothing else.
func resultOf(m *Message) (id string, only bool) {
	if m.Role == Assistant || len(m.Parts) != 1 || m.Parts[0].Kind != ToolResult {
		return "", false
	}
	return m.Parts[0].ID, true
}
