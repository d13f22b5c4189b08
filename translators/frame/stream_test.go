package frame

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/translators/conformance/workload"
)

// headersOf makes the first n bytes of a frame's payload its headers.
func headersOf(frame []byte, n int) []byte {
	binary.BigEndian.PutUint32(frame[4:], uint32(n))
	binary.BigEndian.PutUint32(frame[8:], crc32.ChecksumIEEE(frame[:8]))
	body := frame[:len(frame)-trailerLen]
	binary.BigEndian.PutUint32(frame[len(body):], crc32.ChecksumIEEE(body))
	return frame
}

// goldens are streams as providers send them: testdata/NAME is the stream,
// testdata/NAME.json its events, [type, data] each.
var goldens = map[string]Kind{
	"anthropic.sse": SSE,
	"openai.sse":    SSE,
	"crlf.sse":      SSE,
	"ollama.ndjson": Lines,
	"gemini.json":   Array,
	"bedrock.bin":   EventStream,
}

func TestGoldens(t *testing.T) {
	for name, kind := range goldens {
		in, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		check := func(how string, r io.Reader) {
			events, err := read(kind, r, 0)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := strings.Builder{}
			raw := strings.Builder{}
			for _, ev := range events {
				raw.WriteString(ev.Raw)
				if !ev.NoData {
					pair, _ := json.Marshal([]string{ev.Type, ev.Data})
					got.Write(append(pair, '\n'))
				}
			}
			if got.String() != string(want) {
				t.Errorf("%s %s:\n%s", name, how, got.String())
			}
			if raw.String() != string(in) {
				t.Errorf("%s %s: Raw is not the stream", name, how)
			}
		}
		check("whole", bytes.NewReader(in))
		check("byte by byte", iotest.OneByteReader(bytes.NewReader(in)))
		for i := range in {
			check(fmt.Sprintf("cut at %d", i), &pieces{in[:i], in[i:]})
		}
	}
}

// The streams of Kong's own parser tests, where the specification is at hand.
const kongFixtures = "../../../shared/spec/data/kong-oss-fixtures"

func kongFile(t *testing.T, names ...string) []byte {
	t.Helper()
	var all []byte
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(kongFixtures, filepath.FromSlash(name)))
		if err != nil {
			t.Skip("the specification's fixtures are not here")
		}
		all = append(all, b...)
	}
	return all
}

func TestKongsStreams(t *testing.T) {
	const dir = "unit/streaming-chunk-formats/"
	for _, c := range []struct {
		kind Kind
		name string
	}{{SSE, "text-event-stream"}, {Array, "complete-json"}, {Lines, "complete-json"}, {EventStream, "aws"}, {Array, "partial-json-beginning"}, {Array, "partial-json-end"}} {
		in := kongFile(t, dir+c.name+"/input.bin")
		var want []struct{ Data string }
		if err := json.Unmarshal(kongFile(t, dir+c.name+"/expected-output.json"), &want); err != nil {
			t.Fatal(err)
		}
		var skip int // events that are ours
		switch c.name {
		case "partial-json-end": // a later part of an array, with the comma before it
			in = append([]byte("[0"), in...)
			skip = 1
			want = want[:len(want)-1] // Kong's parser makes the bracket a [DONE]
		case "text-event-stream": // its last event has no end; Kong's parser waits for it
			in = bytes.TrimSuffix(in, []byte("data: [DONE]"))
		}
		events, _ := read(c.kind, bytes.NewReader(in), 0) // some are cut on purpose
		var got []string
		for _, ev := range events {
			if !ev.NoData {
				got = append(got, ev.Data)
			}
		}
		got = got[min(len(got), skip):]
		if len(got) != len(want) {
			t.Errorf("%s as %v: %d events, want %d", c.name, c.kind, len(got), len(want))
			continue
		}
		for i, w := range want {
			if c.kind == EventStream { // Kong wraps a frame into an object
				var frame struct{ Body string }
				if err := json.Unmarshal([]byte(w.Data), &frame); err != nil {
					t.Fatal(err)
				}
				w.Data = frame.Body
			}
			if !sameJSON(got[i], w.Data) {
				t.Errorf("%s as %v, event %d:\n got %s\nwant %s", c.name, c.kind, i, got[i], w.Data)
			}
		}
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

func TestKongsSplitArrays(t *testing.T) {
	for _, dir := range []string{"unit/streaming-chunk-formats/partial-json-split/", "unit/streaming-chunk-formats/partial-json-split-three-parts/"} {
		p := pieces{kongFile(t, dir+"input-1.bin"), kongFile(t, dir+"input-2.bin")}
		if strings.Contains(dir, "three") {
			p = append(p, kongFile(t, dir+"input-3.bin"))
		}
		events, _ := read(Array, &p, 0)
		var text strings.Builder
		for _, ev := range events {
			var element struct {
				Candidates []struct {
					Content struct{ Parts []struct{ Text string } }
				}
			}
			if ev.NoData {
				continue
			}
			if err := json.Unmarshal([]byte(ev.Data), &element); err != nil {
				t.Fatalf("%s: %v", ev.Data, err)
			}
			text.WriteString(element.Candidates[0].Content.Parts[0].Text)
		}
		if want := string(kongFile(t, dir+"expected-output.bin")); strings.TrimSpace(text.String()) != strings.TrimSpace(want) {
			t.Errorf("%s: %q", dir, text.String())
		}
	}
}

func TestKongsBedrockChunks(t *testing.T) {
	var p pieces
	for i := range 3 {
		chunk, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(kongFile(t, fmt.Sprintf("bedrock/chunks/chunk-%d.txt", i+1)))))
		if err != nil {
			t.Fatal(err)
		}
		p = append(p, chunk)
	}
	events, err := read(EventStream, &p, 0)
	if err != nil || len(events) < 6 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	var input strings.Builder
	for _, ev := range events {
		var delta struct {
			Delta struct{ ToolUse struct{ Input string } }
		}
		if err := json.Unmarshal([]byte(ev.Data), &delta); err != nil || ev.Type == "" {
			t.Errorf("%v: %v", ev, err)
		}
		input.WriteString(delta.Delta.ToolUse.Input)
	}
	if !json.Valid([]byte(input.String())) {
		t.Errorf("the tool's input is %q", input.String())
	}
}

