package plugin

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/frame"
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
	for _, i := range inst.byRoute[wanted] {
		op := inst.targets[i].provider.Find(s.Format, wanted)
		same := op != nil && op.Format == s.Format
		translated, passed = translated || !same, passed || same
	}
	return translated, passed
}

// allTranslate says whether each target of a route type gets what a client sends to an API
// by way of the internal form.
func allTranslate(inst *Instance, s *provider.API, wanted route.Type) bool {
	for _, i := range inst.byRoute[wanted] {
		if op := inst.targets[i].provider.Find(s.Format, wanted); op == nil || op.Chat == nil || op.Format == s.Format {
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
	a.op = operationOf(a)
	switch {
	case a.op == nil:
		return noTransformer(a)
	case a.op.Format == a.request.api.Format:
		a.how = same
		if a.op.Rephrase != nil && a.request.creates() && a.op.Rephrase(a.request.members) {
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

// operationOf returns the provider's operation for what the client wants.
func operationOf(a *attempt) *provider.Operation {
	if a.instance.native() != nil {
		return a.provider.Find(a.request.api.Format, route.Chat)
	}
	return routes.Operation(a.provider, a.request.route)
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
	u, err := a.endpoint.parseBase(configured)
	return err == nil && u.Host == own.Host
}

// content is what an answer is.
type content int

const (
	aWhole    content = iota // one JSON value, or what is taken for one
	aStream                  // events, as the client wants them
	aReframed                // events, in another framing than the client's
	aObject                  // one JSON object, although the client wants events
	aPage                    // an HTML page from a server in front of the API
	aFile                    // anything else: audio, images, files
	contents
)

// delivery is how an answer reaches the client.
type delivery int

const (
	plainWhole    delivery = iota // as one body, unchanged
	chatWhole                     // as one body, translated by way of the internal form
	bodyWhole                     // as one body, by the operation's own translator
	countWhole                    // the number of tokens
	resourceWhole                 // what the provider's resources make of it
	byEvent                       // event by event, unchanged
	byChatEvent                   // event by event, by way of the internal form
	wholeAsEvents                 // a whole one, as the stream that the client asked for
	byByte                        // as it arrives
	refused                       // it is no answer
)

// deliveries are the ways of an answer, by the relation of the bodies and by what the
// answer is. An estimate has no answer; passThrough delivers what is untouched.
var deliveries = [...][contents]delivery{
	same:        {aWhole: plainWhole, aStream: byEvent, aReframed: byChatEvent, aObject: wholeAsEvents, aPage: refused, aFile: byByte},
	viaChat:     {aWhole: chatWhole, aStream: byChatEvent, aReframed: byChatEvent, aObject: wholeAsEvents, aPage: chatWhole, aFile: chatWhole},
	viaBody:     {bodyWhole, bodyWhole, bodyWhole, bodyWhole, bodyWhole, bodyWhole},
	viaCounter:  {countWhole, countWhole, countWhole, countWhole, countWhole, countWhole},
	viaResource: {resourceWhole, resourceWhole, resourceWhole, resourceWhole, resourceWhole, resourceWhole},
}

// contentOf says what the answer is, by its label, and, where the client waits for a stream
// of text, by how it begins: labels may be wrong. It returns how events are framed, and
// the body to read.
func contentOf(a *attempt, body io.Reader) (content, frame.Kind, io.Reader) {
	if a.op.Parts != "" {
		body = joinParts(a, body)
	}
	is, kind := labelled(a)
	if !mayBeMislabelled(a) {
		return is, kind, body
	}
	start, form := frame.Peek(body)
	if form == frame.Object && readable(a) && (is != aStream || kind != frame.Lines) {
		return aObject, kind, start
	}
	framed, several := form.Framing()
	switch {
	case !several:
		return is, kind, start
	case a.how == viaChat:
		return aStream, framed, start
	case framed == framing(a):
		if label, known := frame.KindOf(wire.First(a.answer.Header, "Content-Type"), frame.Array); !known || label != framed {
			a.answer.Header["Content-Type"] = []string{cmp.Or(a.request.api.Media, "text/event-stream")}
		}
		return aStream, framed, start
	case readable(a):
		return aReframed, framed, start
	}
	return is, kind, start
}

// framing is that of the events which are forwarded to the client unchanged, but for what
// is around them.
func framing(a *attempt) frame.Kind {
	if a.op.Unwrap != nil {
		return frame.EventStream
	}
	return a.request.api.Framing
}

// readable says whether an answer can be read and written in another shape than it came
// in: as a stream, whole, or in another framing.
func readable(a *attempt) bool {
	return a.how == viaChat || a.how == same && a.op.Chat != nil && a.request.api.Dialect != nil && a.request.creates()
}

// gathered says whether events are made a whole answer: nobody asked for a stream.
func gathered(a *attempt) bool {
	return !a.request.stream && readable(a)
}

// joinParts returns the stream that the frames of an answer carry, and labels the
// answer as that.
func joinParts(a *attempt, body io.Reader) io.Reader {
	if kind, known := frame.KindOf(wire.First(a.answer.Header, "Content-Type"), frame.SSE); !known || kind != frame.EventStream {
		return body
	}
	a.answer.Header["Content-Type"] = []string{cmp.Or(wire.First(a.answer.Header, a.op.Parts), "text/event-stream")}
	delete(a.answer.Header, a.op.Parts)
	return frame.Parts(body)
}

// labelled says what the answer is by its label.
func labelled(a *attempt) (content, frame.Kind) {
	label := wire.First(a.answer.Header, "Content-Type")
	kind, known := frame.KindOf(label, frame.SSE)
	api, stream := a.request.api, a.request.stream
	file := strings.HasSuffix(a.request.sub, "/content")
	switch {
	case a.how == viaChat && stream && known:
		return aStream, kind
	case a.how != same:
		return aWhole, kind
	case known && kind == frame.SSE && (stream || label != "" && !gathered(a)):
		return aStream, kind
	case known && stream && (kind == api.Framing || a.op.Unwrap != nil && kind == frame.EventStream):
		return aStream, kind
	case known && stream && kind == frame.Lines && api.BareData && api.Dialect != nil:
		return aStream, kind
	case api.BareData: // whatever it is, checkWhole decides
		return aWhole, kind
	case strings.HasPrefix(label, "text/html") && !file:
		return aPage, kind
	case gathered(a): // whatever its label says
		return aWhole, kind
	case !known || kind == frame.Lines || file:
		return aFile, kind
	}
	return aWhole, kind
}

// mayBeMislabelled says whether the client asked for a stream of text whose label may be
// wrong.
func mayBeMislabelled(a *attempt) bool {
	if !a.request.stream || !a.request.creates() {
		return false
	}
	api := a.request.api
	return a.how == viaChat || a.how == same && (api.Dialect != nil || api.Framing == frame.EventStream)
}
