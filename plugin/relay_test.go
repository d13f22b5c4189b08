package plugin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/form/formtest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/leaks"
	"go-ai-proxy/translators/jsonedit"
)

// The forms that tests send.
const formType = formtest.Type

var formOf = formtest.Of

// testSchema is schema.json.
var testSchema *config.Schema

func TestMain(m *testing.M) {
	schema, err := os.ReadFile("../schema.json")
	if err == nil {
		testSchema, err = config.NewSchema(schema)
	}
	if err != nil {
		panic(err)
	}
	leaks.VerifyTestMain(m)
}

// bench is a relay between a scripted provider and a client.
type bench struct {
	t        *testing.T
	front    *enginetest.Server
	up       *httptest.Server
	relay    *Relay
	instance *Instance
	logs     *bytes.Buffer
	mu       sync.Mutex
	seen     []*http.Request
	bodies   []string
	records  chan *record.Record
}

// newBench starts one. "$UP" in the configuration is the provider's URL.
func newBench(t *testing.T, conf string, provider http.HandlerFunc) *bench {
	t.Helper()
	b := &bench{t: t, records: make(chan *record.Record, 100), logs: &bytes.Buffer{}}
	b.up = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.seen = append(b.seen, r)
		b.bodies = append(b.bodies, string(body))
		b.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		provider(w, r)
	}))
	b.relay = NewRelay(testSchema, zerolog.New(&lockedWriter{w: b.logs, mu: &b.mu}), enginetest.Kind)
	inst, err := b.relay.NewInstance([]byte(strings.ReplaceAll(conf, "$UP", b.up.URL)))
	b.instance = inst
	if err != nil {
		t.Logf("configuration: %v", err)
	}
	b.front = enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		var rec *record.Record
		defer func() { b.records <- rec }()
		in := x.Inbound()
		in.Kong.Path = in.Path
		rec = b.relay.Serve(x.Context(), inst, &in, x, nil)
	}))
	t.Cleanup(func() {
		b.front.Close()
		b.up.CloseClientConnections()
		b.up.Close()
		inst.Close()
		b.relay.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return b
}

// serve has another instance serve one request; change may change it.
func (b *bench) serve(inst *Instance, body string, change func(*wire.Inbound)) (status int, rec *record.Record) {
	b.t.Helper()
	resp, rec := b.exchange(inst, body, change)
	return resp.StatusCode, rec
}

func (b *bench) exchange(inst *Instance, body string, change func(*wire.Inbound)) (resp *http.Response, rec *record.Record) {
	b.t.Helper()
	front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		in := x.Inbound()
		if change != nil {
			change(&in)
		}
		rec = b.relay.Serve(x.Context(), inst, &in, x, nil)
	}))
	resp, err := http.Post(front.URL+"/chat", "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	resp.Body.Close()
	front.Close()
	return resp, rec
}

type lockedWriter struct {
	w  io.Writer
	mu *sync.Mutex
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (b *bench) post(body string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	req, _ := http.NewRequest("POST", b.front.URL+"/chat", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, _ := io.ReadAll(resp.Body)
	return resp, string(out)
}

// record is the next request's record, decoded.
func (b *bench) record() map[string]any {
	b.t.Helper()
	select {
	case r := <-b.records:
		var v map[string]any
		if text := r.Append(nil); len(text) > 0 {
			if err := json.Unmarshal(text, &v); err != nil {
				b.t.Fatalf("record is no JSON: %v\n%s", err, text)
			}
		}
		return v
	case <-time.After(20 * time.Second):
		b.t.Fatal("no record")
	}
	return nil
}

func (b *bench) upstreamBodies() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.bodies...)
}

func at(v any, path string) any {
	for _, k := range strings.Split(path, ".") {
		switch t := v.(type) {
		case map[string]any:
			v = t[k]
		case []any:
			var i int
			fmt.Sscan(k, &i)
			if i >= len(t) {
				return nil
			}
			v = t[i]
		default:
			return nil
		}
	}
	return v
}

const chatConf = `{"route_type":"llm/v1/chat","auth":{"header_name":"Authorization","header_value":"Bearer CANARY-KEY"},
 "logging":{"log_statistics":true},"model":{"provider":"openai","name":"gpt-4o","options":{"upstream_url":"$UP/v1/chat/completions"}}}`

