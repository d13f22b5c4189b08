package plugin

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go-ai-proxy/plugin/body"
	"go-ai-proxy/plugin/form"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// reading fills a request from what the client sends, and refuses what no target
// could answer.
type reading struct {
	exchange *exchange
	request  *request
}

// read reads the client's request, and refuses what no target could answer.
func (r *reading) read() error {
	if r.request.in.RawQuery != "" {
		r.request.query, _ = url.ParseQuery(r.request.in.RawQuery) // malformed parameters are nobody's
	}
	r.request.gzip = takesGzip(r.request.in.Header["Accept-Encoding"])
	switch r.request.in.Method {
	case http.MethodTrace, http.MethodConnect: // TRACE would echo what it was sent, with our key; CONNECT opens a tunnel
		return routes.NotAllowed(r.request.in.Method, "this gateway", http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete)
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
	r.request.start = time.Now()
	r.exchange.record.Update(func(d *record.Data) { d.Started = r.request.start; d.Modalities = r.request.api.Tokens })
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
	switch {
	case !r.request.api.Streams:
		return nil
	case r.request.api.StreamsByPath():
		return r.wantStream(r.request.stream)
	}
	return r.wantStream(jsonedit.IsTrue(jsonedit.Find(r.request.members, "stream")))
}

// meet finds the route type, the API and the path that the client calls.
func (r *reading) meet() error {
	asked := r.request.asked()
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

// want stores what was matched, even when the request is refused: the error is
// sent in the format of what was matched.
func (r *reading) want(m routes.Match, err error) error {
	r.request.api, r.request.route, r.request.stream, r.request.model, r.request.family, r.request.sub = m.API, m.Route, m.Stream, m.Model, m.Family, m.Sub
	if err == nil && r.request.in.Method == http.MethodHead && m.API.Resources != nil {
		r.request.in.Method = http.MethodGet // the engine sends no body to a client that asked with HEAD
	}
	return err
}

// routeType returns the route type of the request, among those of the targets. A
// request that does not say goes to the first target's.
func (r *reading) routeType(asked *routes.Request) (route.Type, error) {
	table := r.exchange.instance.table
	wanted, decided, err := table.ByPath(asked)
	if decided {
		return wanted, err
	}
	if media := r.request.mediaType(); r.request.in.Body == nil || r.request.in.Method != http.MethodPost || media != "" && !strings.Contains(media, "json") && media != "application/x-www-form-urlencoded" {
		return wanted, nil
	}
	r.request.api = routes.Of(wanted) // for errors about the body's encoding
	if err := r.readBody(int64(r.exchange.instance.config.MaxRequestBodySize)); err != nil {
		return "", err
	}
	r.request.in.Body, r.request.in.ContentLength = bytes.NewReader(r.request.body), int64(len(r.request.body))
	members, err := jsonedit.Object(r.request.body, nil)
	if err != nil {
		return wanted, nil // the API reads it itself, or says what is wrong with it
	}
	if meant := table.ByMember(members); meant != "" {
		return meant, nil
	}
	return wanted, nil
}

// takeBody reads the body in the way that the API wants it.
func (r *reading) takeBody() error {
	most := int64(r.exchange.instance.config.MaxRequestBodySize)
	media := r.request.mediaType()
	switch {
	case r.request.api.Body == provider.TakeRaw:
		if err := r.readBody(most); err != nil {
			return err
		}
		var err error
		if r.request.members, err = jsonedit.Object(r.request.body, r.exchange.buffers.BorrowMembers()); err != nil {
			r.request.members = nil // not an object: forwarded unchanged
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
		r.request.unread, err = body.Within(body.Passing{From: r.request.in.Body}, r.passLimit(false), r.request.in.ContentLength)
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

// readBody reads and inflates the whole body, of at most most bytes (0: no limit).
func (r *reading) readBody(most int64) (err error) {
	if r.request.in.Body != nil {
		r.request.body, err = body.ReadAll(&r.exchange.buffers, r.request.in, r.request.api.Body == provider.TakeRaw, most)
	}
	return err
}

// parseJSON finds the members of the JSON body. A form is first rewritten as JSON.
func (r *reading) parseJSON(media string) error {
	switch {
	case media == "", strings.Contains(media, "json"):
	case media == "application/octet-stream" && r.exchange.instance.native() != nil: // AWS's SDKs call InvokeModel's body that
	case media == "application/x-www-form-urlencoded":
		if bytes.HasPrefix(bytes.TrimSpace(r.request.body), []byte("{")) {
			break // curl -d sends this type with every body
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
	look := jsonedit.Object
	if allTranslate(r.exchange.instance, r.request.api, r.request.route) {
		look = r.exchange.internal.parse
	}
	var err error
	// Not nil even for {}: every body is checked.
	if r.request.members, err = look(r.request.body, r.exchange.buffers.BorrowMembers()); err != nil {
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

// wantStream decides from what the client asked for and what the configuration
// allows; it refuses a stream where streaming is denied.
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

// takeForm takes a multipart form, which is forwarded as it arrives, and looks for
// the model in its first fields. The form is held in memory where a target needs
// it translated, or where it is within max_request_body_size and may have to be
// sent to another target.
func (r *reading) takeForm(most int64) error {
	if r.request.in.Body == nil {
		return refuse(http.StatusBadRequest, "the request has no body: send multipart/form-data")
	}
	src, size, zipped, err := body.Plain(r.request.in, false)
	if err != nil {
		return err
	}
	if src, err = body.Within(src, r.passLimit(zipped), r.request.in.ContentLength); err != nil {
		return err
	}
	r.request.in.Body, r.request.in.ContentLength = src, size
	translated, passed := formTargets(r.exchange.instance, r.request.api, r.request.route)
	switch {
	case translated && !passed:
		return r.takeFormAsJSON(most)
	case translated, size >= 0 && size <= most && r.exchange.instance.repeats(r.request.route):
		return r.takeFormWhole(most)
	}
	if r.request.form, err = form.New(body.Passing{From: src}, wire.First(r.request.in.Header, "Content-Type")); err != nil {
		return err
	}
	fields, err := r.request.form.Peek()
	if err != nil {
		return err
	}
	return r.meetFields(fields)
}

// takeFormWhole holds in memory a form that may have to be sent to more than one
// target.
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

// meetFields reads the model and the stream flag from a form's fields.
func (r *reading) meetFields(fields map[string]string) error {
	r.request.model, r.request.named = fields["model"]
	return r.wantStream(strings.EqualFold(fields["stream"], "true"))
}

// hold keeps the body in memory, to be sent to each target that is tried. Its
// buffer is not given back: net/http may still read a streamed body after the
// answer has begun.
func (r *reading) hold() {
	r.request.held, r.request.body = r.request.body, nil
	r.exchange.buffers.Forget()
}

// takeFormAsJSON reads a form as the JSON of the same request.
func (r *reading) takeFormAsJSON(most int64) error {
	src, err := body.Within(r.request.in.Body, most, r.request.in.ContentLength)
	if err != nil {
		return err
	}
	if r.request.body, err = form.AsJSON(src, wire.First(r.request.in.Header, "Content-Type")); err != nil {
		return err
	}
	return r.parseJSON("application/json")
}

// takeSocket reads what a realtime request says before the connection is made.
func (r *reading) takeSocket() error {
	h := r.request.in.Header
	if r.request.in.Method != http.MethodGet {
		e := routes.NotAllowed(r.request.in.Method, string(r.request.route), http.MethodGet)
		e.Allow = http.MethodGet // HEAD opens no connection
		return e
	}
	if r.request.in.Upgrade == nil || !strings.EqualFold(h.Get("Upgrade"), "websocket") ||
		h.Get("Sec-Websocket-Version") != "13" || h.Get("Sec-Websocket-Key") == "" {
		return refuse(http.StatusUpgradeRequired, "this route is for WebSockets: send GET with Upgrade: websocket and Sec-WebSocket-Version: 13")
	}
	r.request.model, _ = r.request.Query("model")
	r.exchange.record.Update(func(d *record.Data) { d.Mode = record.Realtime })
	return nil
}

// passLimit is the limit, in bytes, of a body that is forwarded and not held; 0 is
// no limit. The default of max_request_body_size concerns bodies that must be
// held, so uploads pass it, as in Kong. A configured limit applies to all bodies,
// and a compressed body is always held to the limit.
func (r *reading) passLimit(inflates bool) int64 {
	if most := int64(r.exchange.instance.config.MaxRequestBodySize); most != defaultLimit || inflates {
		return most
	}
	return 0
}

// checkNames refuses members that a provider might take for others. Some decoders
// ignore the case of names: to them "MODEL" would be the model, although we saw
// none.
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
		return badField("stream", "stream must be true or false") // some providers take "true" for true
	}
	return nil
}

// defaultLimit is the default of max_request_body_size, in bytes.
const defaultLimit = 1 << 20

// formTargets says whether forms of a route type are translated for some of its
// targets, and whether they are forwarded to some.
func formTargets(inst *Instance, s *provider.API, wanted route.Type) (translated, passed bool) {
	for _, i := range inst.index.Of(wanted) {
		op := inst.targets[i].Provider.Find(s.Format, wanted)
		same := op != nil && op.Format == s.Format
		translated, passed = translated || !same, passed || same
	}
	return translated, passed
}

// allTranslate says whether each target of a route type gets what a client sends to an API
// by way of the internal form.
func allTranslate(inst *Instance, s *provider.API, wanted route.Type) bool {
	for _, i := range inst.index.Of(wanted) {
		if op := inst.targets[i].Provider.Find(s.Format, wanted); op == nil || op.Chat == nil || op.Format == s.Format {
			return false
		}
	}
	return s.Dialect != nil
}

// takesGzip says whether an Accept-Encoding accepts gzip.
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

// badField refuses a member of the body.
func badField(field, message string) *chat.Error {
	e := refuse(http.StatusBadRequest, message)
	e.Param = field
	return e
}
