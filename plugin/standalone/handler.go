package standalone

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/jsonedit"
)

// handler serves clients: a router, the relay, and a log entry per request.
type handler struct {
	relay  *plugin.Relay
	router atomic.Pointer[router]
	out    io.Writer // of log entries; safe for concurrent use
	log    zerolog.Logger
	spans  *spans         // nil when none are exported
	open   sync.WaitGroup // requests
}

// ServeExchange implements engine.Handler.
func (h *handler) ServeExchange(r *engine.Exchange) {
	h.open.Add(1)
	defer h.open.Done()
	x := &exchange{id: requestID(), request: r, secrets: usual, start: time.Now()}
	x.answer = sink{x: r, id: [1]string{x.id}, length: -1}
	h.answer(x)
	// The client does not wait for the log. The relay has already found out whether
	// it is still there.
	_ = r.End()
	h.write(x)
	h.spans.add(x)
}

// answer answers the client in any case.
func (h *handler) answer(x *exchange) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		// The value is not logged, since it may contain parts of a request.
		h.log.Error().Str("panic", fmt.Sprintf("%T", p)).Str("stack", string(debug.Stack())).Msg("panic while serving a request")
		if x.answer.status == 0 {
			x.answer.message(http.StatusInternalServerError, "An unexpected error occurred", x.id)
		} else {
			x.answer.Abort()
		}
	}()
	path := routes.NormalizePath(x.request.Path)
	if path == "" {
		path = "/"
	}
	m, ok := h.router.Load().find(x.request, path)
	switch {
	case !ok:
		x.answer.message(http.StatusNotFound, "no Route matched with those values", x.id)
	case m.instance == nil:
		x.route = m.route
		x.answer.message(http.StatusNotImplemented, "this route has no plugin "+plugin.Name+": nothing else is served without Kong", x.id)
	default:
		h.relayTo(x, &m, path)
	}
}

// relayTo asks the relay. A stream waits in here, so what is needed before is not on its
// stack.
func (h *handler) relayTo(x *exchange, m *match, path string) {
	x.enter(m, path)
	x.record = h.relay.Serve(x.request.Context(), m.instance, &x.inbound, &x.answer, nil)
}

// enter makes the request that the relay is asked.
func (x *exchange) enter(m *match, path string) {
	x.route, x.secrets = m.route, m.block.secrets
	base := ""
	if m.service != nil {
		base = m.service.Path
	}
	x.upstream = escape(forwarded(base, path, m.length, m.strip))
	x.inbound = x.request.Inbound()
	in := &x.inbound
	in.Path = x.upstream
	in.Kong = wire.Context{Path: x.request.Path, ClientIP: clientIP(x.request.RemoteAddr), RequestID: x.id, Route: cmp.Or(m.route.name, m.route.id), Captures: m.captures}
	if upgrade := in.Upgrade; upgrade != nil {
		in.Upgrade = func() (http.ResponseWriter, *http.Request) {
			w, r := upgrade()
			x.answer.status, x.answer.header = http.StatusSwitchingProtocols, w.Header()
			x.answer.header["X-Kong-Request-Id"] = x.answer.id[:]
			return w, r
		}
	}
}

// write writes the entry to out, in one write.
func (h *handler) write(x *exchange) {
	buffer := buffers.Get().(*[]byte)
	*buffer = x.append((*buffer)[:0])
	_, _ = h.out.Write(*buffer) // if out is closed, nobody can be told
	if cap(*buffer) <= maxBuffer {
		buffers.Put(buffer)
	}
}

// sink passes the relay's answer to the client and counts what the log entry needs.
type sink struct {
	x      *engine.Exchange
	size   int64
	status int
	length int64       // of the answer, below 0 when it was not known
	header http.Header // as sent
	id     [1]string   // the request's, for the answer's header
	began  time.Time
}

// statusGone is nginx's status for a client that went away before an answer began.
const statusGone = 499

// Start implements wire.Sink.
func (s *sink) Start(status int, header http.Header, length int64) error {
	s.status, s.began, s.header, s.length = status, time.Now(), header, length
	header["X-Kong-Request-Id"] = s.id[:]
	return s.x.Start(status, header, length)
}

// Write implements wire.Sink.
func (s *sink) Write(p []byte) error {
	s.size += int64(len(p))
	return s.x.Write(p)
}

// Flush implements wire.Sink.
func (s *sink) Flush() error { return s.x.Flush() }

// Abort implements wire.Sink.
func (s *sink) Abort() {
	s.x.Abort()
	if s.status == 0 {
		s.status = statusGone
	}
}

// message sends an answer in Kong's form, for requests without a plugin.
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
