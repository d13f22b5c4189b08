package plugin

import (
	"bytes"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

const (
	headerModel = "X-Kong-Llm-Model" // Kong's, for clients
	// ownPrefix is that of headers of our own between the relay and the shim. They
	// never reach a client or a provider.
	ownPrefix = "X-Go-Ai-Proxy-"
)

// isForClient says whether a header of a provider's answer is the client's to
// see.
func isForClient(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade": // of one connection (RFC 9110 §7.6.1)
		return false
	case "Content-Length", "Content-Encoding", "Set-Cookie":
		return false
	case "Alt-Svc", "Strict-Transport-Security", "Clear-Site-Data":
		// What a host says of itself to browsers: where else it is served (RFC 7838),
		// that it must be called by TLS (RFC 6797), that its data be erased.
		return false
	}
	return !strings.HasPrefix(name, "X-") ||
		!strings.HasPrefix(name, "X-Accel-") && !strings.HasPrefix(name, ownPrefix) && !strings.HasPrefix(name, "X-Kong-")
}

// redact takes the target's credentials out of what the provider says of them:
// some quote the key that they refuse. It returns text itself when there are none.
func redactKeys(a *attempt, text []byte) []byte {
	for _, secret := range a.endpoint.source.AppendSecrets(nil, a.out.Header) {
		if bytes.Contains(text, []byte(secret)) {
			text = bytes.ReplaceAll(text, []byte(secret), []byte("REDACTED"))
		}
	}
	return text
}

// withoutSecrets are a header's values, with what quotes a secret made unreadable.
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

// clientHeaders are those of a provider's answer that the client gets: without
// cookies, without what only concerned the provider's connection and encoding,
// without what a browser would take to be said of the gateway's own host, and
// without headers that would give orders to Kong's nginx (X-Accel-*) or look
// like ours. They are the answer's own, from which the others are taken: what is
// still to be learnt of it from its length or encoding must be known before.
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
	return h
}

// nameModel tells the client which model answers, if it has a name that can
// stand in a header.
func nameModel(a *attempt, h http.Header) {
	wanted := a.exchange.instance.config.ModelNameHeader || len(a.request.in.Header["Kong-Debug"]) > 0
	if model := a.target.Model; wanted && model != "" && isName(model) {
		h[headerModel] = a.endpoint.modelAsHeader(model)
	}
}

// asStream makes the headers those of a stream that nginx passes on event by event.
func asStream(h http.Header, contentType string) {
	h["Content-Type"] = []string{contentType}
	h["X-Accel-Buffering"] = []string{"no"}
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-cache"}
	}
}
