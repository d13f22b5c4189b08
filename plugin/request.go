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

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/form"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// request is one client request on its way through the relay. It belongs to
// the goroutine that serves it; attempts get what they need by argument.
type request struct {
	relay    *Relay
	instance *Instance
	in       *Inbound
	client   client
	live     record.Live
	record   *record.Record
	start    time.Time // when the request had been read
	id       string    // of the answer, once one was needed

	api     *provider.API
	route   route.Type
	body    []byte            // as received, inflated; attempts translate from here
	members []jsonedit.Member // of body; nil when it is not JSON
	parsed  *chat.Request     // body in the internal form, when an attempt needed it
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
	switch q.in.Method {
	case http.MethodTrace, http.MethodConnect: // the first answers with what it was sent, our key; the second opens a tunnel
		return notAllowed(q.in.Method, "this gateway", http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete)
	}
	if len(q.in.Header["Content-Type"]) > 1 {
		return refuse(http.StatusBadRequest, "content-type: is there more than once")
	}
	if err := q.meet(); err != nil {
		return err
	}
	if err := q.takeBody(); err != nil {
		return err
	}
	if q.api.Body != provider.TakeRaw && !isName(q.model) {
		return badField("model", "model: has control characters, or spaces around it")
	}
	q.start = time.Now()
	q.record.Update(func(d *record.Data) { d.Started = q.start; d.Modalities = q.api.Tokens })
	if q.members == nil || q.api.Body == provider.TakeRaw {
		return nil
	}
	if err := checkNames(q.members); err != nil {
		return err
	}
	if q.api.Check != nil && q.sub == "" {
		if err := q.api.Check(q.members, q.route); err != nil {
			return err
		}
	}
	return q.decideStream()
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
func (q *request) meet() error {
	asked := routes.Request{
		Method: q.in.Method, Path: q.in.Path, Whole: q.in.Kong.Path, RawQuery: q.in.RawQuery, Captures: q.in.Kong.Captures,
	}
	table := q.instance.table
	if q.instance.native() != nil {
		return q.want(table.Find(&asked))
	}
	wanted, err := q.routeType(&asked)
	if err != nil {
		q.route = wanted
		return err
	}
	return q.want(table.Meet(wanted, &asked))
}

// want takes in what was found, also where it is refused: the error is told in
// its format.
func (q *request) want(m routes.Match, err error) error {
	q.api, q.route, q.stream, q.model, q.family, q.sub = m.API, m.Route, m.Stream, m.Model, m.Family, m.Sub
	return err
}

// routeType is the one that the request means among those of the targets. What
// says nothing of it is the first target's.
func (q *request) routeType(asked *routes.Request) (route.Type, error) {
	table := q.instance.table
	wanted, decided, err := table.ByPath(asked)
	if decided {
		return wanted, err
	}
	if media := q.mediaType(); q.in.Body == nil || q.in.Method != http.MethodPost || media != "" && !strings.Contains(media, "json") && media != "application/x-www-form-urlencoded" {
		return wanted, table.Unknown(asked)
	}
	q.api = routes.Of(wanted) // for what has to be said of the body's encoding
	if err := q.readBody(int64(q.instance.config.MaxRequestBodySize)); err != nil {
		return "", err
	}
	q.in.Body, q.in.ContentLength = bytes.NewReader(q.body), int64(len(q.body))
	members, err := jsonedit.Object(q.body, nil)
	if err != nil {
		return wanted, nil // which takes it otherwise, or says what is wrong with it
	}
	if meant := table.ByMember(members); meant != "" {
		return meant, nil
	}
	return wanted, table.Unknown(asked)
}

// takeBody takes the body in as the surface wants it.
func (q *request) takeBody() error {
	most := int64(q.instance.config.MaxRequestBodySize)
	media := q.mediaType()
	switch {
	case q.api.Body == provider.TakeRaw:
		if err := q.readBody(most); err != nil {
			return err
		}
		var err error
		if q.members, err = jsonedit.Object(q.body, q.space[:0]); err != nil {
			q.members = nil // it is something else, and goes on as it is
		}
		q.model, _ = jsonedit.String(jsonedit.Find(q.members, "model"))
		return nil
	case q.api.Body == provider.TakeSocket:
		return q.takeSocket()
	case q.in.Body == nil && !q.creates():
		return nil
	case q.api.Body == provider.TakeForm && media == "multipart/form-data":
		return q.takeForm(most)
	case q.api.FormOnly && q.creates():
		return q.wrongMedia("multipart/form-data")
	case q.api.Body == provider.TakeUnread, q.api.Body == provider.TakeAny && media != "" && media != "application/json":
		var err error
		q.unread, err = within(passing{q.in.Body}, q.passLimit(false), q.in.ContentLength)
		return err
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
	return q.api.Resources == nil || q.sub == "" && q.in.Method == http.MethodPost
}

// readBody reads the body whole, inflated, within max bytes (0: no limit).
func (q *request) readBody(max int64) error {
	if q.in.Body == nil {
		return nil
	}
	src, size, err := q.inflated()
	if err != nil {
		return err
	}
	body, err := q.readAll(src, size, max)
	switch {
	case err == nil:
		q.body = body
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
func (q *request) passLimit(inflates bool) int64 {
	if most := int64(q.instance.config.MaxRequestBodySize); most != defaultLimit || inflates {
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
func (q *request) inflated() (io.Reader, int64, error) {
	switch encoding := strings.ToLower(strings.Join(q.in.Header["Content-Encoding"], ", ")); encoding {
	case "gzip", "x-gzip":
	case "", "identity":
		return q.in.Body, q.in.ContentLength, nil
	default:
		if q.api.Body == provider.TakeRaw {
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
		return nil, 0, notGzip(err)
	}
	q.in.Header.Del("Content-Encoding")
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
func (q *request) parseJSON(media string) error {
	switch {
	case media == "", strings.Contains(media, "json"):
	case media == "application/octet-stream" && q.instance.native() != nil: // AWS's SDKs call InvokeModel's body that
	case media == "application/x-www-form-urlencoded":
		if bytes.HasPrefix(bytes.TrimSpace(q.body), []byte("{")) {
			break // it is what curl -d says of anything
		}
		var err error
		if q.body, err = form.ValuesAsJSON(q.body); err != nil {
			return err
		}
	default:
		return q.wrongMedia("application/json")
	}
	if len(bytes.TrimSpace(q.body)) == 0 {
		return refuse(http.StatusBadRequest, "the request has no body: send a JSON object")
	}
	var err error
	// Not nil, also for {}: a body that is there is checked.
	if q.members, err = jsonedit.Object(q.body, q.space[:0]); err != nil {
		return refuse(http.StatusBadRequest, "request body is not valid JSON: "+err.Error())
	}
	if q.api.Model == provider.ModelNeeded || q.api.Model == provider.ModelTaken {
		q.model, _ = jsonedit.String(jsonedit.Find(q.members, q.api.ModelMember()))
	}
	return nil
}

// wrongMedia refuses a body for its content type.
func (q *request) wrongMedia(want string) error {
	is := "there is no content-type"
	if v := wire.First(q.in.Header, "Content-Type"); v != "" {
		is = fmt.Sprintf("content-type %q is not taken here", v)
	}
	return refuse(http.StatusUnsupportedMediaType, is+": send "+want)
}

// decideStream settles whether the client gets a stream.
func (q *request) decideStream() error {
	if !q.api.Streams {
		return nil
	}
	if q.api.StreamsByPath() {
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
		asked = asked || !q.api.OnDemand && q.sub == ""
	}
	q.stream = asked
	if asked {
		q.record.Update(func(d *record.Data) { d.Mode = record.Stream })
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
