package test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collectSpans is an OTLP collector; it keeps the spans that it is sent.
func collectSpans(t *testing.T) (url string, spans func() []*trace.Span) {
	t.Helper()
	var mu sync.Mutex
	var kept []*trace.Span
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		data, err := io.ReadAll(body)
		var sent trace.TracesData
		if err != nil || proto.Unmarshal(data, &sent) != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: no spans (%v)", r.URL.Path, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range sent.ResourceSpans {
			for _, s := range r.ScopeSpans {
				kept = append(kept, s.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []*trace.Span {
		mu.Lock()
		defer mu.Unlock()
		return append([]*trace.Span(nil), kept...)
	}
}

// TestStandaloneExportsASpanOfEachRequest: under the client's trace, with OpenTelemetry's
// names, and without the prompt. The provider is not sent the client's traceparent.
func TestStandaloneExportsASpanOfEachRequest(t *testing.T) {
	url, spans := collectSpans(t)
	g := start(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + url, "OTEL_BSP_SCHEDULE_DELAY=50"}, "-mock", "-config", "../kong.yml")
	ask := func(body string) {
		r, err := http.NewRequest(http.MethodPost, g.url+"/openai/chat", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	ask(`{"messages":[{"role":"user","content":"a marked prompt"}],"stream":true}`)
	ask(`{"messages":7}`)
	for end := time.Now().Add(20 * time.Second); len(spans()) < 2 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
	}
	got := spans()
	if len(got) != 2 {
		t.Fatalf("%d spans", len(got))
	}
	answered, refused := got[0], got[1]
	if answered.Status.GetCode() == trace.Status_STATUS_CODE_ERROR {
		answered, refused = refused, answered
	}
	if answered.Name != "chat gpt-4o-mini" || answered.Kind != trace.Span_SPAN_KIND_CLIENT || answered.EndTimeUnixNano <= answered.StartTimeUnixNano {
		t.Errorf("%v", answered)
	}
	attributes := map[string]string{}
	for _, a := range answered.Attributes {
		attributes[a.Key] = a.Value.String()
	}
	for name, want := range map[string]string{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.model": "mock-model-1",
		"gen_ai.usage.input_tokens": "int_value:", "gen_ai.usage.output_tokens": "int_value:", "gen_ai.response.finish_reasons": "stop", "http.response.status_code": "200",
	} {
		if !strings.Contains(attributes[name], want) {
			t.Errorf("%s is %q, want %s", name, attributes[name], want)
		}
	}
	if len(answered.Events) != 1 || answered.Events[0].Name != "gen_ai.attempt" {
		t.Errorf("events: %v", answered.Events)
	}
	if refused.Status.GetCode() != trace.Status_STATUS_CODE_ERROR || !strings.Contains(refused.String(), "refused") {
		t.Errorf("the refused request: %v", refused)
	}
	for _, s := range got {
		if string(s.TraceId) != "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c" || string(s.ParentSpanId) != "\xb7\xad\x6b\x71\x69\x20\x33\x31" {
			t.Error("a span is not under the client's")
		}
		if strings.Contains(s.String(), "marked") {
			t.Errorf("the prompt is in it: %v", s)
		}
	}
}

// TestSpansAreExportedAtTheEnd: those that have not been sent when the program ends.
func TestSpansAreExportedAtTheEnd(t *testing.T) {
	url, spans := collectSpans(t)
	g := start(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + url, "OTEL_BSP_SCHEDULE_DELAY=60000"}, "-mock")
	if resp, body := post(t, g.url+"/openai/chat", `{"messages":[{"role":"user","content":"x"}]}`); resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode, body)
	}
	if len(spans()) > 0 {
		t.Fatal("it was sent before")
	}
	g.stop(t)
	if n := len(spans()); n != 1 {
		t.Errorf("%d spans after the end", n)
	}
}
