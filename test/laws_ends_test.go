package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/test/lateness"
	"go-ai-proxy/translators/mock"
)

// events are those of a scenario as the provider that r is for streams them.
func eventsOf(r *http.Request, scenario string) (f mock.Format, contentType string, events [][]byte) {
	f = mock.Lookup(r)
	contentType, events = f.Stream(mock.Named(scenario), nil)
	return f, contentType, events
}

// phase is where a provider stops to speak.
type phase string

const (
	beforeHeader  phase = "before the header"
	beforeEvent   phase = "before the first event"
	betweenEvents phase = "between events"
	inWhole       phase = "in a whole body"
)

// stopping is a provider that stops in a phase, and then waits until it is let
// go, or breaks off.
type stopping struct {
	phase  phase
	breaks bool
	began  chan struct{}
	let    chan time.Time
}

func (s *stopping) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	flush := func() { _ = http.NewResponseController(w).Flush() }
	switch s.phase {
	case beforeEvent, betweenEvents:
		_, contentType, events := eventsOf(r, "text")
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(http.StatusOK)
		if s.phase == betweenEvents {
			for _, e := range events[:len(events)/2] {
				_, _ = w.Write(e)
			}
		}
		flush()
	case inWhole:
		whole := mock.Lookup(r).Whole(mock.Named("text"), nil)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
		_, _ = w.Write(whole[:len(whole)/2])
		flush()
	}
	close(s.began)
	if s.breaks {
		panic(http.ErrAbortHandler)
	}
	<-r.Context().Done()
	s.let <- time.Now()
}

// Laws 6 and 9: a client that leaves, in whatever phase, lets the provider go
// within 50 ms, and leaves one record that says so.
func TestClientDisconnectEndsEveryProviderRequest(t *testing.T) {
	for _, s := range providersUnderLaw() {
		t.Run(s.name, func(t *testing.T) {
			w, machine := newWorld(t), lateness.Start(t)
			w.configure(nil, s.target())
			for _, p := range []phase{beforeHeader, beforeEvent, betweenEvents, inWhole} {
				stream := p == beforeEvent || p == betweenEvents
				if stream && s.noStream != "" {
					continue
				}
				up := &stopping{phase: p, began: make(chan struct{}), let: make(chan time.Time, 1)}
				w.handle = up
				ctx, leave := context.WithCancel(t.Context())
				left := make(chan time.Time, 1)
				go func() {
					<-up.began
					time.Sleep(10 * time.Millisecond) // the relay has what was said
					left <- time.Now()
					leave()
				}()
				body := mock.Plain.Request
				if stream {
					body = streamedAsk(body)
				}
				x := w.ask(ctx, body)
				select {
				case at := <-up.let:
					if d := at.Sub(<-left); d > machine.Within(50*time.Millisecond) {
						t.Errorf("%s: the provider was let go after %s", p, d)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("%s: the provider was not let go", p)
				}
				if at(x.record, "meta.outcome") != "client_aborted" {
					t.Errorf("%s: %v", p, x.record)
				}
				w.noMoreRecords(t)
			}
		})
	}
}

func (w *world) noMoreRecords(t testing.TB) {
	t.Helper()
	select {
	case r := <-w.records:
		t.Fatalf("a second record: %s", r.Append(nil))
	default:
	}
}

// Law 6: every other end leaves one record, too, which names it.
func TestEveryOutcomeLeavesOneRecord(t *testing.T) {
	for _, s := range providersUnderLaw() {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t)
			w.configure(nil, s.target())
			plain, stream := mock.Plain.Request, streamedAsk(mock.Plain.Request)
			for _, c := range []struct {
				name, body string
				handle     http.Handler
				status     int
				outcome    string
			}{
				{"answered", plain, nil, 200, "completed"},
				{"answered by a stream", stream, nil, 200, "completed"},
				{"refused", `{"messages":[]}`, nil, 400, "refused"},
				{"no JSON", `{"messages":`, nil, 400, "refused"},
				{"an error", mock.Named("error_rate").Request, nil, 429, "failed"},
				{"an error instead of a stream", streamedAsk(mock.Named("error_rate").Request), nil, 429, "failed"},
				{"cut in a stream", stream, &stopping{phase: betweenEvents, breaks: true}, 200, "upstream_cut"},
				{"cut before a stream", stream, &stopping{phase: beforeEvent, breaks: true}, 502, "failed"},
				{"cut before the header", plain, &stopping{phase: beforeHeader, breaks: true}, 502, "failed"},
				{"cut in a body", plain, &stopping{phase: inWhole, breaks: true}, 502, "failed"},
			} {
				if strings.Contains(c.body, `"stream":true`) && s.noStream != "" {
					continue
				}
				w.handle = s.mock()
				if up, ok := c.handle.(*stopping); ok {
					up.began = make(chan struct{})
					w.handle = up
				}
				x := w.ask(t.Context(), c.body)
				if x.status != c.status || at(x.record, "meta.outcome") != c.outcome {
					t.Errorf("%s: %d %s %v", c.name, x.status, x.body, x.record)
				}
				tried, _ := at(x.record, "tried_targets").(list)
				if want := c.outcome != "refused"; len(tried) == 1 != want {
					t.Errorf("%s: tried %v", c.name, tried)
				}
				if x.status != 200 {
					if text, ok := at(decoded(t, x.body), "error.message").(string); !ok || text == "" {
						t.Errorf("%s: no error of the client's format: %s", c.name, x.body)
					}
				} else if c.outcome == "upstream_cut" {
					if m := streamedMessage(t, x.body); m.ends != 0 || m.errors != 1 {
						t.Errorf("%s: %d ends, %d errors: %s", c.name, m.ends, m.errors, x.body)
					}
				}
				w.noMoreRecords(t)
			}
		})
	}
}

