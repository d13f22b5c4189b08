package standalone

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"go-ai-proxy/translators/mock"
)

const mockHelp = `go-ai-proxy mock [-listen ADDR] [-delay TIME]

A mock LLM that speaks the formats of all providers, by path.

  -listen ADDR   where to listen (default 127.0.0.1:9100)
  -delay TIME    wait before each event of a stream, for example 20ms
`

// startMock serves the mock LLM until stop is called.
func startMock(address string) (host string, stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, err
	}
	server := mockServer(mock.Options{Unique: true})
	go func() { _ = server.Serve(l) }() // ends with stop
	return l.Addr().String(), func() { _ = server.Close() }, nil
}

func mockServer(o mock.Options) *http.Server {
	return &http.Server{Handler: mock.Handler(o), ReadHeaderTimeout: 30 * time.Second}
}

// RunMock serves the mock LLM by itself until ctx ends.
func RunMock(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("mock", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	listen := flags.String("listen", "127.0.0.1:9100", "")
	delay := flags.Duration("delay", 0, "")
	switch err := read(flags, args); {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(stderr, mockHelp)
		return err
	case err != nil:
		return err
	}
	l, err := listenOn(*listen)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stderr, "mock LLM on http://%s\n", l.Addr()); err != nil {
		return err
	}
	server := mockServer(mock.Options{Delay: *delay, Unique: true})
	go func() {
		<-ctx.Done()
		_ = server.Close() // nothing of value is lost
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("mock: %w", err)
	}
	return nil
}
