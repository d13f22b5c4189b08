package chat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// Turn is a message for a provider whose turns must alternate: everything that
// one side says before the other side answers.
type Turn struct {
	Role   Role // User or Assistant
	Blocks []Block
}

// Block is a part of a turn, with its position in the request.
type Block struct {
	Part    *Part
	Message int    // index in the request
	Index   int    // of the part in its message; of a call, among the message's calls
	ID      string // of a call or a result, in a form that the provider accepts
}

// Opening is sent when a provider requires a text from the user and the client
// sent none. It is not blank because blank text is refused. It must not be changed.
var Opening = &Part{Kind: Text, Text: jsonedit.Plain(".")}

// OpeningTurn returns a user turn that holds only Opening.
func OpeningTurn() Turn { return Turn{Role: User, Blocks: []Block{{Part: Opening}}} }

// continuing is what the user says last where a model has to answer a user and the
// client wants it to go on with what it said.
var continuing = &Part{Kind: Text, Text: jsonedit.Plain("Continue.")}

// UserLast returns turns that end with the user's.
func UserLast(turns []Turn) []Turn {
	if n := len(turns); n == 0 || turns[n-1].Role == User {
		return turns
	}
	return append(turns, Turn{Role: User, Blocks: []Block{{Part: continuing}}})
}

// Arrange sorts all messages except system messages into alternating turns,
// beginning with the user's. It returns no turns if the messages are empty. Each
// turn with calls is followed by the results, in the order of the calls; see
// Request.Paired.
func Arrange(msgs []Message, ids CallIDs) []Turn {
	a := arranger{ids: ids}
	msgs = paired(msgs)
	for i := range msgs {
		switch m := &msgs[i]; m.Role {
		case System:
		case Assistant:
			a.assistant(i, m)
		default:
			a.user(i, m)
		}
	}
	if len(a.turns) > 0 && a.turns[0].Role != User {
		a.turns = slices.Insert(a.turns, 0, OpeningTurn())
	}
	return a.turns
}

// arranger builds turns.
type arranger struct {
	ids   CallIDs
	turns []Turn
	calls int
	open  []string       // ids of the calls whose results come next
	times map[string]int // how often a call had an id
}

// id returns the id of a call, which no other has: some servers begin anew with call_0
// in each answer, and Claude refuses the second. Of calls with one id each later one has
// another, the same in every turn of the conversation.
func (a *arranger) id(call *Part) string {
	if a.times == nil {
		a.times = map[string]int{}
	}
	id := call.ID
	if a.times[id]++; a.times[id] > 1 && id != "" {
		id += " " + strconv.Itoa(a.times[id]) // with a space no provider takes it as it is
	}
	return a.ids.Of(id, a.calls)
}

func (a *arranger) user(i int, m *Message) {
	for j := range m.Parts {
		p := &m.Parts[j]
		b := Block{Part: p, Message: i, Index: j}
		if p.Kind == ToolResult {
			b.ID, a.open = a.open[0], a.open[1:]
		} else if p.Unsayable() {
			continue
		}
		a.add(User, b)
	}
}

func (a *arranger) assistant(i int, m *Message) {
	calls := 0
	for j := range m.Parts {
		p := &m.Parts[j]
		if p.Unsayable() {
			continue
		}
		b := Block{Part: p, Message: i, Index: j}
		if p.Kind == ToolCall {
			a.calls++
			b.Index, b.ID = calls, a.id(p)
			calls++
			a.open = append(a.open, b.ID)
		}
		a.add(Assistant, b)
	}
}

func (a *arranger) add(role Role, b Block) {
	if n := len(a.turns); n > 0 && a.turns[n-1].Role == role {
		a.turns[n-1].Blocks = append(a.turns[n-1].Blocks, b)
		return
	}
	a.turns = append(a.turns, Turn{Role: role, Blocks: []Block{b}})
}

// Unsayable reports whether Claude refuses a part, whichever provider serves the
// model: text of white space only, and unsigned thinking (OpenAI's
// reasoning_content, which must not be shown to the model as its own).
func (p *Part) Unsayable() bool {
	switch p.Kind {
	case Text, Refusal:
		return p.Text.Blank()
	case Thinking:
		return p.Signature == ""
	}
	return false
}

// Blank reports whether s is white space only.
func Blank(s string) bool { return strings.TrimSpace(s) == "" }

// StopsNotBlank returns the stop sequences except those of white space only, which
// some providers refuse.
func (r *Request) StopsNotBlank() []string { return slices.DeleteFunc(slices.Clone(r.Stop), Blank) }

// CalledTools returns the names of the functions that the history calls, each once.
func CalledTools(turns []Turn) []string {
	var names []string
	seen := map[string]bool{}
	for i := range turns {
		for _, b := range turns[i].Blocks {
			if b.Part.Kind == ToolCall && !seen[b.Part.Name] {
				seen[b.Part.Name] = true
				names = append(names, b.Part.Name)
			}
		}
	}
	return names
}

// UnsignedToolLoop reports whether the model is in the middle of tool calls whose
// thinking the client did not keep.
func UnsignedToolLoop(turns []Turn) bool {
	n := len(turns)
	if n < 2 || turns[n-1].Role != User || turns[n-1].Blocks[0].Part.Kind != ToolResult {
		return false
	}
	first := turns[n-2].Blocks[0].Part.Kind
	return first != Thinking && first != RedactedThinking
}

// Prompt returns messages as one text, for an API that has neither roles nor turns. The
// error names the first part that is no text.
func Prompt(messages []Message) (string, error) {
	var b strings.Builder
	for i := range messages {
		for j := range messages[i].Parts {
			p := &messages[i].Parts[j]
			if p.Kind != Text {
				return "", &RequestError{Field: PartField(i, j), Message: "a completion takes text only"}
			}
			if i > 0 && j == 0 {
				b.WriteString("\n\n")
			}
			b.WriteString(p.Text.String())
		}
	}
	return b.String(), nil
}

// PartField returns the name of a part for use in an error.
func PartField(message, part int) string {
	return fmt.Sprintf("messages[%d].content[%d]", message, part)
}
