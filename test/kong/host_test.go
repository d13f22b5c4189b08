package kong_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/server"
	"go-ai-proxy/test/kong"
	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/leaks"
	"go-ai-proxy/test/ports"
)

// The test's binary is the plugin's, too, when Kong's flags are given.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "-dump" || os.Args[1] == "-kong-prefix") {
		if err := run(os.Args[1] == "-dump", os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	leaks.VerifyTestMain(m)
}

const schema = `{"name":"forward","fields":[{"config":{"type":"record","fields":[
	{"port":{"type":"integer","required":true}},
	{"greeting":{"type":"string","default":"hello"}},
	{"reject":{"type":"boolean"}},
	{"limits":{"type":"record","required":true,"fields":[{"size":{"type":"integer","default":8192}}]}},
	{"targets":{"type":"array","elements":{"type":"record","fields":[{"weight":{"type":"integer","default":100}}]}}}
]}}]}`

func run(dump bool, prefix string) error {
	info := server.Info{Name: "forward", Version: "0.1.0", Priority: 770, Phases: []string{"access", "log"}, Schema: []byte(schema)}
	socket := filepath.Join(prefix, info.Name+".socket")
	if dump {
		return info.Dump(os.Stdout, socket)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	listener, err := server.Listen(socket)
	if err != nil {
		return err
	}
	s := &server.Server{Info: info, New: open, Logger: zerolog.New(os.Stderr)}
	return s.Serve(ctx, listener)
}

// forward sends requests to a port of this host and says what it was told.
type forward struct {
	raw      string
	Port     int    `json:"port"`
	Greeting string `json:"greeting"`
	Reject   bool   `json:"reject"`
}

func open(config []byte) (server.Instance, error) {
	f := &forward{raw: string(config)}
	if err := json.Unmarshal(config, f); err != nil {
		return nil, err
	}
	if f.Port == 0 {
		return nil, errors.New("config.port: required")
	}
	return f, nil
}

func (f *forward) Access(e *server.Event) {
	if f.Reject {
		e.Response.Exit(403, []byte(`{"error":"no"}`), map[string][]string{"Content-Type": {"application/json"}})
		return
	}
	_, named, _ := e.Request.GetUriCaptures()
	consumer, _ := e.Client.GetConsumer()
	path, _ := e.Request.GetPath()
	_ = errors.Join(
		e.Service.SetTarget("127.0.0.1", f.Port),
		e.ServiceRequest.SetScheme("http"),
		e.ServiceRequest.SetHeader("Proxy-Authorization", "token"),
		e.ServiceRequest.SetHeader("X-Told", fmt.Sprintf("%s %s %s %s", f.Greeting, named["model"], consumer.Username, path)),
		e.ServiceRequest.SetHeader("X-Config", f.raw),
		e.ServiceRequest.ClearHeader("Authorization"))
}

func (f *forward) Log(e *server.Event) {
	entry, err := e.PDK.Log.Serialize()
	if err != nil {
		entry = err.Error()
	}
	_ = e.PDK.Log.Notice(entry)
}

func (f *forward) Close() {}

// kongWith starts the plugin in front of upstream; requests holds what was
// served once Wait has returned.
func kongWith(t *testing.T, upstream http.HandlerFunc, route kong.Route) (client *httptest.Server, host *kong.Host, requests *[]*kong.Request) {
	t.Helper()
	up := httptest.NewServer(upstream)
	t.Cleanup(up.Close)
	host = kong.Start(t, os.Args[0], ports.Dir(t), "GORACE=atexit_sleep_ms=0")
	requests = new([]*kong.Request)
	var mu sync.Mutex
	host.OnRequest = func(r *kong.Request) {
		mu.Lock()
		defer mu.Unlock()
		*requests = append(*requests, r)
	}
	u, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(u.Port())
	if route.Config == nil {
		route.Config = map[string]any{"port": port}
	}
	client = httptest.NewServer(host.Handler(route))
	t.Cleanup(client.Close)
	return client, host, requests
}

func TestRequestReachesTheTargetAsKongWouldSendIt(t *testing.T) {
	machine := lateness.Start(t)
	var got *http.Request
	var body []byte
	client, host, requests := kongWith(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Accel-Buffering", "no")
		w.Header().Set("X-Up", "1")
		w.WriteHeader(201)
		_, _ = io.WriteString(w, "created")
	}, kong.Route{Path: "~/ai/(?<model>[a-z]+)", Consumer: &kong.Consumer{ID: "c1", Username: "ann"}})

	in, _ := http.NewRequest("POST", client.URL+"/ai/gpt/chat?q=1", struct{ io.Reader }{strings.NewReader("prompt")})
	in.Header.Set("Authorization", "Bearer client")
	in.Header.Set("Proxy-Authorization", "forged")
	in.Header.Set("Connection", "X-Hop")
	in.Header.Set("X-Hop", "1")
	in.Header.Set("X-Forwarded-For", "1.2.3.4")
	res, err := http.DefaultTransport.RoundTrip(in)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 201 || string(answer) != "created" || res.Header.Get("X-Up") != "1" {
		t.Errorf("answer %d %q %v", res.StatusCode, answer, res.Header)
	}
	if res.Header.Get("X-Accel-Buffering") != "" || res.Header.Get("Via") == "" {
		t.Errorf("answer's header: %v", res.Header)
	}
	if got.URL.RequestURI() != "/chat?q=1" || got.Host != "127.0.0.1" || string(body) != "prompt" {
		t.Errorf("upstream saw %s on %s with %q", got.URL, got.Host, body)
	}
	if got.ContentLength != 6 {
		t.Errorf("a chunked body has length %d upstream, want 6: it is buffered", got.ContentLength)
	}
	for name, want := range map[string]string{
		"Proxy-Authorization": "token", "Authorization": "", "X-Hop": "", "X-Consumer-Username": "ann",
		"X-Told": "hello gpt ann /ai/gpt/chat", "X-Forwarded-For": "1.2.3.4, 127.0.0.1",
		"X-Forwarded-Path": "/ai/gpt/chat", "X-Forwarded-Prefix": "/ai/gpt", "X-Real-Ip": "127.0.0.1",
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
	var config map[string]any
	if err := json.Unmarshal([]byte(got.Header.Get("X-Config")), &config); err != nil {
		t.Fatal(err)
	}
	if config["greeting"] != "hello" || fmt.Sprint(config["limits"]) != "map[size:8192]" ||
		config["targets"] != nil || config["__plugin_id"] == nil || config["__seq__"] != 1.0 {
		t.Errorf("the plugin got the configuration %v", config)
	}

	host.Wait()
	r := (*requests)[0]
	if len(r.Events) != 2 || r.Events[0].Err != nil || r.Events[1].Err != nil || r.Events[0].Trips != 4 {
		t.Errorf("events: %+v", r.Events)
	}
	if len(r.Logged) != 1 || !strings.Contains(r.Logged[0], `"status":201`) || !strings.Contains(r.Logged[0], `"username":"ann"`) {
		t.Errorf("log: %q", r.Logged)
	}
	if strings.Contains(r.Logged[0], "token") {
		t.Error("the serialised log holds a credential")
	}
	if host.Startup > machine.Within(5*time.Second) {
		t.Errorf("the socket took %v", host.Startup)
	}
}

func TestStreamIsHeldBackUnlessTheAnswerAsksNotTo(t *testing.T) {
	for buffering, want := range map[string]bool{"no": true, "": false} {
		release := make(chan struct{})
		client, _, _ := kongWith(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			if buffering != "" {
				w.Header().Set("X-Accel-Buffering", buffering)
			}
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}, kong.Route{})
		first := make(chan string, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			res, err := client.Client().Get(client.URL)
			if err != nil {
				return
			}
			defer res.Body.Close()
			line, _ := bufio.NewReader(res.Body).ReadString('\n')
			first <- line
		}()
		passed, wait := false, 20*time.Second
		if !want {
			wait = 200 * time.Millisecond
		}
		select {
		case line := <-first:
			passed = line == "data: 1\n"
		case <-time.After(wait):
		}
		if passed != want {
			t.Errorf("X-Accel-Buffering %q: event passed on at once: %v", buffering, passed)
		}
		close(release)
		<-done
	}
}

