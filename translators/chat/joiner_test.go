package chat

import (
	"reflect"
	"testing"
)

func TestConsecutiveTextsAreJoined(t *testing.T) {
	var j Joiner
	j.Join(Part{Kind: Text, Text: "a"})
	j.Join(Part{Kind: Text, Text: "b"})
	j.Join(Part{Kind: Thinking, Text: "c", Signature: "1"})
	j.Join(Part{Kind: Thinking, Signature: "2"})
	j.Add(Part{Kind: ToolCall, Name: "f"})
	j.Add(Part{Kind: ToolCall, Name: "g"})
	j.Join(Part{Kind: Text})
	j.Join(Part{Kind: Text, Text: "d"})
	j.Join(Part{Kind: Text, Text: "e"})
	want := []Part{{Kind: Text, Text: "ab"}, {Kind: Thinking, Text: "c", Signature: "2"}, {Kind: ToolCall, Name: "f"}, {Kind: ToolCall, Name: "g"}, {Kind: Text, Text: "de"}}
	if got := j.Parts(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
