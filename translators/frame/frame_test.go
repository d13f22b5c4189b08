package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// got is an event as a test compares it.
type got struct {
	Type, Data, Raw string
	NoData          bool
	Exception       bool
}

func (g got) String() string {
	if g.NoData {
		return fmt.Sprintf("no data, raw %q", g.Raw)
	}
	return fmt.Sprintf("type %q data %q raw %q exception %v", g.Type, g.Data, g.Raw, g.Exception)
}

// read reads all events; the error is nil for io.EOF.
func read(kind Kind, r io.Reader, limit int) ([]got, error) {
	reader := New(kind, r, limit)
	var events []got
	for {
		ev, err := reader.Next()
		if err != nil {
			if _, again := reader.Next(); again != err {
				return events, fmt.Errorf("the error %q is not final, then came %v", err, again)
			}
			if err == io.EOF {
				err = nil
			}
			return events, err
		}
		reader.Buffered() // must leave ev alone
		events = append(events, got{string(ev.Type), string(ev.Data), string(ev.Raw), ev.Data == nil, ev.Exception})
	}
}

// pieces gives one piece a Read.
type pieces [][]byte

func (p *pieces) Read(b []byte) (int, error) {
	for len(*p) > 0 && len((*p)[0]) == 0 {
		*p = (*p)[1:]
	}
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	(*p)[0] = (*p)[0][n:]
	return n, nil
}

type stream struct {
	name string
	kind Kind
	in   string
	want []got
	err  error // nil for an end without error
}

func event(data, raw string) got       { return got{Data: data, Raw: raw} }
func typed(kind, data, raw string) got { return got{Type: kind, Data: data, Raw: raw} }
func noEvent(raw string) got           { return got{Raw: raw, NoData: true} }
func frameOf(payload string, h ...string) string {
	var headers []Header
	for i := 0; i < len(h); i += 2 {
		headers = append(headers, Header{h[i], h[i+1]})
	}
	return string(AppendEventStream(nil, headers, []byte(payload)))
}

var (
	start     = frameOf(`{"role":"assistant"}`, ":event-type", "messageStart", ":content-type", "application/json", ":message-type", "event")
	throttled = frameOf(`{"message":"slow down"}`, ":exception-type", "throttlingException", ":message-type", "exception")
	failed    = frameOf("", ":message-type", "error", ":error-code", "InternalError", ":error-message", "it broke")
	bare      = frameOf("")
)

