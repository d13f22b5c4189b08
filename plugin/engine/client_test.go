package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/ports"
)

func newClient(t testing.TB, base *tls.Config, http2 string) *Client {
	c := NewClient(base, http2, BuiltIn)
	t.Cleanup(c.Close)
	return c
}

func outgoing(t testing.TB, method, to string, pieces ...string) *wire.Outgoing {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	out := &wire.Outgoing{Method: method, URL: u, Header: http.Header{}}
	for _, p := range pieces {
		out.Pieces = append(out.Pieces, []byte(p))
	}
	return out
}

func text(t testing.TB, a *wire.Answer, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	return string(b)
}

// wantTransport checks an error's phase.
func wantTransport(t testing.TB, err error, phase wire.Phase, timeout bool) {
	t.Helper()
	var te *wire.TransportError
	if !errors.As(err, &te) || te.Phase != phase || te.Timeout != timeout {
		t.Errorf("%v (%+v), want phase %d, timeout %v", err, te, phase, timeout)
	}
}

// scriptTCP is a script on TCP.
func scriptTCP(t testing.TB, answer string, once bool) *script {
	s := newScript(t, "tcp", "127.0.0.1:0")
	s.says([]byte(answer), once)
	return s
}

const okay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestARequestIsWrittenAsMeant(t *testing.T) {
	var seen atomic.Pointer[string]
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		text := fmt.Sprintf("%s %s host=%s %v length=%d %v body=%d %.5s %v", r.Method, r.RequestURI, r.Host, r.Header, r.ContentLength, r.TransferEncoding, len(b), b, err)
		seen.Store(&text)
	}))
	defer up.Close()
	c := newClient(t, nil, "")
	ask := func(out *wire.Outgoing) string {
		t.Helper()
		a, err := c.Do(context.Background(), out)
		text(t, a, err)
		if a.Peer != strings.TrimPrefix(up.URL, "http://") {
			t.Errorf("peer %q", a.Peer)
		}
		return strings.ReplaceAll(*seen.Load(), up.URL[len("http://"):], "HOST")
	}
	big := strings.Repeat("b", 300_000)
	stream := func(length int64, body string) *wire.Outgoing {
		out := outgoing(t, "POST", up.URL+"/s")
		out.Stream, out.Length = strings.NewReader(body), length
		return out
	}
	odd := outgoing(t, "POST", up.URL+"/a%2Fb?x=1&y", "he", "llo")
	odd.Header = http.Header{"X": {"1", " 2 "}, "Content-Length": {"99"}, "Transfer-Encoding": {"chunked"}, "Connection": {"close"}, "Host": {"evil"}}
	for _, c := range []struct {
		out  *wire.Outgoing
		want string
	}{
		{odd, "POST /a%2Fb?x=1&y host=HOST map[Content-Length:[5] X:[1 2]] length=5 [] body=5 hello <nil>"},
		{outgoing(t, "GET", up.URL), "GET / host=HOST map[] length=0 [] body=0  <nil>"},
		{outgoing(t, "POST", up.URL+"/p"), "POST /p host=HOST map[Content-Length:[0]] length=0 [] body=0  <nil>"},
		{outgoing(t, "DELETE", up.URL+"/d"), "DELETE /d host=HOST map[] length=0 [] body=0  <nil>"},
		{outgoing(t, "POST", up.URL+"/big", "x", big, "y", big), "POST /big host=HOST map[Content-Length:[600002]] length=600002 [] body=600002 xbbbb <nil>"},
		{stream(5, "hello"), "POST /s host=HOST map[Content-Length:[5]] length=5 [] body=5 hello <nil>"},
		{stream(-1, big), "POST /s host=HOST map[] length=-1 [chunked] body=300000 bbbbb <nil>"},
	} {
		if got := ask(c.out); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	for length, body := range map[int64]string{4: "hello", 6: "hello"} {
		a, err := c.Do(context.Background(), stream(length, body))
		if err == nil {
			t.Errorf("length %d, body %q: %d", length, body, a.Status)
		}
	}
}

