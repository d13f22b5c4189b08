package engine

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// exchangeOn is an exchange whose client sends text and whose answer goes to w.
func exchangeOn(w *written, head, text string) *Exchange {
	s := &Server{}
	s.defaults()
	c := &serverConn{server: s, conn: w}
	c.in.open(read{Reader: strings.NewReader(text)})
	c.out.open(w, 0, nil)
	x := &Exchange{conn: c}
	x.body.src = &c.in
	if err := x.parseRequest(head + "\r\n"); err != nil {
		panic(err)
	}
	return x
}

// sentBy is what was written and not the date.
func sentBy(x *Exchange, w *written) string {
	_ = x.conn.out.flush()
	var kept []string
	for line := range strings.SplitAfterSeq(strings.Join(w.writes, ""), "\r\n") {
		if !strings.HasPrefix(line, "Date: ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

const (
	plainGet  = "GET / HTTP/1.1\r\nHost: a\r\n"
	oldGet    = "GET / HTTP/1.0\r\n"
	keptGet   = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
	plainHead = "HEAD / HTTP/1.1\r\nHost: a\r\n"
)

// How an answer ends depends on its length, its status and the client.
func TestHowAnAnswerIsFramed(t *testing.T) {
	for _, c := range []struct {
		head   string
		status int
		length int64
		sent   string
		keep   bool
	}{
		{plainGet, 200, 5, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true},
		{plainGet, 200, -1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true},
		{plainGet + "Connection: close\r\n", 200, 5, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", false},
		{plainGet, 204, 5, "HTTP/1.1 204 No Content\r\n\r\n", true},
		{plainGet, 304, -1, "HTTP/1.1 304 Not Modified\r\n\r\n", true},
		{plainHead, 200, 5, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true},
		{plainHead, 200, 0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		{plainHead, 200, -1, "HTTP/1.1 200 OK\r\n\r\n", true},
		{oldGet, 200, 5, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false},
		{oldGet, 200, -1, "HTTP/1.0 200 OK\r\n\r\nhello", false},
		{keptGet, 200, 5, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", true},
		{keptGet, 200, -1, "HTTP/1.0 200 OK\r\n\r\nhello", false},
		{keptGet, 204, -1, "HTTP/1.0 204 No Content\r\nConnection: keep-alive\r\n\r\n", true},
	} {
		w := &written{}
		x := exchangeOn(w, c.head, "")
		if err := errors.Join(x.Start(c.status, nil, c.length), x.Write([]byte("hello"))); err != nil && c.length != 0 {
			t.Errorf("%q: %v", c.head, err)
		}
		if keep := x.finish(); keep != c.keep {
			t.Errorf("%q, status %d, length %d: goes on %v", c.head, c.status, c.length, keep)
		}
		if got := sentBy(x, w); got != c.sent {
			t.Errorf("%q, status %d, length %d: %q", c.head, c.status, c.length, got)
		}
	}
}

func TestTheHeaderOfAnAnswer(t *testing.T) {
	w := &written{}
	x := exchangeOn(w, plainGet, "")
	h := http.Header{"Content-Type": {"text/plain"}, "Content-Length": {"99"}, "Bad Name": {"1"}, "Date": {"today"}, "Connection": {"close"}}
	if err := x.Start(304, h, -1); err != nil || x.keep {
		t.Errorf("%v, goes on %v", err, x.keep)
	}
	_ = x.conn.out.flush()
	if got, want := strings.Join(w.writes, ""), "HTTP/1.1 304 Not Modified\r\nDate: today\r\nConnection: close\r\n\r\n"; got != want {
		t.Errorf("%q", got)
	}
	w = &written{}
	x = exchangeOn(w, plainGet, "")
	_ = x.Start(200, http.Header{"Content-Type": {"text/plain"}}, 0)
	_ = x.conn.out.flush()
	if got := strings.Join(w.writes, ""); !strings.Contains(got, "\r\nContent-Type: text/plain\r\nDate: ") {
		t.Errorf("%q", got)
	}
	x = exchangeOn(&written{}, plainGet, "")
	x.conn.server.ending.Store(true)
	if _ = x.Start(200, nil, 0); x.keep {
		t.Error("the connection of a server that ends goes on")
	}
}

// What cannot be done to an answer any more, or not at all, is an error.
func TestWhatAnAnswerRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(x *Exchange) error
		want error
	}{
		{"start after an abort", func(x *Exchange) error { x.Abort(); return x.Start(200, nil, 0) }, errAborted},
		{"write after an abort", func(x *Exchange) error { x.Abort(); return x.Write(nil) }, errAborted},
		{"flush after an abort", func(x *Exchange) error { x.Abort(); return x.Flush() }, nil},
		{"start twice", func(x *Exchange) error { _ = x.Start(200, nil, 0); return x.Start(200, nil, 0) }, errStarted},
		{"start when the connection is another's", func(x *Exchange) error { x.hijacked = true; return x.Start(200, nil, 0) }, errStarted},
		{"write when the connection is another's", func(x *Exchange) error { x.hijacked = true; return x.Write([]byte("a")) }, errStarted},
		{"a status below 200", func(x *Exchange) error { return x.Start(199, nil, 0) }, errStatus},
		{"a status above 999", func(x *Exchange) error { return x.Start(1000, nil, 0) }, errStatus},
		{"the least status", func(x *Exchange) error { return x.Start(200, nil, 0) }, nil},
		{"the highest status", func(x *Exchange) error { return x.Start(999, nil, 0) }, nil},
		{"as much as its length", func(x *Exchange) error { _ = x.Start(200, nil, 2); return x.Write([]byte("ab")) }, nil},
		{"more than its length", func(x *Exchange) error { _ = x.Start(200, nil, 2); return x.Write([]byte("abc")) }, errLength},
	} {
		if err := c.do(exchangeOn(&written{}, plainGet, "")); err != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// An answer that did not become whole ends its connection, and does not look it.
func TestAnAnswerThatIsNotWholeEndsTheConnection(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(x *Exchange)
		keep bool
		end  string
	}{
		{"nothing", func(*Exchange) {}, true, "Content-Length: 0\r\n\r\n"},
		{"a body only", func(x *Exchange) { _ = x.Write([]byte("hello")) }, true, "\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"less than its length", func(x *Exchange) { _ = x.Start(200, nil, 3); _ = x.Write([]byte("ab")) }, false, "\r\n\r\nab"},
		{"more than its length", func(x *Exchange) { _ = x.Start(200, nil, 1); _ = x.Write([]byte("ab")) }, false, "\r\n\r\n"},
		{"aborted in chunks", func(x *Exchange) { _ = x.Write([]byte("ab")); x.Abort() }, false, "\r\n2\r\nab\r\n"},
		{"aborted at once", func(x *Exchange) { x.Abort() }, false, ""},
		{"a chunk of nothing", func(x *Exchange) { _ = x.Write([]byte("ab")); _ = x.Write(nil) }, true, "\r\n2\r\nab\r\n0\r\n\r\n"},
		{"ended twice", func(x *Exchange) { _ = x.Write([]byte("ab")); _ = x.End(); _ = x.End() }, true, "\r\n2\r\nab\r\n0\r\n\r\n"},
	} {
		w := &written{}
		x := exchangeOn(w, plainGet, "")
		c.do(x)
		if keep := x.finish(); keep != c.keep || !strings.HasSuffix(sentBy(x, w), c.end) || c.end == "" && len(w.writes) > 0 {
			t.Errorf("%s: goes on %v, %q", c.name, keep, sentBy(x, w))
		}
	}
	w := &written{fails: io.ErrClosedPipe}
	x := exchangeOn(w, plainGet, "")
	_ = x.Write([]byte("hello"))
	if err := x.Flush(); err != io.ErrClosedPipe {
		t.Errorf("flush on a broken connection: %v", err)
	}
	if err := x.Write([]byte("more")); err != io.ErrClosedPipe {
		t.Errorf("write on a broken connection: %v", err)
	}
	if err := x.End(); err != io.ErrClosedPipe || x.finish() {
		t.Errorf("end on a broken connection: %v", err)
	}
	if err := exchangeOn(&written{fails: io.ErrClosedPipe}, plainGet, "").End(); err != io.ErrClosedPipe {
		t.Errorf("an answer that cannot be sent: %v", err)
	}
}

// Chunks that fit into the buffer go together; one that does not goes out with
// what is there, in one write.
func TestAChunkThatDoesNotFitIsWrittenAtOnce(t *testing.T) {
	for extra, kept := range map[int]bool{0: true, 1: false} {
		w := &written{}
		x := exchangeOn(w, plainGet, "")
		_ = x.Start(200, http.Header{}, -1)
		p := strings.Repeat("x", bufferSize-len(x.conn.out.buf)-len("1eb0\r\n\r\n")+extra)
		if err := x.Write([]byte(p)); err != nil || kept != (len(w.writes) == 0) {
			t.Errorf("%d bytes: %d writes, %v", len(p), len(w.writes), err)
		}
		if !x.finish() || !strings.HasSuffix(strings.Join(w.writes, ""), "\r\n"+p+"\r\n0\r\n\r\n") {
			t.Error("the chunk is not whole")
		}
	}
}

// What the handler leaves of a request's body is read as far as it is worth it.
func TestTheRestOfARequestIsReadWhenItIsSmall(t *testing.T) {
	post := func(more string) string { return "POST / HTTP/1.1\r\nHost: a\r\n" + more + "\r\n" }
	for _, c := range []struct {
		head, text string
		keep       bool
		left       int // bytes that were not read
	}{
		{post("Content-Length: 5"), "hello", true, 0},
		{post("Content-Length: 262144"), strings.Repeat("x", 262144), true, 0},
		{post("Content-Length: 262145"), strings.Repeat("x", 262145), false, 262145},
		{post("Content-Length: 6"), "hello", false, 0},
		{post("Transfer-Encoding: chunked"), "5\r\nhello\r\n0\r\n\r\n", true, 0},
		{post("Transfer-Encoding: chunked"), "5\r\nhello\r\nx\r\n", false, 0},
		{post("Transfer-Encoding: chunked"), "4e200\r\n" + strings.Repeat("x", 320_000) + "\r\n0\r\n\r\n", false, -1},
		{post("Content-Length: 5\r\nExpect: 100-continue"), "hello", false, 5},
		{post("Content-Length: 5\r\nConnection: close"), "hello", false, 5},
	} {
		w := &written{}
		from := strings.NewReader(c.text)
		x := exchangeOn(w, c.head, "")
		x.conn.in.open(read{Reader: from})
		if err := x.Start(200, nil, 0); err != nil || x.keep != c.keep {
			t.Errorf("%q: goes on %v, %v", c.head, x.keep, err)
		}
		if left := from.Len(); c.left >= 0 && left != c.left || c.left < 0 && (left < 320_000-maxRest-3*bufferSize || left > 320_000-maxRest+bufferSize) {
			t.Errorf("%q: %d bytes are left", c.head, left)
		}
		if strings.Contains(sentBy(x, w), "Connection: close") == c.keep {
			t.Errorf("%q: %q", c.head, sentBy(x, w))
		}
	}
}

// A client that waits to be asked for its body is asked once, and not after the
// answer has begun.
func TestTheBodyIsAskedForOnce(t *testing.T) {
	const asks = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
	w := &written{}
	x := exchangeOn(w, asks, "hello")
	b := make([]byte, 2)
	for _, want := range []string{"he", "ll", "o", ""} {
		n, err := x.Body().Read(b)
		if string(b[:n]) != want || (err == io.EOF) != (len(want) < 2) {
			t.Errorf("%q, %v", b[:n], err)
		}
	}
	if got := strings.Join(w.writes, ""); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Errorf("%q", got)
	}
	w = &written{}
	x = exchangeOn(w, asks, "hello")
	_ = x.Start(200, nil, 0)
	_ = x.Flush()
	if n, err := x.Body().Read(make([]byte, 8)); n != 5 || err != io.EOF || strings.Contains(strings.Join(w.writes, ""), "100 Continue") {
		t.Errorf("after the answer: %d, %v, %q", n, err, w.writes)
	}
	x = exchangeOn(&written{fails: io.ErrClosedPipe}, asks, "hello")
	if n, err := x.Body().Read(b); n != 0 || err != io.ErrClosedPipe {
		t.Errorf("a client that is gone: %d, %v", n, err)
	}
	x = exchangeOn(&written{}, asks, "hel")
	_, _ = io.ReadAll(x.Body())
	if n, err := x.Body().Read(b); n != 0 || err != io.ErrUnexpectedEOF {
		t.Errorf("after an error: %d, %v", n, err)
	}
	if exchangeOn(&written{}, plainGet, "").Body() != nil {
		t.Error("a request without a body has one")
	}
}

func TestALimitThatIsNotSetHasItsDefault(t *testing.T) {
	s := &Server{IdleTimeout: time.Second}
	s.defaults()
	if s.HeadTimeout != 30*time.Second || s.IdleTimeout != time.Second || s.ReadTimeout != time.Minute || s.WriteTimeout != time.Minute || s.LingerTimeout != 500*time.Millisecond || s.MaxHead != 256<<10 {
		t.Errorf("%v %v %v %v %v %d", s.HeadTimeout, s.IdleTimeout, s.ReadTimeout, s.WriteTimeout, s.LingerTimeout, s.MaxHead)
	}
	s = &Server{MaxHead: 5}
	s.defaults()
	if s.MaxHead != 5 || s.IdleTimeout != 2*time.Minute {
		t.Errorf("%d %v", s.MaxHead, s.IdleTimeout)
	}
}

func TestAServerThatHasEndedServesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Log: zerolog.Nop()}
	s.Close()
	if err := s.Serve(l); err != ErrClosed {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}
