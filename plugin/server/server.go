// Package server is the plugin server: the process side of the protocol by
// which Kong runs an external plugin. It takes the place of the server that
// go-pdk embeds and uses go-pdk's messages and PDK.
//
// Kong's workers connect to a Unix socket and send commands: start an
// instance for a configuration, let it handle an event of a request, close it.
// While an event is handled the direction turns: the plugin calls Kong's PDK
// over the same connection and ends the event with an empty frame.
//
// The package knows the protocol, the lives of instances and of the process,
// and nothing of what the plugin does. Start reading at [Server.Serve], then
// conn.go (commands), event.go (PDK calls in one write), instances.go.
package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Info is what Kong asks of a plugin before it starts.
type Info struct {
	Name     string
	Version  string
	Priority int
	Phases   []string // in Kong's names: "access", "log"
	Schema   []byte   // Kong schema of the plugin, JSON
}

// Dump writes the answer to Kong's pluginserver_*_query_cmd to w. Socket is
// the path the server will listen on.
func (i Info) Dump(w io.Writer, socket string) error {
	type plugin struct {
		Name     string
		Phases   []string
		Version  string
		Priority int
		Schema   json.RawMessage
	}
	err := json.NewEncoder(w).Encode(struct {
		Protocol   string
		SocketPath string
		Plugins    []plugin
	}{
		Protocol:   "ProtoBuf:1",
		SocketPath: socket,
		Plugins:    []plugin{{i.Name, i.Phases, i.Version, i.Priority, i.Schema}},
	})
	if err != nil {
		return fmt.Errorf("plugin info: %w", err)
	}
	return nil
}

// Instance is the plugin with one configuration. Kong's workers share it when
// their configuration is the same, so its methods run concurrently.
type Instance interface {
	// Access handles the access phase of one request. The event is valid
	// until Access returns.
	Access(e *Event)
	// Close frees the instance. It is called once, when no event is handled
	// and Kong will begin no further one with it; requests that Access has
	// sent elsewhere may still be on their way.
	Close()
}

// LogHandler is implemented by instances that handle the log phase too.
type LogHandler interface {
	// Log handles the log phase of one request, in a timer of Kong, when the
	// answer has been sent.
	Log(e *Event)
}

// Usage is implemented by instances that are in use without events, too: Kong
// may remember what an access event said and skip the next ones.
type Usage interface {
	// LastUsed returns when the instance was last used, the zero time if
	// never. It must be quick.
	LastUsed() time.Time
}

// Server answers Kong. The zero durations stand for the defaults.
type Server struct {
	Info Info
	// New makes an instance from the configuration Kong sends: JSON, with
	// __plugin_id, __key__ and the like beside the configured fields. It must
	// not wait for others, since Kong holds the request meanwhile. An error
	// does not reach Kong by the protocol: it is written to Kong's error log
	// and answered with status 500 at each event of that configuration.
	New    func(config []byte) (Instance, error)
	Logger zerolog.Logger
	// Drain bounds how long open events may take after the context is done;
	// default 10 s.
	Drain time.Duration
	// Grace is how long an instance stays usable after Kong closed or
	// replaced it: requests may have its id, or may still be uploading a
	// body; default 1 min.
	Grace time.Duration
	// Idle is how long an instance stays that Kong neither uses nor closes
	// (it does not close those of deleted plugins: see Removed); default 1 h. Kong
	// starts an instance anew when its id is not known.
	Idle time.Duration
	// Leave, if set, is called when the context is done and no event is open any
	// more; the instances are closed after it.
	Leave func()

	draining  atomic.Bool
	mu        sync.Mutex
	conns     map[*conn]struct{}
	wg        sync.WaitGroup
	instances *instances
}

// Serve answers Kong on listener until ctx is done, then lets open events
// end, frees all instances and returns nil. It may be called once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	s.Drain = orDefault(s.Drain, 10*time.Second)
	s.Grace = orDefault(s.Grace, time.Minute)
	s.Idle = orDefault(s.Idle, time.Hour)
	s.mu.Lock()
	s.conns = make(map[*conn]struct{})
	s.instances = newInstances(s.open, s.end, s.Grace, s.Idle)
	s.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		s.sweep(ctx)
	}()

	err := s.accept(ctx, listener)
	cancel()
	<-swept
	s.drain()
	if s.Leave != nil {
		s.Leave()
	}
	s.instances.closeAll()
	return err
}

// Removed is called when Kong no longer has the plugin with that id: its instances are
// freed after their grace, as if Kong had closed them.
func (s *Server) Removed(plugin string) {
	s.mu.Lock()
	instances := s.instances
	s.mu.Unlock()
	if instances != nil { // nothing is served yet
		instances.remove(plugin)
	}
}

// Connected says whether one of Kong's workers is connected.
func (s *Server) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns) > 0
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

func (s *Server) accept(ctx context.Context, listener net.Listener) error {
	err := Accept(listener, s.Logger, "plugin server", func(nc net.Conn) {
		c := newConn(s, nc)
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() {
			c.serve()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	})
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("plugin server: %w", err)
}

// drain closes the idle connections, waits for the others, and closes those
// too when time is up.
func (s *Server) drain() {
	s.draining.Store(true)
	s.mu.Lock()
	for c := range s.conns {
		c.closeIfIdle()
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-time.After(s.Drain):
	}
	s.mu.Lock()
	s.Logger.Warn().Int("connections", len(s.conns)).Dur("after", s.Drain).
		Msg("plugin server: events still open, connections closed")
	for c := range s.conns {
		_ = c.nc.Close()
	}
	s.mu.Unlock()
	// A handler that never returns must not keep the process alive.
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

func (s *Server) sweep(ctx context.Context) {
	ticker := time.NewTicker(min(s.Grace, s.Idle) / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.instances.sweep(now)
		}
	}
}

// open makes an instance, and one that says why if it cannot be made.
func (s *Server) open(config []byte) (instance Instance) {
	defer func() {
		if r := recover(); r != nil {
			s.logPanic(r, "new instance")
			instance = refused{fmt.Sprintf("%s: internal error while reading the configuration", s.Info.Name)}
		}
	}()
	instance, err := s.New(config)
	if err != nil {
		s.Logger.Error().Err(err).Msg("plugin server: configuration refused")
		return refused{fmt.Sprintf("%s: configuration: %v", s.Info.Name, err)}
	}
	return instance
}

// end frees an instance.
func (s *Server) end(instance Instance) {
	defer func() {
		if r := recover(); r != nil {
			s.logPanic(r, "close")
		}
	}()
	instance.Close()
}

// refused stands for an instance whose configuration is wrong. The protocol
// has no error: only a handler can tell Kong, so this one does.
type refused struct{ reason string }

func (r refused) Access(e *Event) { e.fail(r.reason) }
func (refused) Close()            {}
