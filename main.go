// go-ai-proxy is Kong's AI gateway as one plugin. Kong starts it as a plugin
// server; `standalone` runs the same relay without Kong.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/lines"
	"go-ai-proxy/plugin/monitor"
	"go-ai-proxy/plugin/server"
	"go-ai-proxy/plugin/standalone"
)

//go:embed schema.json
var schema []byte

const usage = `go-ai-proxy: Kong's AI gateway as one plugin

  go-ai-proxy -dump [-kong-prefix DIR]  print the plugin info for Kong's query_cmd
  go-ai-proxy -kong-prefix DIR          serve Kong on DIR/go-ai-proxy.socket
  go-ai-proxy standalone [-config FILE] [-listen ADDR] [-mock]
                                        serve without Kong; standalone -h tells more
  go-ai-proxy check [-strict] FILE …    say what is wrong with a kong.yml
  go-ai-proxy mock [-listen ADDR]       a mock LLM by itself; mock -h tells more
  go-ai-proxy version                   print the version

The first two are for Kong. SIGTERM, SIGINT and SIGQUIT let open requests end;
SIGHUP has standalone read its configuration again.
`

func main() {
	out := &lines.Writer{Out: os.Stderr}
	err := run(os.Args[1:], out)
	if err != nil {
		fmt.Fprintln(out, "go-ai-proxy: "+err.Error())
	}
	out.Close(time.Second)
	switch {
	case errors.As(err, new(standalone.UsageError)):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}

// run does what args say and logs to out.
func run(args []string, out *lines.Writer) error {
	if os.Getenv(monitor.PprofEnv) != "on" {
		runtime.MemProfileRate = 0 // nobody can ask for the profile, which takes memory
	}
	// net/http tells the standard logger what providers send unasked, word for word.
	stdlog.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	log, err := logger(out)
	if err != nil {
		return err
	}
	out.Lost = func(n int) {
		if n > 0 {
			log.Warn().Int("lines", n).Msg("lines of the log were dropped: nobody read them")
		}
	}
	kind, err := engine.ParseKind(os.Getenv(engine.KindEnv))
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return misused("what is to be done?")
	}
	switch args[0] {
	case "standalone":
		read, err := config.NewSchema(schema)
		if err != nil {
			return err
		}
		server.TuneCollector()
		return standalone.Run(ctx, read, args[1:], log, os.Stdout, out, kind)
	case "check":
		read, err := config.NewSchema(schema)
		if err != nil {
			return err
		}
		return standalone.Check(read, args[1:], os.Stdout)
	case "mock":
		return standalone.RunMock(ctx, args[1:], out)
	case "version", "-version", "--version":
		_, err := fmt.Println(version())
		return err
	case "help", "-h", "-help", "--help":
		_, err := fmt.Print(usage)
		return err
	}
	f, err := parse(args)
	if err != nil {
		return err
	}
	if f.dump {
		return plugin.Info(schema).Dump(os.Stdout, filepath.Join(f.prefix, plugin.Socket))
	}
	signal.Ignore(syscall.SIGHUP) // Kong has the configuration
	return server.Keep(ctx, func(ctx context.Context) error {
		server.TuneCollector()
		return plugin.Serve(ctx, schema, f.prefix, log, kind)
	})
}

// misused is an error in the command line. Nothing is served then: what would
// be may take the place of the server that Kong uses.
func misused(format string, args ...any) error {
	return standalone.UsageError{Err: fmt.Errorf(format+"\n\n%s", append(args, strings.TrimSuffix(usage, "\n"))...)}
}

// flags are those that Kong's commands have.
type flags struct {
	dump   bool
	prefix string
}

// parse reads the flags of Kong's commands.
func parse(args []string) (flags, error) {
	f := flags{prefix: cmp.Or(os.Getenv("KONG_PREFIX"), "/usr/local/kong")}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		switch name {
		case "-dump", "--dump":
			f.dump = true
			if has {
				return f, misused("%s takes no value", name)
			}
		case "-kong-prefix", "--kong-prefix", "-p":
			if !has && i+1 < len(args) {
				i++
				value = args[i]
			}
			if f.prefix = value; value == "" {
				return f, misused("%s needs the directory of Kong's prefix", name)
			}
		default:
			return f, misused("what is %q?", args[i])
		}
	}
	return f, nil
}

// build is the release that the program belongs to, set by the linker
// (-X main.build=v1.2.3). Without it, version names the commit.
var build string

// version is the plugin's, and what the program was built from.
func version() string {
	text := plugin.Name + " " + plugin.Version
	if build != "" {
		text += " (" + build + ")"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; build == "" && revision != "" {
		text += " (" + revision
		if settings["vcs.modified"] == "true" {
			text += ", modified"
		}
		text += ")"
	}
	return text + " " + info.GoVersion + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// logger writes JSON lines to out, stderr, which Kong copies to its error log.
// The level comes from GO_AI_PROXY_LOG_LEVEL.
func logger(out io.Writer) (zerolog.Logger, error) {
	level := zerolog.InfoLevel
	if s := os.Getenv("GO_AI_PROXY_LOG_LEVEL"); s != "" {
		var err error
		if level, err = zerolog.ParseLevel(s); err != nil {
			return zerolog.Logger{}, fmt.Errorf("GO_AI_PROXY_LOG_LEVEL: %w", err)
		}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Str("plugin", plugin.Name).Logger(), nil
}
