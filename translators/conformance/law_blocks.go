package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// The law of blocks: however a provider mixes the pieces of an answer – the arguments of
// several calls in turns, text or thought between a call and its arguments, several calls
// with one index – a client of another format gets well-formed blocks, with the same
// text, thought and calls.

// blockKeys say which block an event's data is a piece of, for the formats that can mix
// them; "" for none.
var blockKeys = map[provider.Format]func(object) string{
	provider.OpenAIChat: func(o object) string {
		choices := o.list("choices")
		if len(choices) == 0 {
			return ""
		}
		delta := choices[0].in("delta")
		if calls := delta.list("tool_calls"); len(calls) > 0 {
			return fmt.Sprint("call ", calls[0].number("index"))
		}
		for _, name := range []string{"content", "reasoning_content"} {
			if delta.text(name) != "" {
				return name
			}
		}
		return ""
	},
	provider.OpenAIResponses:   func(o object) string { return numbered(o, "output_index") },
	provider.AnthropicMessages: func(o object) string { return numbered(o, "index") },
	provider.BedrockConverse:   func(o object) string { return numbered(o, "contentBlockIndex") },
	provider.CohereChatV2: func(o object) string {
		kind, _, _ := strings.Cut(o.text("type"), "-")
		if kind == "message" {
			return ""
		}
		return kind + numbered(o, "index")
	},
}

func numbered(o object, member string) string {
	if o[member] == nil {
		return ""
	}
	return " " + string(o[member])
}

// orders are the orders in which pieces of several blocks may come. Each block's own stay
// in their order, and the blocks begin in theirs.
var orders = map[string]func(blocks [][][]byte) [][]byte{
	"in turns": func(blocks [][][]byte) (mixed [][]byte) {
		for i := 0; slices.ContainsFunc(blocks, func(b [][]byte) bool { return i < len(b) }); i++ {
			for _, b := range blocks {
				if i < len(b) {
					mixed = append(mixed, b[i])
				}
			}
		}
		return mixed
	},
	"the last first": func(blocks [][][]byte) (mixed [][]byte) {
		for _, b := range blocks {
			mixed = append(mixed, b[0])
		}
		for _, b := range slices.Backward(blocks) {
			mixed = append(mixed, b[1:]...)
		}
		return mixed
	},
	"at random": func(blocks [][][]byte) (mixed [][]byte) {
		random, left := rand.New(rand.NewPCG(1, 2)), slices.Clone(blocks)
		for i := range left {
			mixed, left[i] = append(mixed, left[i][0]), left[i][1:]
		}
		for len(left) > 0 {
			i := random.IntN(len(left))
			if len(left[i]) == 0 {
				left = slices.Delete(left, i, i+1)
				continue
			}
			mixed, left[i] = append(mixed, left[i][0]), left[i][1:]
		}
		return mixed
	},
}

func checkBlocks(t *testing.T, p *pair) {
	u, err := p.ask(t, p.body(p.client.says("Look at both cities."), !p.op.NoStream), !p.op.NoStream)
	if err != nil || u.same || p.op.NoStream || p.lacks(Calls) {
		return // it calls nothing, or what it says is forwarded as it is
	}
	key := blockKeys[u.op.Format]
	if key == nil {
		return // its events are whole blocks, or it has one at a time
	}
	s := p.first(firstThought, "lawAbc12")
	contentType, events := u.mock.Stream(s, u.upstream)
	want := u.streamed(t, contentType, events)
	if u.op.Parts != "" {
		return // frames that hold parts of events; what is in them is OpenAI's
	}
	before, blocks, after := u.blocks(t, contentType, events, key)
	if len(blocks) < 3 {
		t.Fatalf("there are %d blocks to mix", len(blocks))
	}
	for name, mix := range orders {
		t.Run(name, func(t *testing.T) {
			sameSaid(t, u.streamed(t, contentType, slices.Concat(before, mix(blocks), after)), want)
		})
	}
	if u.op.Format == provider.OpenAIChat {
		t.Run("with one index", func(t *testing.T) {
			var same [][]byte
			for _, ev := range events {
				same = append(same, bytes.ReplaceAll(ev, []byte(`"tool_calls":[{"index":1`), []byte(`"tool_calls":[{"index":0`)))
			}
			sameSaid(t, u.streamed(t, contentType, same), want)
		})
	}
}

// blocks takes a stream apart: what comes before the first block, the pieces of each
// block, and what comes after the last.
func (u *turn) blocks(t *testing.T, contentType string, events [][]byte, key func(object) string) (before [][]byte, blocks [][][]byte, after [][]byte) {
	t.Helper()
	at := map[string]int{}
	for _, raw := range events {
		k := ""
		for _, ev := range Events(t, Kind(t, contentType), raw) {
			var o object
			if json.Unmarshal(ev.Data, &o) == nil {
				k = key(o)
			}
		}
		i, known := at[k]
		switch {
		case k == "" && len(blocks) == 0:
			before = append(before, raw)
		case k == "":
			after = append(after, raw)
		case known:
			blocks[i] = append(blocks[i], raw)
		default:
			at[k] = len(blocks)
			blocks = append(blocks, [][]byte{raw})
		}
	}
	return before, blocks, after
}

// sameSaid compares answers whose blocks may be in another order.
func sameSaid(t *testing.T, got, want *told) {
	t.Helper()
	equal(t, "text", got.text(chat.Text), want.text(chat.Text))
	equal(t, "thought", got.text(chat.Thinking), want.text(chat.Thinking))
	equal(t, "finish", got.finish, want.finish)
	var calls [2][]string
	for i, a := range []*told{got, want} {
		for _, c := range a.of(chat.ToolCall) {
			calls[i] = append(calls[i], c.name+" "+c.arguments)
		}
		slices.Sort(calls[i])
	}
	if !slices.Equal(calls[0], calls[1]) {
		t.Errorf("calls: got %q, want %q", calls[0], calls[1])
	}
}
