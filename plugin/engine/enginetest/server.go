// Package enginetest is for tests what net/http/httptest is for net/http.
package enginetest

import (
	"context"
	"net"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine"
)

// Kind is what GO_AI_PROXY_ENGINE names: tests of what is above the engine run
// on either.
var Kind = func() engine.Kind {
	kind, err := engine.ParseKind(os.Getenv(engine.KindEnv))
	if err != nil {
		panic(err)
	}
	return kind
}()

// Server is an engine's server on a free port of loopback.
type Server struct {
	URL      string // "http://127.0.0.1:port"
	Listener net.Listener
	server   *engine.Server
	once     sync.Once
	ended    chan struct{}
}

// NewServer serves handler until Close. It panics when it cannot listen.
func NewServer(handler engine.Handler) *Server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &Server{
		URL: "http://" + l.Addr().String(), Listener: l, ended: make(chan struct{}),
		server: &engine.Server{Handler: handler, Log: zerolog.Nop(), Kind: Kind, LingerTimeout: 50 * time.Millisecond},
	}
	go func() {
		defer close(s.ended)
		_ = s.server.Serve(l) // it ends with Close
	}()
	return s
}

// Close ends the server and waits for open requests, for some seconds at most.
func (s *Server) Close() {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if s.server.Shutdown(ctx) != nil {
			_ = s.server.Close() // it never fails
		}
		<-s.ended
	})
}
