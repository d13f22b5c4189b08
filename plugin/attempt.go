package plugin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/form"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// attempt is one try at one target. It starts from the client's original
// request; nothing of a failed attempt reaches the next.
type attempt struct {
	exchange *exchange
	request  *request
	endpoint *endpoint
	target   *target.Target
	provider *provider.Provider // the variant that serves the target
	op       *provider.Operation
	how      translation
	asked    *provider.Call // viaResource: what the provider is asked
	hidden   bool           // a chunk of usage in the stream is not for the client, who did not ask
	// replaceable: another attempt may be made in place of this one.
	replaceable bool
	began       time.Time     // when the call began
	took        time.Duration // of a session: to connect
	seen        chat.Seen     // what the answer said so far
	billed      bool          // it is decided whether seen's usage counts
	pieces      [][]byte
	url         url.URL
	signed      credentials.Outgoing // what the credentials are put on
	out         Outgoing
	answer      *Answer

	edits [8]jsonedit.Edit // room for those of splice
	parts [12][]byte       // and for what they make
}

// translation is what happens to the bodies.
type translation int

const (
	same        translation = iota // the target speaks the client's format
	viaChat                        // through the internal form
	viaBody                        // an operation with a translator of its own
	viaResource                    // REST operations that are others at the provider
	untouched                      // preserve: not even the model is looked at
)

// prepare makes the request to t out of the client's.
func (x *exchange) prepare(ctx context.Context, t *endpoint) (*attempt, error) {
	a := &x.first
	if a.request != nil { // of an earlier attempt, whose answer may still be wanted
		a = new(attempt)
	}
	a.exchange, a.request, a.endpoint = x, &x.request, t
	x.seen = &a.seen
	resolved, err := t.Resolve(a.request, x.request.model)
	if err != nil {
		return nil, err
	}
	a.target = resolved
	x.record.Update(func(d *record.Data) {
		t.describe(d)
		d.Options = resolved.Options
		d.Model = a.modelLogged()
	})
	a.provider = t.provider
	if t.provider.Variant != nil {
		a.provider = t.provider.Variant(resolved)
	}
	if err := a.choose(); err != nil {
		return nil, err
	}
	if err := a.checkModel(); err != nil {
		return nil, err
	}
	if err := translate(a); err != nil {
		return nil, err
	}
	if err := address(a); err != nil {
		return nil, err
	}
	return a, authorize(ctx, a)
}

// unspecified is the request_model of a form that names none, as Kong logs it.
const unspecified = "UNSPECIFIED"

// modelLogged is the model that the record names.
func (a *attempt) modelLogged() string {
	if a.target.Model == "" && (a.request.form != nil || a.request.held != nil) {
		return unspecified
	}
	return cmp.Or(a.target.Model, a.endpoint.Model.Name)
}

// choose finds the operation, and how its bodies relate to the client's.
func (a *attempt) choose() error {
	if a.request.api.Body == provider.TakeRaw {
		a.how, a.op = untouched, &provider.Operation{}
		return nil
	}
	a.op = a.operation()
	switch {
	case a.op == nil:
		return a.noTransformer()
	case a.op.Format == a.request.api.Format:
		a.how = same
	case a.op.Chat != nil && a.request.api.Dialect != nil && a.request.creates():
		a.how = viaChat
	case a.op.Body != nil:
		a.how = viaBody
	case a.op.Resource != nil:
		a.how = viaResource
	default:
		return a.noTransformer()
	}
	if a.request.stream && a.op.NoStream {
		return refuse(http.StatusBadRequest, a.name()+" cannot stream: send the request without stream")
	}
	return nil
}

// operation is the provider's for what the client wants.
func (a *attempt) operation() *provider.Operation {
	if a.exchange.instance.native() != nil {
		return a.provider.Find(a.request.api.Format, route.Chat)
	}
	return routes.Operation(a.provider, a.request.route)
}

