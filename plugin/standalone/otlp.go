package standalone

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"go-ai-proxy/plugin"
)

// collector sends spans to an OTLP endpoint as http/protobuf. OpenTelemetry's own client
// for that brings all of gRPC into the program, a third of its code, which every request
// pays for.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp
type collector struct {
	http     *http.Client
	endpoint string
	header   http.Header
	gzip     bool
	timeout  time.Duration // of one request
	pause    time.Duration // before the first repetition
}

// newCollector returns the client that OpenTelemetry's variables describe.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
func newCollector(getenv func(string) string, log zerolog.Logger) (otlptrace.Client, error) {
	const prefix = "OTEL_EXPORTER_OTLP_"
	// of returns a variable for traces, or else for all signals, with the name of the one.
	of := func(name string) (value, from string) {
		if v := getenv(prefix + "TRACES_" + name); v != "" {
			return v, prefix + "TRACES_" + name
		}
		return getenv(prefix + name), prefix + name
	}
	endpoint, from := of("ENDPOINT")
	to, err := url.Parse(endpoint)
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return nil, fmt.Errorf("%s: %q is not a URL with http:// or https://", from, endpoint)
	}
	if from == prefix+"ENDPOINT" { // of all signals
		to.Path = path.Join(to.Path, "/v1/traces")
	} else if to.Path == "" {
		to.Path = "/"
	}
	if protocol, from := of("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		log.Warn().Msg(from + ": spans are exported as http/protobuf, and in no other way")
	}
	c := &collector{endpoint: to.String(), pause: time.Second, timeout: 10 * time.Second}
	headers, from := of("HEADERS")
	if c.header, err = parseHeaders(headers); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	c.header.Set("Content-Type", "application/x-protobuf")
	c.header.Set("User-Agent", plugin.Name+"/"+plugin.Version)
	switch compression, from := of("COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		c.gzip = true
		c.header.Set("Content-Encoding", "gzip")
	default:
		return nil, fmt.Errorf("%s: %q is neither gzip nor none", from, compression)
	}
	if text, from := of("TIMEOUT"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms <= 0 {
			return nil, fmt.Errorf("%s: %q is not a number of milliseconds", from, text)
		}
		c.timeout = time.Duration(ms) * time.Millisecond
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = collectorTLS(of); err != nil {
		return nil, err
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// parseHeaders reads a list of headers: name=value, the value percent-encoded.
func parseHeaders(list string) (http.Header, error) {
	h := http.Header{}
	for one := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		name, value, ok := strings.Cut(one, "=")
		text, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			return nil, errors.New("it is not a list of name=value, whose values are percent-encoded") // they are secrets
		}
		h.Set(name, text)
	}
	return h, nil
}

// collectorTLS returns the certificates of the variables; nil for the system's.
func collectorTLS(of func(name string) (value, from string)) (*tls.Config, error) {
	ca, fromCA := of("CERTIFICATE")
	own, fromOwn := of("CLIENT_CERTIFICATE")
	key, _ := of("CLIENT_KEY")
	if ca == "" && own == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fromCA, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: there is no certificate in %s", fromCA, ca)
		}
	}
	if own != "" {
		pair, err := tls.LoadX509KeyPair(own, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fromOwn, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Start implements otlptrace.Client.
func (c *collector) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *collector) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. What a busy collector refuses is sent again
// until ctx is done.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// TracesData has the same form as the ExportTraceServiceRequest of the protocol.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	if c.gzip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(body); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		body = b.Bytes()
	}
	for pause := c.pause; ; pause *= 2 {
		again, after, err := c.post(ctx, body)
		if err == nil || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(cmp.Or(after, pause)):
		}
	}
}

// maxCollectorAnswer is how many bytes of a collector's answer are read.
const maxCollectorAnswer = 64 << 10

// post sends a body once. It says whether, and after which time, if the collector names
// one, the body may be sent again.
func (c *collector) post(ctx context.Context, body []byte) (again bool, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return false, 0, err
	}
	r.Header = c.header
	resp, err := c.http.Do(r)
	if err != nil {
		return true, 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxCollectorAnswer))
	switch {
	case resp.StatusCode/100 == 2 && err == nil:
		return false, 0, refusedSpans(answer)
	case resp.StatusCode/100 == 2:
		return false, 0, err
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			after = time.Duration(s) * time.Second
		}
	}
	return again, after, fmt.Errorf("the collector answered %s", resp.Status)
}

// refusedSpans returns an error if a 2xx (an ExportTraceServiceResponse) says that spans
// were refused: member 1 is partial_success, in it 1 is how many and 2 why.
func refusedSpans(answer []byte) error {
	partial, _ := protoField(answer, 1)
	_, n := protoField(partial, 1)
	why, _ := protoField(partial, 2)
	if n == 0 {
		return nil
	}
	return fmt.Errorf("the collector has refused %d spans: %q", n, why)
}

// protoField returns the value of a field of a message, as bytes or as a number.
func protoField(message []byte, wanted protowire.Number) (text []byte, number uint64) {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, 0
		}
		value := message[n:]
		if n = protowire.ConsumeFieldValue(field, kind, value); n < 0 {
			return nil, 0
		}
		switch {
		case field == wanted && kind == protowire.BytesType:
			text, _ = protowire.ConsumeBytes(value)
		case field == wanted && kind == protowire.VarintType:
			number, _ = protowire.ConsumeVarint(value)
		}
		message = value[n:]
	}
	return text, number
}
