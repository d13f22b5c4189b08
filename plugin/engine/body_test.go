package engine

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestTheSizeOfAChunkIsHexadecimal(t *testing.T) {
	for line, want := range map[string]int64{
		"5": 5, "9": 9, "a": 10, "f": 15, "A": 10, "F": 15, "1aF": 0x1af, "05": 5, "5 ": 5, "5\t ": 5, "5;x=1": 5, "5 ;x": -1, "5;": 5,
		"0000000000000005": 5, "00000000000000005": -1, // 16 digits are what 64 bits have
		"": -1, ";x": -1, " 5": -1, "g": -1, "G": -1, "@": -1, "`": -1, "/": -1, ":": -1, "5x": -1, "5 x": -1, "-5": -1,
	} {
		b := &body{framing: chunked}
		err := b.size([]byte(line))
		if failed := want < 0; failed != errors.Is(err, errChunk) || !failed && (b.left != want || b.part != inData) {
			t.Errorf("%q: %d bytes, %v", line, b.left, err)
		}
	}
	b := &body{framing: chunked}
	if err := b.size([]byte("00")); err != nil || b.part != inTrailer || b.left != 4096 {
		t.Errorf("the last chunk: part %d, %d bytes, %v", b.part, b.left, err)
	}
}

// What is no body is counted: a line beyond 16 bytes, and less where the chunk
// is large.
func TestTheExcessOfChunksHasALimit(t *testing.T) {
	for _, c := range []struct {
		before int64
		line   string
		after  int64 // -1: too much
	}{
		{0, "1", 0}, {0, "1;" + strings.Repeat("x", 14), 0}, {0, "1;" + strings.Repeat("x", 15), 1},
		{100, "1;" + strings.Repeat("x", 15), 101}, {100, "14", 100 + 2 + 2 - 16 - 40}, {100, "1000", 0},
		{16383, "1;" + strings.Repeat("x", 15), 16384}, {16384, "1;" + strings.Repeat("x", 15), -1},
	} {
		b := &body{framing: chunked, excess: c.before}
		err := b.size([]byte(c.line))
		if failed := c.after < 0; failed != errors.Is(err, errExcess) || !failed && b.excess != c.after {
			t.Errorf("%.20q behind %d: %d, %v", c.line, c.before, b.excess, err)
		}
	}
}

func TestTheTrailerHasALimit(t *testing.T) {
	field := "X: 12345"
	for left, want := range map[int64]error{int64(len(field)): nil, int64(len(field)) + 1: nil, int64(len(field)) - 1: errTrailer} {
		b := &body{framing: chunked, part: inTrailer, left: left}
		if err := b.trailer([]byte(field)); err != want {
			t.Errorf("%d bytes left: %v", left, err)
		}
		if err := b.trailer(nil); err != io.EOF {
			t.Errorf("the end: %v", err)
		}
	}
}

// parted is a body whose bytes come in those pieces.
func parted(framing framing, left int64, pieces ...string) *body {
	return &body{framing: framing, left: left, src: newSource(read{Reader: &pieced{pieces}})}
}

// pieced gives a piece with each read.
type pieced struct{ pieces []string }

func (p *pieced) Read(b []byte) (int, error) {
	if len(p.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.pieces[0])
	if p.pieces[0] = p.pieces[0][n:]; p.pieces[0] == "" {
		p.pieces = p.pieces[1:]
	}
	return n, nil
}

