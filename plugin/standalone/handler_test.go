package standalone

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators/mock"
)

// log collects what is written, one write each.
type log struct {
	mu     sync.Mutex
	writes [][]byte
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes = append(l.writes, bytes.Clone(p))
	return len(p), nil
}

// entries are all so far, of which there are to be n.
func (l *log) entries(t *testing.T, n int) []map[string]any {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		writes := l.writes
		l.mu.Unlock()
		if len(writes) < n && time.Now().Before(end) {
			continue
		}
		if len(writes) != n {
			t.Fatalf("%d entries, want %d", len(writes), n)
		}
		all := make([]map[string]any, n)
		for i, w := range writes {
			if bytes.Count(w, []byte("\n")) != 1 || w[len(w)-1] != '\n' {
				t.Fatalf("not one line: %q", w)
			}
			if err := json.Unmarshal(w, &all[i]); err != nil {
				t.Fatalf("%v in %s", err, w)
			}
		}
		return all
	}
}

// serving serves a configuration in front of upstream.
func serving(t testing.TB, text string, upstream http.Handler) (base string, out *log) {
	t.Helper()
	up := httptest.NewServer(upstream)
	t.Cleanup(up.Close)
	relay := plugin.NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	t.Cleanup(relay.Close)
	target, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	relay.Redirect(target)
	l := &loader{relay: relay, getenv: func(string) string { return "" }, mock: true}
	if err := l.load([]byte(text)); err != nil {
		t.Fatal(err)
	}
	out = &log{}
	h := &handler{relay: relay, out: out}
	h.router.Store(l.router)
	s := enginetest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL, out
}

const logged = `{route_type: llm/v1/chat, logging: {log_statistics: true}, auth: {header_name: X-Custom-Key, header_value: configured-canary, param_name: token, param_value: param-canary, param_location: query},
 model: {provider: openai, name: gpt-4o, options: {input_cost: 1, output_cost: 1}}}`

