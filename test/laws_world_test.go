package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	schemas "go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/lines/linestest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/translators"
	"go-ai-proxy/translators/mock"
	providers "go-ai-proxy/translators/provider"
)

// The laws are held by every registered provider that can chat, in each of its
// formats, through the relay and in front of the strict mocks.

// spoken is a provider in one of its formats.
type spoken struct {
	name    string
	options obj
	// translated: its format is not the client's.
	translated bool
	// lacks what the format does not have; each is a sentence.
	noTools, noStream, noUsage, noThinking string
	// unasked: the provider counts in its streams without being asked, and
	// refuses stream_options.
	unasked bool
}

// mock is what answers in place of the provider.
func (s *spoken) mock() http.Handler {
	h := mock.Handler(mock.Options{})
	if !s.unasked {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("stream_options")) {
			http.Error(w, `{"error":{"message":"stream_options is refused"}}`, http.StatusBadRequest)
			return
		}
		if bytes.Contains(body, []byte(`"stream":true`)) {
			body = append(bytes.TrimSuffix(body, []byte("}")), `,"stream_options":{"include_usage":true}}`...)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

// withURL are providers that are wherever the configuration says.
func withURL(u string) obj { return obj{"upstream_url": u} }

// providersUnderLaw are all providers of the table, in all their formats. A
// provider that is registered and has no special entry gets one without options.
func providersUnderLaw() []spoken {
	special := map[string][]spoken{
		"anthropic":  {{options: obj{"anthropic_version": "2023-06-01"}, translated: true}},
		"azure":      {{options: obj{"azure_instance": "acme", "azure_deployment_id": "d", "azure_api_version": "2024-10-21"}}},
		"bedrock":    {{options: obj{"bedrock": obj{"aws_region": "us-east-1"}}, translated: true}},
		"cohere":     {{translated: true}},
		"databricks": {{options: obj{"databricks": obj{"workspace_instance_id": "dbc-1"}}, unasked: true}},
		"gemini": {{translated: true},
			{name: "gemini on Vertex", options: obj{"gemini": obj{"api_endpoint": "us-central1-aiplatform.googleapis.com", "project_id": "p", "location_id": "us-central1"}}, translated: true}},
		"llama2": {{options: obj{"llama2_format": "openai", "upstream_url": "http://llama.test/v1/chat/completions"}},
			{name: "llama2 as ollama", options: obj{"llama2_format": "ollama", "upstream_url": "http://llama.test/api/chat"}, translated: true, noThinking: "thoughts are not signed"},
			{name: "llama2 raw", options: obj{"llama2_format": "raw", "upstream_url": "http://llama.test/"}, translated: true,
				noTools: "the template has no place for tools", noStream: "there is no stream", noUsage: "tokens are not counted", noThinking: "the model does not think aloud"}},
		"mistral": {{options: obj{"mistral_format": "openai"}, unasked: true},
			{name: "mistral as ollama", options: obj{"mistral_format": "ollama", "upstream_url": "http://ollama.test/api/chat"}, translated: true, noThinking: "thoughts are not signed"}},
		"ollama":    {{options: withURL("http://ollama.test/api/chat"), translated: true, noThinking: "thoughts are not signed"}},
		"sagemaker": {{options: obj{"bedrock": obj{"aws_region": "us-east-1"}}}},
		"vllm":      {{options: withURL("http://vllm.test/v1/chat/completions")}},
	}
	var all []spoken
	for _, name := range translators.Names() {
		p := translators.Lookup(name)
		if p.Operations["llm/v1/chat"] == nil {
			continue
		}
		list := special[name]
		if list == nil {
			list = []spoken{{}}
		}
		for _, s := range list {
			if s.name == "" {
				s.name = name
			}
			all = append(all, s)
		}
	}
	return all
}

// marked secrets and prompt, to be looked for.
const (
	markedKey    = "CANARY-KEY-0123456789"
	markedPrompt = "CANARY-PROMPT-0123456789"
	markedClient = "CANARY-CLIENT-0123456789"
)

// target is a target of a configuration.
func (s *spoken) target(more ...any) obj {
	provider, _, _ := strings.Cut(s.name, " ")
	auth := obj{"header_name": "Authorization", "header_value": "Bearer " + markedKey}
	if translators.Lookup(provider).Identity == providers.AWS {
		auth = obj{"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": markedKey}
	}
	options := s.options
	if options == nil {
		options = obj{}
	}
	return with(obj{
		"route_type": "llm/v1/chat", "auth": auth, "logging": obj{"log_statistics": true},
		"model": obj{"provider": provider, "name": mock.Model, "options": options},
	}, more...)
}

// world is a relay in front of mock providers, all behind one address.
type world struct {
	t      testing.TB
	relay  *plugin.Relay
	up     *httptest.Server
	front  *enginetest.Server
	logs   linestest.Buffer
	handle http.Handler // instead of the mock

	mu      sync.Mutex
	current *plugin.Instance
	sent    []received // to providers
	said    [][]byte   // by providers
	records chan *record.Record
}

// schemaFile is schema.json, read once.
var schemaFile = sync.OnceValues(func() (*schemas.Schema, error) {
	schema, err := os.ReadFile("../schema.json")
	if err != nil {
		return nil, err
	}
	return schemas.NewSchema(schema)
})

func newWorld(t testing.TB) *world {
	t.Helper()
	schema, err := schemaFile()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, records: make(chan *record.Record, 64), handle: mock.Handler(mock.Options{})}
	w.relay = plugin.NewRelay(schema, zerolog.New(&w.logs), enginetest.Kind)
	w.up = httptest.NewServer(http.HandlerFunc(w.provide))
	base, err := url.Parse(w.up.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.relay.Redirect(base)
	w.front = enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		var rec *record.Record
		defer func() { w.records <- rec }()
		in := x.Inbound()
		in.Kong.Path = x.Path
		w.mu.Lock()
		inst := w.current
		w.mu.Unlock()
		rec = w.relay.Serve(x.Context(), inst, &in, x, nil)
	}))
	t.Cleanup(func() {
		w.front.Close()
		w.relay.Close()
		w.up.CloseClientConnections()
		w.up.Close()
		client.CloseIdleConnections()
	})
	return w
}

