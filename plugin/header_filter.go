package plugin

import (
	"bytes"
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

// redactKeys removes the target's credentials from a provider's text: some
// providers quote the key that they refuse. It returns text itself when it
// contains none.
func redactKeys(a *attempt, text []byte) []byte {
	for _, secret := range a.endpoint.Source.AppendSecrets(nil, a.out.Header) {
		if bytes.Contains(text, []byte(secret)) {
			text = bytes.ReplaceAll(text, []byte(secret), []byte("REDACTED"))
		}
	}
	return text
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

// clientHeaders returns the headers of a provider's answer that the client gets.
// It leaves out cookies, what concerned only the provider's connection and
// encoding, what a browser would apply to the gateway's own host, and headers that
// would instruct Kong's nginx (X-Accel-*) or look like ours. The others are
// deleted from the answer's own map, so read its length and encoding before.
func clientHeaders(a *attempt) http.Header {
	h := a.answer.Header
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			delete(h, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	var few [4]string
	secrets := a.endpoint.Source.AppendSecrets(few[:0], a.out.Header)
	for k, v := range h {
		if !isForClient(k) {
			delete(h, k)
		} else if clean := withoutSecrets(v, secrets); len(v) > 0 && &clean[0] != &v[0] {
			h[k] = clean
		}
	}
	if a.answer.Status == http.StatusOK {
		nameModel(a, h)
	}
	if left := strings.Join(a.left, ", "); left != "" && isName(left) {
		h[headerLeftOut] = []string{left}
	}
	return h
}

// nameModel tells the client which model answers, if the name can be put into a
// header.
func nameModel(a *attempt, h http.Header) {
	wanted := a.instance.config.ModelNameHeader || len(a.request.in.Header["Kong-Debug"]) > 0
	if model := a.target.Model; wanted && model != "" && isName(model) {
		h[headerModel] = a.endpoint.ModelHeader(model)
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
func checkStatus(a *attempt) error {
	status := a.answer.Status
	if status >= 200 && status < 300 || status >= 400 || status >= 300 && a.request.api.Resources != nil && a.request.in.Method == http.MethodGet {
		return nil
	}
	text := fmt.Sprintf("the provider answered %d, which is no answer", status)
	if status >= 300 {
		text = fmt.Sprintf("the provider answered with a redirect (%d), which is not followed: correct model.options.upstream_url", status)
	}
	return noAnswer("http_"+strconv.Itoa(status), text)
}
