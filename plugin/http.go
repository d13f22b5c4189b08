package plugin

import (
	"net/http"
	"strconv"
)

// httpSink is a Sink on net/http.
type httpSink struct {
	w http.ResponseWriter
	c *http.ResponseController
}

// ServeHTTP serves one request of net/http's server.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request, inst *Instance, in *Inbound, live Live) *Record {
	if in.Upgrade == nil && req.Header["Upgrade"] != nil {
		in.Upgrade = func() (http.ResponseWriter, *http.Request) { return w, req }
	}
	return r.Serve(req.Context(), inst, in, &httpSink{w: w, c: http.NewResponseController(w)}, live)
}

// Start implements Sink.
func (s *httpSink) Start(status int, header http.Header, length int64) error {
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

// Write implements Sink.
func (s *httpSink) Write(p []byte) error {
	_, err := s.w.Write(p)
	return err
}

// Flush implements Sink.
func (s *httpSink) Flush() error { return s.c.Flush() }

// Abort implements Sink.
func (s *httpSink) Abort() {
	if conn, _, err := s.c.Hijack(); err == nil {
		conn.Close()
	}
}

// NewInbound returns what the relay sees of r.
func NewInbound(r *http.Request) *Inbound {
	in := &Inbound{
		Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
		Header: r.Header, ContentLength: r.ContentLength,
	}
	if r.Body != nil && r.Body != http.NoBody {
		in.Body = r.Body
	}
	return in
}
