package kong

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Handler is Kong in front of clients: it lets the plugin handle each request
// and proxies it. The longest path wins, regular expressions first.
func (h *Host) Handler(routes ...Route) http.Handler {
	var bound []*binding
	for _, route := range routes {
		bound = append(bound, h.bind(route))
	}
	slices.SortStableFunc(bound, func(a, b *binding) int {
		if x, y := strings.HasPrefix(a.route.Path, "~"), strings.HasPrefix(b.route.Path, "~"); x != y {
			return map[bool]int{true: -1, false: 1}[x]
		}
		return len(b.route.Path) - len(a.route.Path)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		for _, b := range bound {
			if r := NewRequest(in, &b.route); r != nil {
				h.serve(w, r, b.conf)
				return
			}
		}
		answer(w, http.StatusNotFound, "no Route matched with those values", newID())
	})
}

type binding struct {
	route Route
	conf  Conf
}

// bind makes the configuration that Kong would hand out for the route.
func (h *Host) bind(route Route) *binding {
	if route.ID == "" {
		route.ID = newID()
	}
	if route.ServiceID == "" {
		route.ServiceID = newID()
	}
	if route.PluginID == "" {
		route.PluginID = newID()
	}
	return &binding{route, h.Conf(route.PluginID, route.ID, route.Config)}
}

// Conf returns config as Kong's plugin iterator hands it out: with defaults,
// and with the fields that Kong adds. Each call is a new version of it.
func (h *Host) Conf(pluginID, routeID string, config map[string]any) Conf {
	conf := Conf(maps.Clone(config))
	if conf == nil {
		conf = make(Conf)
	}
	fillDefaults(h.Info.config, conf)
	conf["__plugin_id"] = pluginID
	conf["__key__"] = "plugins:" + h.Info.Name + ":" + routeID + "::::" + workspace
	conf["__ws_id"] = workspace
	conf["__seq__"] = h.seq.Add(1)
	conf["route_id"] = routeID
	return conf
}

const workspace = "0dc6f45b-8f8d-40d2-a504-473544ee190b"

func (h *Host) serve(w http.ResponseWriter, r *Request, conf Conf) {
	h.requests.Add(1) // until its log phase is over
	defer func() {
		r.End()
		r.took = time.Since(r.started)
		h.finish(r, conf)
	}()
	r.phase = "access"
	e := h.Worker.Event(conf, "access", r)
	r.Events = append(r.Events, e)
	switch {
	case e.Err != nil:
		r.failed, r.status = true, http.StatusInternalServerError
		r.Logged = append(r.Logged, "err: pluginserver error: "+e.Err.Error())
		answer(w, r.status, "An unexpected error occurred", r.ID)
	case r.exited:
		maps.Copy(w.Header(), r.response)
		w.Header().Set("Content-Length", strconv.Itoa(len(r.exitBody)))
		w.WriteHeader(r.status)
		n, _ := w.Write(r.exitBody)
		r.sent = int64(n)
	default:
		h.proxy(w, r)
	}
}

// finish runs the log phase, in a timer as Kong does, and reports.
func (h *Host) finish(r *Request, conf Conf) {
	go func() {
		defer h.requests.Done()
		if slices.Contains(h.Info.Phases, "log") {
			r.phase = "log"
			e := h.Worker.Event(conf, "log", r)
			r.Events = append(r.Events, e)
			r.End()
			if e.Err != nil {
				r.Logged = append(r.Logged, "err: pluginserver error: "+e.Err.Error())
			}
		}
		if h.OnRequest != nil {
			h.OnRequest(r)
		}
	}()
}

