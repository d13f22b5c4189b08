package standalone

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go-ai-proxy/plugin"
	"go-ai-proxy/translators/jsonedit"
)

// handler serves clients: a router, the relay, and a log entry per request.
type handler struct {
	relay  *plugin.Relay
	router *router
	mu     sync.Mutex // of out
	out    io.Writer
	open   sync.WaitGroup // requests
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.open.Add(1)
	defer h.open.Done()
	x := &exchange{id: requestID(), request: r, uri: r.URL.EscapedPath(), secrets: usual, start: time.Now()}
	x.answer = &sink{w: w, c: http.NewResponseController(w)}
	w.Header()["X-Kong-Request-Id"] = []string{x.id}
	path := normalize(x.uri)
	if path == "" {
		path = "/"
	}
	m, ok := h.router.find(r, path)
	switch {
	case !ok:
		x.answer.message(http.StatusNotFound, "no Route matched with those values", x.id)
	case m.instance == nil:
		x.route = m.route
		x.answer.message(http.StatusNotImplemented, "this route has no plugin "+plugin.Name+": nothing else is served without Kong", x.id)
	default:
		h.relayTo(x, &m, path)
	}
	// The client need not wait for the log. Whether it is still there, the
	// relay has found out.
	_ = x.answer.Flush()
	h.write(x)
	if x.answer.aborted {
		panic(http.ErrAbortHandler) // net/http's way to break the connection
	}
}

func (h *handler) relayTo(x *exchange, m *match, path string) {
	x.route, x.secrets = m.route, m.block.secrets
	base := ""
	if m.service != nil {
		base = m.service.Path
	}
	x.upstream = escape(forwarded(base, path, m.length, m.strip))
	in := plugin.NewInbound(x.request)
	in.Path = x.upstream
	in.Kong = plugin.Context{Path: x.uri, ClientIP: clientIP(x.request), RequestID: x.id, Captures: m.captures}
	if x.request.Header["Upgrade"] != nil {
		in.Upgrade = func() (http.ResponseWriter, *http.Request) {
			x.answer.status = http.StatusSwitchingProtocols
			return x.answer.w, x.request
		}
	}
	x.record = h.relay.Serve(x.request.Context(), m.instance, in, x.answer, nil)
}

// write puts the entry on out, in one write.
func (h *handler) write(x *exchange) {
	buffer := buffers.Get().(*[]byte)
	*buffer = x.append((*buffer)[:0])
	h.mu.Lock()
	_, _ = h.out.Write(*buffer) // there is nobody to tell when stdout is gone
	h.mu.Unlock()
	if cap(*buffer) <= maxBuffer {
		buffers.Put(buffer)
	}
}

// sink is the relay's way to the client; it counts what the log entry needs.
type sink struct {
	w       http.ResponseWriter
	c       *http.ResponseController
	status  int
	size    int64
	began   time.Time
	aborted bool
}

// statusGone is nginx's status for a client that went away before an answer began.
const statusGone = 499

// Header is the answer's.
func (s *sink) Header() http.Header { return s.w.Header() }

// Start implements plugin.Sink.
func (s *sink) Start(status int, header http.Header, length int64) error {
	s.status, s.began = status, time.Now()
	h := s.w.Header()
	for k, v := range header {
		h[k] = v
	}
	if length >= 0 {
		h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	s.w.WriteHeader(status)
	return nil
}

// Write implements plugin.Sink.
func (s *sink) Write(p []byte) error {
	n, err := s.w.Write(p)
	s.size += int64(n)
	return err
}

// Flush implements plugin.Sink.
func (s *sink) Flush() error {
	if s.aborted || s.status == http.StatusSwitchingProtocols {
		return nil
	}
	return s.c.Flush()
}

// Abort implements plugin.Sink.
func (s *sink) Abort() {
	s.aborted = true
	if s.status == 0 {
		s.status = statusGone
	}
}

// message answers as Kong itself does where no plugin is involved.
func (s *sink) message(status int, text, id string) {
	b := jsonedit.AppendString([]byte(`{"message":`), text)
	b = jsonedit.AppendString(append(b, `,"request_id":`...), id)
	b = append(b, '}')
	if s.Start(status, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, int64(len(b))) == nil {
		_ = s.Write(b) // a client that is gone needs no answer
	}
}

// requestID is a random id of 32 hexadecimal digits, like Kong's. It is no secret.
func requestID() string {
	const hex = "0123456789abcdef"
	b := make([]byte, 32)
	for i := 0; i < len(b); i += 16 {
		for j, n := 0, rand.Uint64(); j < 16; j, n = j+1, n>>4 {
			b[i+j] = hex[n&15]
		}
	}
	return string(b)
}
