package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime/debug"
	"time"
)

// dialAside runs dial in a goroutine of its own. Connecting and verifying
// certificates need a deep stack, and the stack of a stream's goroutine would stay
// that deep.
func (c *Client) dialAside(ctx context.Context, to origin, limit time.Duration) (conn *clientConn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic while connecting: %v", p)
				debug.PrintStack()
			}
		}()
		conn, err = c.dial(ctx, to, limit)
	}()
	<-done
	return conn, err
}

// dial connects to an origin, through a proxy if the environment names one. limit
// applies to all of it: TCP, the proxy and TLS.
func (c *Client) dial(ctx context.Context, to origin, limit time.Duration) (*clientConn, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	proxy, err := c.proxyOf(to.scheme, to.host)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	target := withPort(to.scheme, to.host)
	address := target
	if proxy != nil {
		address = withPort(proxy.Scheme, proxy.Host)
	}
	socket, err := c.dialSocket(ctx, address)
	if isFull(err) && c.pool.makeRoom() {
		socket, err = c.dialSocket(ctx, address)
	}
	if err != nil {
		return nil, err
	}
	conn := &clientConn{client: c, origin: to, socket: socket, peer: socket.RemoteAddr().String()}
	if err := conn.establish(ctx, proxy, target); err != nil {
		socket.Close()
		return nil, err
	}
	return conn, nil
}

// dialTCP connects to "host:port", by the faster of both address families.
func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 30 * time.Second}
	return d.DialContext(ctx, "tcp", address)
}

// establish prepares a socket for requests.
func (c *clientConn) establish(ctx context.Context, proxy *url.URL, target string) error {
	conn := c.socket
	secure := func(name string) error {
		s, err := c.handshake(ctx, conn, name)
		if err == nil {
			conn, c.secured = s, append(c.secured, s)
		}
		return err
	}
	if proxy != nil && proxy.Scheme == "https" {
		if err := secure(proxy.Hostname()); err != nil {
			return fmt.Errorf("proxy: %w", err)
		}
	}
	switch {
	case proxy == nil:
	case c.origin.scheme == "http":
		c.absolute, c.proxyAuth = true, basicAuth(proxy)
	default:
		if err := tunnel(ctx, conn, target, basicAuth(proxy)); err != nil {
			return fmt.Errorf("proxy: %w", err)
		}
	}
	if c.origin.scheme == "https" {
		name, _, _ := net.SplitHostPort(target)
		if err := secure(name); err != nil {
			return err
		}
	}
	c.conn = conn
	c.in.open(conn)
	c.out.open(conn, -1, c.in.raw)
	c.look = c.lookAt
	c.raw = rawConn(c.socket)
	c.prepareAsking()
	return nil
}

// HTTP2Env is the environment variable that names the hosts which only speak
// HTTP/2, separated by commas.
const HTTP2Env = "GO_AI_PROXY_HTTP2"

// maxProxyHead is the largest answer of a proxy to CONNECT, in bytes.
const maxProxyHead = 32 << 10

// tunnel asks an HTTP proxy for a connection to target (RFC 9110 §9.3.6).
func tunnel(ctx context.Context, conn net.Conn, target, auth string) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(past) }) // an error shows in what is read next
	defer stop()
	request := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if auth != "" {
		request += "Proxy-Authorization: " + auth + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		return err
	}
	in := newSource(conn)
	defer in.release()
	head, err := in.head(maxProxyHead)
	if err != nil {
		return err
	}
	status, _, _, err := parseStatus(head)
	switch {
	case err != nil:
		return err
	case status != 200:
		return fmt.Errorf("CONNECT was answered %d", status)
	case in.buffered() > 0:
		return errors.New("bytes after the answer to CONNECT")
	case !stop():
		return ctx.Err()
	}
	return nil
}

func basicAuth(proxy *url.URL) string {
	if proxy.User == nil {
		return ""
	}
	password, _ := proxy.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password))
}

// withPort is host with its port, or the scheme's.
func withPort(scheme, host string) string {
	u := url.URL{Host: host}
	port := u.Port()
	switch {
	case port != "":
	case scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
