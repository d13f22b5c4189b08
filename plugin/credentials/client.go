package credentials

import (
	"net/http"
	"net/textproto"
	"strings"
)

// clientOnly are the request headers that end at the gateway: the client's
// credentials for it or for a provider, what Kong and other proxies add about
// the client, and what belongs to the client's connection.
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
	// What frames the client's own body.
	"Content-Length", "Expect",
)

// clientOnlyPrefixes are the families among them. The signature that an AWS
// client made is X-Amz-; X-Amzn- headers are parameters of Bedrock and pass.
// A browser sends a realtime key as a WebSocket subprotocol.
var clientOnlyPrefixes = []string{
	"X-Amz-", "X-Consumer-", "X-Credential-", "X-Authenticated-", "X-Goog-Authenticated-User-",
	"X-Forwarded-", "X-Kong-", "Kong-", "X-Go-Ai-Proxy-", "Sec-Websocket-",
}

// clientOnlyQuery are query parameters, in lower case, by which credentials
// come: Kong's key-auth and jwt plugins, Google's key, bearer tokens (RFC 6750).
var clientOnlyQuery = set("apikey", "api_key", "api-key", "key", "access_token", "jwt", "subscription-key")

// Forwarded returns the headers of a client's request, which have canonical
// names, that may go to a provider: in a map of its own, with room for some more.
// The one credential that allow_override lets through is put back by Source.Apply.
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

// isClientOnly takes _ for -: what stands behind a provider's front may do the same.
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

// StripClientQuery returns a raw query without the parameters by which clients
// send credentials; raw itself when there are none.
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
