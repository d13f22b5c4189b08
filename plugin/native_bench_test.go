package plugin

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/frame"
)

// streamCase is a streamed exchange whose answer has n pieces of content.
type streamCase struct {
	name, format, provider, model, path, query, body string
	contentType                                      string
	answer                                           func(n int) []byte
}

func anthropicAnswer(n int) []byte {
	delta := claudeSSE(claudeEvents[2:3])
	return []byte(claudeSSE(claudeEvents[:2]) + strings.Repeat(delta, n) + claudeSSE(claudeEvents[3:]))
}

func wrappedAnswer(n int) (b []byte) {
	for i, e := range claudeEvents {
		for range map[bool]int{true: n, false: 1}[i == 2] {
			b = chunkFrame(b, e)
		}
	}
	return b
}

func converseAnswer(n int) (b []byte) {
	add := func(event, payload string) {
		b = frame.AppendEventStream(b, []frame.Header{{Name: ":event-type", Value: event}, {Name: ":message-type", Value: "event"}}, []byte(payload))
	}
	add("messageStart", `{"role":"assistant"}`)
	for range n {
		add("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"hi there"}}`)
	}
	add("messageStop", `{"stopReason":"end_turn"}`)
	add("metadata", `{"usage":{"inputTokens":5,"outputTokens":6,"totalTokens":11}}`)
	return b
}

func arrayAnswer(n int) []byte {
	one := `{"candidates":[{"content":{"parts":[{"text":"hi there"}],"role":"model"}}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":6},"modelVersion":"g"}`
	return []byte("[" + strings.Repeat(one+"\n,\r\n", n) + `{"candidates":[{"finishReason":"STOP"}]}]`)
}

func chunksAnswer(n int) []byte {
	return []byte(strings.Repeat("data: "+chunk("hi there")+"\n\n", n) + "data: " + finishChunk + "\n\ndata: " + usageChunk + "\n\ndata: [DONE]\n\n")
}

const eventStreamType = "application/vnd.amazon.eventstream"

var streamCases = []streamCase{
	{"same/anthropic", "anthropic", "anthropic", "m", "/v1/messages", "", `{"messages":[1],"stream":true}`, "text/event-stream", anthropicAnswer},
	{"same/bedrock converse", "bedrock", "bedrock", "m", "/model/m/converse-stream", "", `{"messages":[1]}`, eventStreamType, converseAnswer},
	{"same/bedrock invoke", "bedrock", "bedrock", "m", "/model/m/invoke-with-response-stream", "", `{}`, eventStreamType, wrappedAnswer},
	{"same/gemini array", "gemini", "gemini", "m", "/models/m:streamGenerateContent", "", `{"contents":[1]}`, "application/json", arrayAnswer},
	{"unwrapped/anthropic from bedrock", "anthropic", "bedrock", claudeOnBedrock, "/v1/messages", "", `{"messages":[1],"stream":true}`, eventStreamType, wrappedAnswer},
	{"translated/anthropic from openai", "anthropic", "openai", "m", "/v1/messages", "", `{"messages":[{"role":"user","content":"x"}],"stream":true}`, "text/event-stream", chunksAnswer},
	{"translated/bedrock from openai", "bedrock", "openai", "m", "/model/m/converse-stream", "", `{"messages":[{"role":"user","content":[{"text":"x"}]}]}`, "text/event-stream", chunksAnswer},
	{"translated/gemini from anthropic", "gemini", "anthropic", "m", "/models/m:streamGenerateContent", "alt=sse", `{"contents":[{"parts":[{"text":"x"}]}]}`, "text/event-stream", anthropicAnswer},
	{"translated/responses from bedrock", "openai", "bedrock", "m", "/v1/responses", "", `{"input":"x","stream":true}`, eventStreamType, converseAnswer},
}

// player serves a case's request again and again.
func (c *streamCase) player(t testing.TB, n int) (serve func() *record.Record, size int) {
	route := chatRoute
	if c.format == "openai" {
		route = "llm/v1/responses"
	}
	relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	t.Cleanup(relay.Close)
	answer := c.answer(n)
	relay.upstream = &canned{c.contentType, string(answer)}
	inst, err := relay.NewInstance([]byte(confOf(c.format, route, c.provider, c.model, "")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(inst.Close)
	body := []byte(c.body)
	return func() *record.Record {
		in := &wire.Inbound{Method: http.MethodPost, Path: c.path, RawQuery: c.query, Header: http.Header{"Content-Type": {"application/json"}},
			Body: bytes.NewReader(body), ContentLength: int64(len(body))}
		in.Kong.Path = c.path
		return relay.Serve(context.Background(), inst, in, nowhere{}, nil)
	}, len(answer)
}

func TestStreamedEventsAllocateLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const most = 0.1 // of buffers that grow
	for _, c := range streamCases {
		few, _ := c.player(t, 50)
		many, _ := c.player(t, 1050)
		if rec := many(); rec.Outcome() != record.Completed || rec.Data().Mode != record.Stream {
			t.Errorf("%s: %s %s", c.name, rec.Outcome(), rec.Data().Message)
			continue
		}
		perEvent := (testing.AllocsPerRun(10, func() { many() }) - testing.AllocsPerRun(10, func() { few() })) / 1000
		if perEvent > most {
			t.Errorf("%s: %.2f allocations per event, at most %v", c.name, perEvent, most)
		}
	}
}

// BenchmarkStream is a stream of 1000 pieces, beside a plain copy of the same
// bytes in the pieces in which a network brings them.
func BenchmarkStream(b *testing.B) {
	for _, c := range streamCases {
		b.Run(c.name, func(b *testing.B) {
			serve, size := c.player(b, 1000)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
		})
	}
	for _, c := range streamCases[:4] {
		b.Run(fmt.Sprintf("copied/%s", c.name), func(b *testing.B) {
			answer := c.answer(1000)
			b.SetBytes(int64(len(answer)))
			var sink nowhere
			buf := make([]byte, 32<<10)
			for b.Loop() {
				r := bytes.NewReader(answer)
				for {
					n, err := r.Read(buf)
					if n > 0 {
						_ = sink.Write(bytes.Clone(buf[:n]))
					}
					if err != nil {
						break
					}
				}
			}
		})
	}
}
