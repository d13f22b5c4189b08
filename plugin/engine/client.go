package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"

	"go-ai-proxy/plugin/wire"
)

// Client sends requests to providers: HTTP/1.1 over pooled connections, through
// the proxies that the environment names (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). It
// implements wire.Upstream.
type Client struct {
	tls   *tls.Config
	http2 []string
	pool  pool
	// dialTCP and the environment's proxy; tests have others.
	dialSocket func(ctx context.Context, address string) (net.Conn, error)
	proxyOf    func(scheme, host string) (*url.URL, error)

	mu    sync.Mutex
	std   *transport             // made when something needs net/http
	named map[string]*tls.Config // tls for a host of that name, at most maxNamed
}

// NewClient returns a client that trusts what base trusts, by default the system's
// roots. http2 is a comma-separated list of hosts that speak only HTTP/2 and are
// left to net/http; "*" means all. With kind NetHTTP, net/http is used for every
// host.
func NewClient(base *tls.Config, http2 string, kind Kind) *Client {
	c := &Client{tls: base.Clone(), dialSocket: dialTCP, proxyOf: proxyOf}
	if c.tls == nil {
		c.tls = &tls.Config{}
	}
	c.tls.DynamicRecordSizingDisabled = true // a request should be one record
	c.tls.MinVersion = max(c.tls.MinVersion, tls.VersionTLS12)
	c.tls.NextProtos = []string{"http/1.1"}
	if c.tls.ClientSessionCache == nil {
		c.tls.ClientSessionCache = tls.NewLRUClientSessionCache(256)
	}
	if kind == NetHTTP {
		http2 = "*"
	}
	for name := range strings.SplitSeq(http2, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			c.http2 = append(c.http2, name)
		}
	}
	return c
}

// Close closes idle connections and keeps no more.
func (c *Client) Close() {
	c.pool.close()
	c.mu.Lock()
	std := c.std
	c.mu.Unlock()
	if std != nil {
		std.close()
	}
}

// IdleConnections is how many connections are kept for later requests, without those of
// net/http.
func (c *Client) IdleConnections() int {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	return c.pool.n
}

// Do implements wire.Upstream. The answer's body must be closed; the context
// holds until then.
func (c *Client) Do(ctx context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	if err := check(out); err != nil {
		return nil, &wire.TransportError{Phase: wire.Connecting, Err: err}
	}
	if c.foreign(out.URL) {
		return c.transport().Do(ctx, out)
	}
	to := origin{scheme: out.URL.Scheme, host: out.URL.Host}
	for conn := c.pool.get(to); conn != nil; conn = c.pool.get(to) {
		answer, err := conn.roundTrip(ctx, out)
		switch {
		case err == nil || ctx.Err() != nil:
			return answer, err
		case errors.Is(err, errStale):
			continue
		case out.Stream != nil || !repeatable(err, out.Method):
			return answer, err
		}
		break
	}
	conn, err := c.dialAside(ctx, to, out.Timeouts.Connect)
	if err != nil {
		return nil, &wire.TransportError{Phase: wire.Connecting, Timeout: ctx.Err() == nil && isTimeout(err), Err: err}
	}
	return conn.roundTrip(ctx, out)
}

// check refuses requests that cannot be written.
func check(out *wire.Outgoing) error {
	u := out.URL
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("unsupported protocol scheme %q", u.Scheme)
	case u.Host == "" || !all(u.Host, host):
		return errors.New("the URL has no valid host")
	case !printable(u.RawQuery):
		return errors.New("the URL has no valid query")
	case !validName(out.Method):
		return errors.New("invalid method")
	case out.Method == http.MethodConnect:
		return errors.New("method CONNECT has no answer that could be passed on")
	}
	for name, values := range out.Header {
		if !validName(name) {
			return fmt.Errorf("invalid header field name %q", name)
		}
		for _, v := range values {
			if !validValue(v) {
				return fmt.Errorf("invalid header field value for %q", name) // not the value: it may be a secret
			}
		}
	}
	return nil
}

// foreign reports whether a URL is for net/http: its host only speaks HTTP/2, or it
// is reached through a proxy other than HTTP.
func (c *Client) foreign(u *url.URL) bool {
	for _, name := range c.http2 {
		if name == "*" || strings.EqualFold(name, u.Host) || strings.EqualFold(name, u.Hostname()) {
			return true
		}
	}
	proxy, err := c.proxyOf(u.Scheme, u.Host)
	return err == nil && proxy != nil && proxy.Scheme != "http" && proxy.Scheme != "https"
}

// proxyOf returns the proxy that the environment names for an origin, or nil.
func proxyOf(scheme, host string) (*url.URL, error) {
	if !anyProxy() {
		return nil, nil
	}
	return http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: scheme, Host: host}})
}

// anyProxy reports whether the environment names a proxy at all. Like net/http, it
// reads the environment once.
var anyProxy = sync.OnceValue(func() bool {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
})

func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// errUnanswered is the error of a connection that ended before the first byte of an
// answer.
type errUnanswered struct {
	cause   error
	unasked bool // nothing of the request was written
}

func (e *errUnanswered) Error() string {
	return "the provider closed the connection before it answered: " + e.cause.Error()
}
func (e *errUnanswered) Unwrap() error { return e.cause }

// repeatable reports whether a request that failed on a reused connection may be sent
// again on a new one, because the connection had been closed before the answer began.
// If something was written, the provider may have read and acted on it, whatever its
// system reports: a reset says that bytes were left, but not which. In that case only
// idempotent requests are repeated (RFC 9110 §9.2.2).
func repeatable(err error, method string) bool {
	var e *errUnanswered
	return errors.As(err, &e) && isClosed(e.cause) && (e.unasked || idempotent(method))
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
