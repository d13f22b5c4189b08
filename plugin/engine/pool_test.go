package engine

import (
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// pooled is an idle connection to an origin, of an age.
func pooled(t *testing.T, p *pool, to origin, age time.Duration) *clientConn {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	c := &clientConn{origin: to, socket: near}
	p.put(c)
	c.since = time.Now().Add(-age)
	return c
}

func isClosedSocket(c *clientConn) bool {
	_ = c.socket.SetDeadline(time.Now().Add(time.Millisecond))
	_, err := c.socket.Read(make([]byte, 1))
	return !isTimeout(err)
}

func TestTheYoungestIdleConnectionIsUsedAndNoneTooOld(t *testing.T) {
	p := &pool{}
	defer p.close()
	to, other := origin{"https", "a"}, origin{"http", "a"}
	old := pooled(t, p, to, maxIdleAge)
	almost := pooled(t, p, to, maxIdleAge/2)
	young := pooled(t, p, to, 0)
	if c := p.get(other); c != nil {
		t.Error("a connection of another scheme is used")
	}
	for i, want := range []*clientConn{young, almost, nil, nil} {
		if got := p.get(to); got != want {
			t.Errorf("connection %d is not the one expected", i)
		}
	}
	if !isClosedSocket(old) || isClosedSocket(almost) || isClosedSocket(young) {
		t.Error("what is too old, and nothing else, is closed")
	}
	if n := p.count(); n != 0 {
		t.Errorf("%d connections are counted", n)
	}
}

func TestThePoolIsSweptByAge(t *testing.T) {
	p := &pool{}
	defer p.close()
	to := origin{"https", "a"}
	old, kept := pooled(t, p, to, maxIdleAge), pooled(t, p, to, maxIdleAge/2)
	p.expire()
	if !isClosedSocket(old) || isClosedSocket(kept) || p.count() != 1 {
		t.Errorf("%d connections are left", p.count())
	}
	if p.sweep == nil || !p.sweep.Stop() {
		t.Error("while there is a connection the pool goes on being swept")
	}
}

func TestThePoolIsBounded(t *testing.T) {
	p := &pool{}
	defer p.close()
	var last *clientConn
	for range maxIdleOrigin {
		last = pooled(t, p, origin{"https", "a"}, 0)
	}
	if isClosedSocket(last) || !isClosedSocket(pooled(t, p, origin{"https", "a"}, 0)) {
		t.Errorf("an origin has not %d idle connections", maxIdleOrigin)
	}
	for i := 1; i < maxIdle/maxIdleOrigin; i++ {
		for range maxIdleOrigin {
			last = pooled(t, p, origin{"https", strconv.Itoa(i)}, 0)
		}
	}
	if isClosedSocket(last) || !isClosedSocket(pooled(t, p, origin{"https", "b"}, 0)) || p.count() != maxIdle {
		t.Errorf("there are %d idle connections, not %d", p.count(), maxIdle)
	}
}

// Connection is a list of tokens in any case, over several fields.
func TestConnectionIsAList(t *testing.T) {
	for _, c := range []struct {
		minor  int
		values []string // of Connection; nil: there is none
		keep   bool
	}{
		{1, nil, true}, {0, nil, false},
		{1, []string{"close"}, false}, {1, []string{"CLOSE"}, false}, {1, []string{" x ,\tclose "}, false}, {1, []string{"close,x"}, false}, {1, []string{"x", "close"}, false},
		{1, []string{"keep-alive, close"}, false}, {0, []string{"keep-alive, close"}, false}, {0, []string{"close", "keep-alive"}, false},
		{1, []string{"closed"}, true}, {1, []string{"xclose"}, true}, {1, []string{"close x"}, true}, {1, []string{"X-Close, upgrade"}, true},
		{0, []string{"keep-alive"}, true}, {0, []string{"x, Keep-Alive"}, true}, {0, []string{"keep-alived"}, false}, {0, []string{"x"}, false},
	} {
		h := http.Header{"Content-Length": {"0"}}
		if c.values != nil {
			h["Connection"] = c.values
		}
		x := &Exchange{minor: c.minor, Header: h.Clone()}
		if err := x.frame(); err != nil || x.keep != c.keep {
			t.Errorf("request, HTTP/1.%d, %q: goes on %v, %v", c.minor, c.values, x.keep, err)
		}
		a := &answer{}
		a.Status, a.Header = 200, h.Clone()
		if err := a.frame("GET", c.minor); err != nil || a.keep != c.keep {
			t.Errorf("answer, HTTP/1.%d, %q: goes on %v, %v", c.minor, c.values, a.keep, err)
		}
	}
}

// The connection goes on after an answer with one framing, and ends after one
// with two.
func TestAnAnswerWithALengthBesideChunksEndsItsConnection(t *testing.T) {
	for _, c := range []struct {
		header  http.Header
		minor   int
		keep    bool
		framing framing
	}{
		{http.Header{"Transfer-Encoding": {"chunked"}}, 1, true, chunked},
		{http.Header{"Content-Length": {"5"}}, 1, true, sized},
		{http.Header{"Transfer-Encoding": {"chunked"}, "Content-Length": {"5"}}, 1, false, chunked},
		{http.Header{"Transfer-Encoding": {"chunked"}, "Content-Length": {"0"}}, 1, false, chunked},
		{http.Header{"Transfer-Encoding": {"chunked"}, "Content-Length": {"5"}, "Connection": {"keep-alive"}}, 1, false, chunked},
		{http.Header{"Transfer-Encoding": {"chunked"}, "Content-Length": {"5"}, "Connection": {"keep-alive"}}, 0, false, sized},
		{http.Header{}, 1, false, closing},
	} {
		a := &answer{}
		a.Status, a.Header = 200, c.header.Clone()
		if err := a.frame("POST", c.minor); err != nil || a.keep != c.keep || a.body.framing != c.framing {
			t.Errorf("%v: goes on %v, framing %d, %v", c.header, a.keep, a.body.framing, err)
		}
		if c.framing == chunked && a.Header["Content-Length"] != nil {
			t.Errorf("%v: the length is passed on", c.header)
		}
	}
}
