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

// Handler serves one request. The exchange is the handler's until it returns;
// what it has not sent by then is sent.
type Handler interface {
	ServeExchange(x *Exchange)
}

// HandlerFunc is a function as a Handler.
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

	mu       sync.Mutex
	listener net.Listener
	watcher  *watcher
	conns    map[*serverConn]struct{}
	empty    chan struct{} // closed when conns is, once ending
	ending   atomic.Bool
	std      *stdServer // of Kind NetHTTP, from Serve on
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

// Serve serves what l accepts until Shutdown or Close, and owns l. It is called
// once.
func (s *Server) Serve(l net.Listener) error {
	s.defaults()
	s.mu.Lock()
	if s.ending.Load() {
		s.mu.Unlock()
		l.Close()
		return ErrClosed
	}
	if s.Kind == NetHTTP {
		std := newStdServer(s)
		s.std = std
		s.mu.Unlock()
		return std.serve(l)
	}
	s.listener, s.conns = l, map[*serverConn]struct{}{}
	s.watcher = newWatcher(s.Log)
	s.mu.Unlock()
	return s.accept(l)
}

// quietTime is how long an accept loop that fails again and again says no more of it.
const quietTime = time.Minute

// accept starts connections until the server ends. Whatever passes it survives,
// and says so once: when it begins, and when it is over.
func (s *Server) accept(l net.Listener) error {
	var wait time.Duration
	var said time.Time // when it last said that it fails
	silent := true     // it has said that this is over
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

// passes says that a listener's error does not last: the system is short of
// something, or the connection is broken already. What says that there is no
// listener lasts.
func passes(err error) bool {
	var t interface{ Temporary() bool }
	if errors.As(err, &t) && t.Temporary() {
		return true
	}
	var code syscall.Errno
	return errors.As(err, &code) && code != syscall.EBADF && code != syscall.EINVAL && code != syscall.ENOTSOCK
}

// isFull says that the process, or the system, has no descriptors left.
func isFull(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// room is how many idle connections are closed at once when descriptors have run
// out, at most.
const room = 64

// makeRoom closes idle connections, those that never sent a request among them.
// Any will do: whoever holds most of them loses most.
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

// forget is the end of a connection.
func (s *Server) forget(c *serverConn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.settle()
	s.mu.Unlock()
}

// settle finds out whether the last connection of an ending server is gone.
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

// Shutdown accepts no more connections, closes those that are idle and waits
// for the open requests, upgraded connections among them, until ctx ends.
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

// Close breaks all connections; their requests end as if the clients had left.
// It waits for none.
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

// end stops accepting and has each connection told.
func (s *Server) end(tell func(*serverConn)) {
	s.mu.Lock()
	s.ending.Store(true)
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	if s.listener != nil {
		s.listener.Close()
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
