package standalone

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/provider"
	options "go-ai-proxy/translators/target"
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
	o.Refuses = refuses
	return &http.Server{Handler: mock.Handler(o), ReadHeaderTimeout: 30 * time.Second}
}

// edits are what the providers whose address is always the same take of their formats,
// by host and path.
var edits = sync.OnceValue(func() map[[2]string]*provider.Edit {
	known, plain := map[[2]string]*provider.Edit{}, &options.Target{Options: &options.Options{}}
	for _, p := range translators.Providers {
		if p.Base == nil {
			continue
		}
		base, err := p.Base(plain)
		at, wrong := url.Parse(base)
		if err != nil || wrong != nil {
			continue // it depends on options
		}
		for _, op := range p.Operations {
			if path, err := op.Path(plain, false); err == nil {
				known[[2]string{at.Host, at.Path + path}] = &op.Edit
			}
		}
	}
	return known
})

// refuses is the mock's Refuses: it refuses what the provider's row says. An address that
// is no provider's is a self-hosted server's, which takes more than OpenAI's API.
func refuses(host, path string, body []byte) error {
	edit := edits()[[2]string{host, path}]
	members, err := jsonedit.Object(body, nil)
	if edit == nil || err != nil {
		return nil // what is no JSON has been refused before
	}
	if name := edit.Unknown(members); name != "" {
		return fmt.Errorf("unrecognized request argument supplied: %s", name)
	}
	return nil
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
