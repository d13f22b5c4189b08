// Package plugin is go-ai-proxy: the phases that Kong calls, and the relay that
// sends a request to a provider. Its files, in the order in which a request passes
// them:
//
//   - plugin.go: how Kong knows the plugin, and how it is started
//   - access.go: Kong's access phase, which sends a request to the relay
//   - instance.go: one configuration, compiled
//   - relay.go: all instances, and what they share
//   - exchange.go: one request and its answer: the phases in a row, the one record
//   - request.go: what the client wants; reading.go: how it is read
//   - balance.go: candidates, attempts, failover
//   - attempt.go: one try at one target
//   - plan.go: how the target is asked: the provider's operation, and how the bodies relate
//   - translation.go: the provider's body
//   - outgoing.go: URL, headers and credentials
//   - header_filter.go: what the answer is, and the headers that the client gets
//   - body_filter.go: how the answer is delivered; conversion.go: a whole one, in the
//     client's format; stream.go: event by event
//   - session.go: a WebSocket, message by message
//   - reply.go: what has been sent to the client, and errors in its format
//   - log.go: usage for the record, and Kong's log phase
//
// Most requests do not pass the other files: models.go lists models, which no provider is
// asked for; cache.go answers with what is kept; hedging.go makes two attempts at once.
// Requests that the plugin makes itself: embedder.go, for the order of targets by meaning,
// and healthcheck.go.
//
// How requests come from Kong is in package gateway, what a client may call in routes,
// who may use which target in acl, a target in endpoint, the connection to providers in
// upstream, what is logged in record.
// Formats are in ../translators and know nothing of this package.
package plugin

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/gateway"
	"go-ai-proxy/plugin/lines"
	"go-ai-proxy/plugin/server"
)

// How Kong knows the plugin.
const (
	Name     = "go-ai-proxy"
	Version  = "1.0.0"
	Priority = 770 // the same as Kong's ai-proxy: before all logging plugins
	Socket   = Name + ".socket"
)

// Info describes the plugin to Kong. The log phase is declared only on request
// (see logPhase): it is for a Kong without the Lua shim.
func Info(schema []byte) server.Info {
	phases := []string{"access"}
	if logPhase() {
		phases = append(phases, "log")
	}
	return server.Info{Name: Name, Version: Version, Priority: Priority, Phases: phases, Schema: schema}
}

func logPhase() bool { return os.Getenv("GO_AI_PROXY_LOG_PHASE") == "on" }

// Serve runs the plugin server: it serves Kong from prefix until ctx ends, and
// then lets open requests finish for a bounded time. It takes over the socket
// last, so that a failure to start leaves the process that served before alone.
// kind is the engine of both sides.
func Serve(ctx context.Context, schema []byte, prefix string, log zerolog.Logger, kind engine.Kind) error {
	read, err := config.NewSchema(schema)
	if err != nil {
		return err
	}
	relay := NewRelay(read, log, kind)
	g, err := gateway.New(relay, log, kind)
	if err != nil {
		return err
	}
	seen, err := relay.Start("", map[string]func() uint64{"go_ai_proxy_records_dropped_total": g.Dropped})
	if err != nil {
		return err
	}
	k := kong{gateway: g, log: log}
	if logPhase() {
		entries := lines.Entries(os.Stdout, log)
		defer entries.Close(time.Second)
		k.entries = entries
	}
	socket := filepath.Join(prefix, Socket)
	if err := server.Claim(ctx, socket); err != nil {
		return err
	}
	s := &server.Server{Info: Info(schema), Logger: log, New: func(config []byte) (server.Instance, error) {
		a, _ := g.Open(config) // an instance that cannot work answers its requests with the reason
		return newKongInstance(k, a)
	}}
	g.OnRemoved(s.Removed)
	closeSockets, err := g.ServeIn(prefix)
	if err != nil {
		return err
	}
	defer closeSockets()
	listener, err := server.Listen(socket)
	if err != nil {
		return err
	}
	s.Leave = func() {
		seen.Close() // the next process wants the address
		g.Leave()
	}
	seen.Start()
	ctx, cancel := server.Outlive(ctx, socket, func() bool { return g.Connected() || s.Connected() })
	defer cancel()
	err = s.Serve(ctx, listener)
	g.Drain()
	return err
}
