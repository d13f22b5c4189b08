package engine

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go-ai-proxy/plugin/wire"
)

// closer is a provider that answers one request of a connection, and closes it
// while it is idle, or with the second request unread, or read.
type closer struct {
	l             net.Listener
	conns, closed atomic.Int32
}

// idle waits until the connections so far have been closed by a provider that does so
// while they are idle.
func (p *closer) idle(when string) {
	for end := time.Now().Add(20 * time.Second); when == "idle" && p.closed.Load() < p.conns.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

func newCloser(t *testing.T, when string) *closer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &closer{l: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.conns.Add(1)
			go func() {
				defer func() { c.Close(); p.closed.Add(1) }()
				in := newSource(c)
				if _, err := in.head(1 << 10); err != nil {
					return
				}
				_, _ = io.WriteString(c, okay)
				switch when {
				case "unread":
					for g := quiet; g == quiet; time.Sleep(time.Millisecond) {
						_ = in.raw.Control(func(fd uintptr) { g = peek(fd) })
					}
				case "read":
					_, _ = in.head(1 << 10)
				}
			}()
		}
	}()
	return p
}

func (p *closer) url() string { return "http://" + p.l.Addr().String() }

// A pooled connection that was closed meanwhile is not used, and one that is
// closed as the request crosses it is replaced once where the method is
// idempotent. A provider may have read what it resets, and acted upon it.
func TestAStaleConnectionIsReplaced(t *testing.T) {
	for _, when := range []string{"idle", "unread", "read"} {
		for _, method := range []string{"POST", "PATCH", "GET", "PUT"} {
			p := newCloser(t, when)
			client := newClient(t, nil, "")
			fails := when != "idle" && !idempotent(method)
			for i := range 4 {
				a, err := client.Do(context.Background(), outgoing(t, method, p.url()))
				if fails && i%2 == 1 {
					wantTransport(t, err, wire.Sent, false)
					continue
				}
				text(t, a, err)
				p.idle(when)
			}
			want := int32(4)
			if fails {
				want = 2
			}
			if n := p.conns.Load(); n != want {
				t.Errorf("%s %s: %d connections for 4 requests, want %d", when, method, n, want)
			}
		}
	}
}

// broken is a connection that takes so many bytes more and then was reset.
type broken struct {
	net.Conn
	takes int // below 0: any number
}

func (b *broken) Write(p []byte) (int, error) {
	if b.takes < 0 {
		return b.Conn.Write(p)
	}
	n, err := b.Conn.Write(p[:min(b.takes, len(p))])
	if b.takes -= n; err == nil && n < len(p) {
		err = &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.ECONNRESET)}
	}
	return n, err
}

// A POST of which nothing was written is repeated. One of which something was
// written is not; within TLS the least that can be read is a record.
func TestAPOSTIsRepeatedOnlyWhenNothingOfItWasWritten(t *testing.T) {
	const large = 200 << 10
	for _, c := range []struct {
		secure      bool
		size, takes int
		repeated    bool
	}{
		{false, 1, 0, true}, {false, 1, 1, false}, {false, large, 0, true}, {false, large, 1, false}, {false, large, large / 2, false},
		{true, 1, 0, true}, {true, large, 0, true}, {true, large, large / 2, false},
	} {
		up := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
		if up.Config.ErrorLog = quietLog(); c.secure {
			up.StartTLS()
		} else {
			up.Start()
		}
		client := newClient(t, &tls.Config{RootCAs: rootsOf(up)}, "")
		var conns []*broken
		client.dialSocket = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := dialTCP(ctx, address)
			conns = append(conns, &broken{conn, -1})
			return conns[len(conns)-1], err
		}
		out := func() *wire.Outgoing { return outgoing(t, "POST", up.URL, strings.Repeat("b", c.size)) }
		a, err := client.Do(context.Background(), out())
		text(t, a, err)
		conns[0].takes = c.takes
		if a, err = client.Do(context.Background(), out()); c.repeated {
			text(t, a, err)
		} else {
			wantTransport(t, err, wire.Sent, false)
		}
		if repeated := len(conns) == 2; repeated != c.repeated {
			t.Errorf("%+v: repeated %v", c, repeated)
		}
		up.Close()
	}
}

// What cannot be sent twice is not.
func TestAStreamIsNotRepeated(t *testing.T) {
	for when, fails := range map[string]bool{"idle": false, "unread": true} {
		p := newCloser(t, when)
		client := newClient(t, nil, "")
		for i := range 2 {
			out := outgoing(t, "PUT", p.url())
			out.Stream, out.Length = strings.NewReader("x"), 1
			a, err := client.Do(context.Background(), out)
			if i == 1 && fails {
				wantTransport(t, err, wire.Sent, false)
				continue
			}
			text(t, a, err)
			p.idle(when)
		}
	}
}

// A fresh connection that is closed is an error, and so is one on which an
// answer has begun.
func TestAFailureIsNotRepeated(t *testing.T) {
	for _, answer := range []string{"", "HTTP/1.1 2"} {
		s := scriptTCP(t, answer, true)
		c := newClient(t, nil, "")
		_, err := c.Do(context.Background(), outgoing(t, "GET", s.url().String()))
		wantTransport(t, err, wire.Sent, false)
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%q: %d connections", answer, n)
		}
	}
}
