package standalone

import (
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/jsonedit"
)

// exchange is a request with its answer, for the log.
type exchange struct {
	id       string
	request  *engine.Exchange
	upstream string // the path that Kong would forward; "" when no route matched
	route    *route // nil when none matched
	secrets  *secrets
	start    time.Time
	inbound  wire.Inbound
	answer   sink
	record   *record.Record // nil when no plugin was asked
}

// buffers are for log entries. Large ones (log_payloads) are not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const maxBuffer = 64 << 10

// append writes the log entry, one JSON object in the form of Kong's serializer (the
// file-log plugin). Times are in milliseconds. Sizes are in bytes: bodies and headers
// as they were read and written, without framing.
func (x *exchange) append(b []byte) []byte {
	end := time.Now()
	b = append(b, `{"request":{"id":`...)
	b = jsonedit.AppendString(b, x.id)
	b = append(b, `,"method":`...)
	b = jsonedit.AppendString(b, x.request.Method)
	uri := x.withQuery(x.request.Path)
	b = append(b, `,"uri":`...)
	b = jsonedit.AppendString(b, uri)
	b = append(b, `,"url":`...)
	b = jsonedit.AppendString(b, "http://"+x.request.Host+uri)
	b = append(b, `,"querystring":`...)
	b = x.appendQuery(b)
	b = append(b, `,"headers":`...)
	b, size := appendHeaders(b, x.request.Header, x.secrets, x.request.Host, -1)
	b = append(b, `,"size":`...)
	b = strconv.AppendInt(b, int64(size+len("  HTTP/1.1")+len(x.request.Method)+len(x.request.Target))+max(x.request.ContentLength, 0), 10)
	b = append(b, `},"response":{"status":`...)
	b = strconv.AppendInt(b, int64(x.answer.status), 10)
	b = append(b, `,"headers":`...)
	b, size = appendHeaders(b, x.answer.header, x.secrets, "", x.answer.length)
	b = append(b, `,"size":`...)
	b = strconv.AppendInt(b, int64(size)+x.answer.size, 10)
	b = append(b, `},"latencies":{"request":`...)
	b = milliseconds(b, end.Sub(x.start))
	began := x.answer.began
	if began.IsZero() {
		began = end
	}
	b = append(b, `,"kong":0,"proxy":`...)
	b = milliseconds(b, began.Sub(x.start))
	b = append(b, `,"receive":`...)
	b = milliseconds(b, end.Sub(began))
	b = append(b, `},"tries":[],"client_ip":`...)
	b = jsonedit.AppendString(b, clientIP(x.request.RemoteAddr))
	b = append(b, `,"started_at":`...)
	b = strconv.AppendInt(b, x.start.UnixMilli(), 10)
	b = append(b, `,"upstream_uri":`...)
	upstream := x.upstream
	if upstream != "" {
		upstream = x.withQuery(upstream)
	}
	b = jsonedit.AppendString(b, upstream)
	b = append(b, `,"workspace_name":"default"`...)
	if x.route != nil {
		b = append(b, x.route.entities...)
	}
	b = x.appendRecord(b)
	return append(b, '}', '\n')
}

// appendRecord writes the member ai, if there is a record.
func (x *exchange) appendRecord(b []byte) []byte {
	if x.record == nil {
		return b
	}
	before := len(b)
	b = append(b, `,"ai":{"proxy":`...)
	open := len(b)
	if b = x.record.Append(b); len(b) == open {
		return b[:before]
	}
	return append(b, '}')
}

func (x *exchange) withQuery(path string) string {
	if x.request.RawQuery == "" {
		return path
	}
	return path + "?" + x.secrets.query(x.request.RawQuery)
}

func (x *exchange) query() url.Values {
	values, _ := url.ParseQuery(x.request.RawQuery) // the part that could be parsed
	return values
}

