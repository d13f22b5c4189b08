package engine

import (
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pieces is a source whose bytes come in those pieces.
func pieces(all ...string) *source { return newSource(read{Reader: &pieced{slices.Clone(all)}}) }

func TestALineHasALimit(t *testing.T) {
	for _, c := range []struct {
		pieces []string
		most   int
		line   string
		err    error
	}{
		{[]string{"abc\ndef\n"}, 10, "abc\n", nil}, {[]string{"ab", "c\ndef\n"}, 10, "abc\n", nil}, {[]string{"\n"}, 1, "\n", nil},
		{[]string{"abc\n"}, 4, "abc\n", nil}, {[]string{"abc\n"}, 3, "", errLong}, {[]string{"abcd"}, 4, "", errLong}, {[]string{"ab", "cd"}, 4, "", errLong}, {[]string{"abc", "\n"}, 4, "abc\n", nil},
		{[]string{"abc"}, 10, "", io.EOF}, {nil, 10, "", io.EOF},
	} {
		s := pieces(c.pieces...)
		line, err := s.line(c.most)
		if string(line) != c.line || err != c.err {
			t.Errorf("%q, at most %d: %q, %v", c.pieces, c.most, line, err)
		}
	}
}

func TestAHeadHasALimit(t *testing.T) {
	const head = "GET /\r\nA: 1\r\n\r\n"
	for _, c := range []struct {
		pieces []string
		most   int
		head   string
		err    error
	}{
		{[]string{head + "more"}, 100, head, nil}, {[]string{head}, len(head), head, nil}, {[]string{head}, len(head) - 1, "", errLong},
		{[]string{head[:len(head)-1], "\n"}, len(head), head, nil}, {[]string{head[:len(head)-1], "\n"}, len(head) - 1, "", errLong},
		{[]string{head[:len(head)-3], "\n\r\n"}, 100, head, nil}, {[]string{head[:len(head)-2], "\r\n"}, 100, head, nil},
		{[]string{"GET /\n\nmore"}, 100, "GET /\n\n", nil}, {[]string{"GET /\n", "\n"}, 100, "GET /\n\n", nil}, {[]string{"GET /\r\n\nmore"}, 100, "GET /\r\n\n", nil},
		{[]string{"GET /\r\n"}, 100, "", io.EOF}, {[]string{"a\n\rb\n\n"}, 100, "a\n\rb\n\n", nil},
	} {
		s := pieces(c.pieces...)
		got, err := s.head(c.most)
		if got != c.head || err != c.err {
			t.Errorf("%q, at most %d: %q, %v", c.pieces, c.most, got, err)
		}
		if more := strings.TrimPrefix(strings.Join(c.pieces, ""), c.head); err == nil && string(s.unread()) != more {
			t.Errorf("%q: then %q", c.pieces, s.unread())
		}
	}
}

// A buffer grows to what it may hold, and keeps what is in it.
func TestABufferGrowsToItsLimit(t *testing.T) {
	for _, most := range []int{bufferSize, bufferSize + 1, 2 * bufferSize, 3*bufferSize + 5} {
		text := strings.Repeat("abcdefg", 5*bufferSize)
		s := newSource(read{Reader: strings.NewReader(text)})
		var err error
		for err == nil {
			err = s.fill(most)
		}
		if err != errLong || s.buffered() != most || string(s.unread()) != text[:most] {
			t.Errorf("at most %d: %d bytes, %v", most, s.buffered(), err)
		}
	}
	s := pieces("abcdef", "ghi")
	_ = s.fill(bufferSize)
	s.skip(4)
	if err := s.fill(bufferSize); err != nil || string(s.unread()) != "efghi" {
		t.Errorf("behind what is left: %q, %v", s.unread(), err)
	}
	if s.skip(5); s.buf != nil || s.buffered() != 0 {
		t.Error("an empty buffer is held")
	}
	if err := s.fill(bufferSize); err != io.EOF || s.buf != nil {
		t.Errorf("at the end: %v, and a buffer of %d", err, len(s.buf))
	}
	if err := newSource(read{Reader: nothing{}}).fill(1); err != io.ErrNoProgress {
		t.Errorf("a connection that gives neither bytes nor an error: %v", err)
	}
}

// nothing reads nothing.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// What read returns comes out of the buffer first, and of one read otherwise.
func TestAReadTakesWhatIsThere(t *testing.T) {
	s := pieces("abcdef", "ghi", "jkl", "mno")
	b := make([]byte, 4)
	for _, c := range []struct {
		direct bool
		want   string
		left   string // in the buffer
	}{{false, "abcd", "ef"}, {true, "ef", ""}, {true, "ghi", ""}, {false, "jkl", ""}, {true, "mno", ""}} {
		n, err := s.read(b, c.direct)
		if string(b[:n]) != c.want || err != nil || string(s.unread()) != c.left {
			t.Errorf("read %q, %v, and %q is left", b[:n], err, s.unread())
		}
	}
	if n, err := s.read(b, false); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

// What await meets is told by the read that follows, once.
func TestAwaitKeepsItsErrorForTheNextRead(t *testing.T) {
	s := pieces("abc")
	b := make([]byte, 8)
	for range 2 { // the second finds that there is something
		s.await()
	}
	if string(s.unread()) != "abc" {
		t.Errorf("%q is there", s.unread())
	}
	_, _ = s.read(b, true)
	for range 2 {
		s.await()
	}
	if s.failed != io.EOF {
		t.Errorf("failed with %v", s.failed)
	}
	s.conn = read{Reader: strings.NewReader("late")}
	if n, err := s.read(b, true); n != 0 || err != io.EOF {
		t.Errorf("the read after it: %q, %v", b[:n], err)
	}
	if n, err := s.read(b, true); string(b[:n]) != "late" || err != nil {
		t.Errorf("the one after that: %q, %v", b[:n], err)
	}
}

func TestInterimAnswersAreSkippedAsTheyCome(t *testing.T) {
	const interim, answer = "HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"
	for _, c := range []struct {
		pieces []string
		err    error
	}{
		{[]string{answer}, nil}, {[]string{interim + answer}, nil}, {[]string{interim, answer}, nil}, {[]string{interim[:10], interim[10:], answer[:9], answer[9:]}, nil},
		{[]string{interim[:len(interim)-1], "\n" + answer}, nil}, {[]string{interim[:len(interim)-3], "\n\r\n" + answer}, nil},
		{[]string{strings.Repeat(interim, 16) + answer}, nil}, {[]string{strings.Repeat(interim, 17) + answer}, errInterim},
		{[]string{interim, answer[:9]}, io.EOF}, {nil, io.EOF},
	} {
		s := pieces(c.pieces...)
		err := s.final()
		if err != c.err || err == nil && !strings.HasPrefix(answer, string(s.unread()[:10])) {
			t.Errorf("%.60q: %v, then %q", c.pieces, err, s.unread())
		}
	}
}

func TestTheEndOfAHeadIsFoundFromAnywhereBefore(t *testing.T) {
	for head, want := range map[string]int{"a\n\n": 3, "a\n\nb": 3, "a\r\n\r\n": 5, "a\r\n\r\nb": 5, "a\n\r\n": 4, "a\r\n\n": 4, "a\nb\n\n": 5, "\n\n": 2, "\n": 0, "": 0, "a": 0, "a\n": 0, "a\r\n\r": 0, "a\r\n\rb\n": 0, "a\n\rb\n\n": 7 - 1} {
		for from := 0; from <= max(want-4, 0); from++ {
			if got := headEnd([]byte(head), from); got != want {
				t.Errorf("%q from %d: %d", head, from, got)
			}
		}
	}
}

// A deadline that is a little later than asked for stays where it is.
func TestADeadlineIsMovedOnlyWhenItMust(t *testing.T) {
	synctest.Test(t, deadlineMoves)
}

func deadlineMoves(t *testing.T) {
	var set []time.Time
	tm := timer{set: func(at time.Time) error { set = append(set, at); return nil }}
	moves := func(d time.Duration) int {
		n := len(set)
		if err := tm.ahead(d); err != nil {
			t.Error(err)
		}
		return len(set) - n
	}
	if moves(0) != 0 || moves(-time.Second) != 0 {
		t.Error("there was no deadline, and is none, and it was set")
	}
	for i, c := range []struct {
		d     time.Duration
		moved int
	}{{time.Hour, 1}, {time.Hour, 0}, {time.Hour + time.Second/2, 0}, {time.Hour - 2*time.Second, 1}, {time.Hour, 1}, {time.Second, 1}, {time.Second, 0}, {time.Minute, 1}, {0, 1}, {0, 0}} {
		if n := moves(c.d); n != c.moved {
			t.Errorf("%d: %v ahead moved it %d times", i, c.d, n)
		}
		left := time.Until(tm.at)
		if c.d > 0 && (left < c.d-100*time.Millisecond || left > c.d+time.Second) {
			t.Errorf("%d: %v ahead is %v ahead", i, c.d, left)
		}
		if c.d == 0 && !tm.at.IsZero() {
			t.Errorf("%d: there still is a deadline", i)
		}
	}
	_ = tm.ahead(8 * time.Millisecond)
	if left := time.Until(tm.at); left > 9*time.Millisecond {
		t.Errorf("8 ms ahead is %v ahead", left)
	}
	at := time.Now().Add(time.Hour)
	n := len(set)
	_ = tm.fix(at)
	_ = tm.fix(at)
	if len(set) != n+1 || !set[n].Equal(at) {
		t.Errorf("%d moves", len(set)-n)
	}
	for err, want := range map[error]bool{os.ErrDeadlineExceeded: true, &net.OpError{Err: os.ErrDeadlineExceeded}: true, io.EOF: false, errDry: true} {
		if isTimeout(err) != want {
			t.Errorf("%v is a timeout: %v", err, !want)
		}
	}
}
