package test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// keyed answers 401 where the key is not the configured one, wherever it is.
func keyed(key func(r *http.Request) string) answer {
	return answer{handler: func(w http.ResponseWriter, r *http.Request) {
		if got := key(r); got != "configured-key" && got != "Bearer configured-key" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"message":"bad key","type":"invalid_request_error","code":"invalid_api_key","param":null}}`)
			return
		}
		(&answer{}).write(w)
	}}
}

func inHeader(name string) answer {
	return keyed(func(r *http.Request) string { return r.Header.Get(name) })
}

var (
	inQuery = keyed(func(r *http.Request) string { return r.URL.Query().Get("apikey") })
	inBody  = keyed(func(r *http.Request) string {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"apikey":"configured-key"`) {
			return "configured-key"
		}
		return ""
	})
	denied = want{status: 401, json: obj{"error.code": "invalid_api_key"}}
)

func query(override bool) obj { return param("query", override) }

func param(location string, override bool) obj {
	return chat("auth", obj{"param_name": "apikey", "param_value": "configured-key", "param_location": location, "allow_override": override})
}

func bodyWithKey(key string) request {
	return request{body: strings.Replace(chatBody, "{", `{"apikey":"`+key+`",`, 1)}
}

func bearer(key string) request {
	return request{header: map[string]string{"Authorization": "Bearer " + key}}
}

var authRows = []row{
	{acceptance: []int{58}, name: "header, override, client has none", config: chat("auth.allow_override", true), answer: inHeader("Authorization"), want: want{upHeader: map[string]string{"Authorization": "Bearer configured-key"}}},
	{acceptance: []int{59}, name: "header, override, client has another", config: chat("auth.allow_override", true), send: bearer("wrong"), answer: inHeader("Authorization"), want: denied},
	{acceptance: []int{60}, name: "header, override, client has the same", config: chat("auth.allow_override", true), send: bearer("configured-key"), answer: inHeader("Authorization")},
	{acceptance: []int{61}, name: "header, client has another", config: chat(), send: bearer("wrong"), answer: inHeader("Authorization")},
	{acceptance: []int{62}, name: "query", config: query(false), answer: inQuery, want: want{upQuery: map[string]string{"apikey": "configured-key"}}},
	{acceptance: []int{63}, name: "query, override, client has another", config: query(true), send: request{query: "apikey=wrong"}, answer: inQuery, want: denied},
	{acceptance: []int{64}, name: "query, client has another", config: query(false), send: request{query: "apikey=wrong"}, answer: inQuery},
	{acceptance: []int{65}, name: "query, client has the same", config: query(false), send: request{query: "apikey=configured-key"}, answer: inQuery},
	{acceptance: []int{66}, name: "body", config: param("body", false), answer: inBody, want: want{up: obj{"apikey": "configured-key"}}},
	{acceptance: []int{67}, name: "body, override, client has another", config: param("body", true), send: bodyWithKey("wrong"), answer: inBody, want: denied},
	{acceptance: []int{68}, name: "body, client has another", config: param("body", false), send: bodyWithKey("wrong"), answer: inBody},
	{acceptance: []int{69}, name: "the configured key is wrong", config: chat("auth.header_value", "Bearer wrong"), answer: inHeader("Authorization"), want: denied},
	{acceptance: []int{70}, name: "anthropic, override, client has another", send: request{header: map[string]string{"X-Api-Key": "wrong"}}, answer: inHeader("X-Api-Key"), want: want{status: 401},
		config: provider("anthropic", "/v1/messages", "model.options.anthropic_version", "2023-06-01", "auth", obj{"header_name": "x-api-key", "header_value": "configured-key", "allow_override": true})},
	{acceptance: []int{72}, name: "azure, client has another", config: azure(), send: request{header: map[string]string{"Api-Key": "wrong"}}, answer: inHeader("Api-Key")},
	{acceptance: []int{73}, name: "mistral, client has another", config: provider("mistral", "/v1/chat/completions", "model.options.mistral_format", "openai"), send: bearer("wrong"), answer: inHeader("Authorization")},
	{acceptance: []int{75}, name: "gemini's own key always wins", send: request{header: map[string]string{"X-Goog-Api-Key": "wrong"}}, answer: answer{body: geminiAnswer},
		config: provider("gemini", "/v1beta/models/gemini-x:generateContent", "model.name", "gemini-x", "auth", obj{"header_name": "x-goog-api-key", "header_value": "configured-key"}),
		want:   want{upHeader: map[string]string{"X-Goog-Api-Key": "configured-key"}}},
	{name: "what is the client's stays here", config: chat(),
		send: request{header: map[string]string{"Cookie": "a=b", "X-Consumer-Username": "joe", "X-Forwarded-For": "1.2.3.4", "X-Api-Key": "client", "OpenAI-Organization": "org"}},
		want: want{upHeader: map[string]string{"Cookie": "", "X-Consumer-Username": "", "X-Forwarded-For": "", "X-Api-Key": "", "Openai-Organization": "org"}}},
}

func TestAuth(t *testing.T) { run(t, authRows) }
