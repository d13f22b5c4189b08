package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"go-ai-proxy/plugin/form"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"io"
	"net/http"
	"strings"
	"time"
)

// reading fills a request, and refuses what no target could answer.
type reading struct {
	exchange *exchange
	request  *request
}

func newReading(x *exchange) *reading { return &reading{x, &x.request} }

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

// takeForm lets a multipart form pass, and looks at its front for the model.
// Where a target needs it translated, it is held; so is one within
// max_request_body_size that another target may have to be sent.
func (r *reading) takeForm(most int64) error {
	if r.request.in.Body == nil {
		return refuse(http.StatusBadRequest, "the request has no body: send multipart/form-data")
	}
	src, size, err := r.inflated()
	if err != nil {
		return err
	}
	_, zipped := src.(zippedBody)
	if src, err = within(src, r.passLimit(zipped), r.request.in.ContentLength); err != nil {
		return err
	}
	r.request.in.Body, r.request.in.ContentLength = src, size
	translated, passed := r.exchange.instance.formTargets(r.request.api, r.request.route)
	switch {
	case translated && !passed:
		return r.takeFormAsJSON(most)
	case translated, size >= 0 && size <= most && r.exchange.instance.repeats(r.request.route):
		return r.takeFormWhole(most)
	}
	if r.request.form, err = form.New(passing{src}, wire.First(r.request.in.Header, "Content-Type")); err != nil {
		return err
	}
	fields, err := r.request.form.Peek()
	if err != nil {
		return err
	}
	return r.meetFields(fields)
}

// takeFormWhole holds a form that more than one target may have to be sent.
func (r *reading) takeFormWhole(most int64) error {
	if err := r.readBody(most); err != nil {
		return err
	}
	f, err := form.New(bytes.NewReader(r.request.body), wire.First(r.request.in.Header, "Content-Type"))
	if err != nil {
		return err
	}
	fields, err := f.Look(len(r.request.body) + 1)
	if err != nil {
		return err
	}
	r.hold()
	return r.meetFields(fields)
}

// meetFields takes in what a form says of the model and of streams.
func (r *reading) meetFields(fields map[string]string) error {
	r.request.model, r.request.named = fields["model"]
	return r.wantStream(strings.EqualFold(fields["stream"], "true"))
}

// hold keeps the body that was read for all targets to be sent. It is not given
// back: unlike the pieces of a request, what is sent as a stream may be read on
// by net/http when the answer has begun.
func (r *reading) hold() {
	r.request.held, r.request.body = r.request.body, nil
	r.exchange.buffers.borrowed = nil
}

// takeFormAsJSON reads a form as the JSON that the same request would be.
func (r *reading) takeFormAsJSON(most int64) error {
	src, err := within(r.request.in.Body, most, r.request.in.ContentLength)
	if err != nil {
		return err
	}
	if r.request.body, err = form.AsJSON(src, wire.First(r.request.in.Header, "Content-Type")); err != nil {
		return err
	}
	return r.parseJSON("application/json")
}

// takeSocket is what a realtime request says before there is a connection.
func (r *reading) takeSocket() error {
	h := r.request.in.Header
	if r.request.in.Method != http.MethodGet {
		return notAllowed(r.request.in.Method, string(r.request.route), http.MethodGet)
	}
	if r.request.in.Upgrade == nil || !strings.EqualFold(h.Get("Upgrade"), "websocket") ||
		h.Get("Sec-Websocket-Version") != "13" || h.Get("Sec-Websocket-Key") == "" {
		return refuse(http.StatusUpgradeRequired, "this route is for WebSockets: send GET with Upgrade: websocket and Sec-WebSocket-Version: 13")
	}
	r.request.model, _ = r.request.Query("model")
	r.exchange.record.Update(func(d *record.Data) { d.Mode = record.Realtime })
	return nil
}

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

// checkNames refuses members that a provider might take for others: some
// decoders do not mind the case of names, so that "MODEL" would be the model
// where we saw none.
func checkNames(members []jsonedit.Member) error {
	for i := range members {
		key := members[i].Key
		for _, name := range [...]string{"model", "stream"} {
			if string(key) != name && bytes.EqualFold(key, []byte(name)) {
				return badField(name, fmt.Sprintf("%q is not how %q is written", key, name))
			}
		}
	}
	if v := jsonedit.Find(members, "stream"); v != nil && !jsonedit.IsTrue(v) && !jsonedit.IsFalse(v) && !jsonedit.IsNull(v) {
		return badField("stream", "stream must be true or false") // some take "true" for true
	}
	return nil
}