// provide notes what a provider is sent and what it says.
func (w *world) provide(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.sent = append(w.sent, received{r.Method, r.URL.EscapedPath(), r.URL.Query(), r.Header.Clone(), body})
	i := len(w.said)
	w.said = append(w.said, nil)
	handle := w.handle
	w.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	handle.ServeHTTP(&overheard{ResponseWriter: rw, hear: func(p []byte) {
		w.mu.Lock()
		w.said[i] = append(w.said[i], p...)
		w.mu.Unlock()
	}}, r)
}

type overheard struct {
	http.ResponseWriter
	hear func([]byte)
}

func (o *overheard) Write(p []byte) (int, error) { o.hear(p); return o.ResponseWriter.Write(p) }
func (o *overheard) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// configure makes targets the ones that are asked from now on.
func (w *world) configure(more obj, targets ...obj) {
	w.t.Helper()
	list := make([]any, len(targets))
	for i, t := range targets {
		list[i] = t
	}
	c := obj{"targets": list, "balancer": obj{"algorithm": "priority"}}
	for k, v := range more {
		c[k] = v
	}
	data, err := json.Marshal(c)
	if err != nil {
		w.t.Fatal(err)
	}
	inst, err := w.relay.NewInstance(data)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, data)
	}
	w.mu.Lock()
	w.current = inst
	w.mu.Unlock()
}

// exchange is one request and all that came of it.
type exchange struct {
	status int
	header http.Header
	body   []byte
	record map[string]any
	sent   []received
	said   [][]byte
}

