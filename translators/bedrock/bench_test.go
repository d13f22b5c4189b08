package bedrock

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
)

func BenchmarkRequest(b *testing.B) {
	for _, model := range []string{sonnet, llama} {
		for _, size := range []int{1 << 10, 100 << 10} {
			b.Run(fmt.Sprintf("%s/%dKB", model, size>>10), func(b *testing.B) {
				req, to := conformance.Conversation(b, size), chatTarget(model)
				dst, err := Converse.AppendRequest(nil, to, req)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(dst)))
				b.ReportAllocs()
				for b.Loop() {
					if dst, err = Converse.AppendRequest(dst[:0], to, req); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDialectRequest(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			body, err := Converse.AppendRequest(nil, chatTarget(llama), conformance.Conversation(b, size))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chat.ParseRequest(Dialect, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// longStream are the events of an answer of text, and of a call.
func longStream(tb testing.TB) []frame.Event {
	tb.Helper()
	s := *mock.Named("long_arguments")
	s.Pieces = 20
	s.Answer.Choices = []chat.Choice{{Finish: chat.ToolCalls, Parts: []chat.Part{
		{Kind: chat.Text, Text: jsonedit.Plain(strings.Repeat("Once upon a time. ", 500))}, s.Answer.Choices[0].Parts[0]}}}
	_, frames := mock.ByName("bedrock/converse").Stream(&s, nil)
	return conformance.Events(tb, frame.EventStream, bytes.Join(frames, nil))
}

func BenchmarkStream(b *testing.B) {
	events := longStream(b)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		from, to := Converse.NewStream(chatTarget(sonnet)), openai.Chat.NewEncoder(answerMeta)
		for _, e := range events {
			deltas, err := from.Next(e)
			if err != nil {
				b.Fatal(err)
			}
			dst = dst[:0]
			for i := range deltas {
				dst = to.Append(dst, &deltas[i])
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}

// A message costs what its turn and its pairing need, however long its text is.
func TestRequestAllocatesPerTurnAndNotPerByte(t *testing.T) {
	req := conformance.Conversation(t, 100<<10)
	for _, model := range []string{sonnet, llama} {
		to := chatTarget(model)
		dst, err := Converse.AppendRequest(nil, to, req)
		if err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(10, func() { dst, _ = Converse.AppendRequest(dst[:0], to, req) })
		if ceiling := float64(2*len(req.Messages) + 80); n > ceiling {
			t.Errorf("%s: %.0f allocations for %d messages, want at most %.0f", model, n, len(req.Messages), ceiling)
		}
	}
}

// An event costs nothing once a stream is warm: not to be read, not to be
// written for a client of Bedrock, and not to be metered.
func TestEventsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, too")
	}
	events := longStream(t)
	dst := make([]byte, 0, 16<<10)
	per := func(f func()) float64 { return testing.AllocsPerRun(10, f) / float64(len(events)) }
	if n := per(func() {
		from, to := Converse.NewStream(chatTarget(sonnet)), Dialect.NewEncoder(answerMeta)
		for _, e := range events {
			deltas, err := from.Next(e)
			if err != nil {
				t.Fatal(err)
			}
			dst = dst[:0]
			for i := range deltas {
				dst = to.Append(dst, &deltas[i])
			}
		}
	}); n > 0.1 {
		t.Errorf("translated: %.2f allocations per event", n)
	}
	if n := per(func() {
		var seen chat.Seen
		for _, e := range events {
			Meter.Event(e, &seen)
		}
	}); n > 0.1 {
		t.Errorf("metered: %.2f allocations per event", n)
	}
}
