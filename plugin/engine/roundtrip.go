package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go-ai-proxy/plugin/wire"
)

// Limits of an answer's head.
const (
	maxAnswerHead = 64 << 10 // bytes
	maxInterim    = 16       // 1xx answers before the final one
)

// clientConn is a connection to a provider. It carries one request at a time. The
// goroutine that serves the client writes the request and reads the answer.
type clientConn struct {
	client    *Client
	origin    origin
	socket    net.Conn        // the TCP connection
	raw       syscall.RawConn // of socket
	secured   []*secured      // its TLS; behind an HTTPS proxy also the TLS inside the tunnel
	conn      net.Conn        // socket, or the last of secured
	peer      string          // socket's remote address
	absolute  bool            // the request line has the whole URL, for an HTTP proxy
	proxyAuth string
	in        source
	out       output
	since     time.Time // when it was pooled; zero: it has not been used
	spoilt    bool      // must not be used again

	look func(fd uintptr) // lookAt, made once
	seen glance
	ask  asking
}

// close ends the connection. It does not send TLS's close_notify, which may block: the
// framing of messages shows whether they are complete.
func (c *clientConn) close() {
	c.in.release()
	c.out.release()
	for _, s := range c.secured {
		s.below.release()
	}
	c.socket.Close()
}

// over reports whether no byte from the provider is left in our buffers. What it sent
// without a request must not become the next answer.
func (c *clientConn) over() bool {
	for _, s := range c.secured {
		if !s.empty() {
			return false
		}
	}
	return c.in.buffered() == 0
}

// silent reports whether an idle connection is still open and the provider has sent
// nothing since it became idle. It was over then.
func (c *clientConn) silent() bool {
	if c.raw == nil {
		return true
	}
	c.seen = ended
	_ = c.raw.Control(c.look) // fails if the connection is closed
	return c.seen == quiet
}

func (c *clientConn) lookAt(fd uintptr) { c.seen = peek(fd) }

// roundTrip sends a request and reads the head of the answer. If it returns an error,
// the connection is closed.
func (c *clientConn) roundTrip(ctx context.Context, out *wire.Outgoing) (*wire.Answer, error) {
	h := c.hold(ctx)
	a, err := c.exchange(out)
	if err == nil {
		a.hold = h
		if a.body.whole() {
			a.settle()
		}
		return &a.Answer, nil
	}
	h.let()
	c.close()
	phase := wire.Sent
	if e, ok := errors.AsType[*errUnanswered](err); ok && e.unasked {
		phase = wire.Connecting
	}
	if gone := ctx.Err(); gone != nil {
		return nil, &wire.TransportError{Phase: phase, Err: fmt.Errorf("%w: %w", gone, err)}
	}
	return nil, &wire.TransportError{Phase: phase, Timeout: isTimeout(err), Err: err}
}

// exchange writes the request and reads the answer's head.
func (c *clientConn) exchange(out *wire.Outgoing) (*answer, error) {
	if err := c.send(out); err != nil {
		return nil, err
	}
	return c.receive(out.Method)
}

// holding closes a connection's socket when a context ends.
type holding struct {
	life *lifetime
	stop func() bool
}

// hold closes the connection when ctx ends.
func (c *clientConn) hold(ctx context.Context) holding {
	if l, ok := ctx.(*lifetime); ok && l.hold(c.socket) {
		return holding{life: l}
	}
	if ctx.Done() == nil {
		return holding{}
	}
	return holding{stop: context.AfterFunc(ctx, func() { c.socket.Close() })}
}

// let ends the hold. It returns false if the connection has been closed.
func (h *holding) let() bool {
	switch {
	case h.life != nil:
		return h.life.let()
	case h.stop != nil:
		return h.stop()
	}
	return true
}

// largeBody is the size in bytes up to which the socket surely accepts a request's body
// at once.
const largeBody = 64 << 10

// lastWords is how long we wait for the answer of a provider that has stopped reading the
// request.
const lastWords = 50 * time.Millisecond

// send writes a request. The time limit of the answer starts then.
func (c *clientConn) send(out *wire.Outgoing) error {
	length := out.Length
	if out.Stream == nil {
		length = 0
		for _, p := range out.Pieces {
			length += int64(len(p))
		}
	}
	c.out.wait = -1
	c.in.wait = out.Timeouts.Read
	c.appendHead(out, length)
	if out.Stream == nil && c.canAsk(length) {
		return c.askFor(out)
	}
	if !c.since.IsZero() && !c.silent() {
		return errStale
	}
	if err := c.sendLarge(out, length); err != nil {
		return err
	}
	return c.in.time.ahead(out.Timeouts.Read)
}

// sendLarge writes a request that the socket may not accept at once. A provider may
// answer before it has read the whole request, and stop reading. Then that answer
// counts.
func (c *clientConn) sendLarge(out *wire.Outgoing, length int64) error {
	if out.Stream != nil {
		c.out.wait = out.Timeouts.Write // of each write; the client's own delays do not count
	} else if err := c.out.time.ahead(out.Timeouts.Write); err != nil {
		return err
	}
	before := c.taken()
	var early *early
	if out.Stream != nil || length > largeBody {
		early = c.listen()
	}
	err := c.sendBody(out, length)
	if err == nil {
		return early.end(out.Timeouts.Read)
	}
	if c.out.err == nil {
		early.end(time.Nanosecond) // the client's body failed, so no answer is expected
		return err
	}
	if c.taken() == before {
		early.end(time.Nanosecond)
		return &errUnanswered{err, true}
	}
	early.end(lastWords)
	return c.hear(err)
}

