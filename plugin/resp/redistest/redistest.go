// Package redistest runs a real redis-server for tests. Start with New.
package redistest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go-ai-proxy/test/ports"
)

// Server is a redis-server without persistence: what it knows dies with it. It ends
// with the test.
type Server struct {
	t    testing.TB
	addr string // held for the server, also while it is dead
	cmd  *exec.Cmd
}

// New starts a server. Without redis-server on the machine the test is skipped, or
// fails if GO_AI_PROXY_REQUIRE_REDIS is 1.
func New(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("GO_AI_PROXY_REQUIRE_REDIS") == "1" {
			t.Fatal("no redis-server")
		}
		t.Skip("needs redis-server")
	}
	s := &Server{t: t, addr: ports.Hold(t)}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Addr is where the server listens, "host:port".
func (s *Server) Addr() string { return s.addr }

// URL is the server's URL, as GO_AI_PROXY_REDIS takes it.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Client returns a client of the server, which the caller closes.
func (s *Server) Client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Addr(), DisableIdentity: true, Protocol: 2})
}

// Start starts the server again after Kill, at the same address, and waits for it.
func (s *Server) Start() {
	s.cmd = exec.Command("redis-server", "--port", s.addr[strings.LastIndexByte(s.addr, ':')+1:], "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	c := s.Client()
	defer c.Close()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c.Ping(context.Background()).Err() == nil {
			return
		}
	}
	s.t.Fatal("redis-server does not answer")
}

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}