// noTransformer says, in Kong's words, that the target cannot do what the
// route offers.
func (a *attempt) noTransformer() error {
	format := a.target.Options.Llama2Format + a.target.Options.MistralFormat
	switch {
	case a.exchange.instance.native() != nil:
		return refuse(http.StatusBadRequest, fmt.Sprintf("no transformer for %s: %s cannot be translated, and the provider does not speak it", a.name(), a.request.api.Format))
	case a.request.api.Through != "" && a.op != nil:
		return refuse(http.StatusBadRequest, "no transformer for "+a.name()+": responses of this provider are made of its chat, and none is stored that could be asked for by its id")
	case format != "":
		return refuse(http.StatusBadRequest, "no transformer available to format "+a.name()+"/"+format)
	}
	return refuse(http.StatusBadRequest, "no transformer for "+a.name())
}

// name is the target as Kong's messages call it.
func (a *attempt) name() string { return a.endpoint.Model.Provider + "://" + string(a.request.route) }

// checkModel holds the client to the configured model.
func (a *attempt) checkModel() error {
	name := a.target.Model
	switch {
	case a.request.api.Body == provider.TakeRaw, name == "" && (a.request.api.Model == provider.ModelTaken || a.request.form != nil || !a.request.creates()):
		return nil
	case name == "" && a.request.api.Model == provider.ModelInQuery && !a.request.modelInQuery():
		return nil
	case name == "" && a.request.api.Model == provider.ModelIgnored:
		return nil
	case name == "":
		return refuse(http.StatusBadRequest, textNoModel)
	}
	return a.ownModel(a.request.model)
}

// ownModel refuses a client's model that is not the target's.
func (a *attempt) ownModel(model string) error {
	name, alias := a.target.Model, a.endpoint.Model.Alias
	if model == "" || name == "" || model == name || alias != "" && model == alias {
		return nil
	}
	return refuse(http.StatusBadRequest, "cannot use own model - must be: "+name)
}

// translate makes the body of the outgoing request.
func translate(a *attempt) error {
	var err error
	switch a.how {
	case untouched:
		a.pieces = [][]byte{a.request.body}
		return nil
	case same:
		if a.request.members == nil {
			return passBody(a)
		}
		if a.exchange.instance.native() != nil {
			err = spliceNative(a)
		} else {
			err = spliceBody(a)
		}
	case viaChat:
		err = translateChat(a)
	case viaBody:
		err = translateBody(a)
	case viaResource:
		err = translateResource(a)
	}
	if err != nil {
		return transformError(a, err)
	}
	if a.endpoint.Logging.Payloads {
		payload := jsonedit.Join(nil, a.pieces)
		a.exchange.record.Update(func(d *record.Data) { d.Request = payload })
	}
	return nil
}

// transformError gives a translator's refusal Kong's words where the message
// does not name a field itself.
func transformError(a *attempt, err error) error {
	var re *chat.RequestError
	if errors.As(err, &re) {
		e := refuse(http.StatusBadRequest, fmt.Sprintf("error transforming to %s: %s", a.name(), re.Error()))
		e.Param = re.Field
		return e
	}
	return err
}

// pass lets a body through that is not JSON, or none.
func passBody(a *attempt) error {
	a.out.Length = a.request.in.ContentLength
	f := a.request.form
	switch {
	case a.request.held != nil:
		var err error
		if f, err = form.New(bytes.NewReader(a.request.held), a.request.in.Header.Get("Content-Type")); err != nil {
			return err
		}
		a.out.Length = int64(len(a.request.held))
	case a.request.unread != nil:
		a.out.Stream = a.request.unread
		return nil
	case f == nil:
		return nil
	}
	a.out.Stream = f
	if a.request.creates() {
		f.Required = a.request.api.Form
	}
	f.Check = func(name, value string) error {
		if name == "model" {
			return a.ownModel(value)
		}
		return checkStreamField(a, value)
	}
	if a.request.model != a.target.Model && a.target.Model != "" && a.request.api.Model != provider.ModelTaken {
		f.Replace = a.target.Model
		switch {
		case a.out.Length < 0:
		case a.request.named:
			a.out.Length += int64(len(a.target.Model) - len(a.request.model))
		default:
			a.out.Length = -1
		}
	}
	return nil
}

// asJSON is the client's body for a target that takes no forms.
func clientJSON(a *attempt) ([]byte, error) {
	if a.request.held == nil {
		return a.request.body, nil
	}
	return form.AsJSON(bytes.NewReader(a.request.held), a.request.in.Header.Get("Content-Type"))
}

