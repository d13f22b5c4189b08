package standalone

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"go-ai-proxy/plugin"
	"go-ai-proxy/translators/jsonedit"
)

// spans exports a span of each request over OTLP, with the content that the shim puts
// into Kong's traces. OpenTelemetry's own variables configure it (OTEL_EXPORTER_OTLP_ENDPOINT,
// OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME …).
// https://opentelemetry.io/docs/languages/sdk-configuration/
type spans struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// newSpans returns nil if the environment names no OTLP endpoint. Exporting never
// delays a request: spans that the collector does not accept in time are dropped.
func newSpans(ctx context.Context, getenv func(string) string, log zerolog.Logger) (*spans, error) {
	if cmp.Or(getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) == "" {
		return nil, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn().Err(err).Msg("spans are not exported") }))
	client, err := newCollector(getenv, log)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", plugin.Name), attribute.String("service.version", plugin.Version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &spans{provider, provider.Tracer(plugin.Name)}, nil
}

// close exports the remaining spans, until ctx is done at the latest.
func (s *spans) close(ctx context.Context) {
	if s != nil {
		_ = s.provider.Shutdown(ctx) // the error handler has logged it
	}
}

// add exports the span of a request that has ended. Its parent is the client's
// traceparent.
func (s *spans) add(x *exchange) {
	if s == nil || x.record == nil {
		return
	}
	d := x.record.Data()
	parent := propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(http.Header(x.request.Header)))
	name := strings.TrimSpace(cmp.Or(d.Label.Operation, "request") + " " + d.Model)
	_, span := s.tracer.Start(parent, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(d.Started))
	defer span.End(trace.WithTimestamp(d.Started.Add(d.Latency)))
	if !span.IsRecording() {
		return
	}
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(x.record.AppendForKong(nil, true))
	if err != nil {
		return
	}
	span.SetAttributes(attributes(v.Get("kong", "span"))...)
	span.SetAttributes(attribute.Int("http.response.status_code", x.answer.status))
	for _, one := range v.GetArray("kong", "events") {
		span.AddEvent("gen_ai.attempt", trace.WithAttributes(attributes(one)...), trace.WithTimestamp(d.Started))
	}
	if kind := v.Get("kong", "span", "error.type"); kind != nil {
		span.SetStatus(codes.Error, d.Message)
	}
}

// attributes returns the members of a JSON object as attributes. The names contain
// dots: they are not nested.
func attributes(o *jsonedit.Value) (list []attribute.KeyValue) {
	o.Visit(func(name []byte, v *jsonedit.Value) {
		key := attribute.Key(name)
		switch v.Type() {
		case jsonedit.TypeString:
			list = append(list, key.String(string(v.GetStringBytes())))
		case jsonedit.TypeNumber:
			if n, err := v.Int(); err == nil {
				list = append(list, key.Int(n))
			} else {
				list = append(list, key.Float64(v.GetFloat64()))
			}
		case jsonedit.TypeArray:
			var texts []string
			for _, one := range v.GetArray() {
				texts = append(texts, string(one.GetStringBytes()))
			}
			list = append(list, key.StringSlice(texts))
		}
	})
	return list
}

// exportTime is how long the export of the last spans may take when the program
// ends.
const exportTime = 2 * time.Second