func TestWhatCannotBeWrittenIsNotSent(t *testing.T) {
	s := scriptTCP(t, okay, false)
	c := newClient(t, nil, "")
	for name, change := range map[string]func(*wire.Outgoing){
		"value":  func(o *wire.Outgoing) { o.Header.Set("X", "a\r\nY: secret") },
		"name":   func(o *wire.Outgoing) { o.Header["X Y"] = []string{"1"} },
		"query":  func(o *wire.Outgoing) { o.URL.RawQuery = "a b HTTP/1.1\r\n" },
		"method": func(o *wire.Outgoing) { o.Method = "GET /x" },
		"host":   func(o *wire.Outgoing) { o.URL.Host = "a b" },
		"scheme": func(o *wire.Outgoing) { o.URL.Scheme = "ftp" },
	} {
		out := outgoing(t, "GET", s.url().String())
		change(out)
		_, err := c.Do(context.Background(), out)
		wantTransport(t, err, wire.Connecting, false)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := s.conns.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestConnectionsArePooledPerOrigin(t *testing.T) {
	a, b := scriptTCP(t, okay, false), scriptTCP(t, okay, false)
	c := newClient(t, nil, "")
	for range 5 {
		for _, s := range []*script{a, b} {
			answer, err := c.Do(context.Background(), outgoing(t, "POST", s.url().String(), "x"))
			text(t, answer, err)
		}
	}
	if a.conns.Load() != 1 || b.conns.Load() != 1 {
		t.Errorf("%d and %d connections, want one each", a.conns.Load(), b.conns.Load())
	}
}

func TestABodyThatIsNotReadCostsTheConnectionOnly(t *testing.T) {
	s := scriptTCP(t, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100000), false)
	c := newClient(t, nil, "")
	for i := range 3 {
		a, err := c.Do(context.Background(), outgoing(t, "GET", s.url().String()))
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		a.Body.Close()
		if n, err := a.Body.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("read after close: %d, %v", n, err)
		}
		if n := s.conns.Load(); n != int32(i+1) {
			t.Errorf("%d connections after %d requests", n, i+1)
		}
	}
}

// A stream that the relay stops reading at its last event, before the end mark
// of the chunks, gives its connection back.
func TestAStreamThatEndedKeepsItsConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var conns atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer c.Close()
				in := newSource(c)
				for {
					if _, err := in.head(1 << 10); err != nil {
						return
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n[DONE]\r\n")
					time.Sleep(10 * time.Millisecond)
					_, _ = io.WriteString(c, "0\r\n\r\n")
				}
			}()
		}
	}()
	client := newClient(t, nil, "")
	// On a busy machine the mark may come too late, now and then.
	streams, end := int32(0), time.Now().Add(20*time.Second)
	for ; conns.Load() == streams && time.Now().Before(end); streams++ {
		a, err := client.Do(context.Background(), outgoing(t, "POST", "http://"+l.Addr().String(), "x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(a.Body, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		for late := time.Now().Add(time.Second); client.pool.count() == 0 && time.Now().Before(late); {
			time.Sleep(time.Millisecond)
		}
	}
	if n := conns.Load(); n == streams {
		t.Errorf("%d connections for %d streams", n, streams)
	}
}

