package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

func rootsOf(up *httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	if c := up.Certificate(); c != nil {
		roots.AddCert(c)
	}
	return roots
}

// held is a connection whose writes can be held back, to go out in one.
type held struct {
	net.Conn
	hold bool
	b    bytes.Buffer
}

func (h *held) Write(p []byte) (int, error) {
	if h.hold {
		return h.b.Write(p)
	}
	return h.Conn.Write(p)
}

// release sends what was held back but for its last bytes.
func (h *held) release(but int) {
	h.hold = false
	_ = h.SetWriteDeadline(time.Time{}) // a farewell has set one
	_, _ = h.Conn.Write(h.b.Bytes()[:h.b.Len()-but])
	h.b.Reset()
}

// certified is a provider's certificate, and who trusts it.
type certified struct {
	config *tls.Config
	roots  *x509.CertPool
}

func tlsCertificate() certified {
	cert := httptest.NewTLSServer(nil)
	defer cert.Close()
	return certified{&tls.Config{Certificates: cert.TLS.Certificates}, rootsOf(cert)}
}

// secureProvider answers every request of a TLS connection by say, and counts
// connections. Bodies are read by hear, if there are any.
func secureProvider(t testing.TB, say func(c *tls.Conn, below *held), hear ...func(io.Reader)) (url string, roots *x509.CertPool, conns *atomic.Int32) {
	up := tlsCertificate()
	roots, config := up.roots, up.config
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	conns = &atomic.Int32{}
	go func() {
		for {
			socket, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				below := &held{Conn: socket}
				c := tls.Server(below, config)
				defer socket.Close()
				in := newSource(c)
				defer in.release()
				for {
					if _, err := in.head(4 << 10); err != nil {
						return
					}
					for _, f := range hear {
						f(readerFunc(func(p []byte) (int, error) { return in.read(p, true) }))
					}
					say(c, below)
				}
			}()
		}
	}()
	return "https://" + l.Addr().String(), roots, conns
}

// What a provider sends beyond its answer may have been read into TLS already,
// where no look at the socket finds it. It must not become the next answer.
func TestBytesBeyondATLSAnswerCloseTheConnection(t *testing.T) {
	const smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
	large := "HTTP/1.1 200 OK\r\nContent-Length: 12002\r\n\r\n" + string(bytes.Repeat([]byte("x"), 12000)) + "ok"
	for _, answer := range []string{okay, chunked, large} {
		for _, c := range []struct {
			name  string
			say   func(c *tls.Conn)
			cut   int // bytes at the end that are not sent
			conns int32
		}{
			{"nothing", func(c *tls.Conn) { io.WriteString(c, answer) }, 0, 1},
			{"in its record", func(c *tls.Conn) { io.WriteString(c, answer+smuggled) }, 0, 3},
			{"in a record behind it", func(c *tls.Conn) { io.WriteString(c, answer); io.WriteString(c, smuggled) }, 0, 3},
			{"in a part of a record", func(c *tls.Conn) { io.WriteString(c, answer); io.WriteString(c, smuggled) }, 10, 3},
			{"in a part of a record's header", func(c *tls.Conn) { io.WriteString(c, answer); io.WriteString(c, "x") }, 20, 3},
			{"a farewell", func(c *tls.Conn) { io.WriteString(c, answer); c.CloseWrite() }, 0, 3},
		} {
			url, roots, conns := secureProvider(t, func(conn *tls.Conn, below *held) {
				below.hold = true
				c.say(conn)
				below.release(c.cut)
			})
			client := newClient(t, &tls.Config{RootCAs: roots}, "")
			for range 3 {
				out := outgoing(t, "GET", url)
				out.Timeouts.Read = 20 * time.Second
				a, err := client.Do(context.Background(), out)
				if body := text(t, a, err); body != "ok" && len(body) != 12002 {
					t.Errorf("%s: answered %q", c.name, body[:min(len(body), 100)])
				}
			}
			if n := conns.Load(); n != c.conns {
				t.Errorf("%s, answer of %d bytes: %d connections for 3 requests, want %d", c.name, len(answer), n, c.conns)
			}
		}
	}
}

