package engine

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// Handler serves one request. It owns the exchange until it returns. Then the engine sends
// what is still buffered.
type Handler interface {
	ServeExchange(x *Exchange)
}

// HandlerFunc makes a function a Handler.
type HandlerFunc func(x *Exchange)

// ServeExchange implements Handler.
func (f HandlerFunc) ServeExchange(x *Exchange) { f(x) }

// Server serves clients' connections, one goroutine each. The zero value of a
// limit is its default.
type Server struct {
	Handler Handler
	Log     zerolog.Logger
	Kind    Kind // BuiltIn

	MaxHead       int           // bytes of request line and header: 256 KiB
	HeadTimeout   time.Duration // for a whole head, from its first byte: 30 s
	IdleTimeout   time.Duration // between two requests: 2 min
	ReadTimeout   time.Duration // for one read of a body: 60 s
	WriteTimeout  time.Duration // for one write of an answer: 60 s
	LingerTimeout time.Duration // for a client to read a refusal while it still sends: 500 ms

	mu        sync.Mutex
	listeners []net.Listener
	watcher   *watcher
	conns     map[*serverConn]struct{} // from the first Serve on
	empty     chan struct{}            // closed when the server is ending and conns is empty
	ending    atomic.Bool
	std       *stdServer // of Kind NetHTTP, from the first Serve on
}

// ErrClosed is what Serve returns after Shutdown or Close.
var ErrClosed = errors.New("server closed")

func (s *Server) defaults() {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&s.HeadTimeout, 30*time.Second)
	set(&s.IdleTimeout, 2*time.Minute)
	set(&s.ReadTimeout, time.Minute)
	set(&s.WriteTimeout, time.Minute)
	set(&s.LingerTimeout, 500*time.Millisecond)
	if s.MaxHead == 0 {
		s.MaxHead = 256 << 10
	}
}

// Serve serves what l accepts until Shutdown or Close, and owns l. It may be called
// for several listeners.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.defaults()
	if s.ending.Load() {
		s.mu.Unlock()
		l.Close()
		return ErrClosed
	}
	if s.Kind == NetHTTP {
		if s.std == nil {
			s.std = newStdServer(s)
		}
		std := s.std
		s.mu.Unlock()
		return std.serve(l)
	}
	s.listeners = append(s.listeners, l)
	if s.conns == nil {
		s.conns, s.watcher = map[*serverConn]struct{}{}, newWatcher(s.Log)
	}
	s.mu.Unlock()
	return s.accept(l)
}

// quietTime is the shortest time between two log lines of an accept loop that keeps
// failing.
const quietTime = time.Minute

// accept serves connections until the server ends. It survives temporary errors, and logs
// when they begin and when they are over.
func (s *Server) accept(l net.Listener) error {
	var wait time.Duration
	var said time.Time // when it last logged a failure
	silent := true     // it has logged that the failures are over
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			if !silent {
				s.Log.Info().Dur("after", time.Since(said)).Msg("connections are accepted again")
			}
			wait, silent = 0, true
			s.start(conn)
		case s.ending.Load():
			return ErrClosed
		case passes(err):
			if time.Since(said) > quietTime {
				said, silent = time.Now(), false
				s.Log.Warn().Err(err).Msg("connections are not accepted for now; when descriptors run out, idle ones are closed to make room")
			}
			if isFull(err) {
				s.makeRoom()
			}
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			time.Sleep(wait)
		default:
			return err
		}
	}
}

// passes reports whether a listener's error is temporary: the system lacks a resource, or
// the new connection is already broken. The error of a closed listener is not.
func passes(err error) bool {
	var t interface{ Temporary() bool }
	if errors.As(err, &t) && t.Temporary() {
		return true
	}
	var code syscall.Errno
	return errors.As(err, &code) && code != syscall.EBADF && code != syscall.EINVAL && code != syscall.ENOTSOCK
}

// isFull reports whether the process or the system has no descriptors left.
func isFull(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// room is the largest number of idle connections that are closed at once when no
// descriptors are left.
const room = 64

// makeRoom closes some idle connections, including those that never sent a request. The
// choice is random, so a client that holds most of them loses most.
func (s *Server) makeRoom() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c := range s.conns {
		if c.closeIdle() {
			n++
		}
		if n == room {
			return
		}
	}
}

// start serves a connection in its own goroutine.
func (s *Server) start(conn net.Conn) {
	c := newServerConn(s, conn)
	s.mu.Lock()
	if s.ending.Load() {
		s.mu.Unlock()
		conn.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	go c.serve()
}

// forget removes a connection that has ended.
func (s *Server) forget(c *serverConn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.settle()
	s.mu.Unlock()
}

// settle closes empty if the server is ending and the last connection is gone.
func (s *Server) settle() {
	if s.empty != nil && len(s.conns) == 0 {
		select {
		case <-s.empty:
		default:
			close(s.empty)
			if s.watcher != nil {
				s.watcher.close()
			}
		}
	}
}

// Shutdown stops accepting, closes idle connections, and waits until all requests and
// upgraded connections have ended, or ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.end(func(c *serverConn) { c.closeIdle() })
	if std := s.byNetHTTP(); std != nil {
		return std.shutdown(ctx)
	}
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes all connections at once. Their requests end as if the clients had left. It
// does not wait for them.
func (s *Server) Close() error {
	s.end((*serverConn).abort)
	if std := s.byNetHTTP(); std != nil {
		return std.close()
	}
	return nil
}

func (s *Server) byNetHTTP() *stdServer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.std
}

// end stops accepting and calls f for each connection.
func (s *Server) end(tell func(*serverConn)) {
	s.mu.Lock()
	s.ending.Store(true)
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	for _, l := range s.listeners {
		l.Close()
	}
	conns := make([]*serverConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.settle()
	s.mu.Unlock()
	for _, c := range conns {
		tell(c)
	}
}
