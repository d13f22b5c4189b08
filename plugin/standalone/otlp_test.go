package standalone

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/translators/conformance/workload"

	"github.com/rs/zerolog"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// variables are an environment.
func variables(list ...string) func(string) string {
	return func(name string) string {
		for _, one := range list {
			if v, ok := strings.CutPrefix(one, name+"="); ok {
				return v
			}
		}
		return ""
	}
}

var someSpans = []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{Name: "chat"}}}}}}

// partialSuccess is an ExportTraceServiceResponse that refuses n spans.
func partialSuccess(n uint64, why string) []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), n)
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), why)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)
}

func TestSpansAreSentAsTheVariablesSay(t *testing.T) {
	for _, c := range []struct {
		name      string
		variables []string // $URL is the collector's
		path      string
		answers   []int // the last one is repeated
		body      []byte
		requests  int
		fails     string
	}{
		{"an endpoint of all signals", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=$URL"}, "/v1/traces", []int{200}, nil, 1, ""},
		{"below a path", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=$URL/otlp/"}, "/otlp/v1/traces", []int{200}, nil, 1, ""},
		{"an endpoint of traces, before one of all", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://x", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=$URL/own"}, "/own", []int{200}, nil, 1, ""},
		{"compressed, with headers", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=$URL", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20b, other=c"}, "/v1/traces", []int{200}, nil, 1, ""},
		{"a collector that is busy is asked again", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=$URL"}, "/v1/traces", []int{503, 429, 200}, nil, 3, ""},
		{"one that refuses is not", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=$URL"}, "/v1/traces", []int{400}, nil, 1, "400"},
		{"refused spans are an error", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=$URL"}, "/v1/traces", []int{200}, partialSuccess(1, "too old"), 1, `has refused 1 spans: "too old"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if r.Header.Get("Content-Encoding") == "gzip" {
					z, zipErr := gzip.NewReader(bytes.NewReader(body))
					if zipErr != nil {
						t.Fatal(zipErr)
					}
					body, err = io.ReadAll(z)
					if r.Header.Get("Api-Key") != "a b" || r.Header.Get("Other") != "c" {
						t.Errorf("headers: %v", r.Header)
					}
				}
				var sent tracepb.TracesData
				if err != nil || proto.Unmarshal(body, &sent) != nil || sent.ResourceSpans[0].ScopeSpans[0].Spans[0].Name != "chat" {
					t.Errorf("no spans in %q (%v)", body, err)
				}
				if r.URL.Path != c.path || r.Header.Get("Content-Type") != "application/x-protobuf" {
					t.Errorf("%s, %s", r.URL.Path, r.Header.Get("Content-Type"))
				}
				w.WriteHeader(c.answers[min(n, len(c.answers)-1)])
				_, _ = w.Write(c.body)
				n++
			}))
			defer s.Close()
			for i := range c.variables {
				c.variables[i] = strings.ReplaceAll(c.variables[i], "$URL", s.URL)
			}
			client, err := newCollector(variables(c.variables...), zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			client.(*collector).pause = time.Millisecond
			err = client.UploadTraces(context.Background(), someSpans)
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%v, not %q", err, c.fails)
			}
			if n != c.requests {
				t.Errorf("%d requests, not %d", n, c.requests)
			}
			if err := client.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWrongVariablesOfACollectorAreNamed(t *testing.T) {
	for name, value := range map[string]string{
		"ENDPOINT": "collector:4317", "HEADERS": "key", "COMPRESSION": "zip", "TIMEOUT": "10s", "CERTIFICATE": "/nowhere", "CLIENT_CERTIFICATE": "/nowhere",
	} {
		name := "OTEL_EXPORTER_OTLP_TRACES_" + name
		_, err := newCollector(variables(name+"="+value, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"), zerolog.Nop())
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

// An answer of foreign bytes is read without a panic.
func FuzzCollectorAnswer(f *testing.F) {
	f.Add(partialSuccess(3, "why"))
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, answer []byte) {
		defer workload.Linear(t, len(answer))()
		_ = refusedSpans(answer)
	})
}

// gRPC is a third of the program when it is in it, though nothing calls it: it keeps the
// linker from leaving out methods that nobody uses, and the code that requests run through
// lies further apart.
func TestTheProgramHasNoGRPC(t *testing.T) {
	list, err := exec.Command("go", "list", "-deps", "go-ai-proxy").Output()
	if err != nil {
		t.Fatal(cmp.Or(string(list), err.Error()))
	}
	for name := range strings.FieldsSeq(string(list)) {
		if strings.HasPrefix(name, "google.golang.org/grpc") {
			t.Errorf("%s is in the program", name)
		}
	}
}
