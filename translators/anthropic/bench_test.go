package anthropic

import (
	"fmt"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
)

// conversation is a chat of about size bytes with ten tools, calls and results.
func conversation(tb testing.TB, size int) *chat.Request {
	tb.Helper()
	var b strings.Builder
	b.WriteString(`{"messages":[{"role":"system","content":"Be brief."}`)
	for i := 0; b.Len() < size*3/4; i++ {
		fmt.Fprintf(&b, `,{"role":"user","content":"Question %d: \"%s\""},`+
			`{"role":"assistant","content":null,"tool_calls":[{"id":"call_%d","type":"function","function":{"name":"tool_1","arguments":"{\"path\":\"/a/b\",\"line\":%d}"}}]},`+
			`{"role":"tool","tool_call_id":"call_%d","content":"%s"},{"role":"assistant","content":"Answer."}`,
			i, strings.Repeat("word ", 20), i, i, i, strings.Repeat(`line of text\n`, 40))
	}
	b.WriteString(`,{"role":"user","content":"Go on."}],"tools":[`)
	for i := range 10 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"function","function":{"name":"tool_%d","description":%q,"parameters":{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}}}`,
			i, strings.Repeat("What it does. ", size/600))
	}
	b.WriteString(`]}`)
	req, err := openai.Chat.ParseRequest([]byte(b.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return req
}

func BenchmarkRequest(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			req := conversation(b, size)
			t := chatTarget(sonnet)
			dst, err := Messages.AppendRequest(nil, t, req)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				if dst, err = Messages.AppendRequest(dst[:0], t, req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A message costs what its turn and its pairing need, however long its text is.
func TestRequestAllocatesPerTurnAndNotPerByte(t *testing.T) {
	req := conversation(t, 100<<10)
	to := chatTarget(sonnet)
	dst, err := Messages.AppendRequest(nil, to, req)
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(10, func() { dst, _ = Messages.AppendRequest(dst[:0], to, req) })
	if ceiling := float64(2*len(req.Messages) + 30); n > ceiling {
		t.Errorf("%.0f allocations for %d messages, want at most %.0f", n, len(req.Messages), ceiling)
	}
}
