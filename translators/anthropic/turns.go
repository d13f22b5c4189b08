package anthropic

import (
	"fmt"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
)

// turn is what becomes one of Anthropic's messages.
type turn struct {
	role   chat.Role // User or Assistant
	blocks []block
}

// block is a part and where it came from.
type block struct {
	part    *chat.Part
	message int // index in the request
	index   int // of the part, or of the call among the message's calls
	id      string
}

// opening stands where the API demands a user's turn and the client has none:
// it may not be empty.
var opening = &chat.Part{Kind: chat.Text, Text: "."}

// arrange sorts messages into alternating turns that begin with the user's.
// Each assistant turn with calls is followed by its results, in the order of
// the calls, wherever the client put them.
func arrange(msgs []chat.Message) ([]turn, error) {
	if len(msgs) == 0 {
		return nil, &chat.RequestError{Field: "messages", Message: "must have at least one message"}
	}
	a := arranger{results: unanswered(msgs)}
	for i := range msgs {
		m := &msgs[i]
		switch m.Role {
		case chat.System:
		case chat.Assistant:
			if err := a.assistant(i, m); err != nil {
				return nil, err
			}
		default:
			a.user(i, m)
		}
	}
	if b, ok := a.firstLeft(); ok {
		return nil, &chat.RequestError{Field: fmt.Sprintf("messages[%d].tool_call_id", b.message),
			Message: fmt.Sprintf("no assistant message before it made the call %q", b.part.ID)}
	}
	if len(a.turns) == 0 || a.turns[0].role != chat.User {
		a.turns = append([]turn{{role: chat.User, blocks: []block{{part: opening}}}}, a.turns...)
	}
	return a.turns, nil
}

// arranger builds turns; results are those not yet placed, by call id.
type arranger struct {
	turns   []turn
	results map[string][]block
	calls   int
}

// unanswered finds all tool results.
func unanswered(msgs []chat.Message) map[string][]block {
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

func (a *arranger) user(i int, m *chat.Message) {
	for j := range m.Parts {
		if p := &m.Parts[j]; p.Kind != chat.ToolResult && !nothing(p) {
			a.add(chat.User, block{part: p, message: i, index: j})
		}
	}
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
			b.index, b.id = len(calls), callID(p.ID, a.calls)
			calls = append(calls, b)
		}
		a.add(chat.Assistant, b)
	}
	for _, c := range calls {
		r, ok := a.result(c.part.ID, i)
		if !ok {
			return &chat.RequestError{Field: fmt.Sprintf("messages[%d].tool_calls[%d].id", i, c.index),
				Message: fmt.Sprintf("no tool message after it answers %q", c.part.ID)}
		}
		r.id = c.id
		a.add(chat.User, r)
	}
	return nil
}

// result takes the first result for id that came after message i.
func (a *arranger) result(id string, i int) (block, bool) {
	left := a.results[id]
	if len(left) == 0 || left[0].message < i {
		return block{}, false
	}
	a.results[id] = left[1:]
	return left[0], true
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

// nothing says whether a part cannot be told to Anthropic without being
// refused: text of white space only, and thoughts that nobody signed (OpenAI's
// reasoning_content, which the model may not be shown as its own).
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

// callID makes an id that Anthropic takes (letters, digits, _ and -) of any
// provider's: the n-th call of a request without one is named by its number.
func callID(id string, n int) string {
	if id == "" {
		return "toolu_" + strconv.Itoa(n)
	}
	valid := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
	}
	return strings.Map(func(c rune) rune {
		if valid(c) {
			return c
		}
		return '_'
	}, id)
}

func partField(message, part int) string {
	return fmt.Sprintf("messages[%d].content[%d]", message, part)
}
