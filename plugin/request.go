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
	"unicode"

	"go-ai-proxy/plugin/form"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// request is what a client wants. It is filled while it is read, and not changed
// afterwards: what an attempt learns is the attempt's.
type request struct {
	in      *Inbound
	api     *provider.API
	route   route.Type
	body    []byte            // as received, inflated; attempts translate from here
	members []jsonedit.Member // of body; nil when it is not JSON
	form    *form.Reader      // instead of body: a multipart form that passes through
	unread  io.Reader         // instead of body: anything else that does
	held    []byte            // instead of body: a multipart form that some target needs as JSON
	model   string            // the client's, "" when it named none
	named   bool              // the model was in the front of the form
	family  string            // REST: "files", "threads" …
	sub     string            // REST: the path below it, "/file-1/content"
	stream  bool              // the client gets a stream
	usage   bool              // the client asked for usage in the stream
	gzip    bool              // the client takes gzip

	// Made from the above when they are first asked for.
	parsed *chat.Request // body in the internal form
	query  url.Values

	space [12]jsonedit.Member // room for members
}

// reading fills a request, and refuses what no target could answer.
type reading struct {
	exchange *exchange
	request  *request
}

func (x *exchange) reading() *reading { return &reading{x, &x.request} }

// read takes in the client's request and refuses what no target could answer.
func (r *reading) read() error {
	r.request.gzip = takesGzip(r.request.in.Header["Accept-Encoding"])
	switch r.request.in.Method {
	case http.MethodTrace, http.MethodConnect: // the first answers with what it was sent, our key; the second opens a tunnel
		return notAllowed(r.request.in.Method, "this gateway", http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete)
	}
	if len(r.request.in.Header["Content-Type"]) > 1 {
		return refuse(http.StatusBadRequest, "content-type: is there more than once")
	}
	if err := r.meet(); err != nil {
		return err
	}
	if err := r.takeBody(); err != nil {
		return err
	}
	if r.request.api.Body != provider.TakeRaw && !isName(r.request.model) {
		return badField("model", "model: has control characters, or spaces around it")
	}
	r.exchange.start = time.Now()
	r.exchange.record.Update(func(d *record.Data) { d.Started = r.exchange.start; d.Modalities = r.request.api.Tokens })
	if r.request.members == nil || r.request.api.Body == provider.TakeRaw {
		return nil
	}
	if err := checkNames(r.request.members); err != nil {
		return err
	}
	if r.request.api.Check != nil && r.request.sub == "" {
		if err := r.request.api.Check(r.request.members, r.request.route); err != nil {
			return err
		}
	}
	return r.decideStream()
}