const hello = `{"messages":[{"role":"user","content":"CANARY-PROMPT hello"}]}`
const helloStream = `{"messages":[{"role":"user","content":"CANARY-PROMPT hello"}],"stream":true}`

const answerJSON = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2024","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`

func chunk(content string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024","choices":[{"index":0,"delta":{"content":"` + content + `"},"finish_reason":null}]}`
}

const finishChunk = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
const usageChunk = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`

func answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, answerJSON)
}

func event(w http.ResponseWriter, data string) {
	fmt.Fprintf(w, "data: %s\n\n", data)
	w.(http.Flusher).Flush()
}

func streamed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range []string{chunk("he"), chunk("llo"), finishChunk, usageChunk, "[DONE]"} {
		event(w, d)
	}
}

func TestAnswerOfTheSameDialectIsForwardedUnchanged(t *testing.T) {
	b := newBench(t, chatConf, answer)
	resp, body := b.post(hello)
	if resp.StatusCode != 200 || body != answerJSON {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if got := resp.Header.Get("X-Kong-LLM-Model"); got != "openai/gpt-4o" {
		t.Errorf("X-Kong-LLM-Model: %q", got)
	}
	want := `{"messages":[{"role":"user","content":"CANARY-PROMPT hello"}],"model":"gpt-4o","stream":false}`
	if got := b.upstreamBodies()[0]; got != want {
		t.Errorf("upstream body\n got %s\nwant %s", got, want)
	}
	rec := b.record()
	for path, want := range map[string]any{
		"meta.outcome": "completed", "meta.request_mode": "oneshot", "meta.request_model": "gpt-4o", "meta.response_model": "gpt-4o-2024",
		"usage.prompt_tokens": 7.0, "usage.completion_tokens": 2.0, "usage.total_tokens": 9.0, "tried_targets.0.status": 200.0,
	} {
		if got := at(rec, path); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

func TestStreamArrivesEventByEventAndUsageIsHidden(t *testing.T) {
	next := make(chan struct{})
	b := newBench(t, chatConf, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, d := range []string{chunk("he"), chunk("llo"), finishChunk} {
			event(w, d)
			<-next
		}
		event(w, usageChunk)
		event(w, "[DONE]")
	})
	resp, err := http.Post(b.front.URL, "application/json", strings.NewReader(helloStream))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("content type %q", ct)
	}
	if resp.Header.Get("X-Accel-Buffering") != "no" {
		t.Error("X-Accel-Buffering is missing: nginx would hold events back")
	}
	lines := bufio.NewScanner(resp.Body)
	for _, want := range []string{chunk("he"), chunk("llo"), finishChunk} {
		if !lines.Scan() || lines.Text() != "data: "+want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
		lines.Scan()
		next <- struct{}{} // the provider goes on only when we have the event
	}
	rest, _ := io.ReadAll(resp.Body)
	if got := lines.Scan() && lines.Text() == "data: [DONE]" || strings.Contains(string(rest), "[DONE]"); !got || strings.Contains(string(rest), "usage") {
		t.Errorf("end of the stream: %q %q", lines.Text(), rest)
	}
	rec := b.record()
	if at(rec, "usage.prompt_tokens") != 7.0 || at(rec, "meta.request_mode") != "stream" || at(rec, "meta.outcome") != "completed" {
		t.Errorf("record %v", rec)
	}
	if !strings.Contains(b.upstreamBodies()[0], `"stream_options":{"include_usage":true}`) {
		t.Errorf("usage was not asked for: %s", b.upstreamBodies()[0])
	}
}

func TestCutStreamEndsWithAnErrorEventAndNoDone(t *testing.T) {
	b := newBench(t, chatConf, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, chunk("he"))
		panic(http.ErrAbortHandler)
	})
	_, body := b.post(helloStream)
	if !strings.Contains(body, `"content":"he"`) || !strings.Contains(body, `data: {"error":`) || strings.Contains(body, "[DONE]") {
		t.Errorf("body %s", body)
	}
	if rec := b.record(); at(rec, "meta.outcome") != "upstream_cut" {
		t.Errorf("record %v", rec)
	}
}

func TestClientThatLeavesEndsTheUpstreamCall(t *testing.T) {
	for _, phase := range []string{"before the header", "before the first event", "between events"} {
		t.Run(phase, func(t *testing.T) {
			began, left := make(chan struct{}), make(chan time.Time, 1)
			b := newBench(t, chatConf, func(w http.ResponseWriter, r *http.Request) {
				if phase != "before the header" {
					w.Header().Set("Content-Type", "text/event-stream")
					w.WriteHeader(200)
					w.(http.Flusher).Flush()
				}
				if phase == "between events" {
					event(w, chunk("he"))
				}
				close(began)
				<-r.Context().Done()
				left <- time.Now()
			})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				req, _ := http.NewRequestWithContext(ctx, "POST", b.front.URL, strings.NewReader(helloStream))
				if resp, err := http.DefaultClient.Do(req); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}()
			<-began
			machine := lateness.Start(t)
			time.Sleep(20 * time.Millisecond)
			cancel()
			gone := time.Now()
			<-done
			select {
			case at := <-left:
				if d := at.Sub(gone); d > machine.Within(50*time.Millisecond) {
					t.Errorf("the upstream call ended after %v", d)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the upstream call went on")
			}
			if rec := b.record(); at(rec, "meta.outcome") != "client_aborted" {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestClientsPrivateHeadersAreNotForwarded(t *testing.T) {
	b := newBench(t, chatConf, answer)
	private := []string{"Authorization", "Cookie", "X-Api-Key", "Api-Key", "X-Consumer-Username", "X-Forwarded-For", "X-Kong-Request-Id", "X-Go-Ai-Proxy-Record", "Proxy-Authorization"}
	var headers []string
	for _, h := range private {
		headers = append(headers, h, "CLIENT-SECRET")
	}
	b.post(hello, append(headers, "Openai-Beta", "x=1")...)
	got := b.seen[0].Header
	if got.Get("Authorization") != "Bearer CANARY-KEY" || got.Get("Openai-Beta") != "x=1" {
		t.Errorf("headers %v", got)
	}
	for k, v := range got {
		if strings.Contains(strings.Join(v, ","), "CLIENT-SECRET") {
			t.Errorf("%s reached the provider", k)
		}
	}
}

func TestProvidersNginxHeadersAreDropped(t *testing.T) {
	b := newBench(t, chatConf, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Accel-Redirect", "/secret")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("X-Go-AI-Proxy-Record", "{}")
		w.Header().Set("X-Request-Id", "r1")
		answer(w, r)
	})
	resp, _ := b.post(hello)
	for _, h := range []string{"X-Accel-Redirect", "Set-Cookie", "X-Go-AI-Proxy-Record"} {
		if v := resp.Header.Get(h); v != "" {
			t.Errorf("%s: %q reached the client", h, v)
		}
	}
	if resp.Header.Get("X-Request-Id") != "r1" {
		t.Error("X-Request-Id is lost")
	}
}

func TestErrorCatalogue(t *testing.T) {
	noName := strings.Replace(chatConf, `"name":"gpt-4o",`, "", 1)
	deny := strings.Replace(chatConf, `{"route_type"`, `{"response_streaming":"deny","route_type"`, 1)
	small := strings.Replace(chatConf, `{"route_type"`, `{"max_request_body_size":50,"route_type"`, 1)
	template := strings.Replace(chatConf, `"gpt-4o"`, `"$(headers.x-model)"`, 1)
	completions := strings.Replace(chatConf, "llm/v1/chat", "llm/v1/completions", 1)
	embeddings := strings.Replace(chatConf, "llm/v1/chat", "llm/v1/embeddings", 1)
	for _, c := range []struct {
		name, conf, body, contentType string
		status                        int
		message                       string
	}{
		{"no prompts", chatConf, `{"messages":[]}`, "", 400, textNoPrompts},
		{"messages null", chatConf, `{"messages":null}`, "", 400, textNoPrompts},
		{"two formats", chatConf, `{"messages":[{}],"prompt":"x"}`, "", 400, textTwoFormats},
		{"prompt on chat", chatConf, `{"prompt":"x"}`, "", 400, "[llm/v1/completions] message format is not compatible with [llm/v1/chat] route type"},
		{"messages on completions", completions, hello, "", 400, "[llm/v1/chat] message format is not compatible with [llm/v1/completions] route type"},
		{"own model", chatConf, `{"model":"other","messages":[{}]}`, "", 400, "cannot use own model - must be: gpt-4o"},
		{"no model", noName, hello, "", 400, textNoModel},
		{"streaming denied", deny, helloStream, "", 400, textNoStreaming},
		{"not JSON", chatConf, `{"messages": [`, "", 400, "request body is not valid JSON"},
		{"plain text", chatConf, "hello", "text/plain", 415, "send application/json"},
		{"empty", chatConf, "", "", 400, "the request has no body"},
		{"too large", small, hello, "", 413, "50"},
		{"template", template, hello, "", 400, "headers key x-model was not provided"},
		{"no input", embeddings, hello, "", 400, "input: is missing"},
		{"broken gzip", chatConf, "xx", "gzip", 400, "not valid gzip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.conf, answer)
			var headers []string
			switch c.contentType {
			case "":
			case "gzip":
				headers = []string{"Content-Encoding", "gzip"}
			default:
				headers = []string{"Content-Type", c.contentType}
			}
			resp, body := b.post(c.body, headers...)
			var e struct {
				Error struct{ Message, Type string }
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			if resp.StatusCode != c.status || !strings.Contains(e.Error.Message, c.message) || e.Error.Type == "" {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if n := len(b.upstreamBodies()); n != 0 {
				t.Errorf("%d requests went upstream", n)
			}
			if rec := b.record(); at(rec, "meta.outcome") != "refused" {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestUnusableAnswersAreReported(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"no choices", `{"id":"x"}`, "transformation failed from type openai://llm/v1/chat: 'choices' not in llm/v1/chat response"},
		{"no JSON", `{"id`, "transformation failed from type openai://llm/v1/chat: failed to decode llm/v1/chat response"},
		{"nothing", ``, "no response body found when transforming response"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, chatConf, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, c.body) })
			resp, body := b.post(hello)
			if resp.StatusCode != 500 || !strings.Contains(body, c.want) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}

func TestHuggingFacesErrorInA200IsForwardedInItsWords(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"it broke"}`:   "transformation failed from type huggingface://llm/v1/chat: API error: it broke",
		`{"message":"it broke"}`: "API error: it broke",
		`{"x":1}`:                "transformation failed from type huggingface://llm/v1/chat: Invalid response format",
		`{"x`:                    "Invalid response format",
	} {
		b := newBench(t, routeConf("llm/v1/chat", "huggingface", "m", ""), answering(body)).elsewhere()
		if resp, got := b.post(hello); resp.StatusCode != 500 || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s", body, resp.StatusCode, got)
		}
	}
}

// Databricks and Mistral refuse stream_options, and count all the same.
func TestUsageOfAProviderThatCannotBeAskedComesAsTheClientWants(t *testing.T) {
	const (
		text   = `data: {"id":"1","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}` + "\n\n"
		finish = `data: {"id":"1","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}` + "\n\n"
		alone  = `data: {"id":"1","created":7,"model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}` + "\n\n"
		end    = "data: [DONE]\n\n"
	)
	bare := strings.Replace(finish, `,"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}`, "", 1)
	asked := strings.Replace(helloStream, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
	for _, c := range []struct{ name, ask, answer, want string }{
		{"asked, with the finish", asked, text + finish + end, text + finish + alone + end},
		{"asked, without an end", asked, text + finish, text + finish + alone + end},
		{"asked, alone", asked, text + bare + alone + end, text + bare + alone + end},
		{"not asked, with the finish", helloStream, text + finish + end, text + finish + end},
		{"not asked, alone", helloStream, text + bare + alone + end, text + bare + end},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, routeConf("llm/v1/chat", "mistral", "m", `"mistral_format":"openai"`), func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, c.answer)
			}).elsewhere()
			if _, got := b.post(c.ask); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if strings.Contains(b.upstreamBodies()[0], "stream_options") {
				t.Errorf("sent %s", b.upstreamBodies()[0])
			}
			if rec := b.record(); at(rec, "usage.total_tokens") != 7.0 {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestBrokenConfigurationAnswersEveryRequestWithTheField(t *testing.T) {
	b := newBench(t, `{"route_type":"llm/v1/chat","model":{"provider":"llama2","name":"x","options":{"llama2_format":"openai"}}}`, answer)
	for range 2 {
		resp, body := b.post(hello)
		if resp.StatusCode != 500 || !strings.Contains(body, "upstream_url") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
}

func TestNoSecretAndNoPromptIsLogged(t *testing.T) {
	fail := func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }
	for name, provider := range map[string]http.HandlerFunc{"answer": answer, "broken": fail} {
		b := newBench(t, chatConf, provider)
		_, body := b.post(hello)
		rec, _ := json.Marshal(b.record())
		b.mu.Lock()
		all := body + string(rec) + b.logs.String()
		b.mu.Unlock()
		for _, canary := range []string{"CANARY-KEY", "CANARY-PROMPT"} {
			if strings.Contains(all, canary) {
				t.Errorf("%s: %s leaked: %s", name, canary, all)
			}
		}
	}
}

func TestPayloadsAreLoggedWithoutStatistics(t *testing.T) {
	b := newBench(t, strings.Replace(chatConf, `"log_statistics":true`, `"log_payloads":true`, 1), streamed)
	b.post(helloStream)
	rec := b.record()
	if at(rec, "meta") != nil {
		t.Errorf("statistics were logged: %v", rec)
	}
	request, _ := at(rec, "payload.request").(string)
	response, _ := at(rec, "payload.response").(string)
	if !strings.Contains(request, "CANARY-PROMPT") || !strings.Contains(response, `"content":"hello"`) {
		t.Errorf("payload %v", rec)
	}
}

func TestUsageIsEstimatedWhereTheProviderCountsNothing(t *testing.T) {
	b := newBench(t, chatConf, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, d := range []string{chunk("hello there"), finishChunk, "[DONE]"} {
			event(w, d)
		}
	})
	b.post(`{"messages":[{"role":"user","content":"one two three four five six seven eight nine ten"}],"stream":true}`)
	rec := b.record()
	if at(rec, "usage.prompt_tokens") != 18.0 || at(rec, "usage.completion_tokens") != 3.0 || at(rec, "usage.estimated") != true {
		t.Errorf("record %v", rec)
	}
}

func TestPanicIsAnsweredAndRecorded(t *testing.T) {
	b := newBench(t, chatConf, answer)
	b.relay.upstream = panicking{}
	resp, body := b.post(hello)
	if resp.StatusCode != 500 || !strings.Contains(body, "internal error") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if rec := b.record(); at(rec, "meta.outcome") != "internal_error" {
		t.Errorf("record %v", rec)
	}
}

type panicking struct{}

func (panicking) Do(context.Context, *wire.Outgoing) (*wire.Answer, error) { panic("a defect") }

// A defect in what counts a prompt's words is one request's, not the gateway's:
// the record can still be asked for.
func TestPanicOnTheClientsBodyLeavesTheRecordReadable(t *testing.T) {
	b := newBench(t, chatConf, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`)
	})
	chats := routes.Of(chatRoute)
	good := chats.Prose
	chats.Prose = func([]jsonedit.Member) int { panic("a defect") }
	defer func() { chats.Prose = good }()
	if resp, body := b.post(hello); resp.StatusCode != 500 || !strings.Contains(body, "internal error") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	done := make(chan map[string]any)
	go func() { done <- b.record() }()
	select {
	case rec := <-done:
		if at(rec, "meta.outcome") != "internal_error" {
			t.Errorf("record %v", rec)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the record is locked for ever")
	}
}

func TestProgramsHeadersReachOnlyTheirVendor(t *testing.T) {
	headers := []string{"X-Codex-Turn-Metadata", "CANARY", "Originator", "CANARY", "X-Stainless-Lang", "CANARY", "OpenAI-Beta", "CANARY", "X-Own", "kept"}
	for provider, want := range map[string]int{"openai": 4, "anthropic": 0, "mistral": 0} {
		b := newBench(t, confOf("", chatRoute, provider, "m", ""), answer).elsewhere()
		b.post(hello, headers...)
		got := b.seen[0].Header
		if n := strings.Count(fmt.Sprint(got), "CANARY]"); n != want || got.Get("X-Own") != "kept" {
			t.Errorf("%s was sent %d of them: %v", provider, n, got)
		}
	}
}
