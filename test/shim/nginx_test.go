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
  {{if not .Probe}}init_worker_by_lua_block { phases.init_worker() }{{end}}
  map $http_upgrade $connection_upgrade { default keep-alive; websocket "keep-alive, Upgrade"; }
  upstream relay {
    server 0.0.0.1;
    balancer_by_lua_block { phases.balancer() }
  }
  server {
    listen {{.Listen}};
    set $upstream_scheme "";
    set $upstream_host "";
    set $upstream_uri "/relay";
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
    location = /_configuration { content_by_lua_block { phases.configuration() } }
    location = /_schema { content_by_lua_block { phases.schema() } }
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

// shimDir is the shim's place, in the repository and where nginx looks for it.
const shimDir = "kong/plugins/go-ai-proxy"

// copyShim puts the shim where nginx finds it, waiting for a record as long as
// said: a test that is to see one must not depend on an idle machine.
func copyShim(repo, dir string, patience time.Duration) error {
	if err := os.CopyFS(filepath.Join(dir, shimDir), os.DirFS(filepath.Join(repo, shimDir))); err != nil {
		return err
	}
	changes := map[string]map[string]string{"removed.lua": {"local EVERY = 30 ": "local EVERY = 0.05 "}}
	if patience != asShipped {
		changes["records.lua"] = map[string]string{"local PATIENCE = 0.5 ": fmt.Sprintf("local PATIENCE = %g ", patience.Seconds())}
	}
	if patience == patient || patience == forgiving {
		changes["records.lua"]["local BURST = 0.5 "] = "local BURST = 60 "
	}
	if patience == unwaiting {
		changes["relays.lua"] = map[string]string{"local WAIT = 10 ": "local WAIT = 1.5 "}
	}
	if patience == talkative {
		changes["say.lua"] = map[string]string{"local SPARE_LOG = 10 ": "local SPARE_LOG = 1 "}
	}
	for name, lines := range changes {
		path := filepath.Join(dir, shimDir, name)
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for before, after := range lines {
			if !bytes.Contains(source, []byte(before)) {
				return fmt.Errorf("%s has no line %q", name, before)
			}
			source = bytes.Replace(source, []byte(before), []byte(after), 1)
		}
		if err := os.WriteFile(path, source, 0o644); err != nil {
			return err
		}
	}
	return nil
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
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
	if err := copyShim(repo, g.dir, patience); err != nil {
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
	g.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return g
}

// access says what Go's access phase does from now on.
type access struct {
	Port   int    `json:"port,omitempty"`
	Header string `json:"header,omitempty"`
	Exit   int    `json:"exit,omitempty"`
	Body   string `json:"body,omitempty"`
	Error  string `json:"error,omitempty"`
	Times  int    `json:"times,omitempty"` // the error comes; 0: always
	// Slow is how many seconds a call takes.
	Slow float64 `json:"slow,omitempty"`
	// Socket is the plugin server's, in the gateway's folder; "" where the shim
	// is not told.
	Socket string `json:"socket,omitempty"`
}

func (g *gateway) script(a access) {
	g.t.Helper()
	g.port = a.Port
	b, err := json.Marshal(a)
	if err != nil {
		g.t.Fatal(err)
	}
	// Renamed, as nginx may be reading it.
	file := filepath.Join(g.dir, "access")
	if err := os.WriteFile(file+".new", b, 0o644); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
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
	Tries        []map[string]any
	Upstream     string // upstream_uri
	Hostname     string // of the balancer
	Spans        []map[string]any
	Complaints   []string
	Milliseconds float64
}

// entries waits for n requests to be logged. They come in the order of their log phases,
// which is not that of the requests: nginx may linger on one whose body nobody read.
func (g *gateway) entries(n int) []entry {
	g.t.Helper()
	var logged []string
	for end := time.Now().Add(20 * time.Second); len(logged) < n; time.Sleep(5 * time.Millisecond) {
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
