package standalone

import (
	"net/url"
	"strings"
)

// secrets names what log entries must not show: request headers and query
// parameters by which keys come. Names are in lower case.
type secrets struct{ headers, params map[string]bool }

// Keys of providers and of this gateway's clients, whether a configuration
// names them or not. Kong's own serializer knows the first two.
var (
	secretHeaders = fields("authorization", "proxy-authorization", "cookie", "apikey", "api-key", "x-api-key", "x-goog-api-key",
		"x-auth-token", "x-access-token", "x-amz-security-token", "ocp-apim-subscription-key", "sec-websocket-protocol")
	secretParams = fields("apikey", "api_key", "api-key", "key", "access_token", "jwt", "subscription-key", "x-amz-security-token", "x-amz-signature")

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

// query returns a raw query with the values of secret parameters replaced.
func (s *secrets) query(raw string) string {
	if raw == "" {
		return raw
	}
	pairs := strings.Split(raw, "&")
	for i, p := range pairs {
		name, _, _ := strings.Cut(p, "=")
		if s.param(name) {
			pairs[i] = name + "=" + redacted
		}
	}
	return strings.Join(pairs, "&")
}

// param says whether a parameter of that escaped name is secret.
func (s *secrets) param(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return s.params[strings.ToLower(name)]
}