func streams() []stream {
	return []stream{
		{"empty", SSE, "", nil, nil},
		{"LF", SSE, "data: a\n\ndata: b\n\n", []got{event("a", "data: a\n\n"), event("b", "data: b\n\n")}, nil},
		{"CRLF", SSE, "data: a\r\n\r\ndata: b\r\n\r\n", []got{event("a", "data: a\r\n\r\n"), event("b", "data: b\r\n\r\n")}, nil},
		{"CR", SSE, "data: a\r\rdata: b\r\r", []got{event("a", "data: a\r\r"), event("b", "data: b\r\r")}, nil},
		{"CR, then the LF of the blank line", SSE, "data: a\r\r\ndata: b\n\n", []got{event("a", "data: a\r\r"), event("b", "\ndata: b\n\n")}, nil},
		{"LF, then a blank line of CRLF", SSE, "data: a\n\r\ndata: b\n\n", []got{event("a", "data: a\n\r"), event("b", "\ndata: b\n\n")}, nil},
		{"CRLF, then a blank line of CR", SSE, "data: a\r\n\rdata: b\r\n\r", []got{event("a", "data: a\r\n\r"), event("b", "data: b\r\n\r")}, nil},
		{"byte order mark", SSE, "\xef\xbb\xbfdata: a\n\n", []got{event("a", "\xef\xbb\xbfdata: a\n\n")}, nil},
		{"half a byte order mark", SSE, "\xef\xbbdata: a\n\n", []got{noEvent("\xef\xbbdata: a\n\n")}, nil},
		{"byte order mark later is no mark", SSE, "data: a\n\n\xef\xbb\xbfdata: b\n\n", []got{event("a", "data: a\n\n"), noEvent("\xef\xbb\xbfdata: b\n\n")}, nil},
		{"only a byte order mark", SSE, "\xef\xbb\xbf", []got{noEvent("\xef\xbb\xbf")}, nil},
		{"types", SSE, "event: message_start\ndata: {}\n\nevent:ping\ndata:{}\n\nevent: one\nevent: two\ndata: x\n\n", []got{
			typed("message_start", "{}", "event: message_start\ndata: {}\n\n"),
			typed("ping", "{}", "event:ping\ndata:{}\n\n"),
			typed("two", "x", "event: one\nevent: two\ndata: x\n\n")}, nil},
		{"type after data", SSE, "data: x\nevent: late\n\n", []got{typed("late", "x", "data: x\nevent: late\n\n")}, nil},
		{"type does not outlive its block", SSE, "event: a\n\ndata: x\n\n", []got{noEvent("event: a\n\n"), event("x", "data: x\n\n")}, nil},
		{"several data lines", SSE, "data: a\ndata:b\n: in between\ndata\ndata:  c\n\n", []got{event("a\nb\n\n c", "data: a\ndata:b\n: in between\ndata\ndata:  c\n\n")}, nil},
		{"empty data is an event", SSE, "data:\n\ndata\n\n", []got{event("", "data:\n\n"), event("", "data\n\n")}, nil},
		{"comments", SSE, ": OPENROUTER PROCESSING\n\n:\ndata: a\n\n", []got{noEvent(": OPENROUTER PROCESSING\n\n"), event("a", ":\ndata: a\n\n")}, nil},
		{"other fields", SSE, "id: 1\nretry: 3\nDATA: no\n data: no\ndata: yes\ndatas: no\n\n", []got{event("yes", "id: 1\nretry: 3\nDATA: no\n data: no\ndata: yes\ndatas: no\n\n")}, nil},
		{"blank lines", SSE, "\n\ndata: a\n\n\n", []got{noEvent("\n"), noEvent("\n"), event("a", "data: a\n\n"), noEvent("\n")}, nil},
		{"colon in data", SSE, "data: {\"a\":1}\n\n", []got{event(`{"a":1}`, "data: {\"a\":1}\n\n")}, nil},
		{"no final line end", SSE, "data: a\n\ndata: [DONE]", []got{event("a", "data: a\n\n"), event("[DONE]", "data: [DONE]")}, nil},
		{"no final blank line", SSE, "event: x\r\ndata: a\r\n", []got{typed("x", "a", "event: x\r\ndata: a\r\n")}, nil},
		{"ends in CR", SSE, "data: a\r\n\r", []got{event("a", "data: a\r\n\r")}, nil},
		{"ends in a comment", SSE, "data: a\n\n: bye", []got{event("a", "data: a\n\n"), noEvent(": bye")}, nil},

		{"frames", EventStream, start + throttled + failed + bare, []got{
			typed("messageStart", `{"role":"assistant"}`, start),
			{Type: "throttlingException", Data: `{"message":"slow down"}`, Raw: throttled, Exception: true},
			{Type: "InternalError", Data: "it broke", Raw: failed, Exception: true},
			event("", bare)}, nil},
		{"cut frame", EventStream, start + start[:len(start)-1], []got{typed("messageStart", `{"role":"assistant"}`, start)}, io.ErrUnexpectedEOF},
		{"cut prelude", EventStream, start[:11], nil, io.ErrUnexpectedEOF},
		{"no frames", EventStream, "", nil, nil},

		{"lines", Lines, "{\"a\":1}\n{\"a\":2}\r\n\n  \n {\"a\":3} \n[]", []got{
			event(`{"a":1}`, "{\"a\":1}\n"), event(`{"a":2}`, "{\"a\":2}\r\n"), noEvent("\n"), noEvent("  \n"),
			event(`{"a":3}`, " {\"a\":3} \n"), event(`[]`, "[]")}, nil},
		{"no lines", Lines, "\r\n", []got{noEvent("\r\n")}, nil},

		{"array", Array, "[{\"a\":[1,{}]}\n,\r\n{\"b\":\"]}\\\"\\\\\"},3 ,\"x\\\\\",true]\n", []got{
			event(`{"a":[1,{}]}`, `[{"a":[1,{}]}`), event(`{"b":"]}\"\\"}`, "\n,\r\n{\"b\":\"]}\\\"\\\\\"}"),
			event(`3`, `,3`), event(`"x\\"`, ` ,"x\\"`), event("true", ",true"), noEvent("]"), noEvent("\n")}, nil},
		{"nested array", Array, "[[1],[[2]]]", []got{event("[1]", "[[1]"), event("[[2]]", ",[[2]]"), noEvent("]")}, nil},
		{"empty array", Array, " [ ] ", []got{noEvent(" [ ]"), noEvent(" ")}, nil},
		{"values without space", Array, `{"a":"}"}{"b":2}"c"1`, []got{event(`{"a":"}"}`, `{"a":"}"}`), event(`{"b":2}`, `{"b":2}`), event(`"c"`, `"c"`), event("1", "1")}, nil},
		{"values by line", Array, "{\"a\":1}\r\n{\"a\":2}\n12\nnull", []got{
			event(`{"a":1}`, `{"a":1}`), noEvent("\r\n"), event(`{"a":2}`, `{"a":2}`), noEvent("\n"), event("12", "12"), noEvent("\n"), event("null", "null")}, nil},
		{"arrays by line", Array, "[1]\n[2]", []got{event("1", "[1"), noEvent("]"), noEvent("\n"), event("2", "[2"), noEvent("]")}, nil},
		{"array of escapes", Array, `["\"\\\"\"", "\\"]`, []got{event(`"\"\\\"\""`, `["\"\\\"\""`), event(`"\\"`, `, "\\"`), noEvent("]")}, nil},
		{"open array", Array, "[{}", []got{event("{}", "[{}")}, io.ErrUnexpectedEOF},
		{"open array after comma", Array, "[{}, ", []got{event("{}", "[{}")}, io.ErrUnexpectedEOF},
		{"cut string", Array, `["a\"`, nil, io.ErrUnexpectedEOF},
		{"cut object", Array, `{"a":{}`, nil, io.ErrUnexpectedEOF},
		{"number that may go on", Array, `[12`, nil, io.ErrUnexpectedEOF},
		{"a page instead", Array, "<html>", nil, &SyntaxError{0, "a stream of JSON values has '<' where a value must stand"}},
		{"starts with a comma", Array, " ,{}", nil, &SyntaxError{0, "a stream of JSON values has ',' where a value must stand"}},
		{"comma before bracket", Array, "[1,]", []got{event("1", "[1")}, &SyntaxError{2, "a stream of JSON values has ']' where a value must stand"}},
		{"no comma", Array, "[{} {}]", []got{event("{}", "[{}")}, &SyntaxError{3, "a stream of JSON values has '{' where a comma or the end of the array must stand"}},
		{"control byte", Array, "{}\x01", []got{event("{}", "{}")}, &SyntaxError{2, "a stream of JSON values has 0x01 where a value must stand"}},
	}
}

