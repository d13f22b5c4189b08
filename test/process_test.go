package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go-ai-proxy/plugin"
	"go-ai-proxy/test/kong"
	"go-ai-proxy/test/ports"
)

// runs runs the program until it ends by itself, which is to be soon.
func runs(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := command(t.Context(), env, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	err := cmd.Wait()
	if !late.Stop() {
		t.Errorf("%q went on", args)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// A server that starts by mistake takes the place of the one that Kong uses.
func TestOnlyTheKongPrefixFlagStartsAPluginServer(t *testing.T) {
	prefix := t.TempDir()
	env := []string{"KONG_PREFIX=" + prefix}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "go-ai-proxy: what is to be done?\n"},
		{[]string{"standalonee", "-mock"}, `go-ai-proxy: what is "standalonee"?`},
		{[]string{"serve"}, `go-ai-proxy: what is "serve"?`},
		{[]string{"dump"}, `go-ai-proxy: what is "dump"?`},
		{[]string{"--versoin"}, `go-ai-proxy: what is "--versoin"?`},
		{[]string{"-standalone"}, `go-ai-proxy: what is "-standalone"?`},
		{[]string{"-kong-prefix", prefix, "-verbose"}, `go-ai-proxy: what is "-verbose"?`},
		{[]string{"-kong-prefix", prefix, "standalone"}, `go-ai-proxy: what is "standalone"?`},
		{[]string{"-kong-prefix"}, "go-ai-proxy: -kong-prefix needs the directory"},
		{[]string{"-p="}, "go-ai-proxy: -p needs the directory"},
		{[]string{"-dump=1"}, "go-ai-proxy: -dump takes no value"},
	} {
		status, stdout, stderr := runs(t, env, c.args...)
		if status != 2 || stdout != "" || !strings.HasPrefix(stderr, c.want) || !strings.Contains(stderr, "go-ai-proxy -kong-prefix DIR ") {
			t.Errorf("%q: exit status %d, stdout %q, stderr %q", c.args, status, stdout, stderr)
		}
	}
	if left, err := os.ReadDir(prefix); err != nil || len(left) > 0 {
		t.Errorf("the prefix holds %v, %v", left, err)
	}
}

func TestHelpAndVersionGoToStandardOutput(t *testing.T) {
	for arg, want := range map[string]string{
		"version": "go-ai-proxy " + plugin.Version + " ", "-version": "go-ai-proxy " + plugin.Version + " ", "--version": "go-ai-proxy " + plugin.Version + " ",
		"help": "go-ai-proxy: Kong's", "-h": "go-ai-proxy: Kong's", "-help": "go-ai-proxy: Kong's", "--help": "go-ai-proxy: Kong's",
	} {
		status, stdout, stderr := runs(t, nil, arg)
		if status != 0 || !strings.HasPrefix(stdout, want) || stderr != "" {
			t.Errorf("%s: exit status %d, %q, %q", arg, status, stdout, stderr)
		}
	}
}

func TestEveryFormOfKongsFlagsIsAccepted(t *testing.T) {
	for _, args := range [][]string{{"-dump", "-kong-prefix", "/x"}, {"--dump", "--kong-prefix=/x"}, {"-p", "/x", "-dump"}, {"-p=/x", "-dump"}} {
		if status, stdout, _ := runs(t, nil, args...); status != 0 || !strings.Contains(stdout, `"SocketPath":"/x/go-ai-proxy.socket"`) {
			t.Errorf("%q: exit status %d, %.100s", args, status, stdout)
		}
	}
	for env, want := range map[string]string{"KONG_PREFIX=/y": "/y", "A=b": "/usr/local/kong"} {
		if _, stdout, _ := runs(t, []string{env}, "-dump"); !strings.Contains(stdout, `"SocketPath":"`+want+`/go-ai-proxy.socket"`) {
			t.Errorf("%s: %.100s", env, stdout)
		}
	}
}

// The child that cannot start must not end its keeper before its reason is out.
func TestPluginServerStartErrorsAreReported(t *testing.T) {
	for _, c := range []struct {
		name, want string
		env        []string
		prefix     string
	}{
		{"no prefix", "no such file or directory", nil, filepath.Join(t.TempDir(), "missing")},
		{"no Redis", "GO_AI_PROXY_REDIS: ", []string{"GO_AI_PROXY_REDIS=http://x"}, t.TempDir()},
		{"a prefix that is a file", "not a directory", nil, writeConfig(t, 1)},
		{"a level that is none", "GO_AI_PROXY_LOG_LEVEL: ", []string{"GO_AI_PROXY_LOG_LEVEL=loud"}, t.TempDir()},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 8 {
				status, _, stderr := runs(t, c.env, "-kong-prefix", c.prefix)
				if status != 1 || !strings.Contains(stderr, c.want) {
					t.Fatalf("exit status %d, %q; want 1 and %q", status, stderr, c.want)
				}
			}
		})
	}
}

