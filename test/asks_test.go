package test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// What programs ask besides, of the routes that -mock serves without a configuration.
func TestModelsCountsAndProbesAreAnsweredOnEveryRoute(t *testing.T) {
	g := start(t, nil, "-mock")
	for _, c := range []struct {
		method, path, body string
		status             int
		want, header       string
	}{
		{"GET", "/opencode/v1/models", "", 200, `{"object":"list","data":[{"id":"`, ""},
		{"GET", "/claude-code/v1/models", "", 200, `{"data":[{"type":"model","id":"`, ""},
		{"GET", "/gemini-cli/v1beta/models", "", 200, `{"models":[{"name":"models/`, ""},
		{"GET", "/codex/v1/models?client_version=1.0.0", "", 404, "/responses", ""},
		{"POST", "/claude-code/v1/messages/count_tokens", `{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"hello"}]}`, 200, `{"input_tokens":`, ""},
		{"POST", "/gemini-cli/v1beta/models/gemini-2.5-pro:countTokens", `{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}`, 200, `{"totalTokens":`, ""},
		{"POST", "/codex/v1/responses/input_tokens", `{"model":"gpt-5","input":"hello"}`, 200, `"input_tokens":`, ""},
		{"HEAD", "/claude-code", "", 200, "", ""},
		{"OPTIONS", "/claude-code/v1/messages", "", 204, "", "POST, OPTIONS"},
		{"GET", "/opencode/v1/chat/completions", "", 405, "use POST", "POST"},
		{"POST", "/opencode/v1/nonsense", `{}`, 404, "/chat/completions", ""},
	} {
		req, err := http.NewRequest(c.method, g.url+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(body), c.want) || resp.Header.Get("Allow") != c.header {
			t.Errorf("%s %s: %d, Allow %q, %s", c.method, c.path, resp.StatusCode, resp.Header.Get("Allow"), body)
		}
	}
}