func decoded(t testing.TB, body []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("%v: %s", err, body)
	}
	return v
}

// fragile is a Sink that has a defect.
type fragile struct{ aborted bool }

func (*fragile) Start(int, http.Header, int64) error { panic("a defect") }
func (*fragile) Write([]byte) error                  { return nil }
func (*fragile) Flush() error                        { return nil }
func (f *fragile) Abort()                            { f.aborted = true }

// Law 6: a panic is an end like the others.
func TestAPanicLeavesARecord(t *testing.T) {
	w := newWorld(t)
	for _, s := range providersUnderLaw() {
		w.configure(nil, s.target())
		body := mock.Plain.Request
		in := &wire.Inbound{Method: "POST", Path: "/chat", Header: http.Header{"Content-Type": {"application/json"}}, Body: strings.NewReader(body), ContentLength: int64(len(body))}
		var rec *record.Record
		func() {
			defer func() { _ = recover() }() // the sink's second
			rec = w.relay.Serve(t.Context(), w.current, in, &fragile{}, nil)
		}()
		if rec == nil {
			t.Fatalf("%s: no record", s.name)
		}
		if text := rec.Append(nil); !bytes.Contains(text, []byte(`"outcome":"completed"`)) && !bytes.Contains(text, []byte(`"outcome":"internal_error"`)) {
			t.Errorf("%s: %s", s.name, text)
		}
	}
}

// faltering is several targets: the first request is answered by a stream that
// fails, the others as the mock does.
type faltering struct {
	content bool // some content comes before the error
	silent  bool // the stream ends without a word instead
	calls   int
}

func (f *faltering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.calls++; f.calls > 1 {
		mock.Handler(mock.Options{}).ServeHTTP(w, r)
		return
	}
	format, contentType, events := eventsOf(r, "unicode")
	n := 0
	if f.content {
		n = len(events) / 2
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	for _, e := range events[:n] {
		_, _ = w.Write(e)
	}
	if failure := format.StreamError("the first target gave up"); failure != nil && !f.silent {
		_, _ = w.Write(failure)
	}
}

var failover = obj{"balancer": obj{"algorithm": "priority", "retries": 3, "failover_criteria": list{"error", "timeout", "http_429", "http_500", "http_503", "non_idempotent"}}}

// Law 5: until the first content any provider may take over from any other;
// after it, none. Nothing of the first one is left in the second's answer.
func TestFailoverAcrossFormatsStopsAtFirstContent(t *testing.T) {
	formats := map[string]bool{"openai": true, "anthropic": true, "gemini": true, "bedrock": true, "cohere": true, "ollama": true, "cerebras": true}
	w := newWorld(t)
	for _, first := range providersUnderLaw() {
		for _, second := range providersUnderLaw() {
			if !formats[first.name] || !formats[second.name] || first.name == second.name {
				continue
			}
			t.Run(first.name+" "+second.name, func(t *testing.T) {
				w.configure(failover, first.target("weight", 200), second.target("weight", 100))
				for _, c := range []faltering{{}, {silent: true}, {content: true}, {content: true, silent: true}} {
					up := c
					w.handle = &up
					x := w.ask(t.Context(), streamedAsk(mock.Named("tools").Request))
					m := streamedMessage(t, x.body)
					tried, _ := at(x.record, "tried_targets").(list)
					if c.content {
						if len(tried) != 1 || m.errors != 1 || m.ends != 0 || !strings.HasPrefix(m.text(), "naïve") {
							t.Errorf("%+v: %d tried, %d %s", c, len(tried), x.status, x.body)
						}
						continue
					}
					calls, _ := m.calls()
					if x.status != 200 || len(tried) != 2 || m.ends != 1 || m.errors != 0 || len(calls) != 3 || m.text() != "" || bytes.Contains(x.body, []byte("gave up")) {
						t.Errorf("%+v: %d tried, %d %s", c, len(tried), x.status, x.body)
					}
					if at(x.record, "meta.provider_name") != at(second.target(), "model.provider") || at(x.record, "meta.outcome") != "completed" || at(x.record, "usage.prompt_tokens") != 82.0 {
						t.Errorf("%+v: %v", c, x.record)
					}
				}
				w.handle = mock.Handler(mock.Options{})
				w.errorsFailOver(t, &second)
			})
		}
	}
}

// errorsFailOver has the first target answer 429, and holds the second to what
// it would be sent alone.
func (w *world) errorsFailOver(t *testing.T, second *spoken) {
	good := mock.Handler(mock.Options{})
	calls := 0
	w.handle = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			rw.Header().Set("X-First", "1")
			rw.WriteHeader(http.StatusTooManyRequests)
			return
		}
		good.ServeHTTP(rw, r)
	})
	body := mock.Named("tool_result").Request
	both := w.ask(t.Context(), body)
	if both.status != 200 || len(both.sent) != 2 || both.header.Get("X-First") != "" {
		t.Fatalf("%d %s", both.status, both.body)
	}
	w.configure(nil, second.target())
	alone := w.ask(t.Context(), body)
	if !bytes.Equal(alone.sent[0].body, both.sent[1].body) || alone.sent[0].path != both.sent[1].path {
		t.Errorf("alone it is sent\n%s\nafter another\n%s", alone.sent[0].body, both.sent[1].body)
	}
}