func TestClientThatLeavesIsSeenUpstream(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	client, _, _ := kongWith(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(left)
	}, kong.Route{})
	ctx, cancel := context.WithCancel(t.Context())
	in, _ := http.NewRequestWithContext(ctx, "GET", client.URL, nil)
	go func() {
		<-entered
		cancel()
	}()
	if res, err := client.Client().Do(in); err == nil {
		_ = res.Body.Close()
		t.Error("no error for the client")
	}
	select {
	case <-left:
	case <-time.After(20 * time.Second):
		t.Error("upstream never saw it")
	}
}

func TestWebSocketGoesThrough(t *testing.T) {
	client, _, _ := kongWith(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			t.Errorf("upstream's header: %v", r.Header)
		}
		nc, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	}, kong.Route{})
	nc, err := net.Dial("tcp", client.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(nc)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v %v", res, err)
	}
	_, _ = io.WriteString(nc, "frame\n")
	if line, _ := in.ReadString('\n'); line != "echo frame\n" {
		t.Errorf("got %q", line)
	}
}

func TestRefusalsAndFailures(t *testing.T) {
	upstream := func(http.ResponseWriter, *http.Request) {}
	get := func(route kong.Route) (int, string, *kong.Request) {
		client, host, requests := kongWith(t, upstream, route)
		res, err := client.Client().Get(client.URL + "/x")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		host.Wait()
		if len(*requests) == 0 {
			return res.StatusCode, string(body), nil
		}
		return res.StatusCode, string(body), (*requests)[0]
	}
	if status, body, _ := get(kong.Route{Config: map[string]any{"port": 1, "reject": true}}); status != 403 || body != `{"error":"no"}` {
		t.Errorf("exit: %d %s", status, body)
	}
	status, _, r := get(kong.Route{Config: map[string]any{}})
	if status != 500 || len(r.Errors()) != 1 || r.Errors()[0] != "forward: configuration: config.port: required" {
		t.Errorf("refused configuration: %d %q", status, r.Errors())
	}
	if status, _, _ := get(kong.Route{Config: map[string]any{"port": 1}}); status != 502 {
		t.Errorf("nobody listens: %d", status)
	}
	if status, _, _ := get(kong.Route{Path: "/other"}); status != 404 {
		t.Errorf("no route: %d", status)
	}
}

