package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// peer is something that stands between a client and a provider.
type peer struct {
	name, about string
	// find returns the program and its version, or an error if it is not installed.
	find func(o *options) (program, version string, err error)
	// start runs it in front of a provider.
	start func(p *place) (*running, error)
	// body, if set, makes of a request what the peer's clients send.
	body func(body []byte) []byte
}

// place is where a peer is started.
type place struct {
	*options
	dir, program string
	address      string // where the peer is to listen
	mock         *mock
}

// port is that of the address.
func (p *place) port() string { return p.address[strings.LastIndexByte(p.address, ':')+1:] }

// running is a peer that serves.
type running struct {
	url     string
	headers map[string]string
	pid     int // of its first process; 0 is none of its own
	stop    func()
}

// direct is the provider itself: what is left is the price of load and mock.
const direct = "direct"

var peers = []peer{
	{name: direct, about: "no gateway", find: always, start: func(p *place) (*running, error) {
		return &running{url: p.mock.url() + "/v1/chat/completions", stop: func() {}}, nil
	}},
	{name: "nginx", about: "a reverse proxy in C", find: found("nginx", "-v"), start: startNginx},
	{name: "go-rproxy", about: "Go's httputil.ReverseProxy", find: always, start: startReverseProxy},
	{name: "this", about: "go-ai-proxy standalone, same format", find: built, start: func(p *place) (*running, error) { return startThis(p, "openai") }},
	{name: "this-anthropic", about: "go-ai-proxy standalone, to Anthropic", find: built, start: func(p *place) (*running, error) { return startThis(p, "anthropic") }},
	{name: "kong", about: "Kong without a plugin", find: kongFound, start: func(p *place) (*running, error) { return startKong(p, "") }},
	{name: "kong-ai-proxy", about: "Kong with its own ai-proxy", find: kongFound, start: func(p *place) (*running, error) { return startKong(p, "ai-proxy") }},
	{name: "kong-this", about: "Kong with go-ai-proxy", find: kongFound, start: func(p *place) (*running, error) { return startKong(p, "go-ai-proxy") }},
	{name: "litellm", about: "LiteLLM's proxy, one worker", find: found("litellm", "--version"), start: startLiteLLM},
	{name: "bifrost", about: "Bifrost, request log off", find: found("bifrost-http", "-version"), start: startBifrost, body: func(body []byte) []byte {
		return bytes.Replace(body, []byte(`"model":"gpt-4o"`), []byte(`"model":"openai/gpt-4o"`), 1)
	}},
}

func always(*options) (program, version string, err error) { return "", runtime.Version(), nil }

// found looks for a program on the path.
func found(name string, args ...string) func(*options) (string, string, error) {
	return func(*options) (string, string, error) {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", "", err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Env = append(os.Environ(), "LITELLM_LOCAL_MODEL_COST_MAP=True") // else it says first what it could not fetch
		out, _ := cmd.CombinedOutput()                                      // some call -v an error
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return path, first, nil
	}
}

// built builds the program of this repository.
func built(o *options) (program, version string, err error) {
	program = filepath.Join(o.dir, "go-ai-proxy")
	if _, err := os.Stat(program); err != nil {
		cmd := exec.Command("go", "build", "-o", program, ".")
		cmd.Dir = o.repo
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", "", fmt.Errorf("%w: %s", err, out)
		}
	}
	out, err := exec.Command(program, "version").Output()
	return program, strings.TrimSpace(string(out)), err
}

