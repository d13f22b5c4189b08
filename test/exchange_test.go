package test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// row is one exchange through the program.
type row struct {
	acceptance []int // numbers of the acceptance list that it covers
	name       string
	config     obj // of the plugin; $UP in strings is the upstream
	path       string
	send       request
	answer     answer // of the upstream
	want       want
}

// request is what the client sends: POST of a JSON chat to the row's route
// where nothing else is said.
type request struct {
	method, path, query, body string
	header                    map[string]string // "" leaves a header out
}

// answer is what the upstream says: openAIAnswer where nothing is said.
type answer struct {
	status  int
	header  map[string]string
	body    string
	gzip    bool
	handler http.HandlerFunc // instead
}

// want is what must come of it. Paths into JSON are dotted; a value absent{}
// is one that must not be there.
type want struct {
	status   int // 200
	body     []string
	exactly  string
	json     obj
	header   map[string]string
	refused  bool // nothing may have been sent to the upstream
	upPath   string
	upQuery  map[string]string
	upHeader map[string]string
	up       obj
	upBody   string // exactly
	log      obj
}

type absent struct{}

const (
	chatBody     = `{"messages":[{"role":"system","content":"You are a mathematician."},{"role":"user","content":"What is 1 + 1?"}]}`
	streamBody   = `{"stream":true,"messages":[{"role":"user","content":"What is 1 + 1?"}]}`
	openAIAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"The sum is 2."},"finish_reason":"stop"}],"usage":{"prompt_tokens":25,"completion_tokens":12,"total_tokens":37}}`
)

// chat is a configuration for chat with an OpenAI upstream; more are dotted
// paths and values.
func chat(more ...any) obj {
	return with(obj{
		"route_type": "llm/v1/chat",
		"auth":       obj{"header_name": "Authorization", "header_value": "Bearer configured-key"},
		"logging":    obj{"log_statistics": true},
		"model":      obj{"provider": "openai", "name": "gpt-4o", "options": obj{"upstream_url": "$UP/v1/chat/completions"}},
	}, more...)
}

// provider is chat with another provider and the path of its upstream.
func provider(name, path string, more ...any) obj {
	return with(chat("model.provider", name, "model.options.upstream_url", "$UP"+path), more...)
}

// there is a config with $UP filled in.
func there(config obj, url string) obj {
	data, err := json.Marshal(config)
	if err != nil {
		panic(err)
	}
	var out obj
	if err := json.Unmarshal(bytes.ReplaceAll(data, []byte("$UP"), []byte(url)), &out); err != nil {
		panic(err)
	}
	return out
}

// with returns a copy of config with values at dotted paths; absent{} deletes.
func with(config obj, more ...any) obj {
	data, err := json.Marshal(config)
	if err != nil {
		panic(err)
	}
	var out obj
	if err := json.Unmarshal(data, &out); err != nil {
		panic(err)
	}
	for i := 0; i < len(more); i += 2 {
		parts := strings.Split(more[i].(string), ".")
		at := out
		for _, p := range parts[:len(parts)-1] {
			if at[p] == nil {
				at[p] = obj{}
			}
			at = at[p].(obj)
		}
		if _, gone := more[i+1].(absent); gone {
			delete(at, parts[len(parts)-1])
			continue
		}
		at[parts[len(parts)-1]] = more[i+1]
	}
	return out
}

// at follows a dotted path; numbers are indexes. Nothing is absent{}; the path
// whole is v itself.
func at(v any, path string) any {
	if path == whole {
		return v
	}
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case obj:
			var ok bool
			if v, ok = x[part]; !ok {
				return absent{}
			}
		case list:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(x) {
				return absent{}
			}
			v = x[i]
		default:
			return absent{}
		}
	}
	return v
}

// upstream is a scripted provider that remembers what it was sent.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen []received
}

type received struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
}

func newUpstream(t testing.TB, a answer) *upstream {
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		u.mu.Lock()
		u.seen = append(u.seen, received{r.Method, r.URL.EscapedPath(), r.URL.Query(), r.Header.Clone(), body})
		u.mu.Unlock()
		if a.handler != nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
			a.handler(w, r)
			return
		}
		a.write(w)
	}))
	t.Cleanup(u.Close)
	return u
}

func (a *answer) write(w http.ResponseWriter) {
	body := a.body
	if body == "" {
		body = openAIAnswer
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.gzip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(body))
		_ = z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		body = b.String()
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = io.WriteString(w, body)
}

// sse is a stream of these events.
func sse(events ...string) answer {
	return answer{header: map[string]string{"Content-Type": "text/event-stream"}, body: "data: " + strings.Join(events, "\n\ndata: ") + "\n\n"}
}

// run serves all rows with one process.
func run(t *testing.T, rows []row) {
	routes := make([]any, len(rows))
	ups := make([]*upstream, len(rows))
	for i, r := range rows {
		ups[i] = newUpstream(t, r.answer)
		path := fmt.Sprintf("/row-%d", i)
		if r.path != "" {
			path = "~" + path + r.path
		}
		routes[i] = on(path, there(r.config, ups[i].URL))
	}
	g := start(t, nil, "-config", writeConfig(t, declare(routes...)))
	for i := range rows {
		t.Run(rows[i].name, func(t *testing.T) { rows[i].run(t, g, fmt.Sprintf("/row-%d", i), ups[i]) })
	}
}

func (r *row) run(t *testing.T, g *gateway, path string, up *upstream) {
	body := r.send.body
	if body == "" {
		body = chatBody
	}
	method := r.send.method
	if method == "" {
		method = "POST"
	}
	req, err := http.NewRequest(method, g.url+path+r.send.path+"?"+r.send.query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range r.send.header {
		req.Header.Del(name)
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	r.want.checkClient(t, resp, got)
	up.mu.Lock()
	seen := up.seen
	up.mu.Unlock()
	r.want.checkUpstream(t, seen)
	if entry := g.entry(t, resp.Header.Get("X-Kong-Request-Id")); r.want.log != nil {
		checkJSON(t, "log", entry, r.want.log)
	}
}

func (w *want) checkClient(t *testing.T, resp *http.Response, body []byte) {
	t.Helper()
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	if resp.StatusCode != status {
		t.Errorf("status %d, want %d: %s", resp.StatusCode, status, body)
	}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if z, err := gzip.NewReader(bytes.NewReader(body)); err != nil {
			t.Errorf("no gzip: %v", err)
		} else {
			body, _ = io.ReadAll(z)
		}
	}
	for name, value := range w.header {
		if got := resp.Header.Get(name); got != value {
			t.Errorf("header %s is %q, want %q", name, got, value)
		}
	}
	if w.exactly != "" && string(body) != w.exactly {
		t.Errorf("body\n%s\nwant\n%s", body, w.exactly)
	}
	for _, part := range w.body {
		if !bytes.Contains(body, []byte(part)) {
			t.Errorf("no %q in the body\n%s", part, body)
		}
	}
	if w.json != nil {
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Errorf("%v in %s", err, body)
		}
		checkJSON(t, "body", v, w.json)
	}
}

func (w *want) checkUpstream(t *testing.T, seen []received) {
	t.Helper()
	if w.refused {
		if len(seen) > 0 {
			t.Errorf("the upstream was sent %s %s", seen[0].path, seen[0].body)
		}
		return
	}
	if len(seen) != 1 {
		t.Fatalf("the upstream was sent %d requests", len(seen))
	}
	r := seen[0]
	if w.upPath != "" && r.path != w.upPath {
		t.Errorf("upstream path %s, want %s", r.path, w.upPath)
	}
	for name, value := range w.upQuery {
		if got := r.query.Get(name); got != value {
			t.Errorf("upstream query %s is %q, want %q", name, got, value)
		}
	}
	for name, value := range w.upHeader {
		if got := r.header.Get(name); got != value {
			t.Errorf("upstream header %s is %q, want %q", name, got, value)
		}
	}
	if w.upBody != "" && string(r.body) != w.upBody {
		t.Errorf("upstream body\n%s\nwant\n%s", r.body, w.upBody)
	}
	if w.up != nil {
		var v any
		if err := json.Unmarshal(r.body, &v); err != nil {
			t.Errorf("%v in %s", err, r.body)
		}
		checkJSON(t, "upstream", v, w.up)
	}
}

func checkJSON(t *testing.T, what string, v any, want obj) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		wanted := want[path]
		switch w := wanted.(type) {
		case int:
			wanted = float64(w)
		case document:
			wanted = w.value()
		}
		got := at(v, path)
		if check, ok := wanted.(func(any) bool); ok {
			if !check(got) {
				t.Errorf("%s: %s is %v", what, path, got)
			}
			continue
		}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s: %s is %v, want %v", what, path, got, wanted)
		}
	}
}

// message is the error of the OpenAI format.
func message(status int, text string) want {
	return want{status: status, refused: true, json: obj{"error.message": text}}
}
