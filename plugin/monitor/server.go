package monitor

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
)

// The environment variables of the status listener.
const (
	// AddrEnv is the address to listen on; "off" is none.
	AddrEnv = "GO_AI_PROXY_STATUS"
	// PublicEnv is "on" if the address may be another than the host's own.
	PublicEnv = "GO_AI_PROXY_STATUS_PUBLIC"
	// PprofEnv is "on" if /debug/pprof is served.
	PprofEnv = "GO_AI_PROXY_STATUS_PPROF"
)

// lockSample is of how many waits for a lock the profile of locks has one. Without it
// /debug/pprof/mutex is empty.
const lockSample = 10

// StandaloneAddr is standalone's default for AddrEnv.
const StandaloneAddr = "127.0.0.1:9542"

// Listener serves a Monitor.
type Listener struct {
	monitor  *Monitor
	log      zerolog.Logger
	addr     string
	public   bool
	pprof    bool
	server   *http.Server
	watchers atomic.Int32 // of events
	closing  chan struct{}
	closed   atomic.Bool
	bound    atomic.Value // net.Listener
}

// Listen returns a listener for addr, which must be loopback unless PublicEnv allows
// another. It does not listen yet. getenv reads the environment. A nil *Listener
// serves nothing.
func Listen(m *Monitor, addr string, getenv func(string) string, log zerolog.Logger) (*Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: want an address such as %s", AddrEnv, err, StandaloneAddr)
	}
	l := &Listener{monitor: m, log: log, addr: addr, public: getenv(PublicEnv) == "on", pprof: getenv(PprofEnv) == "on", closing: make(chan struct{})}
	if l.pprof {
		runtime.SetMutexProfileFraction(lockSample)
	}
	if !l.public && !isLoopback(host) {
		return nil, fmt.Errorf("%s: %s can be reached from other hosts: set %s=on if that is meant, or use 127.0.0.1", AddrEnv, addr, PublicEnv)
	}
	l.server = &http.Server{
		Handler: l.guard(l.routes()), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: nil, // the standard logger's output is discarded
	}
	return l, nil
}

// isLoopback reports whether a host in an address can be reached only from this host.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Start listens, now or as soon as the address is free: the previous process may still
// use it.
func (l *Listener) Start() {
	if l == nil {
		return
	}
	go func() {
		defer l.recover()
		listener := l.listen()
		if listener == nil {
			return
		}
		l.bound.Store(listener)
		l.log.Info().Str("address", listener.Addr().String()).Msg("status")
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			l.log.Error().Err(err).Msg("status is no longer served")
		}
	}()
}

// retry is the time between two tries to listen on an address that is in use.
const retry = 500 * time.Millisecond

// listen returns nil if the server was closed first, or cannot listen at all.
func (l *Listener) listen() net.Listener {
	for said := false; ; said = true {
		listener, err := net.Listen("tcp", l.addr)
		switch {
		case err == nil:
			return listener
		case !errors.Is(err, syscall.EADDRINUSE):
			l.log.Error().Err(err).Msg("status is not served")
			return nil
		case !said:
			l.log.Warn().Str("address", l.addr).Msg("status waits for its address: another process uses it")
		}
		select {
		case <-l.closing:
			return nil
		case <-time.After(retry):
		}
	}
}

// Addr returns the address on which the status is served, or "" while it is not served.
func (l *Listener) Addr() string {
	if bound, ok := l.bound.Load().(net.Listener); ok {
		return bound.Addr().String()
	}
	return ""
}

// Close ends the listener, and frees the address for the next process.
// Only the first call has an effect.
func (l *Listener) Close() {
	if l == nil || l.closed.Swap(true) {
		return
	}
	close(l.closing)
	_ = l.server.Close() // the page's event streams reconnect by themselves
}

func (l *Listener) recover() {
	if p := recover(); p != nil {
		l.log.Error().Str("stack", string(debug.Stack())).Msg("panic in the status listener")
	}
}

//go:embed page
var page embed.FS

// routes returns the handler of all paths.
func (l *Listener) routes() http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.FileServerFS(files))
	mux.Handle("GET /status.js", http.FileServerFS(files))
	mux.Handle("GET /status.css", http.FileServerFS(files))
	mux.Handle("GET /metrics", promhttp.HandlerFor(l.monitor.metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", l.readiness)
	mux.HandleFunc("GET /targets", func(w http.ResponseWriter, _ *http.Request) { answer(w, l.monitor.targets(time.Now())) })
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { answer(w, l.monitor.state(time.Now())) })
	mux.HandleFunc("GET /events", l.events)
	if l.pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// guard refuses requests that another site's page could make a browser send, and sets
// headers that isolate the page from other sites.
func (l *Listener) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !l.public && !isLoopback(host) { // a foreign name that resolves to this address: DNS rebinding
			http.Error(w, "this host is not served: use 127.0.0.1", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// readiness answers 200 once there is a configuration. Requests are accepted since
// before this listener started.
func (l *Listener) readiness(w http.ResponseWriter, _ *http.Request) {
	if l.monitor.source.Configurations() == 0 {
		http.Error(w, "no configuration yet: Kong gives it with the first request", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // a client that has disconnected needs no answer
}

// shown is a target with its last hour.
type shown struct {
	Target
	LastError string     `json:"last_error,omitempty"`
	ErrorAt   *time.Time `json:"last_error_at,omitempty"`
	Minutes   []minute   `json:"minutes"`
}

// targets returns each target once, with its last hour.
func (m *Monitor) targets(now time.Time) []shown {
	list := []shown{}
	for _, t := range current(m.source) {
		one := shown{Target: t, Minutes: []minute{}}
		hour, why, at := m.board.hour(targetKey{t.Plugin, t.Target}, now)
		one.Minutes = append(one.Minutes, hour...)
		if why != "" {
			one.LastError, one.ErrorAt = why, &at
		}
		list = append(list, one)
	}
	return list
}

// state is all that the page shows.
type state struct {
	Now      time.Time `json:"now"`
	Began    time.Time `json:"began"`
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Targets  []shown   `json:"targets"`
	Totals   []totals  `json:"totals"`
	Budgets  []Budget  `json:"budgets,omitempty"`
	Requests []request `json:"requests"`
}

func (m *Monitor) state(now time.Time) state {
	return state{Now: now, Began: m.began, Version: m.version, PID: os.Getpid(), Targets: m.targets(now), Totals: m.metrics.totals(), Budgets: budgets(m.source), Requests: m.board.requests()}
}

// Bounds of the page's event streams.
const (
	eventsEvery = time.Second
	idleEvery   = 15 * time.Second // when nothing has changed
	maxWatchers = 16
)

// events sends the state whenever it has changed, as server-sent events.
func (l *Listener) events(w http.ResponseWriter, r *http.Request) {
	if l.watchers.Add(1) > maxWatchers {
		l.watchers.Add(-1)
		http.Error(w, "too many watch this page already", http.StatusServiceUnavailable)
		return
	}
	defer l.watchers.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	tick := time.NewTicker(eventsEvery)
	defer tick.Stop()
	var sent time.Time
	var version uint64
	for {
		now := time.Now()
		if v := l.monitor.board.version(); sent.IsZero() || v != version || now.Sub(sent) >= idleEvery {
			sent, version = now, v
			data, err := json.Marshal(l.monitor.state(now))
			if err != nil {
				return
			}
			_ = control.SetWriteDeadline(now.Add(idleEvery))
			if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil || control.Flush() != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-l.closing:
			return
		case <-tick.C:
		}
	}
}