// streamField refuses a form's stream, found late, where none may be.
func checkStreamField(a *attempt, value string) error {
	if strings.EqualFold(value, "true") && a.request.api.Streams && a.exchange.instance.config.ResponseStreaming == "deny" {
		return refuse(http.StatusBadRequest, textNoStreaming)
	}
	return nil
}

// splice edits the few members that differ and leaves all other bytes alone.
func spliceBody(a *attempt) error {
	edits := a.edits[:0]
	if a.target.Model != "" && (a.needsModel() || a.request.model != "") {
		edits = append(edits, jsonedit.Edit{Key: "model", Value: a.endpoint.modelAsJSON(a.target.Model)})
	}
	if a.request.api.Tuned && a.request.sub == "" {
		edits = tuneBody(a, edits)
	}
	if a.request.route == route.Embeddings && a.target.Options.EmbeddingsDimensions != nil {
		edits = append(edits, jsonedit.Edit{Key: "dimensions", Value: number(*a.target.Options.EmbeddingsDimensions)})
	}
	if a.request.api.Streams && a.request.sub == "" {
		edits = streamEdits(a, edits)
	}
	extra := jsonedit.Find(a.request.members, "extra_body")
	if extra != nil {
		edits = append(edits, jsonedit.Edit{Key: "extra_body"})
	}
	body, members := a.request.body, a.request.members
	if a.op.Edit.Request != nil {
		var err error
		body = a.op.Edit.Request(nil, body)
		if members, err = jsonedit.Object(body, nil); err != nil {
			return err
		}
	}
	a.pieces = a.op.Edit.Apply(a.parts[:0], a.target, body, members, edits)
	return mergeExtraBody(a, extra)
}

// spliceNative puts the target's model and options in a body of the same format,
// and what else the provider wants otherwise than the client. All other bytes
// stay.
func spliceNative(a *attempt) error {
	edits := a.edits[:0]
	named := a.request.api.Model == provider.ModelNeeded || a.request.api.Model == provider.ModelTaken && a.request.model != ""
	if named && a.target.Model != "" {
		edits = append(edits, jsonedit.Edit{Key: a.request.api.ModelMember(), Value: a.endpoint.modelAsJSON(a.target.Model)})
	}
	if a.request.stream && !a.request.api.StreamsByPath() {
		edits = append(edits, jsonedit.Edit{Key: "stream", Value: []byte("true")})
	}
	for header, member := range a.op.Edit.Headers {
		if value := member.List(a.request.in.Header[header]); value != nil {
			edits = append(edits, jsonedit.Edit{Key: member.Name, Value: value})
		}
	}
	body, members := a.request.body, a.request.members
	if a.request.api.Remodel != nil && a.request.model != a.target.Model {
		body = a.request.api.Remodel(body, a.target.Model)
	}
	if a.op.Edit.Request != nil {
		body = a.op.Edit.Request(nil, body)
	}
	if len(body) != len(a.request.body) || len(body) > 0 && &body[0] != &a.request.body[0] {
		var err error
		if members, err = jsonedit.Object(body, nil); err != nil {
			return err
		}
	}
	if a.op.Tune != nil {
		edits = append(edits, a.op.Tune(a.target, members)...)
	}
	a.pieces = a.op.Edit.Apply(a.parts[:0], a.target, body, members, edits)
	return nil
}

// tune lets the target's tuning options win over the client's.
func tuneBody(a *attempt, edits []jsonedit.Edit) []jsonedit.Edit {
	o := a.target.Options
	if o.MaxTokens != nil {
		if jsonedit.Find(a.request.members, "max_completion_tokens") != nil {
			edits = append(edits, jsonedit.Edit{Key: "max_completion_tokens"})
		}
		edits = append(edits, jsonedit.Edit{Key: cmp.Or(a.request.api.Limit, "max_tokens"), Value: number(*o.MaxTokens)})
	}
	if o.Temperature != nil {
		edits = append(edits, jsonedit.Edit{Key: "temperature", Value: float(*o.Temperature)})
	}
	if o.TopP != nil {
		edits = append(edits, jsonedit.Edit{Key: "top_p", Value: float(*o.TopP)})
	}
	if o.TopK != nil && a.request.api.Limit == "" { // Responses have no top_k
		edits = append(edits, jsonedit.Edit{Key: "top_k", Value: number(*o.TopK)})
	}
	return edits
}

