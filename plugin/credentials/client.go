package credentials

import (
	"net/http"
	"net/textproto"
	"strings"
)

// clientOnly lists the request headers that are not forwarded: the client's
// credentials for the gateway or for a provider, what Kong and other proxies add
// about the client, and what concerns the client's connection.
// https://developer.konghq.com/gateway/ lists what Kong's plugins add.
var clientOnly = set(
	// Keys, of us and of every provider.
	"Authorization", "Proxy-Authorization", "Apikey", "Api-Key", "X-Api-Key", "X-Goog-Api-Key",
	"X-Auth-Token", "X-Access-Token", "X-Id-Token", "X-Userinfo", "X-Jwt-Assertion",
	"Ocp-Apim-Subscription-Key", "Cookie", "Cookie2",
	"X-Goog-User-Project", "X-Goog-Iam-Authorization-Token", "X-Goog-Iam-Authority-Selector",
	// Who the client is.
	"X-Anonymous-Consumer", "X-Real-Ip", "Forwarded", "Via", "True-Client-Ip", "X-Client-Ip",
	"X-Cluster-Client-Ip", "Cf-Connecting-Ip", "X-Original-Forwarded-For",
	// Hop by hop: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
	// About the length of the client's own body.
	"Content-Length", "Expect",
)

// clientOnlyPrefixes lists the prefixes of such headers. X-Amz- is the signature of
// an AWS client; X-Amzn- headers are parameters of Bedrock and are forwarded. A
// browser sends a realtime key as a WebSocket subprotocol.
var clientOnlyPrefixes = []string{
	"X-Amz-", "X-Consumer-", "X-Credential-", "X-Authenticated-", "X-Goog-Authenticated-User-",
	"X-Forwarded-", "X-Kong-", "Kong-", "X-Go-Ai-Proxy-", "Sec-Websocket-",
}

// clientOnlyQuery lists query parameters, in lower case, that hold credentials: those
// of Kong's key-auth and jwt plugins, Google's key, and bearer tokens (RFC 6750).
var clientOnlyQuery = set("apikey", "api_key", "api-key", "key", "access_token", "jwt", "subscription-key")

// Forwarded returns those headers of a client's request that may be sent to a
// provider. Names are canonical. The map is a new one, with room for some more.
// Source.Apply adds the one credential that allow_override lets through.
func Forwarded(client http.Header, room int) http.Header {
	h := make(http.Header, len(client)+room)
	for name, values := range client {
		if !isClientOnly(name) {
			h[name] = values
		}
	}
	for _, v := range client["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			delete(h, http.CanonicalHeaderKey(textproto.TrimString(name)))
		}
	}
	return h
}

// isClientOnly treats "_" as "-", since servers behind a provider's front end may do
// the same.
func isClientOnly(name string) bool {
	if strings.IndexByte(name, '_') >= 0 {
		name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	}
	if clientOnly[name] {
		return true
	}
	for _, p := range clientOnlyPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// StripClientQuery returns a raw query without the parameters that hold clients'
// credentials. It returns raw itself if there are none.
func StripClientQuery(raw string) string {
	return filterQuery(raw, func(name string) bool { return !isClientOnlyQuery(name) })
}

func isClientOnlyQuery(name string) bool {
	name = strings.ToLower(name)
	return clientOnlyQuery[name] || strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "x-goog-")
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