// What comes inside an idle TLS connection later is found by the look at its
// socket.
func TestBytesOnAnIdleTLSConnectionCloseIt(t *testing.T) {
	idle, written := make(chan struct{}), make(chan struct{}, 3)
	url, roots, conns := secureProvider(t, func(c *tls.Conn, _ *held) {
		_, _ = io.WriteString(c, okay)
		<-idle
		_, _ = io.WriteString(c, okay)
		written <- struct{}{}
	})
	client := newClient(t, &tls.Config{RootCAs: roots}, "")
	for range 3 {
		a, err := client.Do(context.Background(), outgoing(t, "GET", url))
		text(t, a, err)
		idle <- struct{}{}
		<-written
	}
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections for 3 requests", n)
	}
}

// Through a proxy on TLS there are two layers, and honest ones are kept.
func TestTLSThroughAProxyOnTLSKeepsItsConnection(t *testing.T) {
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer up.Close()
	var tunnels atomic.Int32
	proxy := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tunnels.Add(1)
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		defer far.Close()
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer near.Close()
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		go io.Copy(far, near)
		_, _ = io.Copy(near, far)
	}))
	defer proxy.Close()
	roots := rootsOf(up)
	roots.AddCert(proxy.Certificate())
	client := newClient(t, &tls.Config{RootCAs: roots}, "")
	client.proxyOf = func(string, string) (*url.URL, error) { return url.Parse(proxy.URL) }
	for range 3 {
		a, err := client.Do(context.Background(), outgoing(t, "POST", up.URL, "x"))
		text(t, a, err)
	}
	if n := tunnels.Load(); n != 1 {
		t.Errorf("%d connections for 3 requests", n)
	}
	client.Close()
	up.CloseClientConnections()
}

// Connections to a host share a configuration, and few names are remembered.
func TestConnectionsToAHostShareAConfiguration(t *testing.T) {
	c := newClient(t, nil, "")
	one := c.configFor("one.example")
	if one.ServerName != "one.example" || c.configFor("one.example") != one {
		t.Errorf("for one.example: %q, shared %v", one.ServerName, c.configFor("one.example") == one)
	}
	for i := range 3 * maxNamed {
		name := strconv.Itoa(i) + ".example"
		if got := c.configFor(name); got.ServerName != name || got.ClientSessionCache != one.ClientSessionCache {
			t.Fatalf("for %s: %q, sessions shared %v", name, got.ServerName, got.ClientSessionCache == one.ClientSessionCache)
		}
	}
	if len(c.named) > maxNamed {
		t.Errorf("%d names are remembered", len(c.named))
	}
	fixed := newClient(t, &tls.Config{ServerName: "fixed.example"}, "")
	if got := fixed.configFor("one.example").ServerName; got != "fixed.example" {
		t.Errorf("with a name of its own: %q", got)
	}
}

func TestRecordsOfALargeRequestAreWrittenTogether(t *testing.T) {
	var got []byte
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
	}))
	defer up.Close()
	var writes atomic.Int32
	client := newClient(t, &tls.Config{RootCAs: rootsOf(up)}, "")
	client.dialSocket = func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := dialTCP(ctx, address)
		return counted{conn, &writes}, err
	}
	for _, c := range []struct{ size, most int32 }{
		{0, 1}, {7 << 10, 1}, {20 << 10, 1}, {100 << 10, 1}, {450 << 10, 5}, {2 << 20, 20},
	} {
		body := bytes.Repeat([]byte("0123456789abcde"), int(c.size)/15+1)[:c.size]
		for range 2 { // the first makes the connection
			writes.Store(0)
			a, err := client.Do(context.Background(), outgoing(t, "POST", up.URL, string(body)))
			text(t, a, err)
		}
		if !bytes.Equal(got, body) {
			t.Errorf("of %d bytes others arrived, %d of them", c.size, len(got))
		}
		if n := writes.Load(); n > c.most {
			t.Errorf("%d bytes took %d writes, want %d", c.size, n, c.most)
		}
	}
}
