package plugin

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/frame"
)

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
func contentOf(p *plan, answer *wire.Answer, body io.Reader) (content, frame.Kind, io.Reader) {
	if p.op.Parts != "" {
		body = joinParts(answer.Header, p.op.Parts, body)
	}
	is, kind := labelled(p, wire.First(answer.Header, "Content-Type"))
	if !p.mayBeMislabelled() {
		return is, kind, body
	}
	start, form := frame.Peek(body)
	if form == frame.Object && p.readable() && (is != aStream || kind != frame.Lines) {
		return aObject, kind, start
	}
	framed, several := form.Framing()
	switch {
	case !several:
		return is, kind, start
	case p.how == viaChat:
		return aStream, framed, start
	case framed == p.framing():
		if label, known := frame.KindOf(wire.First(answer.Header, "Content-Type"), frame.Array); !known || label != framed {
			answer.Header["Content-Type"] = []string{cmp.Or(p.request.api.Media, "text/event-stream")}
		}
		return aStream, framed, start
	case p.readable():
		return aReframed, framed, start
	}
	return is, kind, start
}

// joinParts returns the stream that the frames of an answer with header h carry, and
// labels the answer as that. The header named label has the label.
func joinParts(h http.Header, label string, body io.Reader) io.Reader {
	if kind, known := frame.KindOf(wire.First(h, "Content-Type"), frame.SSE); !known || kind != frame.EventStream {
		return body
	}
	h["Content-Type"] = []string{cmp.Or(wire.First(h, label), "text/event-stream")}
	delete(h, label)
	return frame.Parts(body)
}

// labelled says what the answer is by its label, the Content-Type.
func labelled(p *plan, label string) (content, frame.Kind) {
	kind, known := frame.KindOf(label, frame.SSE)
	api, stream := p.request.api, p.request.stream
	file := strings.HasSuffix(p.request.sub, "/content")
	switch {
	case p.how == viaChat && stream && known:
		return aStream, kind
	case p.how != same:
		return aWhole, kind
	case known && kind == frame.SSE && (stream || label != "" && !p.gathered()):
		return aStream, kind
	case known && stream && (kind == api.Framing || p.op.Unwrap != nil && kind == frame.EventStream):
		return aStream, kind
	case known && stream && kind == frame.Lines && api.BareData && api.Dialect != nil:
		return aStream, kind
	case api.BareData: // whatever it is, checkWhole decides
		return aWhole, kind
	case strings.HasPrefix(label, "text/html") && !file:
		return aPage, kind
	case p.gathered(): // whatever its label says
		return aWhole, kind
	case !known || kind == frame.Lines || file:
		return aFile, kind
	}
	return aWhole, kind
}

const (
	headerModel = "X-Kong-Llm-Model" // Kong's header that names the model to clients
	// headerLeftOut names the client's hosted tools that the target does not have.
	headerLeftOut = "X-Kong-Llm-Tools-Left-Out"
	// ownPrefix begins our own headers between the relay and the shim. They never
	// reach a client or a provider.
	ownPrefix = "X-Go-Ai-Proxy-"
)

// isForClient says whether the client gets a header of a provider's answer.
func isForClient(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade": // of one connection only (RFC 9110 §7.6.1)
		return false
	case "Content-Length", "Content-Encoding", "Set-Cookie":
		return false
	case "Alt-Svc", "Strict-Transport-Security", "Clear-Site-Data":
		// What a host tells browsers about itself: where else it is served (RFC
		// 7838), that it requires TLS (RFC 6797), that its data be erased.
		return false
	}
	return !strings.HasPrefix(name, "X-") ||
		!strings.HasPrefix(name, "X-Accel-") && !strings.HasPrefix(name, ownPrefix) && !strings.HasPrefix(name, "X-Kong-")
}

// withoutSecrets returns a header's values with all secrets replaced.
func withoutSecrets(values, secrets []string) []string {
	own := false
	for i, v := range values {
		for _, secret := range secrets {
			if !strings.Contains(v, secret) {
				continue
			}
			if !own {
				values, own = slices.Clone(values), true
			}
			v = strings.ReplaceAll(v, secret, "REDACTED")
			values[i] = v
		}
	}
	return values
}

// clientHeaders returns the headers of the answer to out that the client gets.
// It leaves out cookies, what concerned only the provider's connection and
// encoding, what a browser would apply to the gateway's own host, and headers that
// would instruct Kong's nginx (X-Accel-*) or look like ours. The others are
// deleted from the answer's own map, so read its length before. Bytes that
// are forwarded as they came keep their encoding.
func clientHeaders(out *outgoing, answer *wire.Answer) http.Header {
	h := answer.Header
	encoding := h["Content-Encoding"]
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			delete(h, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	var few [4]string
	secrets := out.plan.endpoint.Source.AppendSecrets(few[:0], out.call.Header)
	for k, v := range h {
		if !isForClient(k) {
			delete(h, k)
		} else if clean := withoutSecrets(v, secrets); len(v) > 0 && &clean[0] != &v[0] {
			h[k] = clean
		}
	}
	if encoding != nil && out.plan.how == untouched {
		h["Content-Encoding"] = encoding
	}
	if answer.Status == http.StatusOK {
		nameModel(out.plan, h)
	}
	if left := strings.Join(out.left, ", "); left != "" && isName(left) {
		h[headerLeftOut] = []string{left}
	}
	return h
}

// nameModel tells the client which model answers, if the name can be put into a
// header.
func nameModel(p *plan, h http.Header) {
	wanted := p.instance.config.ModelNameHeader || len(p.request.in.Header["Kong-Debug"]) > 0
	if model := p.target.Model; wanted && model != "" && isName(model) {
		h[headerModel] = p.endpoint.ModelHeader(model)
	}
}

// asStream sets the headers of a stream, so that nginx forwards it event by event.
func asStream(h http.Header, contentType string) {
	h["Content-Type"] = []string{contentType}
	h["X-Accel-Buffering"] = []string{"no"}
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-cache"}
	}
}

// checkStatus refuses a status that is no answer to the request: a switch of
// protocols, and redirects. A client that followed a redirect would bypass the
// gateway and send its gateway credentials elsewhere. Where the client chooses the
// path, redirects are allowed: it fetches a file from where it is stored.
func checkStatus(q *request, status int) error {
	if status >= 200 && status < 300 || status >= 400 || status >= 300 && q.api.Resources != nil && q.in.Method == http.MethodGet {
		return nil
	}
	text := fmt.Sprintf("the provider answered %d, which is no answer", status)
	if status >= 300 {
		text = fmt.Sprintf("the provider answered with a redirect (%d), which is not followed: correct model.options.upstream_url", status)
	}
	return noAnswer("http_"+strconv.Itoa(status), text)
}
