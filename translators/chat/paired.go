package chat

import "go-ai-proxy/translators/jsonedit"

// Paired returns r with exactly one result for each call, directly behind the message
// that made the calls and in their order, as most providers demand. Clients send other
// histories: Codex has the user's words between after an interruption, and an agent
// that was cancelled keeps calls that nobody answered. So
//
//   - a result moves to its call, wherever the client put it, and what was between
//     comes after it;
//   - a call without a result gets one, which says so and is an error;
//   - a result without a call becomes the user's words.
//
// r itself does not change, and is returned if there is nothing to do.
func (r *Request) Paired() *Request {
	if inPlace(r.Messages) {
		return r
	}
	p := *r
	p.Messages = paired(r.Messages)
	return &p
}

// unanswered is the result of a call that has none, in the words of agents that write
// one themselves.
var unanswered = []Part{{Kind: Text, Text: jsonedit.Plain("The call was interrupted: it has no result.")}}

// inPlace reports whether each call has its result, where it belongs.
func inPlace(msgs []Message) bool {
	var open []string // the calls whose results come next
	for i := range msgs {
		m := &msgs[i]
		if m.Role == Assistant && len(open) > 0 {
			return false
		}
		others := false
		for j := range m.Parts {
			switch p := &m.Parts[j]; {
			case p.Kind == ToolCall && m.Role == Assistant:
				open = append(open, p.ID)
			case p.Kind != ToolResult:
				others = true
			case m.Role == Assistant || len(open) == 0 || open[0] != p.ID:
				return false
			default:
				open = open[1:]
			}
		}
		if m.Role != Assistant && len(open) > 0 && (others || len(m.Parts) == 0) {
			return false
		}
	}
	return len(open) == 0
}

func paired(msgs []Message) []Message {
	if inPlace(msgs) {
		return msgs
	}
	results := resultsOf(msgs)
	placed := map[*Part]bool{}
	pairs := make([]Message, 0, len(msgs))
	for i := range msgs {
		m := withoutResults(&msgs[i], placed)
		if len(m.Parts) > 0 || len(msgs[i].Parts) == 0 {
			pairs = append(pairs, m)
		}
		if m.Role != Assistant {
			continue
		}
		for j := range m.Parts {
			call := &m.Parts[j]
			if call.Kind != ToolCall {
				continue
			}
			result := Part{Kind: ToolResult, ID: call.ID, Name: call.Name, Parts: unanswered, IsError: true}
			if p := next(results, call.ID, i); p != nil {
				result, placed[p] = *p, true
			}
			pairs = append(pairs, Message{Role: ToolRole, Parts: []Part{result}})
		}
	}
	return pairs
}

// placedResult is a result and the message that it is in.
type placedResult struct {
	part    *Part
	message int
}

// resultsOf returns all results, by the ids of their calls.
func resultsOf(msgs []Message) map[string][]placedResult {
	results := map[string][]placedResult{}
	for i := range msgs {
		for j := range msgs[i].Parts {
			if p := &msgs[i].Parts[j]; p.Kind == ToolResult {
				results[p.ID] = append(results[p.ID], placedResult{p, i})
			}
		}
	}
	return results
}

// next removes and returns the first result for a call of message i: one that comes
// later. An id may be used again, so what came before is for nobody.
func next(results map[string][]placedResult, id string, i int) *Part {
	left := results[id]
	for len(left) > 0 && left[0].message < i {
		left = left[1:]
	}
	if len(left) == 0 {
		return nil
	}
	results[id] = left[1:]
	return left[0].part
}

// withoutResults returns m without the results that have been placed, and with the
// others as words.
func withoutResults(m *Message, placed map[*Part]bool) Message {
	kept := *m
	if m.Role != ToolRole && !hasResults(m.Parts) {
		return kept
	}
	if kept.Parts = make([]Part, 0, len(m.Parts)); m.Role == ToolRole {
		kept.Role = User
	}
	for j := range m.Parts {
		switch p := &m.Parts[j]; {
		case p.Kind != ToolResult:
			kept.Parts = append(kept.Parts, *p)
		case !placed[p] && len(p.Parts) > 0:
			said := "Result of a tool:"
			if p.Name != "" {
				said = "Result of " + p.Name + ":"
			}
			kept.Parts = append(append(kept.Parts, Part{Kind: Text, Text: jsonedit.Plain(said)}), p.Parts...)
		}
	}
	return kept
}

func hasResults(parts []Part) bool {
	for i := range parts {
		if parts[i].Kind == ToolResult {
			return true
		}
	}
	return false
}
