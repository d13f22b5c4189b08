package standalone

import (
	"net/url"
	"strings"
)

// secrets names the headers and query parameters that hold keys and must not be
// logged. Names are in lower case.
type secrets struct{ headers, params map[string]bool }

// Keys of providers and of this gateway's clients, whether the configuration names
// them or not. Kong's own serializer knows the first two.
var (
	secretHeaders = fields("authorization", "proxy-authorization", "cookie", "set-cookie", "apikey", "api-key", "x-api-key", "x-goog-api-key",
		"x-auth-token", "x-access-token", "x-amz-security-token", "ocp-apim-subscription-key", "sec-websocket-protocol")
	secretParams = fields("apikey", "api_key", "api-key", "key", "access_token", "refresh_token", "id_token", "token", "jwt",
		"client_secret", "password", "subscription-key", "sig", "signature", "x-amz-security-token", "x-amz-signature", "x-goog-signature")

	// usual is for requests that no plugin serves.
	usual = &secrets{headers: secretHeaders, params: secretParams}
)

// secretsOf adds what the configuration authenticates with.
func secretsOf(targets []target) *secrets {
	s := &secrets{headers: fields(), params: fields()}
	for name := range secretHeaders {
		s.headers[name] = true
	}
	for name := range secretParams {
		s.params[name] = true
	}
	for _, t := range targets {
		s.headers[strings.ToLower(text(t.auth, "header_name"))] = true
		s.params[strings.ToLower(text(t.auth, "param_name"))] = true
	}
	return s
}

const redacted = "REDACTED"

// query returns a raw query with the values of secret parameters replaced. A
// semicolon counts as a separator, since some servers treat it as one.
func (s *secrets) query(raw string) string {
	var b strings.Builder
	done := 0 // of raw
	for i := 0; i < len(raw); {
		end := i + strings.IndexAny(raw[i:], "&;")
		if end < i {
			end = len(raw)
		}
		name, _, _ := strings.Cut(raw[i:end], "=")
		if s.param(name) {
			b.WriteString(raw[done : i+len(name)])
			b.WriteString("=" + redacted)
			done = end
		}
		i = end + 1
	}
	if done == 0 {
		return raw
	}
	b.WriteString(raw[done:])
	return b.String()
}

// value returns a header's value, which may be a URL, without secret parameters.
func (s *secrets) value(v string) string {
	path, query, ok := strings.Cut(v, "?")
	if !ok {
		return v
	}
	return path + "?" + s.query(query)
}

// param reports whether a parameter with that escaped name is secret.
func (s *secrets) param(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return s.params[strings.ToLower(name)]
}
