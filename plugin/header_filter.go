package plugin

import (
	"bytes"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

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
	for _, secret := range a.endpoint.source.AppendSecrets(nil, a.out.Header) {
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
	secrets := a.endpoint.source.AppendSecrets(few[:0], a.out.Header)
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
		h[headerModel] = a.endpoint.modelAsHeader(model)
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