// proxy is nginx: it sends the request to the target and the answer back.
func (h *Host) proxy(w http.ResponseWriter, r *Request) {
	websocket := strings.EqualFold(r.In.Header.Get("Upgrade"), "websocket")
	body, length := r.In.Body, r.In.ContentLength
	if r.bodyIsRead.Load() || !r.Route.UnbufferedRequest && !websocket {
		data, err := r.body()
		if err != nil {
			r.status = http.StatusBadRequest // the client is gone
			return
		}
		body, length = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	}
	out := &responseWriter{ResponseWriter: w, request: r, unbuffered: r.Route.UnbufferedResponse}
	(&httputil.ReverseProxy{
		Transport: h.transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(p *httputil.ProxyRequest) {
			target := r.upstream
			p.Out.URL, p.Out.Method, p.Out.Body, p.Out.ContentLength = &target, r.method, body, length
			if length == 0 {
				p.Out.Body = http.NoBody
			}
			p.Out.Host, p.Out.TransferEncoding = r.host, nil
			p.Out.Header = upstreamHeader(r, websocket)
		},
		ModifyResponse: func(res *http.Response) error {
			if strings.EqualFold(res.Header.Get("X-Accel-Buffering"), "no") {
				out.unbuffered = true
			}
			for _, name := range []string{"X-Accel-Buffering", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Charset", "X-Accel-Redirect"} {
				res.Header.Del(name)
			}
			for name, values := range r.response {
				if _, ok := res.Header[name]; !ok {
					res.Header[name] = values
				}
			}
			res.Header.Set("Via", "1.1 kong/3.9.3")
			res.Header.Set("X-Kong-Request-Id", r.ID)
			r.status, r.response = res.StatusCode, res.Header.Clone()
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			r.failed, r.status = true, http.StatusBadGateway
			r.Logged = append(r.Logged, "err: upstream: "+err.Error())
			answer(w, r.status, "An invalid response was received from the upstream server", r.ID)
		},
	}).ServeHTTP(out, r.In)
}

// upstreamHeader is the header nginx sends: the client's as plugins changed
// it, without what concerns one connection, and Kong's own.
func upstreamHeader(r *Request, websocket bool) http.Header {
	header := r.header.Clone()
	for _, list := range header.Values("Connection") {
		for name := range strings.SplitSeq(list, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	trailers := strings.Contains(strings.ToLower(header.Get("Te")), "trailers")
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy", "Proxy-Connection", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Expect", "Content-Length", "Host"} {
		header.Del(name)
	}
	if websocket {
		header.Set("Connection", "keep-alive, Upgrade")
		header.Set("Upgrade", "websocket")
	}
	if trailers {
		header.Set("Te", "trailers")
	}
	forwarded := r.ip()
	if before := r.In.Header.Get("X-Forwarded-For"); before != "" {
		forwarded = before + ", " + forwarded
	}
	via := fmt.Sprintf("%d.%d kong/3.9.3", r.In.ProtoMajor, r.In.ProtoMinor)
	if before := r.In.Header.Get("Via"); before != "" {
		via = before + ", " + via
	}
	header.Set("Via", via)
	header.Set("X-Forwarded-For", forwarded)
	header.Set("X-Forwarded-Proto", r.scheme())
	header.Set("X-Forwarded-Host", hostname(r.In.Host))
	header.Set("X-Forwarded-Port", strconv.Itoa(r.serverPort()))
	header.Set("X-Forwarded-Path", r.In.URL.EscapedPath())
	header.Del("X-Forwarded-Prefix")
	if !r.Route.KeepPath && r.matched != "/" {
		header.Set("X-Forwarded-Prefix", r.matched)
	}
	header.Set("X-Real-Ip", r.ip())
	header.Set("X-Kong-Request-Id", r.ID)
	if _, ok := header["User-Agent"]; !ok {
		header["User-Agent"] = nil // or net/http adds its own
	}
	return header
}

// responseWriter counts, and holds back what nginx would buffer: without
// X-Accel-Buffering: no, an answer moves on when a buffer is full.
type responseWriter struct {
	http.ResponseWriter
	request    *Request
	unbuffered bool
}

func (w *responseWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.request.sent += int64(n)
	return n, err
}

func (w *responseWriter) FlushError() error {
	if !w.unbuffered {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// answer is kong.response.error for a client that takes JSON.
func answer(w http.ResponseWriter, status int, message, requestID string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Kong-Request-Id", requestID)
	w.WriteHeader(status)
	fmt.Fprintf(w, "{\n  \"message\":%q,\n  \"request_id\":%q\n}", message, requestID)
}

func newTransport() *http.Transport {
	return &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 60, IdleConnTimeout: time.Minute,
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
}
