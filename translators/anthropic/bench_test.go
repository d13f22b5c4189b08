package anthropic

import (
	"fmt"
	"testing"

	"go-ai-proxy/translators/conformance"
)

func BenchmarkRequest(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			req := conformance.Conversation(b, size)
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
	req := conformance.Conversation(t, 100<<10)
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
