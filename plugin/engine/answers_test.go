package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
)

// script is a provider that answers every request on a connection with the
// same bytes, and closes it after the first when it is told to.
type script struct {
	l      net.Listener
	conns  atomic.Int32
	mu     sync.Mutex
	answer []byte
	once   bool
	open   map[net.Conn]bool
}

func newScript(t testing.TB, network, address string) *script {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{l: l, open: map[net.Conn]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			s.mu.Lock()
			s.open[c] = true
			s.mu.Unlock()
			go s.serve(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.open {
			c.Close()
		}
	})
	return s
}

func (s *script) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
	}()
	in := newSource(c)
	defer in.release()
	for {
		if _, err := in.head(64 << 10); err != nil {
			return
		}
		s.mu.Lock()
		answer, once := s.answer, s.once
		s.mu.Unlock()
		if _, err := c.Write(answer); err != nil || once {
			return
		}
	}
}

func (s *script) says(answer []byte, once bool) {
	s.mu.Lock()
	s.answer, s.once = answer, once
	s.mu.Unlock()
}

func (s *script) url() *url.URL {
	return &url.URL{Scheme: "http", Host: s.l.Addr().String(), Path: "/"}
}

// got is what a client made of an answer.
type got struct {
	failed bool
	status int
	header string
	body   string
	cut    bool
}

func (g got) String() string {
	if g.failed {
		return "failed"
	}
	return fmt.Sprintf("%d %s %q cut=%v", g.status, g.header, g.body, g.cut)
}

func (g *got) take(status int, h http.Header, body io.Reader) {
	g.status = status
	b, err := io.ReadAll(body)
	g.body, g.cut = string(b), err != nil
	names := make([]string, 0, len(h))
	for name, v := range h {
		names = append(names, fmt.Sprintf("%s: %q", name, v))
	}
	slices.Sort(names)
	g.header = strings.Join(names, "; ")
}

// pair asks one provider by both clients.
type pair struct {
	script *script
	ours   *Client
	theirs *http.Transport
}

func newPair(t testing.TB) *pair {
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{ours: NewClient(nil, "", BuiltIn)}
	p.script = newScript(t, "unix", filepath.Join(dir, "s")) // a fuzzer would use up all TCP ports
	dial := func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", p.script.l.Addr().String())
	}
	p.ours.dialSocket = func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) }
	p.theirs = &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	t.Cleanup(func() { p.ours.Close(); p.theirs.CloseIdleConnections(); os.RemoveAll(dir) })
	return p
}

var scripted = &url.URL{Scheme: "http", Host: "script", Path: "/"}

// waiting reads an answer's body as streams are read: it waits before a read.
type waiting struct{ io.ReadCloser }

func (w waiting) Read(p []byte) (int, error) {
	w.ReadCloser.(frame.Waiter).Wait()
	return w.ReadCloser.Read(p)
}

func (p *pair) our(method string) got { return p.ourBy(method, false) }

func (p *pair) ourBy(method string, wait bool) (g got) {
	a, err := p.ours.Do(context.Background(), &wire.Outgoing{Method: method, URL: scripted, Header: http.Header{"X": {"1"}}})
	if err != nil {
		return got{failed: true}
	}
	body := a.Body
	if wait {
		body = waiting{body}
	}
	g.take(a.Status, a.Header, body)
	a.Body.Close()
	return g
}

func (p *pair) their(method string) (g got) {
	ask := func() (*http.Response, error) {
		return p.theirs.RoundTrip(&http.Request{Method: method, URL: scripted, Header: http.Header{"X": {"1"}}})
	}
	resp, err := ask()
	if err != nil { // perhaps on a connection that was being closed: it repeats no POST
		resp, err = ask()
	}
	if err != nil {
		return got{failed: true}
	}
	g.take(resp.StatusCode, resp.Header, resp.Body)
	resp.Body.Close()
	return g
}

var (
	interim      = regexp.MustCompile(`HTTP/1\.\d 1`)
	otherVersion = regexp.MustCompile(`HTTP/([^1]|1[^.])`)
)

