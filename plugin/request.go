package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// request is one client request on its way through the relay. It belongs to
// the goroutine that serves it; attempts get what they need by argument.
type request struct {
	relay    *Relay
	instance *Instance
	in       *Inbound
	client   client
	live     Live
	record   *Record
	start    time.Time // when the request had been read
	id       string    // of the answer, once one was needed

	surface *surface
	route   string
	body    []byte            // as received, inflated; attempts translate from here
	members []jsonedit.Member // of body; nil when it is not JSON
	parsed  *chat.Request     // body in the internal form, when an attempt needed it
	form    *form             // instead of body: a multipart form that passes through
	unread  io.Reader         // instead of body: anything else that does
	held    []byte            // instead of body: a multipart form that some target needs as JSON
	model   string            // the client's, "" when it named none
	named   bool              // the model was in the front of the form
	family  string            // REST: "files", "threads" …
	sub     string            // REST: the path below it, "/file-1/content"
	stream  bool              // the client gets a stream
	usage   bool              // the client asked for usage in the stream
	gzip    bool              // the client takes gzip

	choice    string       // how a semantic choice came about
	query     url.Values   // parsed when a template or a credential asks
	streaming bool         // the answer has begun as a stream
	encoder   chat.Encoder // of a translated stream
	seen      *chat.Seen   // what the delivered attempt's answer said

	borrowed []*[]byte // see borrow
	few      [4]*[]byte
	space    [12]jsonedit.Member
	pick     balancer.Request
	first    attempt // mostly the only one
}

// read takes in the client's request and refuses what no target could answer.
func (q *request) read() error {
	q.gzip = takesGzip(q.in.Header["Accept-Encoding"])
	if q.in.Method == http.MethodTrace { // answers with what it was sent: our key
		return refuse(http.StatusMethodNotAllowed, "TRACE is not allowed")
	}
	if err := q.meet(); err != nil {
		return err
	}
	if err := q.takeBody(); err != nil {
		return err
	}
	q.start = time.Now()
	q.record.set(func(r *Record) { r.started = q.start; r.tokens = q.surface.tokens })
	if q.members == nil || q.surface.take == takeRaw {
		return nil
	}
	if err := checkNames(q.members); err != nil {
		return err
	}
	if q.surface.check != nil && q.sub == "" {
		if err := q.surface.check(q.members, q.route); err != nil {
			return err
		}
	}
	return q.decideStream()
}

// takesGzip says whether a client names gzip as an encoding that it takes.
func takesGzip(accepted []string) bool {
	for _, list := range accepted {
		for item := range strings.SplitSeq(list, ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
			name, params = strings.TrimSpace(name), strings.ReplaceAll(params, " ", "")
			if strings.EqualFold(name, "gzip") || strings.EqualFold(name, "x-gzip") {
				return strings.Trim(params, "q=0.") != "" || !strings.HasPrefix(params, "q=0")
			}
		}
	}
	return false
}

// meet finds out what the client speaks.
func (q *request) meet() error {
	if n := q.instance.native(); n != nil {
		return q.meetNative(n)
	}
	var err error
	if q.route, err = q.routeType(); err != nil {
		return err
	}
	q.surface = openAISurfaces[q.route]
	if q.surface == nil {
		return refuse(http.StatusInternalServerError, fmt.Sprintf("route_type: %q is not supported yet", q.route))
	}
	if q.surface.rest == nil {
		return nil
	}
	q.family, q.sub, err = q.surface.rest.locate(q)
	return err
}