func TestLogEntryHasTheShapeOfKongsFileLog(t *testing.T) {
	base, out := serving(t, "services: [{name: ai, url: 'http://localhost:32000/up', routes: [{name: chat, paths: [/chat], plugins: [{name: go-ai-proxy, id: 6e7c40f6-ce96-48e4-a366-d109c169e444, config: "+logged+"}]}]}]", mock.Handler(mock.Options{}))
	req, err := http.NewRequest("POST", base+"/chat/x?b=2&b=3&Token=client-canary&c=%22", strings.NewReader(`{"messages":[{"role":"user","content":"prompt-canary"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Authorization": "Bearer client-canary", "X-Custom-Key": "client-canary",
		"X-Api-Key": "client-canary", "Cookie": "client-canary", "X-Seen": "\"quoted\"\t\u00e9", "User-Agent": "test"} {
		req.Header.Set(name, value)
	}
	req.Header["X-Twice"] = []string{"a", "b"}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	e := out.entries(t, 1)[0]
	raw := string(out.writes[0])
	if strings.Contains(raw, "canary") {
		t.Errorf("a secret or a prompt is in %s", raw)
	}
	for path, want := range map[string]any{
		"request.method": "POST", "request.uri": "/chat/x?b=2&b=3&Token=REDACTED&c=%22", "request.url": base + "/chat/x?b=2&b=3&Token=REDACTED&c=%22",
		"request.querystring.Token": "REDACTED", "request.querystring.c": `"`, "request.querystring.b.1": "3",
		"request.headers.authorization": "REDACTED", "request.headers.x-custom-key": "REDACTED", "request.headers.cookie": "REDACTED",
		"request.headers.x-seen": "\"quoted\"\t\u00e9", "request.headers.x-twice.1": "b", "request.headers.host": strings.TrimPrefix(base, "http://"),
		"request.id": resp.Header.Get("X-Kong-Request-Id"), "response.status": 200.0, "response.headers.x-kong-llm-model": "openai/gpt-4o",
		"client_ip": "127.0.0.1", "upstream_uri": "/up/x?b=2&b=3&Token=REDACTED&c=%22", "route.name": "chat", "route.paths.0": "/chat", "route.strip_path": true,
		"service.name": "ai", "service.host": "localhost", "service.port": 32000.0, "service.path": "/up", "workspace_name": "default",
		"ai.proxy.meta.plugin_id": "6e7c40f6-ce96-48e4-a366-d109c169e444", "ai.proxy.meta.request_model": "gpt-4o", "ai.proxy.usage.total_tokens": 13.0,
	} {
		if got := lookup(e, path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if size, _ := lookup(e, "response.size").(float64); int(size) < len(body) {
		t.Errorf("response.size is %v of %d bytes", size, len(body))
	}
	if at, _ := lookup(e, "started_at").(float64); time.Since(time.UnixMilli(int64(at))).Abs() > time.Minute {
		t.Errorf("started_at is %v", at)
	}
	if lookup(e, "route.service.id") != lookup(e, "service.id") {
		t.Error("the route has another service")
	}
}

// lookup follows a dotted path; numbers are indexes.
func lookup(v any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			if i := int(part[0] - '0'); i < len(x) {
				v = x[i]
			} else {
				return nil
			}
		default:
			return nil
		}
	}
	return v
}

func TestLogEntryHasNoAIWithoutLogging(t *testing.T) {
	base, out := serving(t, onRoute(plainConfig), mock.Handler(mock.Options{}))
	resp, err := http.Post(base+"/a", "application/json", strings.NewReader(`{"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if e := out.entries(t, 1)[0]; e["ai"] != nil {
		t.Errorf("ai: %v", e["ai"])
	}
}

func TestRequestWithoutARouteIsAnsweredAsByKongAndLogged(t *testing.T) {
	base, out := serving(t, "services: [{name: s, url: 'http://localhost', routes: [{name: r, paths: [/a], plugins: [{name: go-ai-proxy, config: "+plainConfig+"}]}, {name: bare, paths: [/bare]}]}]", http.NotFoundHandler())
	for i, c := range []struct {
		path, message string
		status        int
	}{
		{"/b", `{"message":"no Route matched with those values"`, 404},
		{"/bare", `{"message":"this route has no plugin go-ai-proxy: nothing else is served without Kong"`, 501},
	} {
		resp, err := http.Get(base + c.path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || !strings.HasPrefix(string(body), c.message) {
			t.Errorf("%s: %d %s", c.path, resp.StatusCode, body)
		}
		if e := out.entries(t, i+1)[i]; lookup(e, "response.status") != float64(c.status) {
			t.Errorf("%s is logged as %v", c.path, e["response"])
		}
	}
}

// milliseconds of a log entry, with the time of the answer's beginning or without.
func TestLatenciesAreSplitAtTheStartOfTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for began, want := range map[time.Duration][3]float64{0: {1000, 1000, 0}, 400 * time.Millisecond: {1000, 400, 600}} {
			x := &exchange{request: exchangeOf("GET", "/"), secrets: usual, start: time.Now().Add(-time.Second)}
			if began > 0 {
				x.answer.began = x.start.Add(began)
			}
			var e map[string]any
			if err := json.Unmarshal(x.append(nil), &e); err != nil {
				t.Fatal(err)
			}
			for i, name := range []string{"request", "proxy", "receive"} {
				if got, _ := lookup(e, "latencies."+name).(float64); got != want[i] {
					t.Errorf("%s: %v ms, want %v", name, got, want[i])
				}
			}
		}
	})
}

// Law 6: one record, and one answer, for each request.
func TestHandlerPanicIsAnsweredAndLogged(t *testing.T) {
	var said bytes.Buffer
	out := &log{}
	l := loaded(t, onRoute(plainConfig), nil, false)
	h := &handler{out: out, log: zerolog.New(&said)} // without a relay
	h.router.Store(l.router)
	s := enginetest.NewServer(h)
	resp, err := http.Post(s.URL+"/a", "application/json", strings.NewReader(`{"messages":[{"role":"user","content":"prompt-canary"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	s.Close()
	if resp.StatusCode != 500 || !strings.HasPrefix(string(body), `{"message":"An unexpected error occurred"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	e := out.entries(t, 1)[0]
	if lookup(e, "response.status") != 500.0 || lookup(e, "route.name") != "r" {
		t.Errorf("logged as %v", e)
	}
	if !strings.Contains(said.String(), `"panic":"runtime.`) || strings.Contains(said.String(), "canary") {
		t.Errorf("it says %s", said.String())
	}
}

// The relay's own work is measured where it is done; this is all the rest.
func BenchmarkRoutingAndLogEntry(b *testing.B) {
	relay := plugin.NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	l := &loader{relay: relay, mock: true, getenv: func(string) string { return "" }}
	if err := l.load(demo); err != nil {
		b.Fatal(err)
	}
	r := exchangeOf("POST", "/openai/chat")
	r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer x"}, "User-Agent": {"bench"}, "Accept": {"*/*"}, "Content-Length": {"100"}}
	answer := http.Header{"Content-Type": {"application/json"}}
	h := &handler{out: io.Discard}
	b.ReportAllocs()
	for b.Loop() {
		x := &exchange{id: requestID(), request: r, start: time.Now(), answer: sink{header: answer, status: 200}, secrets: usual}
		m, ok := l.router.find(r, routes.NormalizePath(r.Path))
		if !ok {
			b.Fatal("no route")
		}
		x.route, x.secrets = m.route, m.block.secrets
		x.upstream = escape(forwarded("", r.Path, m.length, m.strip))
		h.write(x)
	}
}

// exchangeOf is a request as the engine would have read it.
func exchangeOf(method, target string) *engine.Exchange {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	host := u.Host
	if host == "" {
		host = "example.com"
	}
	return &engine.Exchange{
		Method: method, Target: u.RequestURI(), Path: u.EscapedPath(), RawQuery: u.RawQuery, Host: host,
		Header: http.Header{}, RemoteAddr: "192.0.2.1:1234",
	}
}