func TestFailedStartDoesNotDisturbTheRunningServer(t *testing.T) {
	prefix := ports.Dir(t)
	host := kong.Start(t, binary, prefix)
	status, _, stderr := runs(t, nil, "-kong-prefix", prefix)
	want := fmt.Sprintf("go-ai-proxy: socket %s: in use by process ", filepath.Join(prefix, plugin.Socket))
	if status != 1 || !strings.HasPrefix(stderr, want) || strings.Contains(stderr, "in use by process 0") {
		t.Errorf("exit status %d, %q; want 1 and %q", status, stderr, want)
	}
	if status, _, stderr = runs(t, []string{"GO_AI_PROXY_REDIS=nonsense"}, "-kong-prefix", prefix); status != 1 || !strings.Contains(stderr, "GO_AI_PROXY_REDIS") {
		t.Errorf("exit status %d, %q", status, stderr)
	}
	front := httptest.NewServer(host.Handler(kong.Route{Path: "/chat", Config: config(t, upstreamFor(t, make(chan *http.Request, 1)), "gpt-4o")}))
	defer front.Close()
	if resp, text := post(t, front.URL+"/chat", chatBody); resp.StatusCode != 200 {
		t.Errorf("the first answers %d %s", resp.StatusCode, text)
	}
}

// keptBy is the process that a keeper has started.
func keptBy(t *testing.T, keeper int) int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", keeper)) // a file for each thread
	if err != nil || len(lists) == 0 {
		t.Skip("the kernel does not list the children of a process")
	}
	for _, name := range lists {
		list, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(list))); err == nil {
			return pid
		}
	}
	t.Fatal("the keeper has no child")
	return 0
}

// What nginx takes from its terminal or its operator may reach all processes of
// its group: streams under way must come to their end.
func TestPluginServerFinishesStreamsAfterSignals(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"SIGHUP": syscall.SIGHUP, "SIGQUIT": syscall.SIGQUIT, "SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			up := newUpstream(t, answer{handler: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, "data: "+deltaOne+"\n\n")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-release:
				case <-r.Context().Done():
				}
				_, _ = io.WriteString(w, "data: [DONE]\n\n")
			}})
			host := kong.Start(t, binary, ports.Dir(t))
			processes := []int{keptBy(t, host.Pid()), host.Pid()}
			front := httptest.NewServer(host.Handler(kong.Route{Path: "/chat", Config: config(t, up.URL, "gpt-4o")}))
			defer front.Close()
			resp, err := client.Post(front.URL+"/chat", "application/json", strings.NewReader(streamBody))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			for _, pid := range processes {
				if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) { // the first told the second
					t.Error(err)
				}
			}
			time.Sleep(300 * time.Millisecond)
			close(release)
			body, err := io.ReadAll(resp.Body)
			if err != nil || !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
				t.Errorf("the stream ended with %v: %s", err, body)
			}
			if sig == syscall.SIGHUP {
				if resp, text := post(t, front.URL+"/chat", streamBody); resp.StatusCode != 200 {
					t.Errorf("after it: %d %s", resp.StatusCode, text)
				}
			}
		})
	}
}

func TestStoppedPluginServerLeavesNothingInThePrefix(t *testing.T) {
	prefix := ports.Dir(t)
	host := kong.Start(t, binary, prefix)
	until(t, "the server, the relay and the records have their sockets", func() bool {
		found, err := filepath.Glob(filepath.Join(prefix, "*.sock*"))
		return err == nil && len(found) == 3
	})
	if err := host.Stop(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // its keeper does not wait for it
		left, err := os.ReadDir(prefix)
		if err == nil && len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left behind: %v, %v", left, err)
		}
	}
}
