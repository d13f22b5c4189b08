package plugin

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/failover"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// plan is how a request is put to one target: which of the provider's operations is used,
// and how the bodies relate. It is made before anything is sent, and not changed afterwards.
type plan struct {
	instance *Instance
	request  *request
	internal *internal // the request in the internal form
	endpoint *endpoint.Endpoint
	target   *target.Target     // the endpoint's, with the request's values in its templates
	provider *provider.Provider // in the variant that serves the target
	op       *provider.Operation
	how      relation
	beside   *provider.Call // method and path of op where the configured ones are another operation's; else nil
}

// relation is how the bodies of client and provider relate. It is decided once, by
// plan.relate.
type relation int

const (
	same        relation = iota // the target speaks the client's format
	viaChat                     // translated by way of the internal form
	viaBody                     // the operation has a translator of its own
	viaCounter                  // the provider counts the prompt of the translated chat
	viaResource                 // a REST operation that the provider does in another way
	estimated                   // nobody is asked: the prompt's tokens are estimated
	untouched                   // preserve: the body is not looked at, not even for its model
)

// translates says whether what the provider answers, errors too, is in another format
// than the client's.
func (r relation) translates() bool { return r >= viaChat && r <= viaResource }

// resolve finds the target's model, options and provider for the request.
func (p *plan) resolve() (err error) {
	if p.target, err = p.endpoint.Resolve(p.request, p.request.model); err != nil {
		return err
	}
	p.provider = p.endpoint.Provider
	if p.provider.Asked != nil && !p.foreign() {
		p.target = p.provider.Asked(p.target, p.request.in.RawQuery)
	}
	if p.provider.Variant != nil {
		p.provider = p.provider.Variant(p.target)
	}
	return nil
}

// relate finds the provider's operation, and decides how its bodies relate to the
// client's.
func (p *plan) relate() error {
	if p.request.api.Body == provider.TakeRaw {
		p.how, p.op = untouched, &provider.Operation{}
		return nil
	}
	if p.request.api.Count != nil {
		return p.relateCounter()
	}
	if p.instance.native() != nil {
		p.op = p.provider.Find(p.request.api.Format, route.Chat)
	} else {
		p.op = routes.Operation(p.provider, p.request.route)
	}
	switch {
	case p.op == nil:
		return p.noTransformer()
	case p.op.Format == p.request.api.Format:
		p.how = same
		if p.op.Rephrase != nil && p.request.creates() && p.op.Rephrase(p.target, p.request.members) {
			p.how = viaChat
		}
	case p.op.Chat != nil && p.request.api.Dialect != nil && p.request.creates():
		p.how = viaChat
	case p.op.Body != nil:
		p.how = viaBody
	case p.op.Resource != nil:
		p.how = viaResource
	default:
		return p.noTransformer()
	}
	if err := p.useInstead(); err != nil {
		return err
	}
	if p.request.stream && p.op.NoStream {
		return refuse(http.StatusBadRequest, p.name()+" cannot stream: send the request without stream")
	}
	return nil
}

// useInstead takes the provider's other operation if the target's model needs it for
// the request, and if it is known where it is.
func (p *plan) useInstead() error {
	instead := p.op.Instead
	if instead == nil || p.how != same && p.how != viaChat {
		return nil
	}
	if p.how == same && !instead.Body(p.target, p.request.members) {
		return nil
	}
	if p.how == viaChat || !instead.Leaves {
		parsed, err := p.internal.of(p.request)
		if err != nil || p.how == viaChat && !instead.Request(p.target, parsed) {
			return nil // translate says what is wrong
		}
		r := *parsed
		if left, err := instead.Operation.Offer(p.target, &r); p.how == same && (left != nil || err != nil) {
			return nil // the client's tools are of the older API
		}
	}
	path, placed, err := p.besidePath(instead.Operation)
	if placed && err == nil {
		p.how, p.op, p.beside = viaChat, instead.Operation, &provider.Call{Method: http.MethodPost, Path: path}
	}
	return err
}

