// Package plugin is go-ai-proxy as Kong calls it, and the relay in which a
// request meets a provider. Its files, in the order in which one reads the way of
// a request:
//
//   - plugin.go: what Kong knows of the plugin, and how it is started
//   - access.go: Kong's access phase, which sends a request to the relay
//   - instance.go: one configuration, compiled; warnings.go: what in it changes
//     nothing; semantic.go: the model that orders its targets by meaning
//   - relay.go: one exchange, its phases in a row, its one record
//   - read.go: the client's request is read into what request.go holds, by way of
//     body.go, inflate.go and buffers.go
//   - balance.go: candidates, attempts, failover; acl.go: who may use which, and
//     path.go: how paths are compared
//   - attempt.go: one try at one target
//   - translate.go: the body for the provider; extra_body.go: what the client adds
//     to it
//   - outgoing.go: URL, headers and credentials
//   - upstream.go: the way to providers; redirect.go: to one host instead
//   - header_filter.go: the headers that the client gets
//   - body_filter.go: the answer, whole or byte by byte; stream.go: event by event;
//     session.go: a WebSocket
//   - reply.go: what the client has got so far, and errors in its format; errors.go:
//     what it is told
//   - log.go: usage for the record, and Kong's log phase
//
// ballast.go has the collector run less often. How requests come from Kong is in
// gateway, what a client may call in routes, what is left in the log in record.
// Formats live in ../translators and know nothing of this package.
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

// What Kong knows the plugin by.
const (
	Name     = "go-ai-proxy"
	Version  = "1.0.0"
	Priority = 770 // Kong's ai-proxy has it, too: before all logging plugins
	Socket   = Name + ".socket"
)

// Info describes the plugin to Kong. The log phase is declared only on
// request: it is for a Kong without the Lua shim.
func Info(schema []byte) server.Info {
	phases := []string{"access"}
	if logPhase() {
		phases = append(phases, "log")
	}
	return server.Info{Name: Name, Version: Version, Priority: Priority, Phases: phases, Schema: schema}
}

func logPhase() bool { return os.Getenv("GO_AI_PROXY_LOG_PHASE") == "on" }

// Serve is the plugin server: it serves Kong from its prefix until ctx ends,
// and then lets open requests finish for a bounded time. The socket is taken
// last: what keeps this process from serving leaves the one before it alone. kind
// is the engine of both sides.
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
	if err := relay.Share(os.Getenv(RedisEnv)); err != nil {
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
	closeRecords, err := g.ServeRecords(prefix)
	if err != nil {
		return err
	}
	defer closeRecords()
	listener, err := server.Listen(socket)
	if err != nil {
		return err
	}
	s := &server.Server{Info: Info(schema), Logger: log, New: func(config []byte) (server.Instance, error) {
		a, _ := g.Open(config) // a configuration that cannot work answers for itself
		return newKongInstance(k, a)
	}}
	s.Leave = g.Leave
	ctx, cancel := server.Outlive(ctx, socket, func() bool { return g.Connected() || s.Connected() })
	defer cancel()
	err = s.Serve(ctx, listener)
	g.Drain()
	return err
}