func TestWhatAProviderSendsUnaskedIsNoAnswer(t *testing.T) {
	s := scriptTCP(t, okay+"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled", false)
	c := newClient(t, nil, "")
	for range 3 {
		a, err := c.Do(context.Background(), outgoing(t, "GET", s.url().String()))
		if body := text(t, a, err); body != "ok" {
			t.Fatalf("%q", body)
		}
	}
	if n := s.conns.Load(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

// A provider that answers a large request before it has read it, and reads no
// more of it, is heard.
func TestAnEarlyAnswerIsHeard(t *testing.T) {
	const refusal = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
	for _, then := range []string{"waits", "closes", "resets"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		stop := make(chan bool)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = bufio.NewReader(c).ReadString('\n')
					_, _ = io.WriteString(c, refusal)
					switch then {
					case "waits":
						<-stop
					case "resets":
						_ = c.(*net.TCPConn).SetLinger(0)
					}
				}()
			}
		}()
		client := newClient(t, nil, "")
		for _, stream := range []bool{false, true} {
			out := outgoing(t, "POST", "http://"+l.Addr().String(), strings.Repeat("b", 32<<20))
			if stream {
				out.Pieces, out.Stream, out.Length = nil, strings.NewReader(strings.Repeat("b", 32<<20)), -1
			}
			out.Timeouts.Write, out.Timeouts.Read = 20*time.Second, 20*time.Second
			machine := lateness.Start(t)
			start := time.Now()
			a, err := client.Do(context.Background(), out)
			switch {
			case err != nil && then == "waits":
				t.Errorf("%s, stream %v: %v", then, stream, err)
			case err != nil: // the kernel may throw away what a reset connection has received
				wantTransport(t, err, wire.Sent, false)
			case a.Status != 413 || text(t, a, err) != "no":
				t.Errorf("%s, stream %v: %d", then, stream, a.Status)
			}
			if d := time.Since(start); d > machine.Within(2*time.Second) {
				t.Errorf("%s: after %v", then, d)
			}
		}
		close(stop)
	}
}

// An interim answer does not end a request that is still being sent.
func TestAnInterimAnswerDoesNotEndTheRequest(t *testing.T) {
	const size = 8 << 20
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in := newSource(c)
		defer in.release()
		_, _ = in.head(1 << 10)
		_, _ = io.WriteString(c, "HTTP/1.1 102 Pro")
		time.Sleep(3 * lastWords)
		_, _ = io.WriteString(c, "cessing\r\n\r\n")
		time.Sleep(lastWords)
		b := &body{src: in, framing: sized, left: size}
		n, _ := io.Copy(io.Discard, b)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n%7d", n)
	}()
	out := outgoing(t, "POST", "http://"+l.Addr().String(), strings.Repeat("b", size))
	a, err := newClient(t, nil, "").Do(context.Background(), out)
	if got := text(t, a, err); got != fmt.Sprint(size) {
		t.Errorf("%s bytes came, of %d", got, size)
	}
}

// endless is a body that says when it is read.
type endless struct{ failAt int }

func (e *endless) Read(p []byte) (int, error) {
	if e.failAt -= len(p); e.failAt < 0 {
		return 0, errEndless
	}
	return len(p), nil
}

var errEndless = errors.New("the client's fault")

func TestABodyThatFailsIsTheError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newClient(t, nil, "")
	out := outgoing(t, "POST", "http://"+l.Addr().String())
	out.Stream, out.Length = &endless{100 << 10}, -1
	if _, err := c.Do(context.Background(), out); !errors.Is(err, errEndless) {
		t.Error(err)
	}
}