// noTransformer is the error, in Kong's words, for a target that cannot do what
// the route offers.
func (p *plan) noTransformer() error {
	format := p.target.Options.Llama2Format + p.target.Options.MistralFormat
	switch {
	case p.instance.native() != nil:
		return refuse(http.StatusBadRequest, fmt.Sprintf("no transformer for %s: %s cannot be translated, and the provider does not speak it", p.name(), p.request.api.Format))
	case p.request.api.Through != "" && p.op != nil:
		return refuse(http.StatusBadRequest, "no transformer for "+p.name()+": responses of this provider are made of its chat, and none is stored that could be asked for by its id")
	case format != "":
		return refuse(http.StatusBadRequest, "no transformer available to format "+p.name()+"/"+format)
	}
	return refuse(http.StatusBadRequest, "no transformer for "+p.name())
}

// relateCounter decides how the tokens of a prompt are counted: by the provider's
// own counter, or by an estimate where it has none. The counter is not asked either
// where the configured URL does not show where it is: what is there may answer the
// prompt, which costs.
func (p *plan) relateCounter() error {
	format := p.request.api.Format
	counter := p.provider.Counter
	if own := p.provider.Native[format]; own != nil {
		counter = own
	}
	p.how, p.op = estimated, p.provider.Operations[route.Chat]
	if p.op == nil {
		return p.noTransformer()
	}
	if counter == nil {
		return nil
	}
	path, placed, err := p.besidePath(counter)
	switch {
	case err != nil:
		return err
	case !placed:
	case counter.Format == format:
		p.how, p.op = same, counter
		if p.instance.native() == nil {
			p.beside = &provider.Call{Method: http.MethodPost, Path: path}
		}
	case counter.Counter != nil && (!counter.Counter.AtHome || p.atHome()):
		p.how, p.op, p.beside = viaCounter, counter, &provider.Call{Method: http.MethodPost, Path: path}
	}
	return nil
}

// atHome says whether the target is at the provider's own host.
func (p *plan) atHome() bool {
	configured := p.target.Options.UpstreamURL
	if configured == "" || p.provider.Base == nil {
		return configured == ""
	}
	base, err := p.provider.Base(p.target)
	if err != nil {
		return false
	}
	own, err := url.Parse(base)
	if err != nil {
		return false
	}
	u, err := p.endpoint.ParseBase(configured)
	return err == nil && u.Host == own.Host
}

// unspecified is the request_model of a form that names none, as Kong logs it.
const unspecified = "UNSPECIFIED"

// modelLogged is the model's name in the record.
func (p *plan) modelLogged() string {
	if p.target.Model == "" && (p.request.form != nil || p.request.held != nil) {
		return unspecified
	}
	return cmp.Or(p.target.Model, p.endpoint.Model.Name)
}

// name is the target's name in Kong's messages.
func (p *plan) name() string { return p.endpoint.Model.Provider + "://" + string(p.request.route) }

// checkModel refuses a model other than the configured one.
func (p *plan) checkModel() error {
	name := p.target.Model
	switch {
	case p.request.api.Body == provider.TakeRaw, name == "" && (p.request.api.Model == provider.ModelTaken || p.request.form != nil || !p.request.creates()):
		return nil
	case name == "" && p.request.api.Model == provider.ModelInQuery && !p.request.modelInQuery():
		return nil
	case name == "" && p.request.api.Model == provider.ModelIgnored:
		return nil
	case name == "":
		return refuse(http.StatusBadRequest, textNoModel)
	}
	return p.ownModel(p.request.model)
}

// ownModel refuses a model that is not the target's.
func (p *plan) ownModel(model string) error {
	name := p.target.Model
	if model == "" || name == "" || model == name || p.endpoint.HasAlias(model) {
		return nil
	}
	return refuse(http.StatusBadRequest, "cannot use own model - must be: "+name)
}

// unready is the error of an attempt that failed before anything was sent. In
// OpenAI's format the field is the error's param; other formats can name it in the
// message only.
func (p *plan) unready(why error) error {
	told := refuse(http.StatusInternalServerError, textBeforeProxy)
	if option, ok := errors.AsType[*target.OptionError](why); ok {
		told.Param = p.instance.pathOf(p.endpoint) + "." + option.Field
		why = fmt.Errorf("%s: %s", told.Param, option.Message)
		if p.instance.native() != nil {
			told.Message += ": " + why.Error()
		}
	}
	return &attemptError{failure: failover.Failure{Criterion: "error"}, cause: &unready{told, why}}
}

// needsModel says whether the body must name a model. Of the assistants APIs, only
// creating an assistant needs it; threads and runs may name one.
func (p *plan) needsModel() bool {
	return p.request.creates() && (p.request.api.Model == provider.ModelNeeded || p.request.family == "assistants")
}

