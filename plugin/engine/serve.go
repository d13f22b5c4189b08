package engine

import (
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// serverConn is a client's connection. Its goroutine reads a request, calls the handler,
// and reads the next request. Pipelined requests wait in their order.
type serverConn struct {
	server  *Server
	conn    net.Conn
	in      source
	out     output
	remote  string
	posted  bool  // the last request was a POST
	watched int32 // its number in the watcher, on Linux

	state atomic.Int32
	hup   atomic.Bool // the client has closed its side, or reset the connection
	ahead atomic.Bool // bytes of the next request have been read

	mu     sync.Mutex
	active *Exchange // being served
}

// The states of a connection. Shutdown closes idle connections at once.
const (
	idle int32 = iota
	busy
	gone
)

func newServerConn(s *Server, conn net.Conn) *serverConn {
	c := &serverConn{server: s, conn: conn, remote: conn.RemoteAddr().String()}
	c.in.open(conn)
	c.in.wait = s.ReadTimeout
	c.out.open(conn, s.WriteTimeout, c.in.raw)
	return c
}

// serve is the connection's goroutine.
func (c *serverConn) serve() {
	defer func() {
		if p := recover(); p != nil {
			c.server.Log.Error().Interface("panic", p).Str("stack", string(debug.Stack())).Msg("serving a connection")
		}
		c.server.watcher.remove(c)
		x := c.take()
		if x == nil || !x.hijacked {
			c.conn.Close()
		}
		if x != nil { // its handler has panicked: the exchange must end
			x.life.end()
		}
		c.in.release()
		c.out.release()
		c.server.forget(c)
	}()
	c.server.watcher.add(c)
	patience := c.server.HeadTimeout
	for {
		head, err := c.awaitHead(patience)
		if err != nil {
			c.refuse(err)
			return
		}
		x := &Exchange{conn: c, RemoteAddr: c.remote}
		x.body.src = &c.in
		if err := x.parseRequest(head); err != nil {
			c.refuse(err)
			return
		}
		if !c.exchange(x) {
			return
		}
		patience = c.server.IdleTimeout
	}
}

// awaitHead waits for a request and reads its head. After its first bytes have arrived,
// the rest must arrive within HeadTimeout.
func (c *serverConn) awaitHead(patience time.Duration) (string, error) {
	if c.in.buffered() == 0 {
		if err := c.in.time.ahead(patience); err != nil {
			return "", err
		}
		if err := c.in.fill(c.server.MaxHead); err != nil {
			return "", err
		}
	}
	if !c.state.CompareAndSwap(idle, busy) {
		return "", net.ErrClosed
	}
	if c.posted { // some old clients send an empty line after a POST's body
		c.in.skip(emptyLines(c.in.unread()))
	}
	if headEnd(c.in.unread(), 0) == 0 {
		if err := c.in.time.fix(time.Now().Add(c.server.HeadTimeout)); err != nil {
			return "", err
		}
	}
	head, err := c.in.head(c.server.MaxHead)
	switch {
	case errors.Is(err, errLong):
		err = &badRequest{http.StatusRequestHeaderFieldsTooLarge, ""}
	case err == io.EOF:
		err = bad("incomplete request")
	}
	return head, err
}

func emptyLines(b []byte) int {
	n := 0
	for n < min(len(b), 4) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	return n
}

// exchange serves one request. It reports whether the connection can be used again.
func (c *serverConn) exchange(x *Exchange) bool {
	c.posted = x.Method == http.MethodPost
	c.ahead.Store(x.body.framing != chunked && int64(c.in.buffered()) > x.body.left)
	c.mu.Lock()
	c.active = x
	c.mu.Unlock()
	if x.body.framing == empty {
		c.received()
	}
	c.server.Handler.ServeExchange(x)
	if x.hijacked {
		x.life.end()
		return false
	}
	again := x.finish()
	c.take()
	x.life.end()
	if !again || c.server.ending.Load() {
		return false
	}
	return c.state.CompareAndSwap(busy, idle)
}

// take ends the request that is being served. hungUp calls it.
func (c *serverConn) take() *Exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.active
	if x != nil && !x.hijacked {
		c.active = nil
	}
	return x
}

// letGo is called when x is upgraded: the end of the connection no longer ends x.
func (c *serverConn) letGo(x *Exchange) {
	c.server.watcher.remove(c)
	c.mu.Lock()
	x.upgraded = true
	c.mu.Unlock()
}

// received is called when a request has been read completely. From then on, a client that
// has closed its side cannot send anything more.
func (c *serverConn) received() {
	if c.in.buffered() > 0 {
		c.ahead.Store(true)
	}
	if c.hup.Load() {
		c.hungUp(false)
	}
}

// hungUp is called when the client has closed its side, or reset the connection; from any
// goroutine, at any time. The client is gone, unless it has only closed its side and
// some of its bytes have not been read yet. hungUp must not block: one goroutine calls
// it for all connections.
func (c *serverConn) hungUp(broken bool) {
	c.hup.Store(true)
	if !broken && (c.ahead.Load() || c.in.raw != nil && c.glance() == speaks) {
		return
	}
	c.mu.Lock()
	x := c.active
	if x != nil && x.upgraded {
		x = nil
	}
	c.mu.Unlock()
	if x != nil {
		x.life.end()
	}
}

// glance checks the socket without reading.
func (c *serverConn) glance() (g glance) {
	g = ended
	_ = c.in.raw.Control(func(fd uintptr) { g = peek(fd) }) // fails if the connection is closed
	return g
}

// closeIdle closes the connection if no request is being served, and reports whether it
// did.
func (c *serverConn) closeIdle() bool {
	if !c.state.CompareAndSwap(idle, gone) {
		return false
	}
	closeSoon(c.conn)
	return true
}

// abort closes the connection in the middle of an answer.
func (c *serverConn) abort() {
	closeSoon(c.conn)
	c.mu.Lock()
	x := c.active
	c.mu.Unlock()
	if x != nil {
		x.life.end()
	}
}

// refuse answers a request that cannot be read, and ends the connection. If nothing was
// sent there is no answer.
func (c *serverConn) refuse(err error) {
	var b *badRequest
	if !errors.As(err, &b) {
		return
	}
	text := b.text()
	c.out.appendStatus(1, b.status)
	c.out.appendField("Content-Type", "text/plain; charset=utf-8")
	c.out.appendField("Connection", "close")
	c.out.appendLength(int64(len(text)))
	c.out.appendString("\r\n")
	c.out.appendString(text)
	if c.out.flush() == nil {
		c.linger()
	}
}

// linger gives the client time to read the last answer. Closing a connection while the
// client still sends would reset it, and the client could lose the answer.
func (c *serverConn) linger() {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.in.release()
	if c.in.time.fix(time.Now().Add(c.server.LingerTimeout)) != nil {
		return
	}
	b := takeBuffer()
	defer giveBuffer(b)
	_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c.conn}, b) // ends when the client closes its side, or at the deadline
}
