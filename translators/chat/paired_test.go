package chat_test

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/jsonedit"
)

// answer is the result of a call, with words.
func answer(id string) chat.Part {
	return chat.Part{Kind: chat.ToolResult, ID: id, Name: "f", Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain(id + "!")}}}
}

// pairs tells messages in words: calls as x, results as -x with what they say, failed
// ones as -x?, and each message that is not the model's own by its role.
func pairs(msgs []chat.Message) string {
	var told []string
	for _, m := range msgs {
		word := ""
		if m.Role != chat.Assistant {
			word = string(m.Role)[:1] + ":"
		}
		for _, p := range m.Parts {
			switch {
			case p.Kind == chat.ToolResult && p.IsError:
				word += "-" + p.ID + "?"
			case p.Kind == chat.ToolResult:
				word += "-" + p.ID
			default:
				word += p.Text.String() + p.ID
			}
		}
		told = append(told, word)
	}
	return strings.Join(told, " ")
}

func TestEachCallHasOneResultDirectlyBehindIt(t *testing.T) {
	both := chat.Message{Role: chat.User, Parts: []chat.Part{answer("y"), answer("x"), {Kind: chat.Text, Text: jsonedit.Plain("b")}}}
	orphan := chat.Message{Role: chat.ToolRole, Parts: []chat.Part{answer("q")}}
	for name, c := range map[string]struct {
		msgs []chat.Message
		want string
	}{
		"in place":                   {[]chat.Message{text(chat.User, "a"), calls("x", "y"), result("x"), result("y"), text(chat.User, "b")}, "u:a xy t:-x t:-y u:b"},
		"in another order":           {[]chat.Message{text(chat.User, "a"), calls("x", "y"), result("y"), result("x")}, "u:a xy t:-x t:-y"},
		"all in the user's turn":     {[]chat.Message{calls("x", "y"), both}, "xy t:-x t:-y u:b"},
		"the user before":            {[]chat.Message{calls("x"), text(chat.User, "wait"), result("x"), calls("z"), result("z")}, "x t:-x u:wait z t:-z"},
		"the user between":           {[]chat.Message{calls("x", "y"), result("x"), text(chat.User, "wait"), result("y")}, "xy t:-x t:-y u:wait"},
		"an id again":                {[]chat.Message{calls("x"), result("x"), calls("x"), text(chat.User, "wait"), result("x")}, "x t:-x x t:-x u:wait"},
		"a result without a call":    {[]chat.Message{text(chat.User, "a"), orphan, calls("x"), text(chat.User, "b"), result("x")}, "u:a u:Result of f:q! x t:-x u:b"},
		"an empty one":               {[]chat.Message{text(chat.User, "a"), result("q")}, "u:a"},
		"a second result":            {[]chat.Message{calls("x"), result("x"), {Role: chat.ToolRole, Parts: []chat.Part{answer("x")}}}, "x t:-x u:Result of f:x!"},
		"a call without a result":    {[]chat.Message{calls("x"), text(chat.User, "b")}, "x t:-x? u:b"},
		"one of two":                 {[]chat.Message{calls("x", "y"), result("y"), text(chat.User, "b")}, "xy t:-x? t:-y u:b"},
		"the last one":               {[]chat.Message{text(chat.User, "a"), calls("x")}, "u:a x t:-x?"},
		"a result before its call":   {[]chat.Message{orphan, calls("q")}, "u:Result of f:q! q t:-q?"},
		"calls in messages by turns": {[]chat.Message{calls("x"), calls("y"), result("x"), result("y")}, "x t:-x y t:-y"},
	} {
		req := &chat.Request{Messages: c.msgs}
		before := pairs(c.msgs)
		got := req.Paired()
		if told := pairs(got.Messages); told != c.want {
			t.Errorf("%s: got %s, want %s", name, told, c.want)
		}
		if pairs(req.Messages) != before {
			t.Errorf("%s: the request itself has changed", name)
		}
		if again := got.Paired(); again != got {
			t.Errorf("%s: what is paired is paired again", name)
		}
	}
}

func TestPairingTakesLinearTime(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	growth.Linear(t, "calls with results between words", func(n int) func() {
		var msgs []chat.Message
		for range n {
			msgs = append(msgs, calls("x", "y"), text(chat.User, "wait"), result("x"))
		}
		req := &chat.Request{Messages: msgs}
		return func() { req.Paired() }
	})
}
