package engine

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAnUpgradeSeesTheRequestAndAnswersLikeAny(t *testing.T) {
	w := &written{}
	x := exchangeOn(w, "POST /p?q HTTP/1.1\r\nHost: h\r\nX: 1\r\nContent-Length: 2\r\n", "hi")
	x.RemoteAddr = "1.2.3.4:5"
	u, r := x.Upgrade()
	b, err := io.ReadAll(r.Body)
	if r.Method != "POST" || r.URL.Path != "/p" || r.URL.RawQuery != "q" || r.RequestURI != "/p?q" || r.Host != "h" || r.RemoteAddr != x.RemoteAddr || r.Header.Get("X") != "1" ||
		r.Proto != "HTTP/1.1" || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.ContentLength != 2 || string(b) != "hi" || err != nil || r.Context() != x.Context() {
		t.Errorf("%+v, %q, %v", r, b, err)
	}
	u.Header().Set("Content-Length", "2")
	u.WriteHeader(403)
	if n, err := u.Write([]byte("no")); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := u.Write([]byte("more")); n != 0 || err != errLength {
		t.Errorf("%d, %v", n, err)
	}
	if got := sentBy(x, w); got != "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno" {
		t.Errorf("%q", got)
	}
	w = &written{}
	x = exchangeOn(w, plainGet, "")
	u, r = x.Upgrade()
	if r.Body != http.NoBody {
		t.Error("a request without a body has one")
	}
	_, _ = u.Write([]byte("hello"))
	if err := http.NewResponseController(u).Flush(); err != nil || len(w.writes) != 1 {
		t.Errorf("%d writes, %v", len(w.writes), err)
	}
	if got := sentBy(x, w); got != "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" {
		t.Errorf("%q", got)
	}
}

func TestAConnectionIsTakenOverOnce(t *testing.T) {
	const early = "frames that came with the request"
	w := &written{}
	x := exchangeOn(w, plainGet, early)
	x.conn.server.watcher = &watcher{}
	if err := x.conn.in.fill(bufferSize); err != nil {
		t.Fatal(err)
	}
	u, _ := x.Upgrade()
	u.Header().Set("X", "1\r\n2")
	u.Header()["Bad Name"] = []string{"1"}
	u.WriteHeader(101)
	u.WriteHeader(101)
	if got := strings.Join(w.writes, ""); got != "HTTP/1.1 101 Switching Protocols\r\nX: 1  2\r\n\r\n" || !x.upgraded || x.keep {
		t.Errorf("%q, upgraded %v", got, x.upgraded)
	}
	conn, rw, err := http.NewResponseController(u).Hijack()
	if err != nil || conn != w || !x.hijacked {
		t.Fatal(conn, err)
	}
	if rw.Reader.Buffered() != len(early) || x.conn.in.buffered() != 0 || w.deadlines != 1 {
		t.Errorf("%d bytes in the reader, %d deadlines", rw.Reader.Buffered(), w.deadlines)
	}
	b := make([]byte, len(early))
	if _, err := io.ReadFull(rw, b); err != nil || string(b) != early {
		t.Errorf("%q, %v", b, err)
	}
	if _, _, err := http.NewResponseController(u).Hijack(); err != http.ErrHijacked {
		t.Errorf("a second time: %v", err)
	}
	if u.WriteHeader(101); len(w.writes) != 1 {
		t.Errorf("%q", w.writes)
	}
	x = exchangeOn(&written{}, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n", "hi")
	u, _ = x.Upgrade()
	if _, _, err := http.NewResponseController(u).Hijack(); err == nil || x.hijacked {
		t.Errorf("with a body that was not read: %v", err)
	}
	broken := errors.New("broken")
	x = exchangeOn(&written{fails: broken}, plainGet, "")
	x.conn.out.appendString("x")
	u, _ = x.Upgrade()
	if _, _, err := http.NewResponseController(u).Hijack(); err != broken || x.hijacked {
		t.Errorf("on a broken connection: %v", err)
	}
}

// A client that has ended its side is gone once its request has been read,
// unless something follows it.
func TestAClientThatEndedItsSideIsGoneWithItsRequest(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
	read := func(x *Exchange) { _, _ = io.ReadAll(x.Body()) }
	start := func(x *Exchange) { _ = x.Start(200, nil, 0) }
	for _, c := range []struct {
		name, text string
		do         func(x *Exchange)
		gone       bool
	}{
		{"read", "hi", read, true}, {"left to the engine", "hi", start, true}, {"not read", "hi", func(*Exchange) {}, false},
		{"read, and more behind it", "hi" + get, read, false}, {"left, and more behind it", "hi" + get, start, false},
	} {
		x := exchangeOn(&written{}, post, c.text)
		if err := x.conn.in.fill(bufferSize); err != nil {
			t.Fatal(err)
		}
		x.conn.active = x
		x.conn.hup.Store(true)
		if c.do(x); (x.Context().Err() != nil) != c.gone {
			t.Errorf("%s: gone %v", c.name, !c.gone)
		}
	}
	for _, c := range []struct {
		name string
		do   func(c *serverConn, x *Exchange)
		gone bool
	}{
		{"hung up", func(c *serverConn, _ *Exchange) { c.hungUp(false) }, true},
		{"hung up, with something ahead", func(c *serverConn, _ *Exchange) { c.ahead.Store(true); c.hungUp(false) }, false},
		{"broken, with something ahead", func(c *serverConn, _ *Exchange) { c.ahead.Store(true); c.hungUp(true) }, true},
		{"another's connection", func(c *serverConn, x *Exchange) { x.upgraded = true; c.hungUp(true) }, false},
		{"between requests", func(c *serverConn, _ *Exchange) { c.active = nil; c.hungUp(true) }, false},
	} {
		x := exchangeOn(&written{}, plainGet, "")
		x.conn.active = x
		if c.do(x.conn, x); (x.Context().Err() != nil) != c.gone || !x.conn.hup.Load() {
			t.Errorf("%s: gone %v", c.name, !c.gone)
		}
	}
	x := exchangeOn(&written{}, plainGet, "")
	if c := x.conn; c.take() != nil {
		t.Error("a request that is not served is taken")
	}
	if x.conn.active = x; x.conn.take() != x || x.conn.active != nil {
		t.Error("the request is still being served")
	}
	if x.conn.active, x.hijacked = x, true; x.conn.take() != x || x.conn.active != x {
		t.Error("a connection that is another's has lost its request")
	}
}