func TestEachPhaseHasItsTimeout(t *testing.T) {
	const limit = 60 * time.Millisecond
	full, err := net.Listen("tcp", "127.0.0.1:0") // accepts nothing, reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	c := newClient(t, nil, "")
	machine := lateness.Start(t)
	within := func(start time.Time, what string) {
		t.Helper()
		if d := time.Since(start); d < limit || d > machine.Within(limit+time.Second) {
			t.Errorf("%s: after %v, want %v", what, d, limit)
		}
	}
	start := time.Now()
	slow := newClient(t, nil, "")
	slow.dialSocket = func(ctx context.Context, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	out := outgoing(t, "GET", "http://192.0.2.1/")
	out.Timeouts.Connect = limit
	_, err = slow.Do(context.Background(), out)
	wantTransport(t, err, wire.Connecting, true)
	within(start, "connect")

	start = time.Now()
	out = outgoing(t, "GET", "https://"+full.Addr().String())
	out.Timeouts.Connect = limit
	_, err = c.Do(context.Background(), out)
	wantTransport(t, err, wire.Connecting, true)
	within(start, "TLS")

	start = time.Now()
	out = outgoing(t, "POST", "http://"+full.Addr().String(), strings.Repeat("x", 32<<20))
	out.Timeouts.Write = limit
	_, err = c.Do(context.Background(), out)
	wantTransport(t, err, wire.Sent, true)
	within(start, "write")

	start = time.Now()
	out = outgoing(t, "GET", "http://"+full.Addr().String())
	out.Timeouts.Read = limit
	_, err = c.Do(context.Background(), out)
	wantTransport(t, err, wire.Sent, true)
	within(start, "head")

	s := scriptTCP(t, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", false)
	out = outgoing(t, "GET", s.url().String())
	out.Timeouts.Read = limit
	for _, wait := range []bool{false, true} {
		a, err := c.Do(context.Background(), out)
		for tries := 0; isTimeout(err) && tries < 100; tries++ { // a busy machine: the head was late
			a, err = c.Do(context.Background(), out)
		}
		if err != nil {
			t.Fatal(err)
		}
		body := a.Body
		if wait {
			body = waiting{body}
		}
		start = time.Now()
		b, err := io.ReadAll(body)
		wantTransport(t, err, wire.Reading, true)
		within(start, "body")
		if a.Body.Close(); string(b) != "hel" {
			t.Errorf("%q", b)
		}
	}
	_, err = c.Do(context.Background(), outgoing(t, "GET", "http://"+ports.Dead))
	wantTransport(t, err, wire.Connecting, false)
}

// Whoever waits, in whichever phase, stops at once when its context ends, and
// the connection is closed.
func TestACancelledContextEndsEveryPhase(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard, over := make(chan bool, 10), make(chan bool, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				line, _ := r.ReadString('\n')
				if strings.Contains(line, "/body") {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
				}
				heard <- true
				_, _ = io.Copy(io.Discard, r)
				over <- true
			}()
		}
	}()
	base := "http://" + l.Addr().String()
	c := newClient(t, nil, "")
	dialing := newClient(t, nil, "")
	dialing.dialSocket = func(ctx context.Context, _ string) (net.Conn, error) {
		heard <- true
		<-ctx.Done()
		return nil, ctx.Err()
	}
	machine := lateness.Start(t)
	type phase struct {
		name   string
		client *Client
		out    *wire.Outgoing
	}
	for _, p := range []phase{{"dial", dialing, outgoing(t, "GET", base)}, {"head", c, outgoing(t, "POST", base+"/head", "x")}, {"body", c, outgoing(t, "POST", base+"/body", "x")}} {
		for _, kind := range []string{"lifetime", "context"} {
			ctx, cancel := context.WithCancel(context.Background())
			if kind == "lifetime" {
				life := &lifetime{}
				ctx, cancel = life, life.end
			}
			done := make(chan error, 1)
			go func() {
				a, err := p.client.Do(ctx, p.out)
				if err == nil {
					_, err = io.ReadAll(a.Body)
					a.Body.Close()
				}
				done <- err
			}()
			<-heard
			time.Sleep(5 * time.Millisecond)
			start := time.Now()
			cancel()
			select {
			case err := <-done:
				if err == nil {
					t.Errorf("%s: no error", p.name)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: still waiting", p.name)
			}
			if p.name != "dial" {
				<-over
			}
			if d := time.Since(start); d > machine.Within(50*time.Millisecond) {
				t.Errorf("%s: after %v", p.name, d)
			}
		}
	}
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.pool.n != 0 {
		t.Errorf("%d connections are pooled", c.pool.n)
	}
}

func TestIdleConnectionsAreSwept(t *testing.T) {
	s := scriptTCP(t, okay, false)
	c := newClient(t, nil, "")
	answer, err := c.Do(context.Background(), outgoing(t, "GET", s.url().String()))
	text(t, answer, err)
	c.pool.mu.Lock()
	for _, list := range c.pool.idle {
		for _, conn := range list {
			conn.since = time.Now().Add(-maxIdleAge)
		}
	}
	c.pool.mu.Unlock()
	c.pool.expire()
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.pool.n != 0 || len(c.pool.idle) != 0 {
		t.Errorf("%d idle connections, %d origins", c.pool.n, len(c.pool.idle))
	}
}
