package mock

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestMockCountsTokensInEveryFormat(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/v1/messages/count_tokens", `{"messages":[]}`, 200, `{"input_tokens":4}`},
		{"POST", "/v1beta/models/m:countTokens", `{"contents":[]}`, 200, `{"totalTokens":4}`},
		{"POST", "/v1/responses/input_tokens", `{"input":"hello"}`, 200, `{"object":"response.input_tokens","input_tokens":5}`},
		{"POST", "/model/m/count-tokens", `{"input":{"converse":{}}}`, 200, `{"inputTokens":7}`},
		{"POST", "/v1/messages/count_tokens", `{}`, 400, "messages: is missing"},
		{"POST", "/v1/responses/input_tokens", `{`, 400, "input: is missing"},
		{"GET", "/v1/messages/count_tokens", ``, 405, "want POST"},
	} {
		w := httptest.NewRecorder()
		Handler(Options{}).ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
}