// takeBody takes the body in as the surface wants it.
func (q *request) takeBody() error {
	most := int64(q.instance.config.MaxRequestBodySize)
	media := q.mediaType()
	switch {
	case q.surface.take == takeRaw:
		if err := q.readBody(most); err != nil {
			return err
		}
		q.members, _ = jsonedit.Object(q.body, nil)
		q.model, _ = jsonedit.String(jsonedit.Find(q.members, "model"))
		return nil
	case q.surface.take == takeSocket:
		return q.takeSocket()
	case q.in.Body == nil && !q.creates():
		return nil
	case q.surface.take == takeForm && (media == "multipart/form-data" || q.creates() && (media != "application/json" || q.surface.formOnly)):
		return q.takeForm(most)
	case q.surface.take == takeUnread, q.surface.take == takeAny && media != "" && media != "application/json":
		q.unread = passing{q.in.Body}
		return nil
	}
	if err := q.readBody(most); err != nil {
		return err
	}
	if len(q.body) == 0 && !q.creates() {
		return nil
	}
	return q.parseJSON(media)
}

// creates says whether the request makes something new: those of a REST family
// that only name what there is need no body and no model.
func (q *request) creates() bool {
	return q.surface.rest == nil || q.sub == "" && q.in.Method == http.MethodPost
}

// readBody reads the body whole, inflated, within max bytes (0: no limit).
func (q *request) readBody(max int64) error {
	if q.in.Body == nil {
		return nil
	}
	if max > 0 && q.in.ContentLength > max {
		return tooLarge(max)
	}
	src, size, err := q.inflated()
	if err != nil {
		return err
	}
	body, err := q.readAll(src, size, max)
	g, zipped := src.(*inflated)
	switch {
	case err == nil:
		q.body = body
		return nil
	case errors.Is(err, errTooMuch):
		return tooLarge(max)
	case errors.Is(err, errBomb):
		return refuse(http.StatusRequestEntityTooLarge, "request body is "+err.Error())
	case zipped && g.sent.err == nil:
		return refuse(http.StatusBadRequest, "request body is not valid gzip: "+err.Error())
	}
	return unreadable(err)
}

// unreadable is why reading the client's body failed: the client is gone, or what
// it sends is no body.
func unreadable(err error) error {
	if errors.Is(err, wire.ErrMalformed) {
		return refuse(http.StatusBadRequest, "request body cannot be read: "+err.Error())
	}
	return fmt.Errorf("%w: reading the request body: %w", errClientGone, err)
}

// passing is a client's body that goes to the provider as it comes.
type passing struct{ from io.Reader }

// Read implements io.Reader.
func (p passing) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	if err != nil && err != io.EOF {
		err = unreadable(err)
	}
	return n, err
}

func tooLarge(max int64) error {
	return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("request body is larger than the %d bytes that max_request_body_size allows", max))
}

// inflated is the body and its size, -1 when that is unknown, without gzip.
func (q *request) inflated() (io.Reader, int64, error) {
	switch encoding := strings.ToLower(wire.First(q.in.Header, "Content-Encoding")); encoding {
	case "gzip", "x-gzip":
	case "", "identity":
		return q.in.Body, q.in.ContentLength, nil
	default:
		if q.surface.take == takeRaw {
			return q.in.Body, q.in.ContentLength, nil
		}
		return nil, 0, refuse(http.StatusUnsupportedMediaType, fmt.Sprintf("content-encoding %q is not known: send gzip or none", encoding))
	}
	g := newInflated(q.in.Body)
	err := g.open()
	if err != nil && g.sent.err != nil {
		return nil, 0, unreadable(g.sent.err)
	}
	if err != nil {
		return nil, 0, refuse(http.StatusBadRequest, "request body is not valid gzip: "+err.Error())
	}
	q.in.Header.Del("Content-Encoding")
	return g, -1, nil
}

