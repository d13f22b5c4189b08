package kong

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Route is a route of Kong with its service and the plugin on it.
type Route struct {
	ID, Name string
	// Path is a prefix, or a regular expression after "~", with named groups
	// as captures. Empty is "/".
	Path         string
	KeepPath     bool // strip_path: false
	PreserveHost bool
	// UnbufferedRequest and UnbufferedResponse are request_buffering and
	// response_buffering: false.
	UnbufferedRequest, UnbufferedResponse bool

	ServiceID, ServiceName string
	Service                string // URL; http://localhost:32000 if empty

	// Consumer is who an authentication plugin has found, if any.
	Consumer *Consumer
	// PluginID and Config are the plugin's; Kong's defaults are filled in.
	PluginID string
	Config   map[string]any
}

// Consumer is an authenticated consumer.
type Consumer struct {
	ID, Username, CustomID string
	Tags                   []string
	Credential             string
}

// Request is what Kong knows of a request, and what plugins did to it.
type Request struct {
	In     *http.Request
	Route  *Route
	ID     string
	Events []Event
	Logged []string // what went to Kong's error log by kong.log, as "level: text"

	phase        string
	captures     []string
	captureNames []string
	matched      string // the path's part that the route's Path matched
	started      time.Time
	took         time.Duration
	shared       map[string]any
	serialized   map[string]any

	method     string
	upstream   url.URL
	host       string // Host header for the upstream, empty for the target's
	header     http.Header
	bodyOnce   sync.Once
	bodyErr    error
	bodyData   []byte
	bodyIsRead atomic.Bool

	status   int
	response http.Header
	exited   bool
	failed   bool
	exitBody []byte
	sent     int64
	ends     []func()
}

// NewRequest returns what Kong knows of in after the router has matched
// route; nil if the route does not match.
func NewRequest(in *http.Request, route *Route) *Request {
	r := &Request{In: in, Route: route, ID: newID(), started: time.Now(),
		shared: make(map[string]any), serialized: make(map[string]any),
		method: in.Method, header: in.Header.Clone(), response: make(http.Header)}
	if !r.match() {
		return nil
	}
	service := route.Service
	if service == "" {
		service = "http://localhost:32000"
	}
	u, err := url.Parse(service)
	if err != nil {
		panic(fmt.Sprintf("kong: route %s: service: %v", route.Name, err))
	}
	path := in.URL.EscapedPath()
	if !route.KeepPath {
		path = "/" + strings.TrimLeft(strings.TrimPrefix(path, r.matched), "/")
	}
	if base := strings.TrimSuffix(u.Path, "/"); base != "" {
		path = strings.TrimSuffix(base+path, "/")
	}
	r.upstream = url.URL{Scheme: u.Scheme, Host: fmt.Sprintf("%s:%d", u.Hostname(), urlPort(u)), RawQuery: in.URL.RawQuery}
	r.upstream.Path, r.upstream.RawPath = path, path
	if unescaped, err := url.PathUnescape(path); err == nil {
		r.upstream.Path = unescaped
	}
	if route.PreserveHost {
		r.host = in.Host
	}
	if c := route.Consumer; c != nil {
		r.header.Set("X-Consumer-Id", c.ID)
		r.header.Set("X-Consumer-Username", c.Username)
		r.header.Set("X-Credential-Identifier", c.Credential)
	}
	return r
}

func (r *Request) match() bool {
	path := r.Route.Path
	if path == "" {
		path = "/"
	}
	expression, isRegexp := strings.CutPrefix(path, "~")
	if !isRegexp {
		r.matched = path
		return strings.HasPrefix(r.In.URL.EscapedPath(), path)
	}
	re := regexp.MustCompile("^(?:" + expression + ")")
	r.captures = re.FindStringSubmatch(r.In.URL.EscapedPath())
	if r.captures == nil {
		return false
	}
	r.captureNames, r.matched = re.SubexpNames(), r.captures[0]
	return true
}

// body is the whole of the request's body.
func (r *Request) body() ([]byte, error) {
	r.bodyOnce.Do(func() {
		r.bodyData, r.bodyErr = io.ReadAll(r.In.Body)
		r.bodyIsRead.Store(true)
	})
	return r.bodyData, r.bodyErr
}

func (r *Request) setBody(data []byte) {
	_, _ = r.body()
	r.bodyData = bytes.Clone(data)
}

// ExitStatus returns the status of kong.response.exit, 0 without one.
func (r *Request) ExitStatus() int {
	if !r.exited {
		return 0
	}
	return r.status
}

// Upstream returns where the request goes, and the headers set for it.
func (r *Request) Upstream() (url.URL, http.Header) { return r.upstream, r.header }

// Errors returns what went to Kong's error log with level err.
func (r *Request) Errors() (errors []string) {
	for _, line := range r.Logged {
		if text, ok := strings.CutPrefix(line, "err: "); ok {
			errors = append(errors, text)
		}
	}
	return errors
}

// atEnd does something when the request ends, as nginx closes what belongs to it.
func (r *Request) atEnd(do func()) { r.ends = append(r.ends, do) }

// End ends the request: what belongs to it is closed.
func (r *Request) End() {
	for _, do := range r.ends {
		do()
	}
	r.ends = nil
}

func newID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return hex.EncodeToString(id)
}

// InPhase says which phase of Kong r is in, for those who call [Worker.Event]
// themselves.
func InPhase(r *Request, phase string) { r.phase = phase }

// normalizedPath is the path as Kong's get_path has it: without dots and
// repeated slashes. (Kong decodes what need not be escaped, too.)
func (r *Request) normalizedPath() string {
	raw := r.In.URL.EscapedPath()
	clean := path.Clean(raw)
	if strings.HasSuffix(raw, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}
