package plugin

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/coder/websocket"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/wire"
)

// httpUpstream is the Upstream to real providers: the engine, and net/http for
// WebSocket handshakes.
type httpUpstream struct {
	*engine.Client
	mu         sync.Mutex
	forSockets map[wire.Timeouts]*http.Transport
}

func newHTTPUpstream(kind engine.Kind) *httpUpstream {
	return &httpUpstream{Client: engine.NewClient(nil, os.Getenv(engine.HTTP2Env), kind), forSockets: map[wire.Timeouts]*http.Transport{}}
}

// sockets returns the transport for WebSockets, which cannot use HTTP/2.
func (u *httpUpstream) sockets(t wire.Timeouts) *http.Transport {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := wire.Timeouts{Connect: t.Connect}
	tr := u.forSockets[key]
	if tr == nil {
		d := &net.Dialer{Timeout: t.Connect, KeepAlive: 30 * time.Second}
		tr = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: d.DialContext, TLSHandshakeTimeout: t.Connect, DisableKeepAlives: true,
			DisableCompression: true,
			TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(256)},
		}
		u.forSockets[key] = tr
	}
	return tr
}

// dial implements socketUpstream. The handshake is HTTP/1.1.
func (u *httpUpstream) dial(ctx context.Context, out *wire.Outgoing, o *websocket.DialOptions) (*websocket.Conn, *wire.Answer, error) {
	o.HTTPClient = &http.Client{
		Transport:     u.sockets(out.Timeouts),
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

// close closes idle connections.
func (u *httpUpstream) close() { u.Client.Close() }

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}