// isName says whether s can be a model's name: it stands in URLs and headers.
func isName(s string) bool {
	return strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
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

// meet finds out what the client wants.
func (r *reading) meet() error {
	asked := routes.Request{
		Method: r.request.in.Method, Path: r.request.in.Path, Whole: r.request.in.Kong.Path, RawQuery: r.request.in.RawQuery, Captures: r.request.in.Kong.Captures,
	}
	table := r.exchange.instance.table
	if r.exchange.instance.native() != nil {
		return r.want(table.Find(&asked))
	}
	wanted, err := r.routeType(&asked)
	if err != nil {
		r.request.route = wanted
		return err
	}
	return r.want(table.Meet(wanted, &asked))
}

// want takes in what was found, also where it is refused: the error is told in
// its format.
func (r *reading) want(m routes.Match, err error) error {
	r.request.api, r.request.route, r.request.stream, r.request.model, r.request.family, r.request.sub = m.API, m.Route, m.Stream, m.Model, m.Family, m.Sub
	return err
}

// routeType is the one that the request means among those of the targets. What
// says nothing of it is the first target's.
func (r *reading) routeType(asked *routes.Request) (route.Type, error) {
	table := r.exchange.instance.table
	wanted, decided, err := table.ByPath(asked)
	if decided {
		return wanted, err
	}
	if media := r.request.mediaType(); r.request.in.Body == nil || r.request.in.Method != http.MethodPost || media != "" && !strings.Contains(media, "json") && media != "application/x-www-form-urlencoded" {
		return wanted, table.Unknown(asked)
	}
	r.request.api = routes.Of(wanted) // for what has to be said of the body's encoding
	if err := r.readBody(int64(r.exchange.instance.config.MaxRequestBodySize)); err != nil {
		return "", err
	}
	r.request.in.Body, r.request.in.ContentLength = bytes.NewReader(r.request.body), int64(len(r.request.body))
	members, err := jsonedit.Object(r.request.body, nil)
	if err != nil {
		return wanted, nil // which takes it otherwise, or says what is wrong with it
	}
	if meant := table.ByMember(members); meant != "" {
		return meant, nil
	}
	return wanted, table.Unknown(asked)
}

// takeBody takes the body in as the surface wants it.
func (r *reading) takeBody() error {
	most := int64(r.exchange.instance.config.MaxRequestBodySize)
	media := r.request.mediaType()
	switch {
	case r.request.api.Body == provider.TakeRaw:
		if err := r.readBody(most); err != nil {
			return err
		}
		var err error
		if r.request.members, err = jsonedit.Object(r.request.body, r.request.space[:0]); err != nil {
			r.request.members = nil // it is something else, and goes on as it is
		}
		r.request.model, _ = jsonedit.String(jsonedit.Find(r.request.members, "model"))
		return nil
	case r.request.api.Body == provider.TakeSocket:
		return r.takeSocket()
	case r.request.in.Body == nil && !r.request.creates():
		return nil
	case r.request.api.Body == provider.TakeForm && media == "multipart/form-data":
		return r.takeForm(most)
	case r.request.api.FormOnly && r.request.creates():
		return r.wrongMedia("multipart/form-data")
	case r.request.api.Body == provider.TakeUnread, r.request.api.Body == provider.TakeAny && media != "" && media != "application/json":
		var err error
		r.request.unread, err = within(passing{r.request.in.Body}, r.passLimit(false), r.request.in.ContentLength)
		return err
	}
	if err := r.readBody(most); err != nil {
		return err
	}
	if len(r.request.body) == 0 && !r.request.creates() {
		return nil
	}
	return r.parseJSON(media)
}

// creates says whether the request makes something new: those of a REST family
// that only name what there is need no body and no model.
func (q *request) creates() bool {
	return q.api.Resources == nil || q.sub == "" && q.in.Method == http.MethodPost
}

// readBody reads the body whole, inflated, within max bytes (0: no limit).
func (r *reading) readBody(max int64) error {
	if r.request.in.Body == nil {
		return nil
	}
	src, size, err := r.inflated()
	if err != nil {
		return err
	}
	body, err := r.exchange.buffers.readAll(src, size, max)
	switch {
	case err == nil:
		r.request.body = body
		return nil
	case errors.Is(err, errTooMuch):
		return tooLarge(max)
	}
	return unreadable(err)
}

// unreadable is why reading the client's body failed: what it sends is no body,
// or the client is gone.
func unreadable(err error) error {
	var own *chat.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, errClientGone):
		return err
	case errors.Is(err, wire.ErrMalformed):
		return refuse(http.StatusBadRequest, "request body cannot be read: "+err.Error())
	}
	return fmt.Errorf("%w: reading the request body: %w", errClientGone, err)
}

// passing is a client's body as it comes, with errors that say whose fault they are.
type passing struct{ from io.Reader }

// Read implements io.Reader.
func (p passing) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	if err != nil && err != io.EOF {
		err = unreadable(err)
	}
	return n, err
}

// defaultLimit is the default of max_request_body_size, in bytes.
const defaultLimit = 1 << 20

// passLimit bounds a body that passes through and is not held, in bytes; 0 is no
// limit. The default of max_request_body_size is about what has to be held, so
// uploads pass by it as they do in Kong; a limit that was chosen is for all, and
// what a client has compressed is always held to it.
func (r *reading) passLimit(inflates bool) int64 {
	if most := int64(r.exchange.instance.config.MaxRequestBodySize); most != defaultLimit || inflates {
		return most
	}
	return 0
}

// within is r, of size bytes or -1, held to most bytes (0: no limit).
func within(r io.Reader, most, size int64) (io.Reader, error) {
	switch {
	case most <= 0:
		return r, nil
	case size > most:
		return nil, tooLarge(most)
	}
	return &bounded{r, most, most}, nil
}

// bounded ends with an error what is longer than most bytes.
type bounded struct {
	from       io.Reader
	left, most int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge(b.most)
	}
	return n, err
}

func tooLarge(max int64) error {
	return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("request body is larger than the %d bytes that max_request_body_size allows", max))
}