// Law 7: key and prompt are nowhere but where they belong, also when a provider
// quotes them, in each of the ways in which it can. The client alone is told
// what the provider says of its prompt.
func TestNoProviderLeaksASecret(t *testing.T) {
	quoting := func(w http.ResponseWriter, r *http.Request) {
		key := "of a signature" // which a provider of signed requests never sees
		if strings.Contains(fmt.Sprint(r.Header), markedKey) {
			key = markedKey
		}
		quote := fmt.Sprintf("Incorrect key %s in Bearer %s for %s.", key, key, markedPrompt)
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		f := mock.Lookup(r)
		w.Header().Set("X-Quoted", key)
		switch {
		case bytes.Contains(body, []byte("ask-more")): // than its length says
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"+quote)
				time.Sleep(20 * time.Millisecond)
				c.Close()
			}
		case bytes.Contains(body, []byte("ask-page")):
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>"+quote)
		case bytes.Contains(body, []byte("ask-broken")):
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"`+quote)
		case bytes.Contains(body, []byte("ask-event")) && f.Streamed(r, body):
			contentType, events := f.Stream(mock.Named("text"), body)
			w.Header().Set("Content-Type", contentType)
			for _, e := range events[:len(events)/2] {
				_, _ = w.Write(e)
			}
			_, _ = w.Write(f.StreamError(quote))
		case bytes.Contains(body, []byte("ask-first")) && f.Streamed(r, body):
			contentType, _ := f.Stream(mock.Named("text"), body)
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(f.StreamError(quote))
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(f.Error(http.StatusUnauthorized, quote))
		}
	}
	up := newUpstream(t, answer{handler: quoting})
	var routes []any
	var names []string
	for _, s := range providersUnderLaw() {
		path := "/" + strings.ReplaceAll(s.name, " ", "-")
		s := s
		// The mock knows a format by its path.
		routes = append(routes, on(path, s.target("model.options.upstream_url", up.URL+pathOf(t, &s))))
		names = append(names, path)
	}
	g := start(t, []string{"GO_AI_PROXY_LOG_LEVEL=trace"}, "-config", writeConfig(t, declare(routes...)))
	for _, path := range names {
		for _, way := range []string{"ask-error", "ask-page", "ask-broken", "ask-more", "ask-event", "ask-first"} {
			for _, more := range []string{"", `,"stream":true`} {
				body := `{"messages":[{"role":"user","content":"` + markedPrompt + " " + way + `"}]` + more + `}`
				req, err := http.NewRequest("POST", g.url+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", "Bearer "+markedClient)
				req.Header.Set("Kong-Debug", "1")
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				got, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				all := string(got) + fmt.Sprint(resp.Header)
				if strings.Contains(all, markedKey) || strings.Contains(all, markedClient) {
					t.Errorf("%s %s: the client is told %.800s", path, way, all)
				}
				g.entry(t, resp.Header.Get("X-Kong-Request-Id"))
			}
		}
	}
	for line := range strings.Lines(g.printed()) {
		if strings.Contains(line, "CANARY") {
			t.Errorf("printed: %.600s", line)
		}
	}
}

// pathOf is the path at which the provider is asked.
func pathOf(t testing.TB, s *spoken) string {
	w := newWorld(t)
	w.configure(nil, s.target())
	x := w.ask(t.Context(), mock.Plain.Request)
	if len(x.sent) != 1 {
		t.Fatalf("%s: %d %s", s.name, x.status, x.body)
	}
	return x.sent[0].path
}