func (s *stream) check(t *testing.T, how string, r io.Reader) bool {
	t.Helper()
	events, err := read(s.kind, r, 0)
	if fmt.Sprint(events) != fmt.Sprint(s.want) || fmt.Sprint(err) != fmt.Sprint(s.err) {
		t.Errorf("%v %s, %s:\n got %v, %v\nwant %v, %v", s.kind, s.name, how, events, err, s.want, s.err)
		return false
	}
	return true
}

func TestEveryFramingIsSplitIntoEvents(t *testing.T) {
	for _, s := range streams() {
		s.check(t, "whole", strings.NewReader(s.in))
		s.check(t, "with the error beside the last bytes", iotest.DataErrReader(strings.NewReader(s.in)))
	}
}

func TestAStreamCutAnywhereGivesTheSameEvents(t *testing.T) {
	for _, s := range streams() {
		for i := range len(s.in) {
			if !s.check(t, fmt.Sprintf("cut at %d", i), &pieces{[]byte(s.in[:i]), []byte(s.in[i:])}) {
				break
			}
		}
		s.check(t, "byte by byte", iotest.OneByteReader(strings.NewReader(s.in)))
	}
}

// patient is a source that waits. Meanwhile other streams use the buffers.
type patient struct {
	io.Reader
	reader *reader
	held   int // of the largest buffer that the reader held while it waited
}

func (p *patient) Wait() {
	if p.reader != nil {
		p.held = max(p.held, len(p.reader.buf))
	}
	for range 3 {
		b := newBuffer(minBuffer)
		for i := range b {
			b[i] = '#'
		}
		defer buffers.Put((*[minBuffer]byte)(b))
	}
}

func TestWaitingStreamGivesTheSameEvents(t *testing.T) {
	for _, s := range streams() {
		for i := range len(s.in) {
			if !s.check(t, fmt.Sprintf("cut at %d", i), &patient{Reader: &pieces{[]byte(s.in[:i]), []byte(s.in[i:])}}) {
				break
			}
		}
		s.check(t, "byte by byte", &patient{Reader: iotest.OneByteReader(strings.NewReader(s.in))})
	}
}

func TestWaitingStreamHoldsNoBuffer(t *testing.T) {
	for _, s := range streams() {
		if len(s.want) == 0 {
			continue
		}
		var each pieces
		for _, ev := range s.want {
			each = append(each, []byte(ev.Raw))
		}
		p := &patient{Reader: &each}
		p.reader = New(s.kind, p, 0).(*reader)
		for {
			if _, err := p.reader.Next(); err != nil {
				break
			}
		}
		if p.held > 0 {
			t.Errorf("%v %s: %d bytes held", s.kind, s.name, p.held)
		}
		if p.reader.Release(); p.reader.buf != nil {
			t.Errorf("%v %s: held after the last call", s.kind, s.name)
		}
	}
}