// inflated is the body and its size, -1 when that is unknown, without gzip.
func (r *reading) inflated() (io.Reader, int64, error) {
	switch encoding := strings.ToLower(strings.Join(r.request.in.Header["Content-Encoding"], ", ")); encoding {
	case "gzip", "x-gzip":
	case "", "identity":
		return r.request.in.Body, r.request.in.ContentLength, nil
	default:
		if r.request.api.Body == provider.TakeRaw {
			return r.request.in.Body, r.request.in.ContentLength, nil
		}
		return nil, 0, refuse(http.StatusUnsupportedMediaType, fmt.Sprintf("content-encoding %q is not known: send gzip or none", encoding))
	}
	g := newInflated(r.request.in.Body)
	err := g.open()
	if err != nil && g.sent.err != nil {
		return nil, 0, unreadable(g.sent.err)
	}
	if err != nil {
		return nil, 0, notGzip(err)
	}
	r.request.in.Header.Del("Content-Encoding")
	return zippedBody{g}, -1, nil
}

func notGzip(err error) error {
	return refuse(http.StatusBadRequest, "request body is not valid gzip: "+err.Error())
}

// zippedBody is a client's body that is inflated as it is read, with errors like
// those of passing.
type zippedBody struct{ from *inflated }

// Read implements io.Reader.
func (z zippedBody) Read(p []byte) (int, error) {
	n, err := z.from.Read(p)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case z.from.sent.err != nil:
		return n, unreadable(z.from.sent.err)
	case errors.Is(err, errBomb):
		return n, refuse(http.StatusRequestEntityTooLarge, "request body is "+err.Error())
	}
	return n, notGzip(err)
}

// mediaType is the body's, in lower case and without parameters.
func (q *request) mediaType() string {
	media, _, _ := strings.Cut(wire.First(q.in.Header, "Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// parseJSON finds the members of the body. A form becomes JSON first.
func (r *reading) parseJSON(media string) error {
	switch {
	case media == "", strings.Contains(media, "json"):
	case media == "application/octet-stream" && r.exchange.instance.native() != nil: // AWS's SDKs call InvokeModel's body that
	case media == "application/x-www-form-urlencoded":
		if bytes.HasPrefix(bytes.TrimSpace(r.request.body), []byte("{")) {
			break // it is what curl -d says of anything
		}
		var err error
		if r.request.body, err = form.ValuesAsJSON(r.request.body); err != nil {
			return err
		}
	default:
		return r.wrongMedia("application/json")
	}
	if len(bytes.TrimSpace(r.request.body)) == 0 {
		return refuse(http.StatusBadRequest, "the request has no body: send a JSON object")
	}
	var err error
	// Not nil, also for {}: a body that is there is checked.
	if r.request.members, err = jsonedit.Object(r.request.body, r.request.space[:0]); err != nil {
		return refuse(http.StatusBadRequest, "request body is not valid JSON: "+err.Error())
	}
	if r.request.api.Model == provider.ModelNeeded || r.request.api.Model == provider.ModelTaken {
		r.request.model, _ = jsonedit.String(jsonedit.Find(r.request.members, r.request.api.ModelMember()))
	}
	return nil
}

// wrongMedia refuses a body for its content type.
func (r *reading) wrongMedia(want string) error {
	is := "there is no content-type"
	if v := wire.First(r.request.in.Header, "Content-Type"); v != "" {
		is = fmt.Sprintf("content-type %q is not taken here", v)
	}
	return refuse(http.StatusUnsupportedMediaType, is+": send "+want)
}

// decideStream settles whether the client gets a stream.
func (r *reading) decideStream() error {
	if !r.request.api.Streams {
		return nil
	}
	if r.request.api.StreamsByPath() {
		return r.wantStream(r.request.stream)
	}
	return r.wantStream(jsonedit.IsTrue(jsonedit.Find(r.request.members, "stream")))
}

// wantStream holds a client that asks for a stream to what is allowed.
func (r *reading) wantStream(asked bool) error {
	switch r.exchange.instance.config.ResponseStreaming {
	case "deny":
		if asked {
			return refuse(http.StatusBadRequest, textNoStreaming)
		}
	case "always":
		asked = asked || !r.request.api.OnDemand && r.request.sub == ""
	}
	r.request.stream = asked
	if asked {
		r.exchange.record.Update(func(d *record.Data) { d.Mode = record.Stream })
		options := jsonedit.Find(r.request.members, "stream_options")
		r.request.usage = jsonedit.IsTrue(jsonedit.Lookup(options, "include_usage"))
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
	if q.api.Dialect == nil {
		return nil, errNoTranslation
	}
	r, err := q.api.Dialect.ParseRequest(q.body)
	if err != nil {
		return nil, err
	}
	q.parsed = r
	return r, nil
}

var errNoTranslation = errors.New("the client's format cannot be translated")
