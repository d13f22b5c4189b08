// Package shim tests kong/plugins/go-ai-proxy/handler.lua in a real nginx with
// lua-nginx-module. pdk/ stands in for what the shim uses of Kong, and a
// scripted relay for the plugin's process. Start with shim_test.go.
package shim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"
)

const packages = "nginx libnginx-mod-http-lua lua-resty-core lua-cjson lua-socket"

// config is nginx.conf. The listening socket is inherited, so that no port can
// be taken between choosing and opening it.
var config = template.Must(template.New("nginx.conf").Parse(`
daemon off;
user root root;
worker_processes {{.Workers}};
error_log error.log info;
pid nginx.pid;
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
events { worker_connections 512; }
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  scgi_temp_path scgi;
  uwsgi_temp_path uwsgi;
  lua_package_path "{{.Dir}}/?.lua;{{.Repo}}/test/shim/pdk/?.lua;;";
  init_by_lua_block {
    {{if .Probe}}
    require("resty.core") require("ngx.balancer") require("cjson.safe") require("socket") require("socket.unix")
    os.exit(0)
    {{else}}
    phases = require("kong")
    {{end}}
  }
  map $http_upgrade $connection_upgrade { default keep-alive; websocket "keep-alive, Upgrade"; }
  upstream relay {
    server 0.0.0.1;
    balancer_by_lua_block { phases.balancer() }
  }
  server {
    listen {{.Listen}};
    set $upstream_scheme "";
    error_page 502 503 504 /_error;
    header_filter_by_lua_block { phases.header_filter() }
    log_by_lua_block { phases.log() }
    location / {
      access_by_lua_block { phases.access() }
      proxy_http_version 1.1;
      proxy_set_header Host relay;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_pass $upstream_scheme://relay;
    }
    location = /_error { internal; content_by_lua_block { phases.error() } }
    location = /_reconfigure { content_by_lua_block { phases.reconfigure() } }
    location = /_churn { access_by_lua_block { phases.churn(10000) } }
  }
}
`))

type settings struct {
	Listen, Dir, Repo string
	Workers           int
	Probe             bool
}

func (s settings) write() error {
	var b bytes.Buffer
	if err := config.Execute(&b, s); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Dir, "nginx.conf"), b.Bytes(), 0o644)
}

// wait is the line of the handler that says how long it waits for a record.
const wait = "local PATIENCE = 0.5 "

// copyHandler puts the handler where nginx finds it, waiting for a record as
// long as said: a test that is to see one must not depend on an idle machine.
func copyHandler(repo, dir string, patience time.Duration) error {
	const path = "kong/plugins/go-ai-proxy/handler.lua"
	source, err := os.ReadFile(filepath.Join(repo, path))
	if err != nil {
		return err
	}
	before, after, found := strings.Cut(string(source), wait)
	if !found {
		return fmt.Errorf("%s has no line %q", path, wait)
	}
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
		return err
	}
	changed := string(source)
	if patience != asShipped {
		changed = fmt.Sprintf("%slocal PATIENCE = %g %s", before, patience.Seconds(), after)
	}
	if patience == patient {
		changed = strings.Replace(changed, "local BURST = 0.5 ", "local BURST = 60 ", 1)
	}
	if patience == talkative {
		changed = strings.Replace(changed, "local SPARE_LOG = 10 ", "local SPARE_LOG = 1 ", 1)
	}
	return os.WriteFile(filepath.Join(dir, path), []byte(changed), 0o644)
}

// available says why no nginx can be had, or "".
var available = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "shim")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	if err := (settings{Listen: "127.0.0.1:1", Dir: dir, Workers: 1, Probe: true}).write(); err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nginx", "-p", dir, "-c", "nginx.conf", "-e", "error.log").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("no nginx with Lua (Debian packages: %s): %v %s", packages, err, out)
	}
	return ""
})

// gateway is an nginx with the shim in it.
type gateway struct {
	t      *testing.T
	dir    string
	url    string
	addr   string
	port   int // of the relay that was named last
	client *http.Client
}

// startGateway starts nginx and has it ended with the test.
func startGateway(t *testing.T, workers int, patience time.Duration) *gateway {
	t.Helper()
	if why := available(); why != "" {
		if os.Getenv("GO_AI_PROXY_REQUIRE_NGINX") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	inherited, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()

	g := &gateway{t: t, addr: listener.Addr().String()}
	g.url = "http://" + g.addr
	// Not t.TempDir: its names grow with the test's, and a Unix socket's path may not.
	if g.dir, err = os.MkdirTemp("", "shim"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(g.dir) })
	if err := copyHandler(repo, g.dir, patience); err != nil {
		t.Fatal(err)
	}
	if err := (settings{Listen: g.addr, Dir: g.dir, Repo: repo, Workers: workers}).write(); err != nil {
		t.Fatal(err)
	}

	nginx := exec.Command("nginx", "-p", g.dir, "-c", "nginx.conf", "-e", "error.log")
	nginx.ExtraFiles = []*os.File{inherited}
	nginx.Env = append(os.Environ(), "NGINX=3;")
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	// os/exec made the socket a blocking one, for nginx as well: a worker that was
	// too late for a connection would stand still in accept.
	if err := syscall.SetNonblock(int(inherited.Fd()), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nginx.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(5*time.Second, func() { nginx.Process.Kill() })
		nginx.Wait()
		kill.Stop()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(g.dir, "error.log"))
			t.Logf("nginx: %s", log)
		}
	})

	// A connection for each request, so that any worker may get it.
	g.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return g
}

// access says what Go's access phase does from now on.
type access struct {
	Port   int    `json:"port,omitempty"`
	Header string `json:"header,omitempty"`
	Exit   int    `json:"exit,omitempty"`
	Body   string `json:"body,omitempty"`
	Error  string `json:"error,omitempty"`
}

func (g *gateway) script(a access) {
	g.t.Helper()
	g.port = a.Port
	b, err := json.Marshal(a)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, "access"), b, 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// calls are the calls of Go's access so far, each "<worker> <configuration>".
func (g *gateway) calls() []string {
	return lines(filepath.Join(g.dir, "calls"))
}

// lines are a file's finished lines: the last may be in the writing.
func lines(file string) []string {
	b, _ := os.ReadFile(file)
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' })
}

// entry is what the log phase of one request left.
type entry struct {
	Status       int
	URI          string
	Source       string
	Headers      map[string]any
	Record       map[string]any
	Complaints   []string
	Milliseconds float64
}

// entries waits for n requests to be logged.
func (g *gateway) entries(n int) []entry {
	g.t.Helper()
	var logged []string
	for end := time.Now().Add(5 * time.Second); len(logged) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			g.t.Fatalf("%d requests logged, want %d", len(logged), n)
		}
		logged = lines(filepath.Join(g.dir, "log"))
	}
	all := make([]entry, len(logged))
	for i, line := range logged {
		if err := json.Unmarshal([]byte(line), &all[i]); err != nil {
			g.t.Fatalf("%v in %q", err, line)
		}
	}
	return all
}

// answer is a whole response.
type answer struct {
	*http.Response
	body string
}

// post sends a request and reads its answer. header holds names and values in turn.
func (g *gateway) post(path, body string, header ...string) answer {
	g.t.Helper()
	r, err := http.NewRequest("POST", g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return g.do(r)
}

func (g *gateway) do(r *http.Request) answer {
	g.t.Helper()
	response, err := g.client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return answer{response, string(body)}
}