// known says why a difference is meant to be.
func known(raw string, ours, theirs got) string {
	switch {
	case theirs.failed || theirs.cut:
		if ours.failed || ours.cut {
			return "both fail, at other points"
		}
		return ""
	case ours.failed && (strings.Contains(raw, "\n ") || strings.Contains(raw, "\n\t")):
		return "folded fields are refused: RFC 9112 §5.2"
	case ours.failed && spacedName(raw):
		return "white space in a field's name is refused: RFC 9112 §5.1"
	case ours.failed && len(interim.FindAllString(raw, -1)) >= maxInterim:
		return "so many interim answers are no answer"
	case ours.failed && theirs.status < 100:
		return "a status has three digits, and is not below 100"
	case ours.failed && theirs.status == 101:
		return "nobody asked to switch protocols"
	case ours.cut && strings.Contains(strings.ToLower(raw), "chunked"):
		return "malformed trailers are refused"
	case strings.Contains(strings.ToLower(raw), "pragma"):
		return "net/http makes Cache-Control of Pragma"
	case ours.failed && otherVersion.MatchString(raw):
		return "only HTTP/1 is HTTP/1"
	}
	return ""
}

// spacedName says that a line has white space in what stands before its colon.
func spacedName(raw string) bool {
	for line := range strings.SplitSeq(raw, "\n") {
		if name, _, ok := strings.Cut(line, ":"); ok && strings.ContainsAny(name, " \t") && !strings.HasPrefix(line, "HTTP/") {
			return true
		}
	}
	return false
}

var replies = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
	"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 404 Not Found\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nno", "HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nConnection: X-Y, close\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokextra", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + strings.Repeat("x", 100),
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\na\r\n", 5000) + "0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + strings.Repeat("x", 50000),
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9000\r\n" + strings.Repeat("b", 0x9000) + "\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 0\r\n\r\n",
}

// brokenReplies end with the connection, or should not be believed.
var brokenReplies = []string{
	"HTTP/1.1 200 OK\r\n\r\nto the end", "HTTP/1.0 200 OK\r\n\r\nto the end", "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nto the end", "", "HTTP/1.1", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nx",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
	"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTX/1.1 200 OK\r\n\r\n", "hello\r\n\r\n", "HTTP/1.1 200 OK\r\nX Y: 1\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nnocolon\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
	strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}

func (p *pair) compare(t testing.TB, raw, method string) {
	t.Helper()
	fresh := func(wait bool) got {
		p.ours.pool.makeRoom() // none that is just being closed: a POST on that fails, rightly
		return p.ourBy(method, wait)
	}
	ours, theirs := fresh(false), p.their(method)
	if ours != theirs && known(raw, ours, theirs) == "" {
		t.Errorf("%s answered %q:\n ours   %v\n theirs %v", method, short([]byte(raw)), ours, theirs)
	}
	if waited := fresh(true); waited != ours {
		t.Errorf("%s answered %q:\n at once %v\n waiting %v", method, short([]byte(raw)), ours, waited)
	}
}

func TestTheClientAgreesWithTheStandardLibrary(t *testing.T) {
	p := newPair(t)
	for _, raw := range append(slices.Clone(replies), brokenReplies...) {
		p.script.says([]byte(raw), true)
		for _, method := range []string{"GET", "HEAD", "POST"} {
			p.compare(t, raw, method)
		}
	}
}

// A connection is used again where the standard library does it.
func TestConnectionsAreReusedAsByTheStandardLibrary(t *testing.T) {
	for _, raw := range replies {
		p := newPair(t)
		p.script.says([]byte(raw), false)
		count := func(ask func(string) got) int {
			before := p.script.conns.Load()
			for range 3 {
				ask("GET")
				time.Sleep(2 * time.Millisecond) // net/http puts connections back in its own time
			}
			return int(p.script.conns.Load() - before)
		}
		ours, theirs := count(p.our), count(p.their)
		for range 10 { // on a busy machine, it may put them back later than that
			if ours == theirs {
				break
			}
			p.theirs.CloseIdleConnections()
			theirs = min(theirs, count(p.their))
		}
		want := theirs
		if strings.Contains(raw, "Chunked") && strings.Contains(raw, "Content-Length") {
			want = 3 // RFC 9112 §6.3: closed after an answer with two framings
		}
		if ours != want {
			t.Errorf("%q: %d connections for 3 requests, the standard library needs %d", short([]byte(raw)), ours, theirs)
		}
	}
}

func FuzzClientAgreesWithTheStandardLibrary(f *testing.F) {
	for _, raw := range append(slices.Clone(replies), brokenReplies...) {
		f.Add([]byte(raw), false)
	}
	p := newPair(f)
	f.Fuzz(func(t *testing.T, raw []byte, head bool) {
		defer workload.Linear(t, len(raw))()
		if len(raw) > 50<<10 || bytes.Contains(raw, []byte("101")) {
			return
		}
		p.script.says(raw, true)
		method := "GET"
		if head {
			method = "HEAD"
		}
		p.compare(t, string(raw), method)
	})
}
