package frame_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/translators/conformance/growth"
	"go-ai-proxy/translators/frame"
)

// readAll reads a stream, and writes its events as server-sent ones.
func readAll(kind frame.Kind, stream []byte, bytewise bool) {
	var dst []byte
	r := frame.New(kind, bytes.NewReader(stream), 0)
	if bytewise {
		r = frame.New(kind, iotest.OneByteReader(bytes.NewReader(stream)), 0)
	}
	for {
		ev, err := r.Next()
		if err != nil {
			return
		}
		r.Buffered()
		dst = frame.AppendSSE(dst[:0], ev.Type, ev.Data)
	}
}

func TestStreamsAreSplitIntoEventsInLinearTime(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("times say nothing here")
	}
	frameOf := func(payload string) string {
		return string(frame.AppendEventStream(nil, []frame.Header{{Name: ":event-type", Value: "x"}}, []byte(payload)))
	}
	many := func(piece string) func(int) string { return func(n int) string { return strings.Repeat(piece, n) } }
	one := func(before, piece, after string) func(int) string {
		return func(n int) string { return before + strings.Repeat(piece, n) + after }
	}
	for _, c := range []struct {
		name string
		kind frame.Kind
		of   func(n int) string
	}{
		{"small events", frame.SSE, many("data: a\n\n")},
		{"events that end in CR", frame.SSE, many("data: a\r\r")},
		{"empty lines", frame.SSE, many("\n")},
		{"bare CRs", frame.SSE, many("\r")},
		{"one event of many lines", frame.SSE, many("data: a\n")},
		{"one event of many lines with CR", frame.SSE, many("data: a\r")},
		{"one event of many lines with CRLF", frame.SSE, many("data: a\r\n")},
		{"one event of many comments", frame.SSE, many(": a\n")},
		{"one long line", frame.SSE, one("data: ", "aaaaaaaaaaaaaaaa", "\n\n")},
		{"colons", frame.SSE, one("data: ", ":::::::", "\n\n")},
		{"no end", frame.SSE, many("aaaaaaaaaaaaaaaa")},
		{"elements", frame.Array, one("[", `{"a":"b"},`, "1]")},
		{"values", frame.Array, many(`{"a":"b"}`)},
		{"white space", frame.Array, many(" \t\r\n")},
		{"escapes", frame.Array, one(`"`, `\\\"a\"`, `"`)},
		{"a string without end", frame.Array, one(`["`, `\\\"a\"`, ``)},
		{"brackets", frame.Array, many(`[[{"a":`)},
		{"a long number", frame.Array, many(`1111111111`)},
		{"lines", frame.Lines, many("{\"a\":1}\n")},
		{"a line of carriage returns", frame.Lines, one("{", "\r\r\r\r", "}\n")},
		{"frames", frame.EventStream, many(frameOf("{}"))},
		{"one large frame", frame.EventStream, func(n int) string { return frameOf(strings.Repeat("\raaaaaaa", n)) }},
	} {
		for _, bytewise := range []bool{false, true} {
			growth.Linear(t, c.name, func(n int) func() {
				if !bytewise { // which takes long
					n *= 25
				}
				stream := []byte(c.of(n))
				return func() { readAll(c.kind, stream, bytewise) }
			})
		}
	}
}

func TestPartsAreReadInLinearTime(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("times say nothing here")
	}
	part := frame.AppendEventStream(nil, []frame.Header{{Name: ":event-type", Value: "PayloadPart"}}, []byte("data: a\n\n"))
	growth.Linear(t, "parts", func(n int) func() {
		stream := bytes.Repeat(part, n*25)
		return func() {
			if _, err := io.Copy(io.Discard, frame.Parts(bytes.NewReader(stream))); err != nil {
				t.Error(err)
			}
		}
	})
}