// foreign says that the client speaks a provider's own format and the target is of
// another provider. What is meant for the former is not sent to the latter.
func (p *plan) foreign() bool {
	return p.instance.native() != nil && p.instance.config.LLMFormat != p.endpoint.Model.Provider
}

// besidePath is the path of another operation of the provider's than the one that is
// configured, and says whether it is known. With a configured URL or path that is so if
// it has no path, or if its path ends as that of an operation beside op.
func (p *plan) besidePath(op *provider.Operation) (path string, placed bool, err error) {
	o := p.target.Options
	path, err = op.Path(p.target, p.request.stream)
	if err != nil || o.UpstreamURL == "" && o.UpstreamPath == "" {
		return path, err == nil, err
	}
	configured := ""
	switch {
	case o.UpstreamURL == "" || o.UpstreamPath != "" && p.provider.PathOverURL:
		if p.provider.Prefix != nil {
			configured = p.provider.Prefix(p.target)
		}
		configured += slashed(o.UpstreamPath)
	case o.UpstreamPath != "":
		return path, false, nil
	default:
		u, err := p.endpoint.ParseBase(o.UpstreamURL)
		if err != nil {
			return path, false, nil // setURL names the mistake when the target is used
		}
		if configured = u.EscapedPath(); configured == "" || configured == "/" {
			return path, true, nil
		}
	}
	for _, beside := range []*provider.Operation{op, p.op, p.provider.Find(p.request.api.Beside, route.Chat), p.provider.Operations[p.request.route]} {
		if beside == nil {
			continue
		}
		own, err := beside.Path(p.target, p.request.stream)
		if err != nil {
			continue
		}
		if there, ok := sibling(configured, own, path); ok {
			return there, true, nil
		}
	}
	return path, false, nil
}

// sibling is where wanted is if own is at path: a proxy may have both at another place
// than the API has them. ok is false if path is not that of own.
func sibling(path, own, wanted string) (there string, ok bool) {
	same := 0 // what own and wanted share: whole segments, and not all of own
	for i := 0; i < strings.LastIndexByte(own, '/') && i < len(wanted) && own[i] == wanted[i]; i++ {
		if own[i+1] == '/' && i+1 < len(wanted) && wanted[i+1] == '/' {
			same = i + 1
		}
	}
	prefix, ok := strings.CutSuffix(path, own[same:])
	return prefix + wanted[same:], ok
}

// framing is that of the events which are forwarded to the client unchanged, but for what
// is around them.
func (p *plan) framing() frame.Kind {
	if p.op.Unwrap != nil {
		return frame.EventStream
	}
	return p.request.api.Framing
}

// readable says whether an answer can be read and written in another shape than it came
// in: as a stream, whole, or in another framing.
func (p *plan) readable() bool {
	return p.how == viaChat || p.how == same && p.op.Chat != nil && p.request.api.Dialect != nil && p.request.creates()
}

// gathered says whether events are made a whole answer: nobody asked for a stream.
func (p *plan) gathered() bool {
	return !p.request.stream && p.readable()
}

// mayBeMislabelled says whether the client asked for a stream of text whose label may be
// wrong.
func (p *plan) mayBeMislabelled() bool {
	if !p.request.stream || !p.request.creates() {
		return false
	}
	api := p.request.api
	return p.how == viaChat || p.how == same && (api.Dialect != nil || api.Framing == frame.EventStream)
}

// tier is the configured tier of service: the completions API has none, wherever its
// requests go.
func (p *plan) tier() string {
	if p.request.route == route.Completions {
		return ""
	}
	return p.target.Options.ServiceTier
}

// wins says whether a configured value is sent where the client may have sent one.
func (p *plan) wins(sent bool) bool { return !sent || p.target.Options.Overrides() }

// meta holds the values that an answer needs and a provider may leave out. id is that of
// the answer: see reply.identify.
func (p *plan) meta(id string) chat.Meta {
	m := chat.Meta{ID: id, Created: p.request.start.Unix(), Model: p.target.Model, Named: p.request.model, IncludeUsage: p.request.usage}
	if p.internal.form != nil {
		m.Tools, m.Properties = p.internal.form.ClientTools(), p.internal.form.Properties()
	}
	if p.op != nil {
		m.Origin = p.op.Own(p.target)
	}
	if p.request.api.PromptFirst {
		m.PromptTokens = record.PromptTokens(p.request.api.Prose(p.request.members), p.request.stream)
	}
	return m
}
