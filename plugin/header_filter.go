package plugin

import (
	"bytes"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Headers of our own between the relay and the shim. They never reach a client
// or a provider.
const (
	headerRecord  = "X-Go-Ai-Proxy-Record"
	headerUnknown = "X-Go-Ai-Proxy-Unknown"
	ownPrefix     = "X-Go-Ai-Proxy-"
)

// hopByHop are the headers of one connection (RFC 9110 §7.6.1).
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Connection": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// ofTheHost are what a host says of itself to browsers: where else it is served
// (RFC 7838), that it must be called by TLS (RFC 6797), that its data be erased.
var ofTheHost = map[string]bool{"Alt-Svc": true, "Strict-Transport-Security": true, "Clear-Site-Data": true}

// redact takes the target's credentials out of what the provider says of them:
// some quote the key that they refuse. It returns text itself when there are none.
func (a *attempt) redact(text []byte) []byte {
	for _, secret := range a.endpoint.source.Secrets(a.out.Header) {
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
// like ours.
func (a *attempt) clientHeaders() http.Header {
	from := a.answer.Header
	h := make(http.Header, len(from)+4)
	drop := map[string]bool{}
	for _, v := range from["Connection"] {
		for _, name := range strings.Split(v, ",") {
			drop[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	secrets := a.endpoint.source.Secrets(a.out.Header)
	for k, v := range from {
		switch {
		case hopByHop[k], drop[k], ofTheHost[k], k == "Content-Length", k == "Content-Encoding", k == "Set-Cookie",
			strings.HasPrefix(k, "X-Accel-"), strings.HasPrefix(k, ownPrefix), strings.HasPrefix(k, "X-Kong-"):
		default:
			h[k] = withoutSecrets(v, secrets)
		}
	}
	if a.answer.Status == http.StatusOK && a.target.Model != "" && a.wantsModelHeader() {
		h["X-Kong-Llm-Model"] = []string{a.endpoint.Model.Provider + "/" + a.target.Model}
	}
	return h
}

func (q *request) wantsModelHeader() bool {
	return q.instance.config.ModelNameHeader || q.debugged()
}

// asStream makes the headers those of a stream that nginx passes on event by event.
func asStream(h http.Header, contentType string) {
	h["Content-Type"] = []string{contentType}
	h["X-Accel-Buffering"] = []string{"no"}
	if h["Cache-Control"] == nil {
		h["Cache-Control"] = []string{"no-cache"}
	}
}
