package agents

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// RequireEnv makes a machine without Node.js and npm a failure, as in CI.
const RequireEnv = "GO_AI_PROXY_REQUIRE_NPM"

// binary is the built program, once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "agents")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "go-ai-proxy")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = "../.."
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// install installs packages, and returns the folder of the modules. Without npm the test
// is skipped.
func install(t *testing.T, packages string) (modules string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv(RequireEnv) != "" {
				t.Fatal("there is no ", tool, ", and ", RequireEnv, " is set")
			}
			t.Skip("needs Node.js and npm (Debian: apt-get install nodejs npm)")
		}
	}
	dir := t.TempDir()
	args := append([]string{"install", "--silent", "--no-fund", "--no-audit", "--prefix", dir}, strings.Fields(packages)...)
	for try := 1; ; try++ { // the registry is on the network
		out, err := exec.Command("npm", args...).CombinedOutput()
		if err == nil {
			break
		}
		if try == 3 {
			t.Fatalf("npm install %s: %v\n%s", packages, err, out)
		}
		time.Sleep(time.Duration(try) * 5 * time.Second)
	}
	return filepath.Join(dir, "node_modules")
}

// gateway runs standalone, with a route for each kind of client to each target, until the
// test ends. It returns its URL.
func gateway(t *testing.T) string {
	t.Helper()
	var routes []any
	for kind := range kinds {
		for target := range targets {
			routes = append(routes, entity(kind, target))
		}
	}
	conf, err := json.Marshal(map[string]any{"_format_version": "3.0",
		"services": []any{map[string]any{"name": "ai", "url": "http://localhost:32000", "routes": routes}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kong.yml")
	if err := os.WriteFile(file, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "standalone", "-mock", "-listen", "127.0.0.1:0", "-config", file)
	cmd.Env = append(os.Environ(), "GO_AI_PROXY_STATUS=off")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	serves := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(stderr)
		for {
			line, err := lines.ReadString('\n')
			if _, address, ok := strings.Cut(line, " on http://"); ok {
				serves <- "http://" + strings.TrimSpace(address)
				_, _ = io.Copy(io.Discard, lines)
				return
			}
			if err != nil {
				close(serves)
				return
			}
		}
	}()
	select {
	case url := <-serves:
		if url == "" {
			t.Fatal("standalone has ended")
		}
		return url
	case <-time.After(30 * time.Second):
		t.Fatal("standalone does not serve")
		return ""
	}
}