// run starts a process on the gateways' core and waits until url answers a request.
func (p *place) run(url string, headers map[string]string, env []string, args ...string) (*running, error) {
	args = append(o1(p.options), args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		return nil, err
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	stop := func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // its own group
		ended := time.AfterFunc(5*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait()
		ended.Stop()
		_ = log.Close()
	}
	r := &running{url: url, headers: headers, pid: cmd.Process.Pid, stop: stop}
	if err := ready(r, filepath.Join(p.dir, "log")); err != nil {
		stop()
		return nil, err
	}
	return r, nil
}

// o1 puts a process on the first core, if there is another for the load.
func o1(o *options) []string {
	if o.pinned {
		return []string{"taskset", "-c", "0"}
	}
	return nil
}

// ready waits until a gateway answers at all; what it answers is looked at under load.
func ready(r *running, log string) error {
	client := &http.Client{Timeout: 5 * time.Second}
	var last error
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		req, err := http.NewRequest(http.MethodPost, r.url, bytes.NewReader(prompt(100, false)))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		for name, value := range r.headers {
			req.Header.Set(name, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			last = err
			continue
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusBadRequest {
			return nil
		}
		last = fmt.Errorf("%s: %s", resp.Status, body)
	}
	said, _ := os.ReadFile(log)
	return fmt.Errorf("it does not answer: %w\n%.2000s", last, said)
}

// write puts a file into the peer's folder.
func (p *place) write(name, text string) (path string, err error) {
	path = filepath.Join(p.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func startNginx(p *place) (*running, error) {
	conf := fmt.Sprintf(`daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log crit;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  keepalive_requests 1000000;
  upstream provider { server %[2]s; keepalive 1024; keepalive_requests 1000000; }
  server {
    listen %[3]s backlog=4096;
    client_max_body_size 0; client_body_buffer_size 1m;
    location / { proxy_pass %[4]s://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_ssl_session_reuse on; }
  }
}
`, p.dir, p.mock.address, p.address, strings.SplitN(p.mock.url(), ":", 2)[0])
	if os.Getuid() == 0 {
		conf = "user root;\n" + conf
	}
	file, err := p.write("nginx.conf", conf)
	if err != nil {
		return nil, err
	}
	return p.run("http://"+p.address+"/v1/chat/completions", nil, nil, p.program, "-p", p.dir, "-c", file)
}

// proxyEnv has this program be the reverse proxy: address and provider.
const proxyEnv = "BENCH_REVERSE_PROXY"

func startReverseProxy(p *place) (*running, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	env := []string{proxyEnv + "=" + p.address + " " + p.mock.url(), "GOMAXPROCS=" + strconv.Itoa(p.cores())}
	return p.run("http://"+p.address+"/v1/chat/completions", nil, env, self)
}

// reverseProxy is what a gateway in Go costs that does nothing.
func reverseProxy(args string) error {
	address, provider, _ := strings.Cut(args, " ")
	to, err := url.Parse(provider)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1024, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // our own mock
		FlushInterval: -1,
	}
	return (&http.Server{Handler: proxy, ReadHeaderTimeout: time.Minute}).Serve(l)
}

// cores is how many a gateway may use.
func (o *options) cores() int {
	if o.pinned {
		return 1
	}
	return runtime.NumCPU()
}

// pluginConfig is the configuration of ai-proxy, ours or Kong's, as JSON.
func pluginConfig(m *mock, provider string) string {
	if provider == "anthropic" {
		return fmt.Sprintf(`{"route_type":"llm/v1/chat","max_request_body_size":10485760,"auth":{"header_name":"x-api-key","header_value":"none"},"logging":{"log_statistics":true},`+
			`"model":{"provider":"anthropic","name":"claude-sonnet-4-5","options":{"anthropic_version":"2023-06-01","max_tokens":1024,"upstream_url":"%s/v1/messages"}}}`, m.url())
	}
	return fmt.Sprintf(`{"route_type":"llm/v1/chat","max_request_body_size":10485760,"auth":{"header_name":"Authorization","header_value":"Bearer none"},"logging":{"log_statistics":true},`+
		`"model":{"provider":"openai","name":"%s","options":{"upstream_url":"%s/v1/chat/completions"}}}`, "gpt-4o", m.url())
}

func startThis(p *place, provider string) (*running, error) {
	config := pluginConfig(p.mock, provider)
	if provider == "anthropic" { // its clients name OpenAI's model
		config = strings.Replace(config, `"name":"claude-sonnet-4-5"`, `"name":"claude-sonnet-4-5","model_alias":"gpt-4o"`, 1)
		config = strings.Replace(config, `{"route_type":"llm/v1/chat","max_request_body_size":10485760,`, `{"max_request_body_size":10485760,"targets":[{"route_type":"llm/v1/chat",`, 1) + "]}"
	}
	file, err := p.write("kong.yml", `{"_format_version":"3.0","services":[{"name":"ai","url":"http://localhost:32000","routes":[{"name":"ai","paths":["/ai"],"plugins":[{"name":"go-ai-proxy","config":`+config+`}]}]}]}`)
	if err != nil {
		return nil, err
	}
	env := []string{"GO_AI_PROXY_STATUS=off", "GO_AI_PROXY_LOG_LEVEL=error", "SSL_CERT_FILE=" + p.mock.certificates, "GOMAXPROCS=" + strconv.Itoa(p.cores())}
	return p.run("http://"+p.address+"/ai", nil, env, p.program, "standalone", "-config", file, "-listen", p.address)
}

func kongFound(o *options) (program, version string, err error) {
	if program, version, err = found(o.kong, "version")(o); err == nil {
		_, _, err = built(o)
	}
	return program, version, err
}

func startKong(p *place, plugin string) (*running, error) {
	binary := filepath.Join(p.options.dir, "go-ai-proxy")
	service, plugins := "http://localhost:32000", ""
	if plugin == "" {
		service = p.mock.url() + "/v1/chat/completions"
	} else {
		plugins = `"plugins":[{"name":"` + plugin + `","config":` + pluginConfig(p.mock, "openai") + `}],`
	}
	file, err := p.write("kong.yml", `{"_format_version":"3.0","services":[{"name":"ai","url":"`+service+`","routes":[{"name":"ai",`+plugins+`"paths":["/ai"]}]}]}`)
	if err != nil {
		return nil, err
	}
	prefix := filepath.Join(p.dir, "prefix")
	env := []string{
		"KONG_PREFIX=" + prefix, "KONG_DATABASE=off", "KONG_DECLARATIVE_CONFIG=" + file, "KONG_PROXY_LISTEN=" + p.address + " backlog=4096", "KONG_ADMIN_LISTEN=off", "KONG_ADMIN_GUI_LISTEN=off",
		"KONG_STATUS_LISTEN=off", "KONG_NGINX_WORKER_PROCESSES=1", "KONG_NGINX_DAEMON=off", "KONG_PROXY_ACCESS_LOG=off", "KONG_ANONYMOUS_REPORTS=off", "KONG_LOG_LEVEL=error",
		"KONG_NGINX_PROXY_CLIENT_BODY_BUFFER_SIZE=1m", "KONG_UPSTREAM_KEEPALIVE_POOL_SIZE=1024", "KONG_UPSTREAM_KEEPALIVE_MAX_REQUESTS=1000000", "KONG_NGINX_HTTP_KEEPALIVE_REQUESTS=1000000",
		"SSL_CERT_FILE=" + p.mock.certificates, "GOMAXPROCS=" + strconv.Itoa(p.cores()),
	}
	if os.Getuid() == 0 {
		env = append(env, "KONG_NGINX_USER=root root")
	}
	if plugin == "go-ai-proxy" {
		socket := filepath.Join(prefix, "go-ai-proxy.socket")
		env = append(env, "KONG_PLUGINS=bundled,go-ai-proxy", "KONG_PLUGINSERVER_NAMES=go-ai-proxy", "KONG_PLUGINSERVER_GO_AI_PROXY_SOCKET="+socket,
			"KONG_PLUGINSERVER_GO_AI_PROXY_START_CMD="+binary+" -kong-prefix "+prefix, "KONG_PLUGINSERVER_GO_AI_PROXY_QUERY_CMD="+binary+" -dump",
			"KONG_LUA_PACKAGE_PATH="+p.repo+"/?.lua;;", "KONG_NGINX_MAIN_ENV=SSL_CERT_FILE; env GOMAXPROCS")
	}
	return p.run("http://"+p.address+"/ai", nil, env, p.program, "start")
}

func startLiteLLM(p *place) (*running, error) {
	file, err := p.write("config.yaml", fmt.Sprintf("model_list:\n  - model_name: gpt-4o\n    litellm_params:\n      model: openai/gpt-4o\n      api_base: %s/v1\n      api_key: none\n", p.mock.url()))
	if err != nil {
		return nil, err
	}
	key := "sk-" + strings.Repeat("bench0123456789", 4) // without one it does not start
	env := []string{"SSL_VERIFY=False", "LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True", "LITELLM_MASTER_KEY=" + key}
	return p.run("http://"+p.address+"/v1/chat/completions", map[string]string{"Authorization": "Bearer " + key}, env, p.program, "--config", file, "--host", "127.0.0.1", "--port", p.port(), "--num_workers", "1", "--telemetry", "False")
}

func startBifrost(p *place) (*running, error) {
	_, err := p.write("config.json", fmt.Sprintf(`{"client":{"enable_logging":false,"initial_pool_size":1000,"drop_excess_requests":false},"providers":{"openai":{`+
		`"keys":[{"name":"k","value":"none","models":["gpt-4o"],"weight":1}],"network_config":{"base_url":"%s","insecure_skip_verify":true},`+
		`"concurrency_and_buffer_size":{"concurrency":1000,"buffer_size":2000}}}}`, p.mock.url()))
	if err != nil {
		return nil, err
	}
	env := []string{"GOMAXPROCS=" + strconv.Itoa(p.cores()), "SSL_CERT_FILE=" + p.mock.certificates}
	return p.run("http://"+p.address+"/v1/chat/completions", nil, env, p.program, "-app-dir", p.dir, "-host", "127.0.0.1", "-port", p.port(), "-log-level", "error")
}
