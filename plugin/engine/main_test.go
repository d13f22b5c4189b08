package engine

import (
	"io"
	"log"
	"net"
	"os"
	"testing"
	"time"

	"go-ai-proxy/test/leaks"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(providerEnv) != "" {
		provide()
		return
	}
	log.SetOutput(io.Discard) // net/http's transport complains there
	// net/http waits half a second after a refusal, whatever happens.
	leaks.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

// serve serves handler on a free port until the test ends.
func serve(t testing.TB, s *Server, handler HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Handler, s.Log = handler, zerolog.New(testWriter{t})
	if s.LingerTimeout == 0 {
		s.LingerTimeout = 50 * time.Millisecond
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-ended; err != ErrClosed {
			t.Errorf("Serve: %v", err)
		}
		select {
		case <-s.empty:
		case <-time.After(20 * time.Second):
			t.Error("a connection is still served")
		}
	})
	return l.Addr().String()
}

// testWriter puts log lines into the test's output; any is a failure.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Errorf("logged: %s", p)
	return len(p), nil
}