// appendQuery writes the query as an object. Several values of one name become an
// array, as in Kong.
func (x *exchange) appendQuery(b []byte) []byte {
	if x.request.RawQuery == "" {
		return append(b, '{', '}')
	}
	open := byte('{')
	for name, values := range x.query() {
		b = append(b, open)
		open = ','
		b = append(jsonedit.AppendString(b, name), ':')
		if x.secrets.param(name) {
			b = append(b, `"`+redacted+`"`...)
			continue
		}
		b = appendValues(b, values, x.secrets)
	}
	if open == '{' { // nothing could be parsed
		b = append(b, open)
	}
	return append(b, '}')
}

// appendHeaders writes headers as an object with names in lower case, and returns
// their size on the wire in bytes. host and length are those that the engine keeps
// separately; "" and below 0 if there are none.
func appendHeaders(b []byte, h http.Header, s *secrets, host string, length int64) (_ []byte, size int) {
	b = append(b, '{')
	first := len(b)
	if length >= 0 {
		b = append(b, `"content-length":"`...)
		from := len(b)
		b = strconv.AppendInt(b, length, 10)
		size += len("content-length: \r\n") + len(b) - from
		b = append(b, '"')
	}
	if host != "" {
		b = jsonedit.AppendString(append(b, `"host":`...), host)
		size += len("host: \r\n") + len(host)
	}
	for name, values := range h {
		if len(b) > first {
			b = append(b, ',')
		}
		b = append(b, '"')
		from := len(b)
		b = appendLower(b, name)
		hidden := s.headers[string(b[from:])]
		b = append(b, '"', ':')
		for _, v := range values {
			size += len(name) + len(": \r\n") + len(v)
		}
		if hidden {
			b = append(b, `"`+redacted+`"`...)
			continue
		}
		b = appendValues(b, values, s)
	}
	return append(b, '}'), size
}

// appendLower writes the name of a header, which needs no escapes.
func appendLower(b []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

func appendValues(b []byte, values []string, s *secrets) []byte {
	if len(values) == 1 {
		return jsonedit.AppendString(b, s.value(values[0]))
	}
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonedit.AppendString(b, s.value(v))
	}
	return append(b, ']')
}

func milliseconds(b []byte, d time.Duration) []byte {
	return strconv.AppendInt(b, d.Milliseconds(), 10)
}

func clientIP(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// describe returns the members `route` and `service` of a route's log entries.
func describe(r *route, f *routeFields) []byte {
	type ids struct {
		ID string `json:"id"`
	}
	entity := struct {
		ID        string              `json:"id"`
		Name      string              `json:"name,omitempty"`
		Paths     []string            `json:"paths,omitempty"`
		Methods   []string            `json:"methods,omitempty"`
		Hosts     []string            `json:"hosts,omitempty"`
		Headers   map[string][]string `json:"headers,omitempty"`
		Protocols []string            `json:"protocols"`
		Strip     bool                `json:"strip_path"`
		Priority  int                 `json:"regex_priority"`
		Service   *ids                `json:"service,omitempty"`
	}{r.id, r.name, f.Paths, f.Methods, f.Hosts, f.Headers, f.Protocols, r.strip, r.priority, nil}
	if entity.Protocols == nil {
		entity.Protocols = []string{"http", "https"}
	}
	b := []byte(`,"route":`)
	s := r.service
	if s == nil {
		return appendJSON(b, entity)
	}
	id := cmp.Or(s.ID, identity(s.where))
	entity.Service = &ids{id}
	b = append(appendJSON(b, entity), `,"service":`...)
	return appendJSON(b, struct {
		ID       string `json:"id"`
		Name     string `json:"name,omitempty"`
		Protocol string `json:"protocol"`
		Host     string `json:"host"`
		Port     int    `json:"port"`
		Path     string `json:"path,omitempty"`
	}{id, s.Name, s.Protocol, s.Host, s.Port, s.Path})
}

// appendJSON writes values that can always be encoded: strings, numbers, lists of
// them.
func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}
