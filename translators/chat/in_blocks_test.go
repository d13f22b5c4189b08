package chat_test

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
)

// told writes deltas as words.
type told struct{}

func (told) Append(dst []byte, d *chat.Delta) []byte {
	names := map[chat.DeltaKind]string{chat.ToolStart: "+", chat.ToolArguments: "", chat.TextDelta: "say:", chat.ThinkingDelta: "think:", chat.Finish: "finish", chat.End: "end"}
	return append(append(append(append(dst, names[d.Kind]...), d.Name...), d.Text...), ' ')
}

func TestBlocksFollowEachOther(t *testing.T) {
	start := func(i int, name, args string) chat.Delta {
		return chat.Delta{Kind: chat.ToolStart, Index: i, Name: []byte(name), Text: []byte(args)}
	}
	args := func(i int, text string) chat.Delta {
		return chat.Delta{Kind: chat.ToolArguments, Index: i, Text: []byte(text)}
	}
	say := chat.Delta{Kind: chat.TextDelta, Text: []byte("x")}
	finish, end := chat.Delta{Kind: chat.Finish, Reason: chat.ToolCalls}, chat.Delta{Kind: chat.End}
	for name, c := range map[string]struct {
		deltas []chat.Delta
		want   string
	}{
		"in order":            {[]chat.Delta{say, start(0, "f", ""), args(0, `{"x":`), args(0, `"}"}`), start(1, "g", "{}"), say, finish, end}, `say:x +f {"x": "}"} +g{} say:x finish end`},
		"by turns":            {[]chat.Delta{start(0, "f", ""), start(1, "g", ""), args(0, `{"x":`), args(1, `{"y":2}`), args(0, "1}"), finish, end}, `+f {"x": 1} +g{"y":2} finish end`},
		"three by turns":      {[]chat.Delta{start(0, "f", ""), start(1, "g", ""), start(2, "h", ""), args(2, "{}"), args(1, "{"), args(0, "{}"), args(1, "}"), finish}, `+f {} +g{} +h{} finish`},
		"a text between":      {[]chat.Delta{start(0, "f", ""), say, args(0, "{}"), say, finish}, `+f {} say:x say:x finish`},
		"arguments that fail": {[]chat.Delta{start(0, "f", "{"), start(1, "g", "{}"), finish}, `+f{ +g{} finish`},
		"nothing after":       {[]chat.Delta{start(0, "f", "{"), say, end}, `+f{ say:x end`},
		"after its end":       {[]chat.Delta{start(0, "f", "{}"), say, args(0, "{}"), end}, `+f{} say:x end`},
	} {
		e := chat.InBlocks(told{})
		var got []byte
		for i := range c.deltas {
			d := c.deltas[i]
			d.Text = append([]byte(nil), d.Text...)
			got = e.Append(got, &d)
			for j := range d.Text { // a delta's bytes are valid only until the next
				d.Text[j] = '#'
			}
		}
		if strings.TrimSpace(string(got)) != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
