// Package test runs the built program end to end: standalone, in front of
// upstreams that the tests script, row by row. A row names the acceptance
// cases that it covers.
package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/lines/linestest"
	"go-ai-proxy/plugin/monitor"
)

// binary is the built program.
var (
	binary     string
	buildFlags = []string{"build"}
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "go-ai-proxy-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "go-ai-proxy")
		build := exec.Command("go", append(buildFlags, "-o", binary, "..")...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// gateway is a running `go-ai-proxy standalone`.
type gateway struct {
	url    string
	cmd    *exec.Cmd
	stderr *linestest.Buffer
	out    sync.WaitGroup // of the goroutine that reads stdout

	mu      sync.Mutex
	entries map[string]map[string]any // by request id
	stdout  bytes.Buffer
	bad     error
}

// command is the program with these arguments and, beyond PATH, HOME and the
// engine to be tested, this environment only.
func command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append([]string{monitor.AddrEnv + "=off", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), engine.KindEnv + "=" + os.Getenv(engine.KindEnv)}, env...)
	return cmd
}

// start runs standalone on a free port until the test ends.
func start(t testing.TB, env []string, args ...string) *gateway {
	t.Helper()
	g := &gateway{stderr: &linestest.Buffer{}, entries: map[string]map[string]any{}}
	g.cmd = command(context.Background(), env, append([]string{"standalone", "-listen", "127.0.0.1:0"}, args...)...)
	g.cmd.Stderr = g.stderr
	stdout, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.stop(t) })
	g.out.Go(func() { g.read(bufio.NewReaderSize(stdout, 1<<20)) })
	for end := time.Now().Add(20 * time.Second); g.url == ""; time.Sleep(5 * time.Millisecond) {
		text := g.stderr.String()
		if _, after, ok := strings.Cut(text, " on http://"); ok && strings.Contains(after, "\n") {
			g.url = "http://" + after[:strings.IndexByte(after, '\n')]
		}
		if time.Now().After(end) {
			t.Fatalf("not serving: %s", text)
		}
	}
	return g
}

// read takes log entries in; each line must be one.
func (g *gateway) read(r *bufio.Reader) {
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		var entry map[string]any
		err = json.Unmarshal(line, &entry)
		id, _ := at(entry, "request.id").(string)
		g.mu.Lock()
		g.stdout.Write(line)
		switch {
		case err != nil:
			g.bad = fmt.Errorf("%w in %s", err, line)
		case g.entries[id] != nil:
			g.bad = fmt.Errorf("two log entries of request %s", id)
		}
		g.entries[id] = entry
		g.mu.Unlock()
	}
}

// entry waits for the log entry of a request.
func (g *gateway) entry(t testing.TB, id string) map[string]any {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		g.mu.Lock()
		entry, bad := g.entries[id], g.bad
		g.mu.Unlock()
		if bad != nil {
			t.Fatal(bad)
		}
		if entry != nil {
			return entry
		}
	}
	t.Fatalf("no log entry of request %s", id)
	return nil
}

// only waits for the n-th entry when there are to be no more than n.
func (g *gateway) only(t testing.TB, n int) map[string]any {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		g.mu.Lock()
		lines := bytes.Split(bytes.TrimSpace(g.stdout.Bytes()), []byte("\n"))
		g.mu.Unlock()
		if len(lines) < n || len(lines[0]) == 0 {
			continue
		}
		var entry map[string]any
		if len(lines) > n || json.Unmarshal(lines[n-1], &entry) != nil {
			t.Fatalf("log entries: %s", lines)
		}
		return entry
	}
	t.Fatalf("not %d log entries", n)
	return nil
}

// printed is all that the program has printed.
func (g *gateway) printed() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stdout.String() + g.stderr.String()
}

// stop ends the program as docker does, and expects it to end in order.
func (g *gateway) stop(t testing.TB) {
	if g.cmd.ProcessState != nil {
		return
	}
	began := time.Now()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = g.cmd.Process.Kill() })
	defer timer.Stop()
	g.out.Wait() // before Wait closes the pipe
	if err := g.cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v after %s\n%s", err, time.Since(began), g.stderr.String())
	}
	if g.bad != nil {
		t.Error(g.bad)
	}
}

// refused runs standalone with a configuration that cannot work.
func refused(t testing.TB, env []string, args ...string) (status int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := command(ctx, env, append([]string{"standalone", "-listen", "127.0.0.1:0"}, args...)...)
	var errs, out bytes.Buffer
	cmd.Stderr, cmd.Stdout = &errs, &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("it runs: %s", errs.String())
	case err != nil && !errors.As(err, &exit):
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("stdout: %s", out.String())
	}
	return cmd.ProcessState.ExitCode(), errs.String()
}

// writeConfig writes a declarative configuration, as JSON, which is YAML.
func writeConfig(t testing.TB, config any) string {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "kong.yml")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// declare is a configuration of one service with these routes.
func declare(routes ...any) obj {
	return obj{"_format_version": "3.0", "services": list{obj{"name": "ai", "url": "http://localhost:32000", "routes": routes}}}
}

// on is a route with our plugin.
func on(path string, config obj) obj {
	return obj{"name": strings.Trim(path, "/~"), "paths": list{path}, "plugins": list{obj{"name": "go-ai-proxy", "config": config}}}
}

type (
	obj  = map[string]any
	list = []any
)

// client does not follow redirects and does not inflate.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       20 * time.Second,
}
