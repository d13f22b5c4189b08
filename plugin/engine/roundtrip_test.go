package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go-ai-proxy/plugin/wire"
)

func TestTheHeadOfARequestToAProvider(t *testing.T) {
	pieces := func(n int) [][]byte { return [][]byte{make([]byte, n)} }
	for _, c := range []struct {
		out  wire.Outgoing
		url  string
		conn clientConn
		want string
	}{
		{wire.Outgoing{Method: "GET"}, "http://a", clientConn{}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{wire.Outgoing{Method: "GET"}, "http://a:1/p%2Fq?x=1", clientConn{}, "GET /p%2Fq?x=1 HTTP/1.1\r\nHost: a:1\r\n\r\n"},
		{wire.Outgoing{Method: "GET"}, "http://a/?", clientConn{}, "GET /? HTTP/1.1\r\nHost: a\r\n\r\n"},
		{wire.Outgoing{Method: "GET"}, "http://[fe80::1%25eth0]:1/", clientConn{}, "GET / HTTP/1.1\r\nHost: [fe80::1]:1\r\n\r\n"},
		{wire.Outgoing{Method: "GET"}, "http://a/p?q", clientConn{absolute: true, proxyAuth: "Basic x"}, "GET http://a/p?q HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic x\r\n\r\n"},
		{wire.Outgoing{Method: "GET", Header: http.Header{"X": {" 1 ", "2"}, "Host": {"evil"}, "Connection": {"close"}}}, "http://a/", clientConn{}, "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n"},
		{wire.Outgoing{Method: "POST"}, "http://a/", clientConn{}, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
		{wire.Outgoing{Method: "PUT"}, "http://a/", clientConn{}, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
		{wire.Outgoing{Method: "PATCH"}, "http://a/", clientConn{}, "PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
		{wire.Outgoing{Method: "DELETE", Pieces: pieces(7)}, "http://a/", clientConn{}, "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n"},
		{wire.Outgoing{Method: "GET", Stream: strings.NewReader("")}, "http://a/", clientConn{}, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
		{wire.Outgoing{Method: "GET", Stream: strings.NewReader(""), Length: -1}, "http://a/", clientConn{}, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
	} {
		var err error
		if c.out.URL, err = url.Parse(c.url); err != nil {
			t.Fatal(err)
		}
		length := c.out.Length
		for _, p := range c.out.Pieces {
			length += int64(len(p))
		}
		if c.conn.appendHead(&c.out, length); string(c.conn.out.buf) != c.want {
			t.Errorf("%s: %q", c.url, c.conn.out.buf)
		}
	}
	for host, want := range map[string]string{"a": "a", "a:1": "a:1", "[::1]": "[::1]", "[fe80::1%e]": "[fe80::1]", "[%e]": "[]", "a%b": "a%b"} {
		if got := withoutZone(host); got != want {
			t.Errorf("%s without its zone: %s", host, got)
		}
	}
	if got := appendTarget(nil, &url.URL{Opaque: "", Path: "p"}); string(got) != "/p" {
		t.Errorf("%q", got)
	}
}

// sendTo is a connection to w.
func sendTo(w net.Conn) *clientConn {
	c := &clientConn{socket: w, conn: w}
	c.out.open(w, 0, nil)
	return c
}

// bodyOf is a body that comes in pieces.
func bodyOf(pieces ...string) io.Reader { return &pieced{pieces} }

func TestAStreamIsAsLongAsItSays(t *testing.T) {
	for _, c := range []struct {
		pieces []string
		length int64
		sent   string
		good   bool
	}{
		{[]string{"he", "llo"}, 5, "hello", true}, {nil, 0, "", true}, {[]string{"hello"}, 6, "hello", false}, {[]string{"he", "llo"}, 4, "he", false},
		{[]string{"he", "llo"}, -1, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", true}, {nil, -1, "0\r\n\r\n", true}, {[]string{"hello, hello, hello"}, -1, "13\r\nhello, hello, hello\r\n0\r\n\r\n", true},
	} {
		w := &written{}
		err := sendTo(w).sendStream(bodyOf(c.pieces...), c.length)
		if got := strings.Join(w.writes, ""); got != c.sent || (err == nil) != c.good {
			t.Errorf("%q, length %d: %q, %v", c.pieces, c.length, got, err)
		}
	}
	broken := errors.New("broken")
	w := &written{}
	if err := sendTo(w).sendStream(io.MultiReader(strings.NewReader("he"), failing{broken}), -1); err != broken || strings.Join(w.writes, "") != "2\r\nhe\r\n" {
		t.Errorf("%v after %q", err, w.writes)
	}
	if err := sendTo(&written{fails: broken}).sendStream(strings.NewReader("hello"), 5); err != broken {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A request that fits into the buffer is one write; so is a larger one, but for
// TLS, which makes records of the buffer's size.
func TestASmallRequestIsOneWrite(t *testing.T) {
	for _, c := range []struct {
		size, writes int
		tls          bool
	}{{0, 1, false}, {bufferSize - 4, 1, false}, {bufferSize - 3, 2, false}, {bufferSize - 4, 1, true}, {bufferSize - 3, 2, true}} {
		w := &written{}
		conn := sendTo(w)
		if c.tls {
			conn.socket = nil
		}
		conn.out.appendString("head")
		out := &wire.Outgoing{Pieces: [][]byte{[]byte(strings.Repeat("x", c.size))}}
		if err := conn.sendBody(out, int64(c.size)); err != nil || conn.out.sent != int64(c.size)+4 || conn.out.buf != nil {
			t.Errorf("%d bytes: %d are sent, %v", c.size, conn.out.sent, err)
		}
		if got := strings.Join(w.writes, ""); len(w.writes) != c.writes || got != "head"+string(out.Pieces[0]) {
			t.Errorf("%d bytes, TLS %v: %d writes of %d bytes", c.size, c.tls, len(w.writes), len(got))
		}
	}
}

// What was not written at all, or is idempotent, may be made again when the
// connection was closed.
func TestWhatIsRepeated(t *testing.T) {
	for _, c := range []struct {
		err    error
		method string
		again  bool
	}{
		{&errUnanswered{io.EOF, true}, "POST", true}, {&errUnanswered{io.EOF, false}, "POST", false}, {&errUnanswered{io.EOF, false}, "PATCH", false},
		{&errUnanswered{io.EOF, false}, "GET", true}, {&errUnanswered{io.EOF, false}, "HEAD", true}, {&errUnanswered{io.EOF, false}, "PUT", true}, {&errUnanswered{io.EOF, false}, "DELETE", true}, {&errUnanswered{io.EOF, false}, "OPTIONS", true}, {&errUnanswered{io.EOF, false}, "TRACE", true},
		{&errUnanswered{syscall.ECONNRESET, false}, "GET", true}, {&errUnanswered{syscall.EPIPE, true}, "POST", true}, {fmt.Errorf("x: %w", &errUnanswered{&net.OpError{Err: syscall.EPIPE}, true}), "POST", true},
		{&errUnanswered{os.ErrDeadlineExceeded, true}, "GET", false}, {io.EOF, "GET", false}, {nil, "GET", false},
	} {
		if repeatable(c.err, c.method) != c.again {
			t.Errorf("%s after %v: repeated %v", c.method, c.err, !c.again)
		}
	}
	e := &errUnanswered{cause: io.EOF}
	if !errors.Is(e, io.EOF) || !strings.HasSuffix(e.Error(), ": EOF") {
		t.Error(e)
	}
}

func TestWhichHostsAreLeftToNetHTTP(t *testing.T) {
	proxies := map[string]string{"socks": "socks5://p", "plain": "http://p", "secure": "https://p"}
	for _, c := range []struct {
		http2 string
		kind  Kind
		host  string
		left  bool
	}{
		{"", BuiltIn, "a", false}, {"a", BuiltIn, "a", true}, {"A", BuiltIn, "a:1", true}, {"a:1", BuiltIn, "A:1", true}, {"a:1", BuiltIn, "a:2", false}, {"a", BuiltIn, "b", false},
		{" b , a ", BuiltIn, "a", true}, {",", BuiltIn, "a", false}, {"*", BuiltIn, "a", true}, {"", NetHTTP, "a", true}, {"b", NetHTTP, "a", true},
		{"", BuiltIn, "socks", true}, {"", BuiltIn, "plain", false}, {"", BuiltIn, "secure", false}, {"", BuiltIn, "broken", false},
	} {
		client := NewClient(nil, c.http2, c.kind)
		client.proxyOf = func(_, host string) (*url.URL, error) {
			if host == "broken" {
				return &url.URL{Scheme: "socks5"}, errors.New("broken")
			}
			if p := proxies[host]; p != "" {
				return url.Parse(p)
			}
			return nil, nil
		}
		if client.foreign(&url.URL{Scheme: "https", Host: c.host}) != c.left {
			t.Errorf("%s with %q, %s: left to net/http %v", c.host, c.http2, c.kind, !c.left)
		}
	}
}

func TestAClientTrustsWhatItIsTold(t *testing.T) {
	c := NewClient(nil, "", BuiltIn)
	if c.tls.MinVersion != tls.VersionTLS12 || len(c.tls.NextProtos) != 1 || c.tls.NextProtos[0] != "http/1.1" || c.tls.ClientSessionCache == nil {
		t.Errorf("%+v", c.tls)
	}
	cache := tls.NewLRUClientSessionCache(1)
	base := &tls.Config{MinVersion: tls.VersionTLS13, ClientSessionCache: cache, ServerName: "x"}
	c = NewClient(base, "", BuiltIn)
	if c.tls.MinVersion != tls.VersionTLS13 || c.tls.ClientSessionCache != cache || c.tls.ServerName != "x" || base.NextProtos != nil {
		t.Errorf("%+v", c.tls)
	}
}

func TestADialKnowsItsWay(t *testing.T) {
	for _, c := range [][3]string{
		{"http", "a", "a:80"}, {"https", "a", "a:443"}, {"http", "a:443", "a:443"}, {"https", "a:80", "a:80"}, {"https", "[::1]", "[::1]:443"}, {"http", "[::1]:8", "[::1]:8"}, {"https", "a:", "a:443"},
	} {
		if got := withPort(c[0], c[1]); got != c[2] {
			t.Errorf("%s://%s is at %s", c[0], c[1], got)
		}
	}
	for _, c := range []struct {
		user *url.Userinfo
		want string
	}{{nil, ""}, {url.UserPassword("me", "pass"), "Basic bWU6cGFzcw=="}, {url.User("me"), "Basic bWU6"}} {
		if got := basicAuth(&url.URL{User: c.user}); got != c.want {
			t.Errorf("%v: %q", c.user, got)
		}
	}
	client := NewClient(nil, "", BuiltIn)
	client.proxyOf = func(_, _ string) (*url.URL, error) { return nil, errors.New("no such proxy") }
	if _, err := client.dial(context.Background(), origin{"http", "a"}, 0); err == nil || err.Error() != "proxy: no such proxy" {
		t.Error(err)
	}
}

// A proxy that does not make a tunnel is an error, within the time for it.
func TestATunnelIsMadeOrNot(t *testing.T) {
	for _, c := range []struct{ answer, why string }{
		{"HTTP/1.1 200 OK\r\n\r\n", ""}, {"HTTP/1.1 201 Created\r\n\r\n", "CONNECT was answered 201"}, {"HTTP/1.1 200 OK\r\n\r\nx", "bytes after the answer to CONNECT"},
		{"HTTP/1.1 2 OK\r\n\r\n", "malformed HTTP status code"}, {"HTTP/1.1 200 OK\r\n", "EOF"}, {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxProxyHead) + "\r\n\r\n", errLong.Error()},
	} {
		near, far := net.Pipe()
		asked := make(chan string, 1)
		go func() {
			defer far.Close()
			b := make([]byte, 1<<10)
			n, _ := far.Read(b)
			asked <- string(b[:n])
			_, _ = io.WriteString(far, c.answer)
		}()
		err := tunnel(context.Background(), near, "a:1", "Basic x")
		if (err == nil) != (c.why == "") || err != nil && err.Error() != c.why {
			t.Errorf("%.40q: %v", c.answer, err)
		}
		if got, want := <-asked, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic x\r\n\r\n"; got != want {
			t.Errorf("asked %q", got)
		}
		near.Close()
	}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	go io.Copy(io.Discard, far)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := tunnel(ctx, near, "a:1", ""); !isTimeout(err) {
		t.Errorf("a proxy that says nothing: %v", err)
	}
}

// dripping is a connection that says text, each bytes at a time.
type dripping struct {
	net.Conn
	text string
	each int
}

func (d *dripping) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), d.each)], d.text)
	d.text = d.text[n:]
	return n, nil
}

func (d *dripping) SetReadDeadline(time.Time) error  { return nil }
func (d *dripping) SetWriteDeadline(time.Time) error { return nil }

// Where records of TLS end is known from their headers, however they come.
func TestWhetherARecordWasReadInPart(t *testing.T) {
	record := func(n int) string {
		return "\x17\x03\x03" + string([]byte{byte(n >> 8), byte(n)}) + strings.Repeat("x", n)
	}
	for _, text := range []string{record(1), record(0), record(300), record(256), record(5) + record(0) + record(7)} {
		for each := 1; each <= len(text); each++ {
			b := newBelow(&dripping{text: text, each: each})
			for rest := text; rest != ""; {
				n, err := b.Read(make([]byte, len(text)))
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
				if over := rest == "" || text == record(5)+record(0)+record(7) && (len(rest) == len(record(7)) || len(rest) == len(record(0)+record(7))); b.inRecord() == over {
					t.Errorf("%d bytes, %d at a time, %d are left: in a record %v", len(text), each, len(rest), !over)
				}
			}
		}
	}
	b := &below{dry: true}
	if n, err := b.Read(make([]byte, 1)); n != 0 || err != errDry || !isTimeout(err) || err.Error() == "" {
		t.Errorf("dry: %d, %v", n, err)
	}
	if temporary, ok := errDry.(interface{ Temporary() bool }); !ok || !temporary.Temporary() {
		t.Error("errDry does not pass")
	}
}

// What passes is survived by a listener, and what does not ends it.
func TestWhichErrorsOfAListenerPass(t *testing.T) {
	for _, c := range []struct {
		err          error
		passes, full bool
	}{
		{acceptError(syscall.EMFILE), true, true}, {acceptError(syscall.ENFILE), true, true}, {acceptError(syscall.ENOMEM), true, false}, {acceptError(syscall.ECONNABORTED), true, false},
		{acceptError(syscall.EBADF), false, false}, {acceptError(syscall.EINVAL), false, false}, {acceptError(syscall.ENOTSOCK), false, false}, {net.ErrClosed, false, false}, {io.EOF, false, false}, {errDry, true, false},
	} {
		if passes(c.err) != c.passes || isFull(c.err) != c.full {
			t.Errorf("%v passes %v, full %v", c.err, passes(c.err), isFull(c.err))
		}
	}
}

// A request of which nothing was written was not made: its error is that of
// connecting, and it is the context's when that has ended.
func TestARequestThatWasNotWrittenWasNotMade(t *testing.T) {
	for _, gone := range []bool{false, true} {
		near, far := net.Pipe()
		far.Close()
		c := sendTo(near)
		c.in.open(near)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if gone {
			cancel()
		}
		_, err := c.roundTrip(ctx, outgoing(t, "GET", "http://a/"))
		wantTransport(t, err, wire.Connecting, false)
		if errors.Is(err, context.Canceled) != gone {
			t.Errorf("context ended %v: %v", gone, err)
		}
	}
}

func TestAProxyThatIsNotTrustedIsNotUsed(t *testing.T) {
	proxy := httptest.NewTLSServer(nil)
	defer proxy.Close()
	for _, to := range []string{"http://a/", "https://a/"} {
		c := newClient(t, nil, "")
		c.proxyOf = func(_, _ string) (*url.URL, error) { return url.Parse(proxy.URL) }
		_, err := c.Do(context.Background(), outgoing(t, "GET", to))
		var unknown x509.UnknownAuthorityError
		if wantTransport(t, err, wire.Connecting, false); !errors.As(err, &unknown) || !strings.HasPrefix(err.(*wire.TransportError).Err.Error(), "proxy: ") {
			t.Errorf("%s: %v", to, err)
		}
	}
}
