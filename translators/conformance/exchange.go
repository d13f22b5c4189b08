package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Events reads a whole stream into events that own their bytes.
func Events(t testing.TB, kind frame.Kind, stream []byte) []frame.Event {
	t.Helper()
	var events []frame.Event
	r := frame.New(kind, bytes.NewReader(stream), 0)
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatalf("reading the provider's stream: %v", err)
		}
		ev.Type, ev.Data, ev.Raw = clone(ev.Type), clone(ev.Data), clone(ev.Raw)
		events = append(events, ev)
	}
}

// clone copies b. It returns nil for nil, because an event without data differs from an
// event with empty data.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// Kind is the framing of a content type.
func Kind(t testing.TB, contentType string) frame.Kind {
	t.Helper()
	kind, ok := frame.KindOf(contentType, frame.SSE)
	if !ok {
		t.Fatalf("content type %q is no stream", contentType)
	}
	return kind
}

// Translate reads stream with from and writes it with to. It returns what a client
// receives, and the error that ended the stream early.
func Translate(kind frame.Kind, stream io.Reader, from chat.Stream, to chat.Encoder) ([]byte, error) {
	var out []byte
	r := frame.New(kind, stream, 0)
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		deltas, err := from.Next(ev)
		for i := range deltas {
			out = to.Append(out, &deltas[i])
		}
		if resting, ok := from.(chat.Resting); ok {
			resting.Rest()
			forget(ev.Data)
		}
		if err != nil {
			return out, err
		}
	}
}

// request returns the body that a client sends for s on this route.
func (r *run) request(s *mock.Scenario, stream bool) []byte {
	body := []byte(s.Request)
	if r.prompt {
		body = []byte(`{"model":"` + mock.Model + `","prompt":"scenario:` + s.Name + `","max_tokens":100}`)
	}
	if stream {
		body = append(body[:len(body)-1:len(body)-1], `,"stream":true,"stream_options":{"include_usage":true}}`...)
	}
	return body
}

// send turns a client's body into the provider's request, as the relay does,
// and shows it to the mock.
func (r *run) send(t *testing.T, body []byte, stream bool) []byte {
	t.Helper()
	upstream, err := r.upstreamBody(body, stream)
	if err != nil {
		t.Fatalf("request %s: %v", clip(body), err)
	}
	if !json.Valid(upstream) {
		t.Fatalf("the provider's body is not JSON: %s", clip(upstream))
	}
	req := r.httpRequest(t, upstream, stream)
	if !r.mock.Match(req) {
		t.Fatalf("%s does not serve %s", r.mock.Name(), req.URL.Path)
	}
	if err := r.mock.Check(req, upstream); err != nil {
		t.Fatalf("the provider refuses the request: %v\n%s", err, clip(upstream))
	}
	checkKnown(t, r.op, upstream)
	if got := r.mock.Streamed(req, upstream); got != stream {
		t.Fatalf("streamed: the provider understood %v, want %v\n%s", got, stream, clip(upstream))
	}
	return upstream
}

// checkKnown checks that a body has no member that the operation's row says is refused.
func checkKnown(t *testing.T, op *provider.Operation, upstream []byte) {
	t.Helper()
	members, _ := jsonedit.Object(upstream, nil)
	if name := op.Edit.Unknown(members); name != "" {
		t.Fatalf("the provider refuses the member %s: %s", name, clip(upstream))
	}
}

func (r *run) upstreamBody(body []byte, stream bool) ([]byte, error) {
	if r.same() {
		return r.edited(body, stream)
	}
	body = bytes.Clone(body)
	req, err := chat.ParseRequest(r.dialect, body)
	if err != nil {
		return nil, err
	}
	forgetParsers(len(body)) // the request may refer to its body, but not to a parser
	req.Model = r.target.Model
	if _, err := r.op.Offer(&r.target, req); err != nil {
		return nil, err
	}
	out, err := r.op.AppendRequest(nil, &r.target, req)
	forget(body)
	return out, err
}

// edited splices a same-format body as the relay does.
func (r *run) edited(body []byte, stream bool) ([]byte, error) {
	if r.op.Edit.Request != nil {
		body = r.op.Edit.Request(nil, &r.target, body)
	}
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, err
	}
	edits := []jsonedit.Edit{{Key: "model", Value: jsonedit.AppendString(nil, r.target.Model)}, {Key: "stream", Value: []byte("false")}}
	if stream {
		edits[1].Value = []byte("true")
	}
	if r.op.Edit.RefusesStreamOptions(&r.target) {
		edits = append(edits, jsonedit.Edit{Key: "stream_options"})
	}
	return jsonedit.Join(nil, r.op.Edit.Apply(nil, &r.target, body, members, edits)), nil
}

func (r *run) httpRequest(t *testing.T, body []byte, stream bool) *http.Request {
	t.Helper()
	base := "http://mock.test"
	var err error
	if r.provider.Base != nil {
		if base, err = r.provider.Base(&r.target); err != nil {
			t.Fatalf("base URL: %v", err)
		}
	}
	path, err := r.op.Path(&r.target, stream)
	if err != nil {
		t.Fatalf("path: %v", err)
	}
	req := httptest.NewRequest(http.MethodPost, base+path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	for _, kv := range r.options.Header {
		req.Header.Set(kv[0], kv[1])
	}
	address(req, r.provider, r.op, &r.target)
	return req
}

// streamOf returns the provider's stream for s: its framing and its bytes.
func (r *run) streamOf(t *testing.T, s *mock.Scenario, upstream []byte) (frame.Kind, []byte) {
	t.Helper()
	contentType, events := mock.Events(r.mock, s, upstream)
	stream := bytes.Join(events, nil)
	if r.op.Parts == "" {
		return Kind(t, contentType), stream
	}
	inner, err := io.ReadAll(frame.Parts(bytes.NewReader(stream)))
	if err != nil {
		t.Fatalf("the frames of the provider's stream: %v", err)
	}
	return frame.SSE, inner
}

// translated returns what the client receives of a provider's stream.
func (r *run) translated(kind frame.Kind, stream io.Reader, m chat.Meta) ([]byte, error) {
	if !r.same() {
		return Translate(kind, stream, r.op.Chat.NewStream(&r.target), r.dialect.NewEncoder(m))
	}
	var out []byte
	events := frame.New(kind, stream, 0)
	for {
		ev, err := events.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if ev.Data == nil {
			continue
		}
		data := ev.Data
		if r.op.Edit.Rewrite != nil {
			data = r.op.Edit.Rewrite(nil, data)
		}
		out = frame.AppendSSE(out, nil, data)
	}
}

func clip(b []byte) string {
	const most = 1500
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "") + "…"
	}
	return string(b)
}

// address adds what the provider wants in the headers and the query of a request.
func address(req *http.Request, p *provider.Provider, op *provider.Operation, t *target.Target) {
	if p.Header != nil {
		for _, kv := range p.Header(t) {
			req.Header.Set(kv[0], kv[1])
		}
	}
	query := p.Query
	if op.Query != nil {
		query = op.Query
	}
	if query == nil {
		return
	}
	q := req.URL.Query()
	for _, kv := range query(t) {
		q.Set(kv[0], kv[1])
	}
	req.URL.RawQuery = q.Encode()
}
