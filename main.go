// go-ai-proxy is Kong's AI gateway as one plugin. Kong starts it as a plugin
// server; `standalone` runs the same relay without Kong.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/server"
	"go-ai-proxy/plugin/standalone"
)

//go:embed schema.json
var schema []byte

const usage = `go-ai-proxy: Kong's AI gateway as one plugin

  go-ai-proxy -dump                     print the plugin info for Kong's query_cmd
  go-ai-proxy -kong-prefix DIR          serve Kong on DIR/go-ai-proxy.socket
  go-ai-proxy standalone [-config FILE] [-listen ADDR] [-mock]
                                        serve without Kong; standalone -h tells more
  go-ai-proxy mock [-listen ADDR]       a mock LLM by itself; mock -h tells more
`

func main() {
	defer runtime.KeepAlive(&ballast)
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "go-ai-proxy: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	if err := config.SetSchema(schema); err != nil {
		return err
	}
	// net/http tells the standard logger what providers send unasked, word for word.
	stdlog.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log, err := logger()
	if err != nil {
		return err
	}
	if len(args) > 0 {
		switch args[0] {
		case "standalone":
			return standalone.Run(ctx, args[1:], log, os.Stdout, os.Stderr)
		case "mock":
			return standalone.RunMock(ctx, args[1:], os.Stderr)
		}
	}
	f := parse(args)
	switch {
	case f.help:
		fmt.Print(usage)
		return nil
	case f.dump:
		return plugin.Info(schema).Dump(os.Stdout, filepath.Join(f.prefix, plugin.Socket))
	}
	if kept, err := server.Keep(ctx); !kept {
		return err
	}
	return plugin.Serve(ctx, schema, f.prefix, log)
}

type flags struct {
	dump, help bool
	prefix     string
}

// parse reads the flags that Kong gives. Others are ignored, so that a newer
// Kong's flags do not keep the plugin from starting.
func parse(args []string) flags {
	f := flags{prefix: "/usr/local/kong"}
	if p := os.Getenv("KONG_PREFIX"); p != "" {
		f.prefix = p
	}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		switch name {
		case "dump":
			f.dump = true
		case "h", "help":
			f.help = true
		case "kong-prefix", "p":
			if !has && i+1 < len(args) {
				i++
				value = args[i]
			}
			f.prefix = value
		}
	}
	return f
}

// logger writes JSON lines to stderr, which Kong copies to its error log. The
// level comes from GO_AI_PROXY_LOG_LEVEL.
func logger() (zerolog.Logger, error) {
	level := zerolog.InfoLevel
	if s := os.Getenv("GO_AI_PROXY_LOG_LEVEL"); s != "" {
		var err error
		if level, err = zerolog.ParseLevel(s); err != nil {
			return zerolog.Logger{}, fmt.Errorf("GO_AI_PROXY_LOG_LEVEL: %w", err)
		}
	}
	return zerolog.New(os.Stderr).Level(level).With().Timestamp().Str("plugin", plugin.Name).Logger(), nil
}
