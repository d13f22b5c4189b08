package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go-ai-proxy/plugin/wire"
)

// transport returns the way by net/http.
func (c *Client) transport() *transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.std == nil {
		config := c.tls.Clone()
		config.NextProtos = nil
		c.std = &transport{tls: config, transports: map[wire.Timeouts]*http.Transport{}}
	}
	return c.std
}

// transport is a wire.Upstream on net/http, for all of NetHTTP and for what Client
// does not speak: HTTP/2, and proxies that are not HTTP. Connections are pooled per set of
// timeouts: net/http has its limits on the transport.
type transport struct {
	tls        *tls.Config
	mu         sync.Mutex
	transports map[wire.Timeouts]*http.Transport
}

func (u *transport) of(t wire.Timeouts) *http.Transport {
	u.mu.Lock()
	defer u.mu.Unlock()
	tr := u.transports[t]
	if tr == nil {
		d := &net.Dialer{Timeout: t.Connect, KeepAlive: 30 * time.Second}
		tr = &http.Transport{
			MaxResponseHeaderBytes: maxAnswerHead,
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            d.DialContext,
			TLSHandshakeTimeout:    t.Connect,
			ResponseHeaderTimeout:  t.Read,
			IdleConnTimeout:        maxIdleAge,
			MaxIdleConns:           maxIdle,
			MaxIdleConnsPerHost:    maxIdleOrigin,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			ReadBufferSize:         4 << 10,
			WriteBufferSize:        4 << 10,
			TLSClientConfig:        u.tls,
		}
		u.transports[t] = tr
	}
	return tr
}

// close ends idle connections.
func (u *transport) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, tr := range u.transports {
		tr.CloseIdleConnections()
	}
}

// Do implements wire.Upstream.
func (u *transport) Do(ctx context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var phase atomic.Int32
	var peer string
	trace := &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			phase.Store(int32(wire.Sent))
			peer = i.Conn.RemoteAddr().String()
		},
	}
	header := out.Header
	if header["User-Agent"] == nil { // net/http would send its own
		header = maps.Clone(header)
		if header == nil {
			header = http.Header{}
		}
		header["User-Agent"] = nil
	}
	req := (&http.Request{
		Method: out.Method, URL: out.URL, Host: out.URL.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(httptrace.WithClientTrace(ctx, trace))
	writing := limit(out.Timeouts.Write, cancel)
	var over atomic.Bool
	setBody(req, out, writing, &over)
	if writing != nil && req.Body != nil {
		trace.WroteRequest = func(httptrace.WroteRequestInfo) { writing.Stop() }
	}
	resp, err := u.of(out.Timeouts).RoundTrip(req)
	if writing != nil {
		over.Store(true)
		writing.Stop()
	}
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errTimeout) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		cancel(nil)
		return nil, &wire.TransportError{Phase: wire.Phase(phase.Load()), Timeout: isTimeout(err), Err: err}
	}
	return &wire.Answer{Status: resp.StatusCode, Header: resp.Header, Peer: peer,
		Body: &idleBody{body: resp.Body, cancel: cancel, ctx: ctx, idle: out.Timeouts.Read}}, nil
}

func setBody(req *http.Request, out *wire.Outgoing, writing *time.Timer, over *atomic.Bool) {
	if out.Stream != nil {
		req.Body, req.ContentLength = io.NopCloser(out.Stream), out.Length
		if writing != nil {
			req.Body = io.NopCloser(&unhurried{out.Stream, writing, out.Timeouts.Write, over})
		}
		return
	}
	n := int64(0)
	for _, p := range out.Pieces {
		n += int64(len(p))
	}
	if n == 0 {
		return
	}
	req.ContentLength = n
	body := make([]byte, 0, n) // a copy: net/http may read it when RoundTrip has returned
	for _, p := range out.Pieces {
		body = append(body, p...)
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
}

// unhurried is a body of any size: the time for writing runs between two reads
// only, and not while the client is waited for.
type unhurried struct {
	from    io.Reader
	writing *time.Timer
	limit   time.Duration
	over    *atomic.Bool // the answer has begun
}

func (u *unhurried) Read(p []byte) (int, error) {
	u.writing.Stop()
	n, err := u.from.Read(p)
	if err == nil && !u.over.Load() {
		u.writing.Reset(u.limit)
	}
	return n, err
}

var errTimeout = fmt.Errorf("timed out: %w", os.ErrDeadlineExceeded)

// limit cancels after d; nil when there is no limit.
func limit(d time.Duration, cancel context.CancelCauseFunc) *time.Timer {
	if d <= 0 {
		return nil
	}
	return time.AfterFunc(d, func() { cancel(errTimeout) })
}

// idleBody ends a body that brings nothing for the idle time.
type idleBody struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	idle   time.Duration
	timer  *time.Timer
}

func (b *idleBody) Read(p []byte) (int, error) {
	if b.idle > 0 {
		if b.timer == nil {
			b.timer = limit(b.idle, b.cancel)
		} else {
			b.timer.Reset(b.idle)
		}
	}
	n, err := b.body.Read(p)
	if b.timer != nil {
		b.timer.Stop()
	}
	if err != nil && err != io.EOF {
		err = &wire.TransportError{Phase: wire.Reading, Timeout: errors.Is(context.Cause(b.ctx), errTimeout) || isTimeout(err), Err: err}
	}
	return n, err
}

func (b *idleBody) Close() error {
	if b.timer != nil {
		b.timer.Stop()
	}
	b.cancel(nil)
	return b.body.Close()
}
