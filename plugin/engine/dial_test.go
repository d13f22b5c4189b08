package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
)

func TestTLSSessionsAreResumed(t *testing.T) {
	var resumed atomic.Int32
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		if r.Proto != "HTTP/1.1" || r.TLS.NegotiatedProtocol != "http/1.1" {
			t.Errorf("%s by %q", r.Proto, r.TLS.NegotiatedProtocol)
		}
		w.Header().Set("Connection", "close")
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100_000))
	}))
	defer up.Close()
	roots := x509.NewCertPool()
	roots.AddCert(up.Certificate())
	c := newClient(t, &tls.Config{RootCAs: roots}, "")
	for range 3 {
		a, err := c.Do(context.Background(), outgoing(t, "POST", up.URL, strings.Repeat("b", 200_000)))
		if len(text(t, a, err)) != 100_000 {
			t.Error("the answer is not whole")
		}
	}
	if resumed.Load() != 2 {
		t.Errorf("%d of 2 sessions were resumed", resumed.Load())
	}
	_, err := newClient(t, nil, "").Do(context.Background(), outgoing(t, "GET", up.URL))
	var unknown x509.UnknownAuthorityError
	if wantTransport(t, err, wire.Connecting, false); !errors.As(err, &unknown) {
		t.Errorf("a certificate of nobody was taken: %v", err)
	}
}

func TestAHostThatSpeaksOnlyHTTP2GoesThroughNetHTTP(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	up.TLS = &tls.Config{NextProtos: []string{"h2"}}
	up.EnableHTTP2 = true
	up.StartTLS()
	defer up.Close()
	roots := x509.NewCertPool()
	roots.AddCert(up.Certificate())
	base := &tls.Config{RootCAs: roots}
	for _, hosts := range []string{"127.0.0.1", "*", "x, " + strings.TrimPrefix(up.URL, "https://")} {
		a, err := newClient(t, base, hosts).Do(context.Background(), outgoing(t, "POST", up.URL, "x"))
		if got := text(t, a, err); got != "HTTP/2.0" {
			t.Errorf("%q: %s", hosts, got)
		}
	}
	// Go's own servers forgive this client; others have it end in an alert.
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: up.TLS.Certificates, NextProtos: []string{"other"}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	_, err = newClient(t, base, "").Do(context.Background(), outgoing(t, "GET", "https://"+l.Addr().String()))
	if err == nil || !strings.Contains(err.Error(), HTTP2Env) {
		t.Errorf("the error does not name the remedy: %v", err)
	}
}

// proxyServer is an HTTP proxy that takes everything to one address.
func proxyServer(t *testing.T, to string) (*url.URL, *atomic.Pointer[string]) {
	var seen atomic.Pointer[string]
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := r.Method + " " + r.RequestURI + " " + r.Header.Get("Proxy-Authorization")
		seen.Store(&text)
		if r.Method != "CONNECT" {
			_, _ = io.WriteString(w, "by proxy")
			return
		}
		if strings.HasPrefix(r.RequestURI, "refused.") {
			w.WriteHeader(407)
			return
		}
		far, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		near, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(far, near); far.Close() }()
		_, _ = io.Copy(near, far)
		near.Close()
	}))
	t.Cleanup(proxy.Close)
	u, _ := url.Parse(proxy.URL)
	u.User = url.UserPassword("me", "pass")
	return u, &seen
}

func TestProxiesAreUsed(t *testing.T) {
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	defer up.Close()
	roots := x509.NewCertPool()
	roots.AddCert(up.Certificate())
	proxy, seen := proxyServer(t, strings.TrimPrefix(up.URL, "https://"))
	c := newClient(t, &tls.Config{RootCAs: roots}, "")
	c.proxyOf = func(_, _ string) (*url.URL, error) { return proxy, nil }
	ask := func(to string) (string, error) {
		out := outgoing(t, "GET", to)
		out.Timeouts.Connect = 20 * time.Second
		a, err := c.Do(context.Background(), out)
		if err != nil {
			return "", err
		}
		return text(t, a, nil), nil
	}
	const auth = " Basic bWU6cGFzcw=="
	if got, err := ask("https://example.com/x"); got != "example.com" || err != nil || *seen.Load() != "CONNECT example.com:443"+auth {
		t.Errorf("%q %v %q", got, err, *seen.Load())
	}
	if got, err := ask("http://example.com/x?y"); got != "by proxy" || err != nil || *seen.Load() != "GET http://example.com/x?y"+auth {
		t.Errorf("%q %v %q", got, err, *seen.Load())
	}
	_, err := ask("https://refused.example/x")
	if wantTransport(t, err, wire.Connecting, false); err == nil || !strings.Contains(err.Error(), "407") {
		t.Error(err)
	}
}