// endless repeats one event for ever, size bytes a read.
type endless struct {
	event []byte
	size  int
	at    int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b[:min(len(b), e.size)], e.event[e.at:])
	e.at = (e.at + n) % len(e.event)
	return n, nil
}

func eventsOf(size int) map[Kind][]byte {
	text := strings.Repeat("x", size)
	return map[Kind][]byte{
		SSE:         []byte("event: delta\r\ndata: {\"text\":\"" + text + "\\n\"}\r\ndata: 2\r\n\r\n"),
		EventStream: []byte(frameOf(text, ":event-type", "contentBlockDelta", ":message-type", "event")),
		Lines:       []byte("{\"text\":\"" + text + "\\n\"}\n"),
		Array:       []byte("{\"text\":\"" + text + "\\n\"}"),
	}
}

func TestWarmReaderDoesNotAllocate(t *testing.T) {
	for _, size := range []int{100, 10 << 10} {
		for kind, event := range eventsOf(size) {
			for _, chunk := range []int{33, 1 << 20} {
				r := New(kind, &endless{event: event, size: chunk}, 0)
				next := func() {
					if _, err := r.Next(); err != nil {
						t.Fatal(err)
					}
					r.Buffered()
				}
				for range 20 {
					next()
				}
				if n := testing.AllocsPerRun(100, next); n > 0 {
					t.Errorf("%v, events of %d bytes in chunks of %d: %v allocations an event", kind, size, chunk, n)
				}
			}
		}
	}
}

func TestIdleReaderReleasesTheMemoryOfLargeEvents(t *testing.T) {
	for kind, large := range eventsOf(1 << 20) {
		small := eventsOf(10)[kind]
		rest := iotest.ErrReader(io.ErrClosedPipe)
		r := New(kind, io.MultiReader(bytes.NewReader(large), bytes.NewReader(small), rest), 0).(*reader)
		for {
			if _, err := r.Next(); err == io.ErrClosedPipe {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		held := len(r.buf)
		if s, ok := r.cutter.(*sse); ok {
			held += cap(s.joined)
		}
		if held > 2*keepBuffer {
			t.Errorf("%v: %d bytes held", kind, held)
		}
	}
}

// fuzz holds the split law for any input: whole, byte by byte, and in chunks
// of the sizes that cuts gives. Where the stream is good, Raw is the stream.
func fuzz(f *testing.F, kind Kind) {
	for _, s := range streams() {
		if s.kind == kind {
			f.Add([]byte(s.in), []byte{3, 1, 7})
		}
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte) {
		defer workload.Linear(t, len(in)+len(cuts))()
		for _, limit := range []int{0, 64} {
			want, wantErr := read(kind, bytes.NewReader(in), limit)
			var p pieces
			rest := in
			for _, n := range cuts {
				n := min(int(n), len(rest))
				p, rest = append(p, rest[:n]), rest[n:]
			}
			p = append(p, rest)
			for how, r := range map[string]io.Reader{"byte by byte": iotest.OneByteReader(bytes.NewReader(in)), "cut": &p} {
				if differs := compare(kind, r, limit, want, wantErr); differs != "" {
					t.Fatalf("%q %s: %s", in, how, differs)
				}
			}
			var raw strings.Builder
			raw.Grow(len(in))
			for _, ev := range want {
				raw.WriteString(ev.Raw)
			}
			if wantErr == nil && raw.String() != string(in) || !strings.HasPrefix(string(in), raw.String()) {
				t.Fatalf("%q: raw is %q", in, raw.String())
			}
		}
	})
}

// compare returns where the events of r are not want, "" if nowhere. It keeps none of them,
// as their sum is not linear work of the package.
func compare(kind Kind, r io.Reader, limit int, want []got, wantErr error) string {
	reader := New(kind, r, limit)
	for i := 0; ; i++ {
		ev, err := reader.Next()
		switch {
		case err != nil:
			if err == io.EOF {
				err = nil
			}
			if i != len(want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				return fmt.Sprintf("%d events, then %v, want %d and %v", i, err, len(want), wantErr)
			}
			return ""
		case i == len(want):
			return fmt.Sprintf("more events than %d", i)
		}
		reader.Buffered() // must leave ev alone
		if w := &want[i]; string(ev.Type) != w.Type || string(ev.Data) != w.Data || string(ev.Raw) != w.Raw || (ev.Data == nil) != w.NoData || ev.Exception != w.Exception {
			return fmt.Sprintf("event %d is %q, want %q", i, ev.Raw, w.Raw)
		}
	}
}

func FuzzSSE(f *testing.F)         { fuzz(f, SSE) }
func FuzzEventStream(f *testing.F) { fuzz(f, EventStream) }
func FuzzLines(f *testing.F)       { fuzz(f, Lines) }
func FuzzArray(f *testing.F)       { fuzz(f, Array) }

func BenchmarkNext(b *testing.B) {
	for kind, event := range eventsOf(200) {
		b.Run(kind.String(), func(b *testing.B) {
			r := New(kind, &endless{event: bytes.Repeat(event, 40), size: 4096}, 0)
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