// streamEdits makes `stream` explicit and asks for usage in the stream.
func streamEdits(a *attempt, edits []jsonedit.Edit) []jsonedit.Edit {
	if !a.request.api.BareData { // Responses: usage comes by itself
		if a.request.stream {
			edits = append(edits, jsonedit.Edit{Key: "stream", Value: []byte("true")})
		}
		return edits
	}
	edits = append(edits, jsonedit.Edit{Key: "stream", Value: boolean(a.request.stream)})
	a.hidden = a.request.stream && !a.request.usage
	options := jsonedit.Find(a.request.members, "stream_options")
	switch {
	case a.op.Edit.NoStreamOptions, !a.request.stream:
		if options != nil {
			edits = append(edits, jsonedit.Edit{Key: "stream_options"})
		}
	case !a.request.usage:
		value := []byte(`{"include_usage":true}`)
		if len(options) > 0 && options[0] == '{' {
			if merged, err := jsonedit.Merge(nil, options, value); err == nil {
				value = merged
			}
		}
		edits = append(edits, jsonedit.Edit{Key: "stream_options", Value: value})
	}
	return edits
}

// translateChat takes the request through the internal form.
func translateChat(a *attempt) error {
	parsed, err := a.request.internal()
	if err != nil {
		return err
	}
	r := *parsed // shallow: the original serves the next attempt, too
	r.Model = a.target.Model
	r.Stream = a.request.stream
	o := a.target.Options
	if o.MaxTokens != nil {
		r.MaxTokens = chat.Number(number(*o.MaxTokens))
	}
	if o.Temperature != nil {
		r.Temperature = chat.Number(float(*o.Temperature))
	}
	if o.TopP != nil {
		r.TopP = chat.Number(float(*o.TopP))
	}
	if o.TopK != nil {
		r.TopK = chat.Number(number(*o.TopK))
	}
	if len(r.Extra) > 0 {
		r.Extra = unpinnedExtra(a, r.Extra)
	}
	body, err := a.op.Chat.AppendRequest(a.exchange.buffers.borrow(len(a.request.body) + 1024)[:0], a.target, &r)
	if err != nil {
		return err
	}
	a.pieces = [][]byte{body}
	return mergeExtraBody(a, []byte(r.ExtraBody))
}

func boolean(b bool) []byte {
	if b {
		return []byte("true")
	}
	return []byte("false")
}

func number(n int) []byte    { return strconv.AppendInt(nil, int64(n), 10) }
func float(f float64) []byte { return strconv.AppendFloat(nil, f, 'g', -1, 64) }

// call sends the request; an answer of any status is no error.
func (a *attempt) call(ctx context.Context) error {
	tried := a.tried()
	a.began = time.Now()
	answer, err := a.exchange.relay.upstream.Do(ctx, &a.out)
	if err != nil {
		tried.Outcome = outcomeOf(err)
	} else {
		a.answer = answer
		tried.Status, tried.Outcome, tried.IP = answer.Status, "ok", hostOf(answer.Peer)
		if answer.Status >= 400 {
			tried.Outcome = "http_" + strconv.Itoa(answer.Status)
		}
	}
	a.exchange.record.Update(func(d *record.Data) { d.Tried = append(d.Tried, tried) })
	return err
}

// tried is what the record says of the attempt before it is made.
func (a *attempt) tried() record.Tried {
	return record.Tried{
		Provider: a.endpoint.Model.Provider, Model: a.target.Model, Route: string(a.endpoint.RouteType),
		Scheme: a.out.URL.Scheme, Host: a.out.URL.Hostname(), Path: a.out.URL.EscapedPath(), Port: port(a.out.URL),
	}
}

// outcomeOf names a transport error as failover_criteria does.
func outcomeOf(err error) string {
	var t *wire.TransportError
	switch {
	case errors.As(err, &t) && t.Timeout:
		return "timeout"
	case t != nil && t.Phase == wire.Sent && strings.Contains(t.Error(), "malformed"): // as net/http and net/textproto put it
		return "invalid_header"
	}
	return "error"
}