func TestChangedConfigurationReplacesTheInstance(t *testing.T) {
	var told string
	upstream := func(_ http.ResponseWriter, r *http.Request) { told, _, _ = strings.Cut(r.Header.Get("X-Told"), " ") }
	_, host, _ := kongWith(t, upstream, kong.Route{})
	up := httptest.NewServer(http.HandlerFunc(upstream))
	defer up.Close()
	u, _ := url.Parse(up.URL)
	port, _ := strconv.Atoi(u.Port())
	for _, greeting := range []string{"one", "two", "two", "three"} {
		handler := host.Handler(kong.Route{PluginID: "p", Config: map[string]any{"port": port, "greeting": greeting}})
		for range 2 {
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", bytes.NewReader([]byte("{}"))))
			if told != greeting {
				t.Errorf("greeting %q, want %q", told, greeting)
			}
		}
	}
	host.Wait()
}

func TestInfoThatKongWouldRefuse(t *testing.T) {
	for name, dump := range map[string]string{
		"JSON":     `nothing`,
		"protocol": `{"Protocol":"x","Plugins":[]}`,
		"plugins":  `{"Protocol":"ProtoBuf:1","Plugins":[]}`,
		"field":    `{"Protocol":"ProtoBuf:1","Plugins":[{"Name":"a"}]}`,
		"phase":    `{"Protocol":"ProtoBuf:1","Plugins":[{"Name":"a","Version":"1","Priority":1,"Phases":["body_filter"],"Schema":{"name":"a"}}]}`,
		"schema":   `{"Protocol":"ProtoBuf:1","Plugins":[{"Name":"a","Version":"1","Priority":1,"Phases":["access"],"Schema":{"name":"a"}}]}`,
	} {
		if _, err := kong.ParseInfo([]byte(dump)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
