package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"go-ai-proxy/plugin/wire"
)

// stdServer serves the same Handler by net/http, with the same limits. It is the clients'
// side of the kind NetHTTP; transport.go is the providers' side.
type stdServer struct {
	*Server
	http http.Server
	open map[*stdExchange]struct{} // guarded by Server.mu
	none chan struct{}             // closed when the server is ending and open is empty
}

func newStdServer(s *Server) *stdServer {
	std := &stdServer{Server: s, open: map[*stdExchange]struct{}{}}
	std.http = http.Server{
		Handler:                      std,
		MaxHeaderBytes:               s.MaxHead - 4<<10, // net/http adds this to the limit
		ReadHeaderTimeout:            s.HeadTimeout,
		IdleTimeout:                  s.IdleTimeout,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     stdlog.New(s.Log, "", 0),
	}
	return std
}

func (s *stdServer) serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ErrClosed
}

// shutdown is Server.Shutdown. net/http does not wait for upgraded connections.
func (s *stdServer) shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	if s.none == nil {
		s.none = make(chan struct{})
		s.settle()
	}
	s.mu.Unlock()
	select {
	case <-s.none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle closes none if the server is ending and the last request is answered.
func (s *stdServer) settle() {
	if s.none != nil && len(s.open) == 0 {
		select {
		case <-s.none:
		default:
			close(s.none)
		}
	}
}

// close is Server.Close. net/http does not close upgraded connections.
func (s *stdServer) close() error {
	err := s.http.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.open {
		if e.taken != nil {
			closeSoon(e.taken)
		}
		e.x.life.end()
	}
	return err
}

// ServeHTTP implements http.Handler.
func (s *stdServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := newStdExchange(s, w, r)
	s.mu.Lock()
	s.open[e] = struct{}{}
	s.mu.Unlock()
	unwatch := context.AfterFunc(r.Context(), e.x.life.end)
	defer func() {
		unwatch()
		e.x.life.end()
		s.mu.Lock()
		delete(s.open, e)
		s.settle()
		s.mu.Unlock()
	}()
	if err := e.check(); err != nil {
		e.refuse(err)
		return
	}
	if !e.serve() {
		panic(http.ErrAbortHandler) // net/http closes the connection and logs nothing
	}
}

// stdExchange is what an Exchange has instead of a serverConn.
type stdExchange struct {
	x       *Exchange
	server  *stdServer
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	reading timer
	writing timer
	taken   net.Conn // by an upgrade; guarded by Server.mu
}

func newStdExchange(s *stdServer, w http.ResponseWriter, r *http.Request) *stdExchange {
	control := http.NewResponseController(w)
	e := &stdExchange{server: s, w: w, r: r, control: control}
	e.reading.set, e.writing.set = control.SetReadDeadline, control.SetWriteDeadline
	e.x = &Exchange{
		Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header,
		ContentLength: r.ContentLength, RemoteAddr: r.RemoteAddr, minor: r.ProtoMinor, std: e,
	}
	switch {
	case r.ContentLength > 0:
		e.x.body.framing = sized
	case r.ContentLength < 0:
		e.x.body.framing = chunked
	}
	return e
}

// check refuses requests that the handler must not see.
func (e *stdExchange) check() error {
	fields := 0
	for _, values := range e.r.Header {
		fields += len(values)
	}
	switch {
	case e.r.ProtoMajor != 1: // the preface of HTTP/2
		return &badRequest{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	case e.r.Method == http.MethodConnect:
		return errConnect
	case fields > maxFields:
		return bad(errFields.Error())
	}
	return e.x.splitTarget()
}

// refuse is like serverConn.refuse.
func (e *stdExchange) refuse(err error) {
	var b *badRequest
	if !errors.As(err, &b) {
		b = &badRequest{http.StatusBadRequest, ""}
	}
	text := b.text()
	h := e.w.Header()
	h["Content-Type"], h["Connection"] = []string{"text/plain; charset=utf-8"}, []string{"close"}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	e.w.WriteHeader(b.status)
	_, _ = io.WriteString(e.w, text) // an error means that the client is gone
}

// serve calls the handler. It returns false if the answer must not look complete.
func (e *stdExchange) serve() (whole bool) {
	defer func() {
		if p := recover(); p != nil {
			e.server.Log.Error().Interface("panic", p).Str("stack", string(debug.Stack())).Msg("serving a connection")
			whole = false
		}
	}()
	e.server.Handler.ServeExchange(e.x)
	return e.end() == nil && !e.x.broken
}

// read implements Read of the request's body.
func (e *stdExchange) read(p []byte) (int, error) {
	b := &e.x.body
	if b.err != nil {
		return 0, b.err
	}
	if err := e.reading.ahead(e.server.ReadTimeout); err != nil {
		return 0, err
	}
	n, err := e.r.Body.Read(p)
	if err == io.EOF {
		_ = e.reading.fix(time.Time{}) // net/http reads on to notice when the client leaves, and sees errors by itself
	} else if err != nil && b.framing == chunked && !isTransport(err) {
		err = fmt.Errorf("%w: %w", wire.ErrMalformed, err)
	}
	b.err = err
	return n, err
}

// readerFunc is a function as an io.Reader.
type readerFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// isTransport reports whether an error comes from the connection and not from the bytes
// on it.
func isTransport(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// rest implements Exchange.rest.
func (e *stdExchange) rest() {
	b := &e.x.body
	if b.framing == sized && e.x.ContentLength > maxRest || e.r.Header["Expect"] != nil {
		return
	}
	buf := takeBuffer()
	defer giveBuffer(buf)
	for n, most := 0, maxRest; most >= 0 && b.err == nil; most -= n {
		n, _ = e.read(buf) // read keeps the error
	}
}

// start implements Exchange.Start, which has checked that it may be called.
func (e *stdExchange) start(status int, header http.Header, length int64) error {
	x := e.x
	if !x.body.whole() {
		e.rest()
	}
	x.began = true
	x.mute = x.Method == http.MethodHead || bodiless(status)
	h := e.w.Header()
	h["Content-Type"] = nil // so that net/http does not guess one
	for name, values := range header {
		if ownField(name) || !validName(name) {
			continue
		}
		values = slices.Clone(values)
		for i, v := range values {
			values[i] = clean(v)
		}
		h[name] = values
	}
	if length >= 0 && !bodiless(status) {
		x.framing, x.left = sized, length
		h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	if !x.body.whole() {
		h["Connection"] = []string{"close"}
	}
	e.w.WriteHeader(status)
	return nil
}

// write implements Exchange.Write for an answer that has begun.
func (e *stdExchange) write(p []byte) error {
	x := e.x
	if len(p) == 0 || x.mute {
		return nil
	}
	if x.framing == sized {
		if x.left -= int64(len(p)); x.left < 0 {
			x.Abort()
			return errLength
		}
	}
	if err := e.writing.ahead(e.server.WriteTimeout); err != nil {
		return err
	}
	_, err := e.w.Write(p)
	return err
}

// flush implements Exchange.Flush.
func (e *stdExchange) flush() error {
	if !e.x.began {
		return nil
	}
	if err := e.writing.ahead(e.server.WriteTimeout); err != nil {
		return err
	}
	return e.control.Flush()
}

// end implements Exchange.End. net/http sends the end mark of a chunked answer when the
// handler has returned.
func (e *stdExchange) end() error {
	x := e.x
	switch {
	case x.hijacked && e.taken == nil:
		return e.control.Flush() // the answer that refuses the upgrade
	case x.hijacked, x.ended:
		return nil
	}
	x.ended = true
	if !x.began && !x.broken {
		if err := x.Start(http.StatusOK, nil, 0); err != nil {
			return err
		}
	}
	if x.framing == sized && x.left > 0 && !x.mute {
		x.broken = true
	}
	err := e.flush()
	if !x.body.whole() {
		_ = e.reading.ahead(e.server.LingerTimeout) // net/http reads on for the end of the body
	}
	return err
}

// upgrade implements Exchange.Upgrade. From now on the caller writes the answer.
func (e *stdExchange) upgrade() (http.ResponseWriter, *http.Request) {
	e.x.hijacked = true
	return &stdUpgrade{e.w, e}, e.r.WithContext(&e.x.life)
}

// stdUpgrade remembers the connection so that close can close it.
type stdUpgrade struct {
	http.ResponseWriter
	e *stdExchange
}

// Unwrap is called by http.ResponseController.
func (u *stdUpgrade) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// Hijack implements http.Hijacker.
func (u *stdUpgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := u.e.control.Hijack()
	if err == nil {
		s := u.e.server
		s.mu.Lock()
		u.e.taken = conn
		s.mu.Unlock()
	}
	return conn, buffered, err
}
