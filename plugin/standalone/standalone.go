// Package standalone is the relay without Kong, for a laptop, a demo and tests: it
// reads the same kong.yml, serves its routes, and writes a log entry per request
// in the form of Kong's file-log plugin. It knows services, routes, our plugin and
// log entries, and nothing else.
//
// Start with Run. source.go reads a configuration, load.go makes its routes,
// router.go finds the route of a request, handler.go serves it, entry.go is the
// log entry.
package standalone

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/lines"
	"go-ai-proxy/plugin/monitor"
)

const help = `go-ai-proxy standalone [-config FILE] [-listen ADDR] [-mock]

Serves a kong.yml without Kong: services, routes (prefixes, ~regular
expressions, methods, hosts, headers, strip_path) and the plugin go-ai-proxy on
them. Secrets come from the environment: {vault://env/openai-key} is OPENAI_KEY.
Standard output gets a log entry per request, as of Kong's file-log plugin. What
happens is shown on http://127.0.0.1:9542 (GO_AI_PROXY_STATUS: another address, or
off).

SIGHUP reads the configuration again; one that is wrong changes nothing. SIGTERM,
SIGINT and SIGQUIT let open requests end, for two seconds.

  -config FILE   the configuration (default kong.yml; with -mock one for a try)
  -listen ADDR   where to listen (default 127.0.0.1:8000)
  -mock          send everything to a built-in mock LLM: no keys, no network.
                 "scenario:tools" in a message asks for tool calls, for example.
`

// Run serves until ctx ends, and then lets open requests finish for a bounded
// time. Log entries go to stdout, one write each, all else to stderr. kind is the
// engine of both sides.
func Run(ctx context.Context, schema *config.Schema, args []string, log zerolog.Logger, stdout, stderr io.Writer, kind engine.Kind) error {
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
	relay := plugin.NewRelay(schema, log, kind)
	defer relay.Close()
	entries := lines.Entries(stdout, log)
	defer entries.Close(time.Second)
	shown, err := relay.Start(monitor.StandaloneAddr, map[string]func() uint64{"go_ai_proxy_log_entries_dropped_total": entries.Dropped})
	if err != nil {
		return err
	}
	defer shown.Close()
	exported, err := newSpans(ctx, os.Getenv, log)
	if err != nil {
		return err
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.Background(), exportTime)
		defer cancel()
		exported.close(bounded)
	}()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	source := &source{relay: relay, file: *file, mocked: *mocked}
	first, err := source.read()
	if err != nil {
		return err
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
	shown.Start()
	s := &site{handler: &handler{relay: relay, out: entries, log: log, spans: exported}, source: source, stderr: stderr, listener: listener, log: log, kind: kind}
	s.use(first)
	return s.serve(ctx, hangups)
}

// UsageError is an error in the command line.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with the command line.
func (e UsageError) Unwrap() error { return e.Err }

// read parses flags. An error is one line.
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

// drain is how long open requests may take after the process has been told to end.
const drain = 2 * time.Second

// site is the current configuration with its listener.
type site struct {
	handler  *handler
	source   *source
	current  *loader
	stderr   io.Writer
	listener net.Listener
	log      zerolog.Logger
	kind     engine.Kind
}

// use serves requests with l from now on, and prints it.
func (s *site) use(l *loader) {
	before := s.current
	s.current = l
	s.handler.router.Store(l.router)
	l.print(s.stderr, s.listener.Addr().String(), s.source.name())
	if before != nil {
		// Requests that are under way may still use the old routes.
		time.AfterFunc(grace, before.close)
	}
}

// grace is how long a replaced configuration stays usable.
const grace = time.Minute

// reload reads the configuration again. An invalid one changes nothing.
func (s *site) reload() {
	l, err := s.source.read()
	if err != nil {
		s.log.Error().Err(err).Msg("configuration not read again: what was served before goes on")
		return
	}
	s.use(l)
}

// serve serves until ctx is done, and reloads the configuration at each hangup.
func (s *site) serve(ctx context.Context, hangups <-chan os.Signal) error {
	server := &engine.Server{Handler: s.handler, Log: s.log, Kind: s.kind}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(s.listener) }()
	for ctx.Err() == nil {
		select {
		case err := <-failed:
			return fmt.Errorf("serve: %w", err)
		case <-hangups:
			s.reload()
		case <-ctx.Done():
		}
	}
	bounded, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if server.Shutdown(bounded) != nil {
		_ = server.Close() // closes what is still open, which is logged as aborted
		logged := make(chan struct{})
		go func() { s.handler.open.Wait(); close(logged) }()
		select {
		case <-logged:
		case <-time.After(time.Second):
		}
	}
	return nil
}
