package llama2

import (
	"fmt"
	"slices"
	"strings"

	"go-ai-proxy/translators/chat"
)

const endOfInstruction = "[/INST]"

// instruction puts a prompt into exactly Kong's template: the second <<SYS>> has no
// slash there.
func instruction(msgs []chat.Message) (string, error) {
	var texts []string
	for i := range msgs {
		text, err := textOf(&msgs[i], i)
		if err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	return "<s> [INST] <<SYS>> You are a helpful assistant. <<SYS>> " + strings.Join(texts, "\n\n") + " [/INST]", nil
}

// turn is the text of one side before the other side's.
type turn struct {
	user  bool
	texts []string
}

func (t *turn) text() string { return joined(t.texts) }

// transcript puts messages in Llama 2's template:
//
//	<s>[INST] <<SYS>> system <</SYS>> user [/INST] answer </s> <s>[INST] user [/INST]
//
// Kong goes by position, so that a chat without a system message has its first
// question as one, and leaves out what the assistant said. Here the roles
// decide, which gives the same wherever Kong's prompt was the model's. A
// system message that comes later stands for an answer, as with Kong.
// https://www.llama.com/docs/model-cards-and-prompt-formats/meta-llama-2/
func transcript(msgs []chat.Message) (string, error) {
	system, turns, err := arrange(msgs)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("<s>[INST]")
	if system != "" {
		b.WriteString(" <<SYS>> " + system + " <</SYS>>")
	}
	if len(turns) == 0 || !turns[0].user {
		b.WriteString(" " + endOfInstruction)
	}
	for i, t := range turns {
		switch {
		case !t.user:
			b.WriteString(" " + t.text() + " </s>")
		case i > 0:
			b.WriteString(" <s>[INST] " + t.text() + " " + endOfInstruction)
		default:
			b.WriteString(" " + t.text() + " " + endOfInstruction)
		}
	}
	return b.String(), nil
}

// arrange joins the system messages at the beginning, and consecutive messages of one
// side.
func arrange(msgs []chat.Message) (system string, turns []turn, err error) {
	var first []string // the system messages at the beginning
	for i := range msgs {
		text, err := textOf(&msgs[i], i)
		if err != nil {
			return "", nil, err
		}
		if msgs[i].Role == chat.System && len(turns) == 0 {
			first = append(first, text)
			continue
		}
		user := msgs[i].Role == chat.User
		if n := len(turns); n > 0 && turns[n-1].user == user {
			turns[n-1].texts = append(turns[n-1].texts, text)
		} else {
			turns = append(turns, turn{user, []string{text}})
		}
	}
	return joined(first), turns, nil
}

// joined joins the texts that are not empty, with an empty line between them.
func joined(texts []string) string {
	said := slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return s == "" })
	return strings.Join(said, "\n\n")
}

// textOf returns a message's text. Thinking of an earlier answer is left out.
func textOf(m *chat.Message, i int) (string, error) {
	var texts []string
	for j := range m.Parts {
		switch p := &m.Parts[j]; p.Kind {
		case chat.Text, chat.Refusal:
			texts = append(texts, p.Text.String())
		case chat.Thinking, chat.RedactedThinking:
		case chat.ToolCall, chat.ToolResult:
			return "", &chat.RequestError{Field: fmt.Sprintf("messages[%d]", i), Message: "the raw format knows no tools"}
		default:
			return "", &chat.RequestError{Field: chat.PartField(i, j), Message: "the raw format takes text only"}
		}
	}
	return strings.Join(texts, "\n"), nil
}
