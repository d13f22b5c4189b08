package chat

import (
	"testing"

	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/jsonedit"
)

func TestConsecutiveTextsAreJoined(t *testing.T) {
	var j Joiner
	j.Join(Part{Kind: Text, Text: jsonedit.Plain("a")})
	j.Join(Part{Kind: Text, Text: jsonedit.Plain("b")})
	j.Join(Part{Kind: Thinking, Text: jsonedit.Plain("c"), Signature: "1"})
	j.Join(Part{Kind: Thinking, Signature: "2"})
	j.Add(Part{Kind: ToolCall, Name: "f"})
	j.Add(Part{Kind: ToolCall, Name: "g"})
	j.Join(Part{Kind: Text})
	j.Join(Part{Kind: Text, Text: jsonedit.Plain("d")})
	j.Join(Part{Kind: Text, Text: jsonedit.Plain("e")})
	want := []Part{{Kind: Text, Text: jsonedit.Plain("ab")}, {Kind: Thinking, Text: jsonedit.Plain("c"), Signature: "2"}, {Kind: ToolCall, Name: "f"}, {Kind: ToolCall, Name: "g"}, {Kind: Text, Text: jsonedit.Plain("de")}}
	if got := j.Parts(); !chattest.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
