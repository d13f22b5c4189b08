package plugin

import (
	"fmt"
	"net/http"
	"net/url"

	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// relation is how the bodies of client and provider relate. It is decided once for an
// attempt, by relate.
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

// relate finds the provider's operation, and decides how its bodies relate to the
// client's.
func relate(a *attempt) error {
	if a.request.api.Body == provider.TakeRaw {
		a.how, a.op = untouched, &provider.Operation{}
		return nil
	}
	if a.request.api.Count != nil {
		return relateCounter(a)
	}
	if a.instance.native() != nil {
		a.op = a.provider.Find(a.request.api.Format, route.Chat)
	} else {
		a.op = routes.Operation(a.provider, a.request.route)
	}
	switch {
	case a.op == nil:
		return noTransformer(a)
	case a.op.Format == a.request.api.Format:
		a.how = same
		if a.op.Rephrase != nil && a.request.creates() && a.op.Rephrase(a.target, a.request.members) {
			a.how = viaChat
		}
	case a.op.Chat != nil && a.request.api.Dialect != nil && a.request.creates():
		a.how = viaChat
	case a.op.Body != nil:
		a.how = viaBody
	case a.op.Resource != nil:
		a.how = viaResource
	default:
		return noTransformer(a)
	}
	if err := useInstead(a); err != nil {
		return err
	}
	if a.request.stream && a.op.NoStream {
		return refuse(http.StatusBadRequest, a.name()+" cannot stream: send the request without stream")
	}
	return nil
}

// useInstead takes the provider's other operation if the target's model needs it for
// the request, and if it is known where it is.
func useInstead(a *attempt) error {
	instead := a.op.Instead
	if instead == nil || a.how != same && a.how != viaChat {
		return nil
	}
	if a.how == same && !instead.Body(a.target, a.request.members) {
		return nil
	}
	if a.how == viaChat || !instead.Leaves {
		parsed, err := a.internal.of(a.request)
		if err != nil || a.how == viaChat && !instead.Request(a.target, parsed) {
			return nil // translate says what is wrong
		}
		r := *parsed
		if left, err := instead.Operation.Offer(a.target, &r); a.how == same && (left != nil || err != nil) {
			return nil // the client's tools are of the older API
		}
	}
	path, placed, err := besidePath(a, instead.Operation)
	if placed && err == nil {
		a.how, a.op, a.asked = viaChat, instead.Operation, &provider.Call{Method: http.MethodPost, Path: path}
	}
	return err
}

// noTransformer is the error, in Kong's words, for a target that cannot do what
// the route offers.
func noTransformer(a *attempt) error {
	format := a.target.Options.Llama2Format + a.target.Options.MistralFormat
	switch {
	case a.instance.native() != nil:
		return refuse(http.StatusBadRequest, fmt.Sprintf("no transformer for %s: %s cannot be translated, and the provider does not speak it", a.name(), a.request.api.Format))
	case a.request.api.Through != "" && a.op != nil:
		return refuse(http.StatusBadRequest, "no transformer for "+a.name()+": responses of this provider are made of its chat, and none is stored that could be asked for by its id")
	case format != "":
		return refuse(http.StatusBadRequest, "no transformer available to format "+a.name()+"/"+format)
	}
	return refuse(http.StatusBadRequest, "no transformer for "+a.name())
}

// relateCounter decides how the tokens of a prompt are counted: by the provider's
// own counter, or by an estimate where it has none. The counter is not asked either
// where the configured URL does not show where it is: what is there may answer the
// prompt, which costs.
func relateCounter(a *attempt) error {
	format := a.request.api.Format
	counter := a.provider.Counter
	if own := a.provider.Native[format]; own != nil {
		counter = own
	}
	a.how, a.op = estimated, a.provider.Operations[route.Chat]
	if a.op == nil {
		return noTransformer(a)
	}
	if counter == nil {
		return nil
	}
	path, placed, err := besidePath(a, counter)
	switch {
	case err != nil:
		return err
	case !placed:
	case counter.Format == format:
		a.how, a.op = same, counter
		if a.instance.native() == nil {
			a.asked = &provider.Call{Method: http.MethodPost, Path: path}
		}
	case counter.Counter != nil && (!counter.Counter.AtHome || atHome(a)):
		a.how, a.op, a.asked = viaCounter, counter, &provider.Call{Method: http.MethodPost, Path: path}
	}
	return nil
}

// atHome says whether the target is at the provider's own host.
func atHome(a *attempt) bool {
	configured := a.target.Options.UpstreamURL
	if configured == "" || a.provider.Base == nil {
		return configured == ""
	}
	base, err := a.provider.Base(a.target)
	if err != nil {
		return false
	}
	own, err := url.Parse(base)
	if err != nil {
		return false
	}
	u, err := a.endpoint.ParseBase(configured)
	return err == nil && u.Host == own.Host
}