// hear reads the answer of a provider that stopped reading a request. why is the error of
// the write, and is returned if there is no answer.
func (c *clientConn) hear(why error) error {
	c.spoilt = true
	if c.in.buffered() == 0 {
		_ = c.in.time.fix(time.Now().Add(lastWords)) // fill reports a broken connection
		_ = c.in.fill(bufferSize)
	}
	if c.in.buffered() > 0 {
		return nil
	}
	return &errUnanswered{cause: why}
}

// taken returns how many bytes have been written to the connection so far.
func (c *clientConn) taken() int64 {
	if n := len(c.secured); n > 0 {
		return c.secured[n-1].below.out.sent
	}
	return c.out.sent
}

// early reads what a provider answers while a large body is still being sent.
type early struct {
	conn  *clientConn
	timer *time.Timer
	done  chan struct{}
	err   error
}

// listen starts reading when sending takes longer than a moment.
func (c *clientConn) listen() *early {
	e := &early{conn: c, done: make(chan struct{})}
	if e.err = c.in.time.fix(time.Time{}); e.err != nil {
		return nil
	}
	e.timer = time.AfterFunc(lastWords, func() {
		defer close(e.done)
		defer func() {
			if p := recover(); p != nil {
				e.err = fmt.Errorf("panic: %v", p)
			}
		}()
		e.err = c.in.final()
		_ = c.conn.SetWriteDeadline(past) // it only fails on a closed connection
	})
	return e
}

// end stops reading. If an answer has begun, it waits for it, at most d (0 means no
// limit). The error says why there is no answer.
func (e *early) end(d time.Duration) error {
	if e == nil || e.timer.Stop() {
		return nil
	}
	c := e.conn
	_ = c.in.time.ahead(d) // fails only on a closed connection, which ends the wait, too
	<-e.done
	c.out.time.at = past
	_ = c.out.time.fix(time.Time{})
	if e.err != nil {
		return &errUnanswered{cause: e.err}
	}
	return nil
}

// sendBody writes the head, which is in the buffer, and the body.
func (c *clientConn) sendBody(out *wire.Outgoing, length int64) error {
	if out.Stream != nil {
		return c.sendStream(out.Stream, length)
	}
	o := &c.out
	if len(o.buf)+int(min(length, bufferSize)) <= bufferSize || c.conn != c.socket {
		for _, p := range out.Pieces {
			if err := o.append(p); err != nil {
				return err
			}
		}
		return o.flush()
	}
	all := append(net.Buffers{o.buf}, out.Pieces...)
	var n int64
	n, o.err = all.WriteTo(c.conn)
	o.sent += n
	o.release()
	return o.err
}

// sendStream writes the head and a body that is not in memory. length is its size in
// bytes, or -1 if unknown.
func (c *clientConn) sendStream(r io.Reader, length int64) error {
	o := &c.out
	b := make([]byte, 32<<10)
	for left := length; ; {
		n, err := r.Read(b)
		if length >= 0 && int64(n) > left {
			return errors.New("the request's body is longer than its length")
		}
		left -= int64(n)
		var tail []byte
		if n > 0 && length < 0 {
			o.buf = append(strconv.AppendInt(o.room(), int64(n), 16), "\r\n"...)
			tail = lineEnd
		}
		if e := o.flushWith(b[:n], tail); e != nil {
			return e
		}
		switch {
		case err == nil:
		case err != io.EOF:
			return err
		case left > 0:
			return errors.New("the request's body is shorter than its length")
		case length < 0:
			o.appendString("0\r\n\r\n")
			return o.flush()
		default:
			return nil
		}
	}
}

// appendHead writes the request line and the header to the buffer.
func (c *clientConn) appendHead(out *wire.Outgoing, length int64) {
	o := &c.out
	u := out.URL
	b := append(append(o.room(), out.Method...), ' ')
	if c.absolute {
		b = append(append(append(b, u.Scheme...), "://"...), u.Host...)
	}
	b = appendTarget(b, u)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), withoutZone(u.Host)...), "\r\n"...)
	for name, values := range out.Header {
		if ownField(name) || name == "Host" {
			continue
		}
		for _, v := range values {
			b = append(append(b, name...), ": "...)
			b = append(append(b, trimmed(v)...), "\r\n"...)
		}
	}
	if c.proxyAuth != "" {
		b = append(append(append(b, "Proxy-Authorization: "...), c.proxyAuth...), "\r\n"...)
	}
	switch {
	case length > 0, length == 0 && (out.Stream != nil || takesBody(out.Method)):
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), length, 10), "\r\n"...)
	case length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	o.buf = append(b, "\r\n"...)
}

// withoutZone returns host without the zone of an IPv6 address, which has a meaning on
// this machine only (RFC 6874 §4).
func withoutZone(host string) string {
	from := strings.IndexByte(host, '%')
	if to := strings.IndexByte(host, ']'); from >= 0 && to > from {
		return host[:from] + host[to:]
	}
	return host
}

// takesBody reports whether a request with this method needs "Content-Length: 0" if it
// has no body.
func takesBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// appendTarget appends the path and query of u.
func appendTarget(b []byte, u *url.URL) []byte {
	path := u.EscapedPath()
	if path == "" || path[0] != '/' {
		b = append(b, '/')
	}
	b = append(b, path...)
	if u.RawQuery != "" || u.ForceQuery {
		b = append(append(b, '?'), u.RawQuery...)
	}
	return b
}
