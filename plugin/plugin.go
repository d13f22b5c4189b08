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
