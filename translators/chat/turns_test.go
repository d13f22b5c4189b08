package chat_test

import (
	"errors"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// outline says in a line what turns hold.
func outline(turns []chat.Turn) string {
	var b strings.Builder
	for _, t := range turns {
		b.WriteString(string(t.Role) + "(")
		for i, block := range t.Blocks {
			if i > 0 {
				b.WriteString(" ")
			}
			b.WriteString(block.Part.Text.String() + block.ID)
		}
		b.WriteString(")")
	}
	return b.String()
}

func text(role chat.Role, s string) chat.Message {
	return chat.Message{Role: role, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain(s)}}}
}

func calls(ids ...string) chat.Message {
	m := chat.Message{Role: chat.Assistant}
	for _, id := range ids {
		m.Parts = append(m.Parts, chat.Part{Kind: chat.ToolCall, ID: id, Name: "f"})
	}
	return m
}

func result(id string) chat.Message {
	return chat.Message{Role: chat.ToolRole, Parts: []chat.Part{{Kind: chat.ToolResult, ID: id}}}
}

func TestTurnsAlternateAndToolResultsFollowTheirCalls(t *testing.T) {
	long := strings.Repeat("a", 20) + "1"
	other := func(id string) string { return chat.CallIDs{Prefix: "id_", Longest: 10}.Of(id, 0) }
	tests := []struct {
		name string
		msgs []chat.Message
		want string
	}{
		{"nothing", nil, ""},
		{"the system alone", []chat.Message{text(chat.System, "be kind")}, ""},
		{"what says nothing", []chat.Message{text(chat.User, " \n")}, ""},
		{"one side twice", []chat.Message{text(chat.User, "a"), text(chat.User, "b"), text(chat.Assistant, "c")}, "user(a b)assistant(c)"},
		{"the model first", []chat.Message{text(chat.Assistant, "a")}, "user(.)assistant(a)"},
		{"results in another order", []chat.Message{text(chat.User, "a"), calls("x", "y"), result("y"), result("x"), text(chat.User, "b")},
			"user(a)assistant(x y)user(x y b)"},
		{"results after the user", []chat.Message{text(chat.User, "a"), calls("x"), text(chat.User, "b"), result("x")}, "user(a)assistant(x)user(x b)"},
		{"a call without a result", []chat.Message{text(chat.User, "a"), calls("x", "y"), result("y"), text(chat.User, "b")}, "user(a)assistant(x y)user(x y b)"},
		{"ids that the provider refuses", []chat.Message{text(chat.User, "a"), calls("", "a.b", long), result(""), result("a.b"), result(long)},
			"user(a)assistant(id_1 " + other("a.b") + " " + other(long) + ")user(id_1 " + other("a.b") + " " + other(long) + ")"},
	}
	for _, test := range tests {
		if got := outline(chat.Arrange(test.msgs, chat.CallIDs{Prefix: "id_", Longest: 10})); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// Servers that count their calls anew in each answer, and clients that send a call twice.
func TestCallsWithOneIDGetOneEach(t *testing.T) {
	msgs := []chat.Message{text(chat.User, "hi"), calls("call_0"), result("call_0"), text(chat.User, "go on"), calls("call_0", "call_1"), result("call_0"), result("call_1")}
	var before []chat.Turn
	for n := range msgs {
		turns := chat.Arrange(msgs[:n+1], chat.CallIDs{})
		seen := map[string]int{}
		for _, turn := range turns {
			for _, b := range turn.Blocks {
				if b.Part.Kind == chat.ToolCall {
					seen[b.ID]++
				} else if b.Part.Kind == chat.ToolResult && seen[b.ID] != 1 {
					t.Errorf("a result for %q, of which there are %d: %s", b.ID, seen[b.ID], outline(turns))
				}
			}
		}
		if n == 3 {
			before = turns
		}
		if n > 3 && !strings.HasPrefix(outline(turns), outline(before)) {
			t.Errorf("%s does not begin with %s", outline(turns), outline(before))
		}
		for id, times := range seen {
			if times > 1 {
				t.Errorf("%q is the id of %d calls: %s", id, times, outline(turns))
			}
		}
	}
}

func TestPromptJoinsMessagesAndRefusesWhatIsNoText(t *testing.T) {
	text := func(s string) chat.Part { return chat.Part{Kind: chat.Text, Text: jsonedit.Plain(s)} }
	got, err := chat.Prompt([]chat.Message{{Parts: []chat.Part{text("Hello,"), text(" you")}}, {Parts: []chat.Part{text("again")}}})
	if err != nil || got != "Hello, you\n\nagain" {
		t.Errorf("%q %v", got, err)
	}
	_, err = chat.Prompt([]chat.Message{{Parts: []chat.Part{text("see"), {Kind: chat.Image}}}})
	if refused, ok := errors.AsType[*chat.RequestError](err); !ok || refused.Field != chat.PartField(0, 1) {
		t.Errorf("%v", err)
	}
}