// ask sends body and waits for the answer's end and the record; headers are pairs.
func (w *world) ask(ctx context.Context, body string, headers ...string) *exchange {
	w.t.Helper()
	w.mu.Lock()
	w.sent, w.said = nil, nil
	w.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, "POST", w.front.URL+"/chat", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	x := &exchange{}
	if resp, err := client.Do(req); err == nil {
		x.status, x.header = resp.StatusCode, resp.Header
		x.body, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	x.record = w.record()
	w.mu.Lock()
	x.sent, x.said = w.sent, w.said
	w.mu.Unlock()
	return x
}

// record is the next one; there must be no second.
func (w *world) record() (record map[string]any) {
	w.t.Helper()
	select {
	case r := <-w.records:
		if r == nil {
			w.t.Fatal("no record")
		}
		if err := json.Unmarshal(r.Append(nil), &record); err != nil {
			w.t.Fatalf("record: %v", err)
		}
	case <-time.After(20 * time.Second):
		w.t.Fatal("no record after 20 s")
	}
	return record
}

// turn is an answer put together, whole or from a stream, as a client has it.
type turn struct {
	id, model, finish string
	created           float64
	content           obj // the message of the first choice
	ends, errors      int
}

// wholeMessage reads a whole answer.
func wholeMessage(t testing.TB, body []byte) *turn {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	m := &turn{}
	m.id, _ = at(v, "id").(string)
	m.model, _ = at(v, "model").(string)
	m.created, _ = at(v, "created").(float64)
	m.finish, _ = at(v, "choices.0.finish_reason").(string)
	m.content, _ = at(v, "choices.0.message").(obj)
	return m
}

// streamedMessage reads a stream, and holds it to having one end and one id,
// time and model.
func streamedMessage(t testing.TB, body []byte) *turn {
	t.Helper()
	m := &turn{content: obj{"role": "assistant"}}
	var calls []any
	first := true
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			if lines.Text() != "" {
				t.Errorf("a line of the stream: %q", lines.Text())
			}
			continue
		}
		if m.ends+m.errors > 0 {
			t.Errorf("after the end: %s", data)
		}
		if data == "[DONE]" {
			m.ends++
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		if _, bad := at(v, "error").(obj); bad {
			m.errors++
			continue
		}
		id, _ := at(v, "id").(string)
		model, _ := at(v, "model").(string)
		created, _ := at(v, "created").(float64)
		if first {
			m.id, m.model, m.created, first = id, model, created, false
		}
		if id != m.id || model != m.model || created != m.created || id == "" || model == "" || created == 0 {
			t.Errorf("id, model, created were %q, %q, %v and are %q, %q, %v", m.id, m.model, m.created, id, model, created)
		}
		if reason, ok := at(v, "choices.0.finish_reason").(string); ok {
			m.finish = reason
		}
		delta, _ := at(v, "choices.0.delta").(obj)
		for name, value := range delta {
			switch x := value.(type) {
			case string:
				if old, ok := m.content[name].(string); ok && name != "role" {
					x = old + x
				}
				m.content[name] = x
			case []any:
				if name == "tool_calls" {
					calls = addCalls(t, calls, x)
				} else {
					old, _ := m.content[name].([]any)
					m.content[name] = append(old, x...)
				}
			}
		}
	}
	if calls != nil {
		m.content["tool_calls"] = calls
	}
	return m
}

func addCalls(t testing.TB, calls, deltas []any) []any {
	t.Helper()
	for _, d := range deltas {
		i, ok := at(d, "index").(float64)
		if !ok || int(i) > len(calls) {
			t.Fatalf("index %v of a call after %d", at(d, "index"), len(calls))
		}
		if int(i) == len(calls) {
			calls = append(calls, obj{"id": at(d, "id"), "type": "function", "function": obj{"name": at(d, "function.name"), "arguments": ""}})
		}
		f := calls[int(i)].(obj)["function"].(obj)
		if more, ok := at(d, "function.arguments").(string); ok {
			f["arguments"] = f["arguments"].(string) + more
		}
	}
	return calls
}

// calls are the tool calls, each as "name arguments", and their ids.
func (m *turn) calls() (calls, ids []string) {
	list, _ := m.content["tool_calls"].([]any)
	for _, c := range list {
		arguments, _ := at(c, "function.arguments").(string)
		var b bytes.Buffer
		if json.Compact(&b, []byte(arguments)) == nil {
			arguments = b.String()
		}
		calls = append(calls, fmt.Sprint(at(c, "function.name"), " ", arguments))
		id, _ := at(c, "id").(string)
		ids = append(ids, id)
	}
	return calls, ids
}

func (m *turn) text() string {
	s, _ := m.content["content"].(string)
	return s
}

func streamedAsk(body string) string {
	return strings.TrimSuffix(body, "}") + `,"stream":true}`
}