// The end of a body comes with its last bytes when it is known by then, and
// nobody waits for bytes while there are some to return.
func TestABodyReturnsWhatHasComeAndItsEndWithIt(t *testing.T) {
	type result struct {
		text string
		err  error
	}
	for _, c := range []struct {
		name string
		body *body
		size int
		want []result
	}{
		{"empty", parted(empty, 0), 8, []result{{"", io.EOF}}},
		{"sized", parted(sized, 5, "he", "llo"), 8, []result{{"he", nil}, {"llo", io.EOF}, {"", io.EOF}}},
		{"sized, with more behind", parted(sized, 5, "hello, world"), 8, []result{{"hello", io.EOF}}},
		{"sized, cut", parted(sized, 5, "hell"), 8, []result{{"hell", nil}, {"", io.ErrUnexpectedEOF}, {"", io.ErrUnexpectedEOF}}},
		{"to the end", parted(closing, 0, "he", "llo"), 8, []result{{"he", nil}, {"llo", nil}, {"", io.EOF}}},
		{"chunks at once", parted(chunked, 0, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), 8, []result{{"hello", io.EOF}}},
		{"chunks without their end", parted(chunked, 0, "2\r\nhe\r\n3\r\nllo\r\n", "0\r\n\r\n"), 8, []result{{"hello", nil}, {"", io.EOF}}},
		{"a chunk in parts", parted(chunked, 0, "5\r\nhe", "llo\r", "\n0\r\n\r", "\n"), 8, []result{{"he", nil}, {"llo", nil}, {"", io.EOF}}},
		{"a small buffer", parted(chunked, 0, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), 3, []result{{"hel", nil}, {"lo", io.EOF}}},
		{"a buffer as large as the body", parted(chunked, 0, "5\r\nhello\r\n0\r\n\r\n"), 5, []result{{"hello", io.EOF}}},
		{"cut in a chunk", parted(chunked, 0, "5\r\nhe"), 8, []result{{"he", nil}, {"", io.ErrUnexpectedEOF}}},
		{"cut behind a chunk", parted(chunked, 0, "2\r\nhe\r\n"), 8, []result{{"he", nil}, {"", io.ErrUnexpectedEOF}}},
		{"cut before a chunk", parted(chunked, 0), 8, []result{{"", io.ErrUnexpectedEOF}}},
		{"cut in the trailer", parted(chunked, 0, "0\r\nX: 1\r\n"), 8, []result{{"", io.ErrUnexpectedEOF}}},
		{"a trailer", parted(chunked, 0, "2\r\nhe\r\n0\r\nX: 1\r\n\r\n"), 8, []result{{"he", io.EOF}}},
		{"a broken trailer", parted(chunked, 0, "0\r\nX\r\n\r\n"), 8, []result{{"", errTrailer}}},
		{"a bare line feed in the trailer", parted(chunked, 0, "0\r\n\n"), 8, []result{{"", errTrailer}}},
		{"a line feed alone", parted(chunked, 0, "\n"), 8, []result{{"", errChunk}}},
		{"a chunk longer than it says", parted(chunked, 0, "2\r\nhel\r\n"), 8, []result{{"he", errChunk}}},
		{"the longest line", parted(chunked, 0, "1;"+strings.Repeat("x", 4096-4)+"\r\na\r\n0\r\n\r\n"), 8, []result{{"a", io.EOF}}},
		{"a line too long", parted(chunked, 0, "1;"+strings.Repeat("x", 4096-3)+"\r\na\r\n0\r\n\r\n"), 8, []result{{"", errChunk}}},
	} {
		for i, want := range c.want {
			b := make([]byte, c.size)
			n, err := c.body.Read(b)
			if string(b[:n]) != want.text || err != want.err {
				t.Errorf("%s, read %d: %q, %v; want %q, %v", c.name, i, b[:n], err, want.text, want.err)
			}
			if whole := err == io.EOF || c.name == "empty"; c.body.whole() != whole {
				t.Errorf("%s, read %d: whole %v", c.name, i, c.body.whole())
			}
		}
	}
	b := parted(sized, 5, "hello")
	if n, err := b.Read(nil); n != 0 || err != nil || b.whole() {
		t.Errorf("a read of nothing: %d, %v", n, err)
	}
}

func TestALengthIsADecimalNumber(t *testing.T) {
	for value, want := range map[string]int64{"0": 0, "5": 5, "005": 5, "9223372036854775807": 1<<63 - 1, "9223372036854775808": -1, "": -1, "+5": -1, "-1": -1, "5,5": -1, "0x5": -1} {
		n, ok := contentLength([]string{value})
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d, %v", value, n, ok)
		}
	}
	for _, values := range [][]string{nil, {"5", "5"}} {
		if _, ok := contentLength(values); ok {
			t.Errorf("%q is a length", values)
		}
	}
	for status, want := range map[int]bool{100: true, 199: true, 200: false, 204: true, 205: false, 304: true, 303: false} {
		if bodiless(status) != want {
			t.Errorf("status %d has no body: %v", status, !want)
		}
	}
}
