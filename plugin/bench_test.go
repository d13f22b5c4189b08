package plugin

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/server"
	"go-ai-proxy/plugin/wire"
)

// canned is an Upstream that answers without a network.
type canned struct {
	contentType string
	body        string
}

func (c *canned) Do(_ context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	return &wire.Answer{Status: 200, Header: http.Header{"Content-Type": {c.contentType}}, Body: io.NopCloser(strings.NewReader(c.body)), Peer: "127.0.0.1:443"}, nil
}

// nowhere is a Sink that takes everything.
type nowhere struct{}

func (nowhere) Start(int, http.Header, int64) error { return nil }
func (nowhere) Write([]byte) error                  { return nil }
func (nowhere) Flush() error                        { return nil }
func (nowhere) Abort()                              {}

func inbound(body []byte) *wire.Inbound {
	return &wire.Inbound{Method: "POST", Path: "/chat", ContentLength: int64(len(body)), Body: bytes.NewReader(body), Header: http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"bench"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip"}}}
}

// served is a request through the relay, but for HTTP.
func served(tb testing.TB, conf string, up *canned, body []byte) func() {
	server.TuneCollector()
	r := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	r.upstream = up
	inst, err := r.NewInstance([]byte(strings.ReplaceAll(conf, "$UP", "http://127.0.0.1:1")))
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		rec := r.Serve(context.Background(), inst, inbound(body), nowhere{}, nil)
		if rec.Outcome() != record.Completed {
			tb.Fatal(rec.Outcome(), rec.Data().Message)
		}
	}
}

func prompt(n int) []byte {
	return []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat("word ", n/5) + `"}]}`)
}

var (
	wholeAnswer    = &canned{"application/json", answerJSON}
	streamedAnswer = func() *canned {
		var b strings.Builder
		for range 100 {
			b.WriteString("data: " + chunk("hello") + "\n\n")
		}
		b.WriteString("data: " + finishChunk + "\n\ndata: " + usageChunk + "\n\ndata: [DONE]\n\n")
		return &canned{"text/event-stream", b.String()}
	}()
)

func streamPrompt(n int) []byte {
	return append(bytes.TrimSuffix(prompt(n), []byte("}")), `,"stream":true}`...)
}

// TestRelayAllocatesWithinItsBounds holds the relay's own allocations. Those of a request do
// not depend on the size of its prompt, nor those of a stream on its events.
func TestRelayAllocatesWithinItsBounds(t *testing.T) {
	for _, c := range []struct {
		name    string
		up      *canned
		body    []byte
		ceiling float64
	}{
		{"1 KB", wholeAnswer, prompt(1 << 10), 75},
		{"100 KB", wholeAnswer, prompt(100 << 10), 75},
		{"100 events", streamedAnswer, streamPrompt(1 << 10), 80},
	} {
		once := served(t, chatConf, c.up, c.body)
		once()
		if got := testing.AllocsPerRun(50, once); got > c.ceiling {
			t.Errorf("%s: %v allocations, the ceiling is %v", c.name, got, c.ceiling)
		} else {
			t.Logf("%s: %v allocations", c.name, got)
		}
	}
}

func BenchmarkRelay(b *testing.B) {
	for _, c := range []struct {
		name string
		up   *canned
		body []byte
	}{
		{"1KB", wholeAnswer, prompt(1 << 10)},
		{"100KB", wholeAnswer, prompt(100 << 10)},
		{"100events", streamedAnswer, streamPrompt(1 << 10)},
	} {
		b.Run(c.name, func(b *testing.B) {
			once := served(b, chatConf, c.up, c.body)
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	r := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	r.upstream = wholeAnswer
	inst, _ := r.NewInstance([]byte(strings.ReplaceAll(chatConf, "$UP", "http://127.0.0.1:1")))
	rec := r.Serve(context.Background(), inst, inbound(prompt(1000)), nowhere{}, nil)
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		rec.Append(buf[:0])
	}
}
