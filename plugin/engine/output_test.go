package engine

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// written keeps what is written, and fails where it is told to.
type written struct {
	net.Conn
	writes []string
	limits int // deadlines that were set
	fails  error

	deadlines int // of both directions
}

func (w *written) SetDeadline(time.Time) error { w.deadlines++; return nil }

func (w *written) Write(p []byte) (int, error) {
	if w.fails != nil {
		return 1, w.fails
	}
	if len(p) > 0 { // net.Buffers writes what is nothing, too
		w.writes = append(w.writes, string(p))
	}
	return len(p), nil
}

func (w *written) SetWriteDeadline(time.Time) error { w.limits++; return nil }

func TestTheStatusLineHasTheStatusText(t *testing.T) {
	for status, want := range map[int]string{
		200: "HTTP/1.1 200 OK\r\n", 511: "HTTP/1.1 511 Network Authentication Required\r\n", 599: "HTTP/1.1 599 status code 599\r\n", 600: "HTTP/1.1 600 status code 600\r\n", 999: "HTTP/1.1 999 status code 999\r\n",
	} {
		o := &output{}
		if o.appendStatus(1, status); string(o.buf) != want {
			t.Errorf("%d: %q", status, o.buf)
		}
	}
	o := &output{}
	o.appendStatus(0, 404)
	o.appendField("A", "b")
	o.appendLength(12)
	o.appendString("\r\n")
	if want := "HTTP/1.0 404 Not Found\r\nA: b\r\nContent-Length: 12\r\n\r\n"; string(o.buf) != want {
		t.Errorf("%q", o.buf)
	}
}

// What fits into the buffer waits there; what does not goes out with it.
func TestWhatFillsTheBufferIsWritten(t *testing.T) {
	full := strings.Repeat("x", bufferSize-3)
	for _, c := range []struct {
		add    []string
		writes int // before the flush
	}{{[]string{full, "abc"}, 0}, {[]string{full, "abcd"}, 2}, {[]string{full + "abc", ""}, 0}, {[]string{full + "abcd"}, 1}} {
		w := &written{}
		o := &output{}
		o.open(w, time.Second, nil)
		for _, p := range c.add {
			if err := o.append([]byte(p)); err != nil {
				t.Error(err)
			}
		}
		n, want := len(w.writes), strings.Join(c.add, "")
		if c.writes == 0 && o.sent != 0 || c.writes > 0 && o.buf != nil {
			t.Errorf("%d bytes are sent, %d are kept", o.sent, len(o.buf))
		}
		if err := o.flush(); err != nil || strings.Join(w.writes, "") != want || o.sent != int64(len(want)) || o.buf != nil {
			t.Errorf("%d bytes written of %d, %v", o.sent, len(want), err)
		}
		if n != c.writes {
			t.Errorf("%d writes before the flush, want %d", n, c.writes)
		}
	}
}

func TestAnErrorOfWritingIsFinal(t *testing.T) {
	broken := errors.New("broken")
	w := &written{fails: broken}
	o := &output{}
	o.open(w, time.Second, nil)
	o.appendString("abc")
	if err := o.flush(); err != broken || o.sent != 1 || o.buf != nil {
		t.Errorf("%v after %d bytes", err, o.sent)
	}
	w.fails = nil
	if err := o.append([]byte("d")); err != broken {
		t.Error(err)
	}
	if err := o.flushWith([]byte("e"), nil); err != broken || len(w.writes) > 0 || o.buf != nil {
		t.Errorf("%v, written %q", err, w.writes)
	}
	w = &written{fails: broken}
	o = &output{}
	o.open(w, time.Second, nil)
	if err := o.flushWith([]byte("p"), []byte("q")); err != broken || o.sent != 1 {
		t.Errorf("%v after %d bytes", err, o.sent)
	}
}

// A write has its own time limit, unless the deadline is seen to elsewhere; and
// what is nothing is not written.
func TestAWriteHasATimeLimit(t *testing.T) {
	for wait, limits := range map[time.Duration]int{time.Second: 1, 0: 0, -1: 0} {
		w := &written{}
		o := &output{}
		o.open(w, wait, nil)
		if err := o.flush(); err != nil || w.limits != 0 || len(w.writes) != 0 {
			t.Errorf("nothing is written: %v, %q", err, w.writes)
		}
		if wait < 0 {
			o.time.at = time.Now() // it stays
		}
		o.appendString("abc")
		if err := o.flush(); err != nil || w.limits != limits || len(w.writes) != 1 {
			t.Errorf("%v: %d limits, %v", wait, w.limits, err)
		}
	}
	for wait, limits := range map[time.Duration]int{0: 1, -1: 0} { // an old one goes
		w := &written{}
		o := &output{}
		o.open(w, wait, nil)
		o.time.at = time.Now()
		o.appendString("abc")
		if err := o.flush(); err != nil || w.limits != limits {
			t.Errorf("%v: %d limits, %v", wait, w.limits, err)
		}
	}
}

func TestTheDateIsOfNow(t *testing.T) {
	lastDate.Store(&date{1, "long ago"})
	at, err := http.ParseTime(now())
	if d := time.Since(at); err != nil || d < -time.Second || d > time.Minute {
		t.Errorf("%v, %v ago", err, d)
	}
	lastDate.Store(&date{time.Now().Unix() + 1000, "kept"})
	if now() == "kept" {
		t.Error("the date of another second")
	}
}

func TestControlCharactersOfAHeaderBecomeSpaces(t *testing.T) {
	for v, want := range map[string]string{"a": "a", " a\t": "a", "a\r\nb": "a  b", "\x00a\x7f": "a", "a\tb": "a\tb", "\xff": "\xff", "": ""} {
		if got := clean(v); got != want {
			t.Errorf("%q: %q", v, got)
		}
	}
	if !bytes.Equal(lineEnd, []byte("\r\n")) {
		t.Errorf("%q", lineEnd)
	}
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Trailer", "Upgrade"} {
		if !ownField(name) {
			t.Errorf("%s is the handler's", name)
		}
	}
	if ownField("Content-Type") {
		t.Error("Content-Type is the connection's")
	}
}