// failing remembers why reading failed.
type failing struct {
	from io.Reader
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// mediaType is the body's, in lower case and without parameters.
func (q *request) mediaType() string {
	media, _, _ := strings.Cut(wire.First(q.in.Header, "Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// parseJSON finds the members of the body. A form becomes JSON first.
func (q *request) parseJSON(media string) error {
	switch {
	case media == "", strings.HasPrefix(media, "application/json"):
	case q.instance.native() != nil: // AWS's SDKs call InvokeModel's body application/octet-stream
	case media == "application/x-www-form-urlencoded":
		if err := q.formToJSON(); err != nil {
			return err
		}
	default:
		return refuse(http.StatusBadRequest, textNoPrompts)
	}
	if len(bytes.TrimSpace(q.body)) == 0 {
		return refuse(http.StatusBadRequest, textNoPrompts)
	}
	var err error
	// Not nil, also for {}: a body that is there is checked.
	if q.members, err = jsonedit.Object(q.body, q.space[:0]); err != nil {
		return refuse(http.StatusBadRequest, "request body is not valid JSON: "+err.Error())
	}
	if q.surface.model == modelNeeded || q.surface.model == modelTaken {
		q.model, _ = jsonedit.String(jsonedit.Find(q.members, q.surface.modelMember()))
	}
	return nil
}

func (q *request) formToJSON() error {
	form, err := url.ParseQuery(string(q.body))
	if err != nil {
		return refuse(http.StatusBadRequest, "request body is not a valid form: "+err.Error())
	}
	o := object{}
	o.open('{')
	for k, vs := range form {
		o.item()
		o.buf = append(jsonedit.AppendString(o.buf, k), ':')
		if k == "stream" && (vs[0] == "true" || vs[0] == "false") {
			o.buf = append(o.buf, vs[0]...)
			continue
		}
		o.buf = jsonedit.AppendString(o.buf, vs[0])
	}
	o.close('}')
	q.body = o.buf
	return nil
}

// decideStream settles whether the client gets a stream.
func (q *request) decideStream() error {
	if !q.surface.streams {
		return nil
	}
	if q.surface.streamsByPath() {
		return q.wantStream(q.stream)
	}
	return q.wantStream(jsonedit.IsTrue(jsonedit.Find(q.members, "stream")))
}

// wantStream holds a client that asks for a stream to what is allowed.
func (q *request) wantStream(asked bool) error {
	switch q.instance.config.ResponseStreaming {
	case "deny":
		if asked {
			return refuse(http.StatusBadRequest, textNoStreaming)
		}
	case "always":
		asked = asked || !q.surface.onDemand && q.sub == ""
	}
	q.stream = asked
	if asked {
		q.record.set(func(r *Record) { r.mode = Stream })
		options := jsonedit.Find(q.members, "stream_options")
		q.usage = jsonedit.IsTrue(jsonedit.Lookup(options, "include_usage"))
	}
	return nil
}

// Header, Capture and Query are the sources of templates.

// Header returns a header of the client; - and _ are the same in its name.
func (q *request) Header(name string) (string, bool) {
	if v := q.in.Header.Values(name); len(v) > 0 {
		return v[0], true
	}
	name = strings.ReplaceAll(name, "_", "-")
	if v := q.in.Header.Values(name); len(v) > 0 {
		return v[0], true
	}
	for k, v := range q.in.Header {
		if len(v) > 0 && strings.EqualFold(strings.ReplaceAll(k, "_", "-"), name) {
			return v[0], true
		}
	}
	return "", false
}

// Capture returns a named capture of the route's path.
func (q *request) Capture(name string) (string, bool) {
	v, ok := q.in.Kong.Captures[name]
	return v, ok
}

// Query returns the first value of a query parameter.
func (q *request) Query(name string) (string, bool) {
	v := q.queryValues()[name]
	if len(v) == 0 {
		return "", false
	}
	return v[0], true
}

func (q *request) queryValues() url.Values {
	if q.query == nil {
		q.query, _ = url.ParseQuery(q.in.RawQuery)
	}
	return q.query
}

// internal returns the request in the internal form; translations start from it.
func (q *request) internal() (*chat.Request, error) {
	if q.parsed != nil {
		return q.parsed, nil
	}
	if q.surface.dialect == nil {
		return nil, errNoTranslation
	}
	r, err := q.surface.dialect.ParseRequest(q.body)
	if err != nil {
		return nil, err
	}
	q.parsed = r
	return r, nil
}

var errNoTranslation = errors.New("the client's format cannot be translated")
