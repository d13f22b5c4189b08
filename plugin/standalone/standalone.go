// Package standalone is the relay without Kong, for a laptop, a demo and
// tests: it reads the same kong.yml, serves its routes, and writes a log entry
// per request in the form of Kong's file-log plugin. It is no second product:
// it knows services, routes, our plugin and a log line, and nothing else.
//
// Start with Run. load.go makes routes of a configuration, router.go finds the
// one of a request, handler.go serves it, entry.go is the log entry.
package standalone

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/engine"
)

// demo is what -mock serves without -config.
//
//go:embed mock.yml
var demo []byte

const help = `go-ai-proxy standalone [-config FILE] [-listen ADDR] [-mock]

Serves a kong.yml without Kong: services, routes (prefixes, ~regular
expressions, methods, hosts, headers, strip_path) and the plugin go-ai-proxy on
them. Secrets come from the environment: {vault://env/openai-key} is OPENAI_KEY.
Standard output gets a log entry per request, as of Kong's file-log plugin.

  -config FILE   the configuration (default kong.yml; with -mock one for a try)
  -listen ADDR   where to listen (default 127.0.0.1:8000)
  -mock          send everything to a built-in mock LLM: no keys, no network.
                 "scenario:tools" in a message asks for tool calls, for example.
`

// Run serves until ctx ends, and then lets open requests finish for a bounded
// time. Log entries go to stdout, one write each, all else to stderr.
func Run(ctx context.Context, args []string, log zerolog.Logger, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("standalone", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("config", "", "")
	listen := flags.String("listen", "127.0.0.1:8000", "")
	mocked := flags.Bool("mock", false, "")
	switch err := read(flags, args); {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(stderr, help)
		return err
	case err != nil:
		return err
	}
	relay := plugin.NewRelay(log)
	defer relay.Close()
	if err := relay.Share(os.Getenv(plugin.RedisEnv)); err != nil {
		return err
	}
	name, data, err := configuration(*file, *mocked)
	if err != nil {
		return err
	}
	l := &loader{relay: relay, getenv: os.Getenv, mock: *mocked}
	router, err := l.load(data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if *mocked {
		base, stop, err := startMock("127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("mock: %w", err)
		}
		defer stop()
		relay.Redirect(&url.URL{Scheme: "http", Host: base})
	}
	listener, err := listenOn(*listen)
	if err != nil {
		return err
	}
	l.print(stderr, listener.Addr().String(), name)
	entries := &batch{out: stdout}
	defer entries.flush()
	return serve(ctx, listener, &handler{relay: relay, router: router, out: entries}, log)
}

// UsageError is an error in the command line.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with the command line.
func (e UsageError) Unwrap() error { return e.Err }

// read parses flags into one line of error.
func read(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return UsageError{fmt.Errorf("%s: %w: -h lists them", flags.Name(), err)}
	}
	if flags.NArg() > 0 {
		return UsageError{fmt.Errorf("%s: what is %q? -h lists the flags", flags.Name(), flags.Arg(0))}
	}
	return nil
}

// configuration returns the text of the configuration and what to call it.
func configuration(file string, mocked bool) (name string, data []byte, err error) {
	switch {
	case file == "" && mocked:
		return "the built-in example", demo, nil
	case file == "":
		file = "kong.yml"
		if data, err = os.ReadFile(file); errors.Is(err, os.ErrNotExist) {
			return "", nil, errors.New("no kong.yml here: name one with -config, or try -mock")
		}
	default:
		data, err = os.ReadFile(file)
	}
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return "", nil, fmt.Errorf("-config %s: %w", file, err)
	}
	return file, data, nil
}

func listenOn(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen %s: address already in use: choose another with -listen", address)
	case err != nil:
		return nil, fmt.Errorf("-listen: %w", err)
	}
	return l, nil
}

// drain is how long open requests may take after the process was told to end.
const drain = 2 * time.Second

func serve(ctx context.Context, l net.Listener, h *handler, log zerolog.Logger) error {
	server := &engine.Server{Handler: h, Log: log}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if server.Shutdown(bounded) != nil {
		_ = server.Close() // breaks what is still open; it is logged as aborted
		logged := make(chan struct{})
		go func() { h.open.Wait(); close(logged) }()
		select {
		case <-logged:
		case <-time.After(time.Second):
		}
	}
	return nil
}
