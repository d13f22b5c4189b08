// Package upstream is the connection to providers: HTTP by the engine, WebSockets, and,
// for trials, one host instead of all. It knows neither formats nor credentials. Start
// with Client.
package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/coder/websocket"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/wire"
)

// Client is the wire.Upstream to real providers: the engine, and net/http for
// WebSocket handshakes. It is safe for concurrent use.
type Client struct {
	http       *engine.Client
	instead    *url.URL // to which all requests go; nil for those that are asked for
	mu         sync.Mutex
	forSockets map[wire.Timeouts]*http.Transport
}

// New returns a client that uses the engine of that kind.
func New(kind engine.Kind) *Client {
	return &Client{http: engine.NewClient(nil, os.Getenv(engine.HTTP2Env), kind), forSockets: map[wire.Timeouts]*http.Transport{}}
}

// Do implements wire.Upstream.
func (c *Client) Do(ctx context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	return c.http.Do(ctx, c.redirected(out))
}

// Redirect sends all requests to the host of base, with its scheme. It must be called
// before the first request.
func (c *Client) Redirect(base *url.URL) { c.instead = base }

func (c *Client) redirected(out *wire.Outgoing) *wire.Outgoing {
	if c.instead == nil {
		return out
	}
	there, target := *out, *out.URL
	target.Scheme, target.Host = c.instead.Scheme, c.instead.Host
	there.URL = &target
	// By which the host knows whom the request was for.
	if there.Header = out.Header.Clone(); there.Header == nil {
		there.Header = http.Header{}
	}
	there.Header.Set("X-Forwarded-Host", out.URL.Host)
	return &there
}

// IdleConnections is how many connections to providers wait for a request.
func (c *Client) IdleConnections() int { return c.http.IdleConnections() }

// Close closes idle connections.
func (c *Client) Close() { c.http.Close() }

// sockets returns the transport for WebSockets, which cannot use HTTP/2.
func (c *Client) sockets(t wire.Timeouts) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := wire.Timeouts{Connect: t.Connect}
	tr := c.forSockets[key]
	if tr == nil {
		d := &net.Dialer{Timeout: t.Connect, KeepAlive: 30 * time.Second}
		tr = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: d.DialContext, TLSHandshakeTimeout: t.Connect, DisableKeepAlives: true,
			DisableCompression: true,
			TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(256)},
		}
		c.forSockets[key] = tr
	}
	return tr
}

// Dial opens a WebSocket. The handshake is HTTP/1.1. When the provider refuses, Dial
// returns its answer with the error.
func (c *Client) Dial(ctx context.Context, out *wire.Outgoing, o *websocket.DialOptions) (*websocket.Conn, *wire.Answer, error) {
	out = c.redirected(out)
	o.HTTPClient = &http.Client{
		Transport:     c.sockets(out.Timeouts),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	o.HTTPHeader = out.Header
	conn, resp, err := websocket.Dial(ctx, out.URL.String(), o)
	if err == nil {
		return conn, &wire.Answer{Status: resp.StatusCode, Header: resp.Header}, nil
	}
	if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols && resp.Body != nil {
		return nil, &wire.Answer{Status: resp.StatusCode, Header: resp.Header, Body: resp.Body}, err
	}
	return nil, nil, &wire.TransportError{Phase: wire.Connecting, Timeout: isTimeout(err), Err: err}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}
