package kong

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Host is a Kong with one worker and one plugin.
type Host struct {
	Info   Info
	Worker *Worker
	// Startup is the time from the start of the plugin's process until its
	// socket took a connection.
	Startup time.Duration
	// OnRequest, if set, is told of each request when its log phase is over.
	// It is called from several goroutines; set it before the first request.
	OnRequest func(*Request)

	seq       atomic.Int64
	requests  sync.WaitGroup
	transport *http.Transport
	cmd       *exec.Cmd
	output    output
	exited    chan struct{}
	exitErr   error
	stopOnce  sync.Once
}

// Info is what a plugin's -dump says.
type Info struct {
	Name     string
	Version  string
	Priority int
	Phases   []string
	Schema   map[string]any

	config map[string]any // the schema of config
}

// New returns a Host without a process, for a plugin server that listens on
// socket already.
func New(info Info, socket string) *Host {
	return &Host{Info: info, Worker: &Worker{Socket: socket, Plugin: info.Name}, transport: newTransport()}
}

// Start asks binary for its info, starts it as Kong's worker 0 would, and
// stops it when the test ends. The socket will be prefix/NAME.socket; env is
// added to the environment of both commands.
func Start(t testing.TB, binary, prefix string, env ...string) *Host {
	t.Helper()
	info, err := Query(t.Context(), binary, prefix, env...)
	if err != nil {
		t.Fatal(err)
	}
	h := New(info, filepath.Join(prefix, info.Name+".socket"))
	h.exited = make(chan struct{})
	h.cmd = exec.Command(binary, "-kong-prefix", prefix)
	h.cmd.Env = append(os.Environ(), env...)
	h.cmd.Stdout, h.cmd.Stderr = &h.output, &h.output
	began := time.Now()
	if err = h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		h.exitErr = h.cmd.Wait()
		close(h.exited)
	}()
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Errorf("plugin server: %v", err)
		}
		if t.Failed() {
			t.Logf("plugin server's output:\n%s", h.Output())
		}
	})
	for {
		conn, err := net.Dial("unix", h.Worker.Socket)
		if err == nil {
			h.Startup = time.Since(began)
			_ = conn.Close()
			return h
		}
		select {
		case <-h.exited:
			t.Fatalf("plugin server ended: %v\n%s", h.exitErr, h.Output())
		case <-time.After(time.Millisecond):
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("no plugin server on %s: %v\n%s", h.Worker.Socket, err, h.Output())
		}
	}
}

// Stop waits for open requests, closes the connections and ends the process,
// if there is one, with SIGTERM. An error says that it did not end well.
func (h *Host) Stop() error {
	h.requests.Wait()
	h.Worker.Stop()
	h.transport.CloseIdleConnections()
	if h.cmd == nil {
		return nil
	}
	var err error
	h.stopOnce.Do(func() {
		_ = h.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-h.exited:
		case <-time.After(20 * time.Second):
			_ = h.cmd.Process.Kill()
			<-h.exited
			err = errors.New("did not end 20 s after SIGTERM")
			return
		}
		if h.exitErr != nil {
			err = fmt.Errorf("ended with %w", h.exitErr)
		}
	})
	return err
}

// Wait waits until all requests so far are over, log phases included.
func (h *Host) Wait() { h.requests.Wait() }

// Output returns what the process has written so far; in Kong it goes to the
// error log with level info.
func (h *Host) Output() string { return h.output.String() }

// Pid returns the id of the plugin's process.
func (h *Host) Pid() int { return h.cmd.Process.Pid }

// Query runs binary -dump and checks the answer as Kong's loader does.
func Query(ctx context.Context, binary, prefix string, env ...string) (Info, error) {
	cmd := exec.CommandContext(ctx, binary, "-dump", "-kong-prefix", prefix)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	data, err := cmd.Output()
	if err != nil {
		return Info{}, fmt.Errorf("%s -dump: %w\n%s", binary, err, stderr.Bytes())
	}
	return ParseInfo(data)
}

// ParseInfo reads the answer to a query command.
func ParseInfo(data []byte) (Info, error) {
	var dump struct {
		Protocol string
		Plugins  []Info
	}
	if err := json.Unmarshal(data, &dump); err != nil {
		return Info{}, fmt.Errorf("failed decoding plugin info: %w", err)
	}
	if dump.Protocol != "ProtoBuf:1" {
		return Info{}, fmt.Errorf("unknown protocol implementation: %q", dump.Protocol)
	}
	if len(dump.Plugins) != 1 {
		return Info{}, fmt.Errorf("%d plugins, want 1", len(dump.Plugins))
	}
	info := dump.Plugins[0]
	if info.Name == "" || info.Version == "" || info.Priority == 0 || len(info.Phases) == 0 {
		return Info{}, fmt.Errorf("plugin info lacks a field: %+v", info)
	}
	for _, phase := range info.Phases {
		if !slices.Contains([]string{"certificate", "rewrite", "access", "response", "preread", "log"}, phase) {
			return Info{}, fmt.Errorf("phase %q is not known", phase)
		}
	}
	if info.Schema["name"] != info.Name {
		return Info{}, fmt.Errorf("schema.name is %v, want %q", info.Schema["name"], info.Name)
	}
	for name, field := range fieldsOf(info.Schema) {
		if name == "config" {
			info.config = field
		}
	}
	if info.config["type"] != "record" {
		return Info{}, errors.New("schema: missing a config record")
	}
	return info, nil
}

// output is a buffer that may be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