func TestRawOfAllEventsMakesUpTheStream(t *testing.T) {
	for _, s := range streams() {
		if s.err != nil {
			continue
		}
		var raw strings.Builder
		events, _ := read(s.kind, iotest.OneByteReader(strings.NewReader(s.in)), 0)
		for _, ev := range events {
			raw.WriteString(ev.Raw)
		}
		if raw.String() != s.in {
			t.Errorf("%v %s: raw %q, stream %q", s.kind, s.name, raw.String(), s.in)
		}
	}
}

func TestAFailedReadIsReportedAfterTheWholeEventsAndWithoutTheRest(t *testing.T) {
	reset := errors.New("connection reset")
	for kind, in := range map[Kind]string{
		SSE:         "data: a\n\ndata: half",
		EventStream: start + start[:20],
		Lines:       "{}\n{\"half\":1}",
		Array:       "{}{\"half",
	} {
		events, err := read(kind, io.MultiReader(strings.NewReader(in), iotest.ErrReader(reset)), 0)
		if len(events) != 1 || err != reset {
			t.Errorf("%v: %v, %v", kind, events, err)
		}
	}
}

func TestBrokenFramesAreErrors(t *testing.T) {
	for i := range len(start) {
		broken := []byte(start + start)
		broken[len(start)+i] ^= 0x40
		events, err := read(EventStream, bytes.NewReader(broken), 0)
		var syntax *SyntaxError
		if len(events) != 1 || !errors.As(err, &syntax) || syntax.Offset != int64(len(start)) {
			t.Errorf("byte %d flipped: %d events, %v", i, len(events), err)
		}
	}
}

func TestEventAboveTheLimitIsAnErrorHoweverItIsCut(t *testing.T) {
	frame := frameOf(strings.Repeat("x", 100))
	for kind, s := range map[Kind][2]string{ // an event of 20 bytes, one of more
		SSE:         {"data: 0123456789ab\n\n", "data: 0123456789abc\n\n"},
		EventStream: {frameOf("abcd"), frame},
		Lines:       {"0123456789012345678\n", "01234567890123456789\n"},
		Array:       {`["0123456789abcdefg"`, `,"0123456789abcdefgh<"<`},
	} {
		in := s[0] + s[1]
		want, err := read(kind, strings.NewReader(in), 20)
		var large *TooLargeError
		if len(want) != 1 || len(want[0].Raw) != 20 || !errors.As(err, &large) || large.Limit != 20 {
			t.Fatalf("%v: %v, %v", kind, want, err)
		}
		for i := range len(in) {
			events, err := read(kind, &pieces{[]byte(in[:i]), []byte(in[i:])}, 20)
			if fmt.Sprint(events) != fmt.Sprint(want) || !errors.As(err, &large) {
				t.Errorf("%v cut at %d: %v, %v", kind, i, events, err)
			}
		}
	}
}

func TestBufferedSaysWhetherNextReads(t *testing.T) {
	for _, s := range streams() {
		for i := range len(s.in) + 1 {
			p := &pieces{[]byte(s.in[:i]), []byte(s.in[i:])}
			src := &counting{r: p}
			r := New(s.kind, src, 0)
			for {
				buffered, before := r.Buffered(), src.n
				if src.n != before {
					t.Fatalf("%s: Buffered reads", s.name)
				}
				_, err := r.Next()
				if buffered != (src.n == before) {
					t.Fatalf("%v %s cut at %d: Buffered says %v, Next read %d times", s.kind, s.name, i, buffered, src.n-before)
				}
				if err != nil {
					break
				}
			}
		}
	}
}

type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(b []byte) (int, error) { c.n++; return c.r.Read(b) }

func TestAnEventOfABareCRStreamIsNotHeldBack(t *testing.T) {
	r := New(SSE, &pieces{[]byte("data: a\r\r"), nil}, 0)
	src := r.(*reader)
	if _, err := r.Next(); err != nil || src.srcErr != nil {
		t.Fatalf("read on before the event was delivered: %v", err)
	}
}

func TestReaderThatReturnsNoBytesIsAnError(t *testing.T) {
	if _, err := New(SSE, idle{}, 0).Next(); err != io.ErrNoProgress {
		t.Fatal(err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestKindOfMapsContentTypesToFramings(t *testing.T) {
	for _, c := range []struct {
		in   string
		kind Kind
		ok   bool
	}{
		{"", Lines, true},
		{"text/event-stream", SSE, true},
		{"Text/Event-Stream;charset=utf-8", SSE, true},
		{"application/vnd.amazon.eventstream", EventStream, true},
		{"application/x-ndjson", Lines, true},
		{"application/stream+json; charset=utf-8", Lines, true},
		{"application/json; charset=UTF-8", Array, true},
		{"text/html", Lines, false},
		{"application/jsonx", Lines, false},
	} {
		if kind, ok := KindOf(c.in, Lines); kind != c.kind || ok != c.ok {
			t.Errorf("%q: %v, %v", c.in, kind, ok)
		}
	}
}
