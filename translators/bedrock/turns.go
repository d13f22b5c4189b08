package bedrock

import (
	"fmt"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
)

// turn is what becomes one of Converse's messages.
type turn struct {
	role   chat.Role // User or Assistant
	blocks []block
}

// block is a part and where it came from.
type block struct {
	part    *chat.Part
	message int    // index in the request
	index   int    // of the part in its message
	id      string // of a call or a result, as Bedrock takes it
}

// opening stands where the API demands a user's text and the client has none:
// blank text is refused.
var opening = &chat.Part{Kind: chat.Text, Text: "."}

// arranger sorts messages into alternating turns that begin with the user's;
// results are those not yet placed, by call id.
type arranger struct {
	turns   []turn
	results map[string][]block
	calls   int
}

// arrange returns the turns of msgs. Each turn with calls is followed by their
// results, in the order of the calls, wherever the client put them.
func arrange(msgs []chat.Message) ([]turn, error) {
	a := arranger{results: resultsOf(msgs)}
	for i := range msgs {
		switch m := &msgs[i]; m.Role {
		case chat.System:
		case chat.Assistant:
			if err := a.assistant(i, m); err != nil {
				return nil, err
			}
		default:
			for j := range m.Parts {
				if p := &m.Parts[j]; p.Kind != chat.ToolResult && !nothing(p) {
					a.add(chat.User, block{part: p, message: i, index: j})
				}
			}
		}
	}
	if b, ok := a.firstLeft(); ok {
		return nil, &chat.RequestError{Field: fmt.Sprintf("messages[%d].tool_call_id", b.message),
			Message: fmt.Sprintf("no assistant message before it made the call %q", b.part.ID)}
	}
	if len(a.turns) > 0 && a.turns[0].role != chat.User {
		a.turns = append([]turn{{role: chat.User, blocks: []block{{part: opening}}}}, a.turns...)
	}
	return a.turns, nil
}

// resultsOf finds all tool results.
func resultsOf(msgs []chat.Message) map[string][]block {
	var results map[string][]block
	for i := range msgs {
		for j := range msgs[i].Parts {
			p := &msgs[i].Parts[j]
			if p.Kind != chat.ToolResult {
				continue
			}
			if results == nil {
				results = map[string][]block{}
			}
			results[p.ID] = append(results[p.ID], block{part: p, message: i, index: j})
		}
	}
	return results
}

// assistant adds m and the results of its calls.
func (a *arranger) assistant(i int, m *chat.Message) error {
	var calls []block
	for j := range m.Parts {
		p := &m.Parts[j]
		if nothing(p) {
			continue
		}
		b := block{part: p, message: i, index: j}
		if p.Kind == chat.ToolCall {
			a.calls++
			b.id = callID(p.ID, a.calls)
			calls = append(calls, b)
		}
		a.add(chat.Assistant, b)
	}
	for k, c := range calls {
		left := a.results[c.part.ID]
		if len(left) == 0 || left[0].message < i {
			return &chat.RequestError{Field: fmt.Sprintf("messages[%d].tool_calls[%d].id", i, k),
				Message: fmt.Sprintf("no tool message after it answers %q", c.part.ID)}
		}
		a.results[c.part.ID] = left[1:]
		r := left[0]
		r.id = c.id
		a.add(chat.User, r)
	}
	return nil
}

// firstLeft is the first result that answers nothing.
func (a *arranger) firstLeft() (first block, found bool) {
	for _, left := range a.results {
		if len(left) > 0 && (!found || left[0].message < first.message) {
			first, found = left[0], true
		}
	}
	return first, found
}

func (a *arranger) add(role chat.Role, b block) {
	if n := len(a.turns); n > 0 && a.turns[n-1].role == role {
		a.turns[n-1].blocks = append(a.turns[n-1].blocks, b)
		return
	}
	a.turns = append(a.turns, turn{role: role, blocks: []block{b}})
}

// nothing says whether a part cannot be told to Bedrock: it refuses blank
// text, and thoughts that the model did not sign.
func nothing(p *chat.Part) bool {
	switch p.Kind {
	case chat.Text, chat.Refusal:
		return blank(p.Text)
	case chat.Thinking:
		return p.Signature == ""
	}
	return false
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// maxCallID is the longest toolUseId.
const maxCallID = 64

// callID makes an id that Bedrock takes (letters, digits, _ and -) of any
// provider's. One that is missing or too long is named by its number n in the
// request; of a long one, the end that differs is kept.
func callID(id string, n int) string {
	if id == "" {
		return "tooluse_" + strconv.Itoa(n)
	}
	id = strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' {
			return c
		}
		return '_'
	}, id)
	if len(id) > maxCallID {
		prefix := "tooluse_" + strconv.Itoa(n) + "_"
		return prefix + id[len(id)-(maxCallID-len(prefix)):]
	}
	return id
}

// calledTools are the names of the functions that the history calls, each once.
func calledTools(turns []turn) []string {
	var names []string
	seen := map[string]bool{}
	for i := range turns {
		for _, b := range turns[i].blocks {
			if b.part.Kind == chat.ToolCall && !seen[b.part.Name] {
				seen[b.part.Name] = true
				names = append(names, b.part.Name)
			}
		}
	}
	return names
}

// unsignedToolLoop says whether the model is in the middle of tool calls whose
// thoughts the client did not keep.
func unsignedToolLoop(turns []turn) bool {
	n := len(turns)
	if n < 2 || turns[n-1].role != chat.User || turns[n-1].blocks[0].part.Kind != chat.ToolResult {
		return false
	}
	first := turns[n-2].blocks[0].part.Kind
	return first != chat.Thinking && first != chat.RedactedThinking
}
