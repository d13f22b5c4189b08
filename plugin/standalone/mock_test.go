package standalone

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go-ai-proxy/translators/mock"
)

// What the mock takes for a provider is what the provider's row says.
func TestMockTakesOfEachProviderWhatItsRowSays(t *testing.T) {
	const gemini = `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"topK":40}}`
	var sent string
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
		r.Body = io.NopCloser(strings.NewReader(sent))
		mock.Handler(mock.Options{Refuses: refuses}).ServeHTTP(w, r)
	})
	for provider, c := range map[string]struct {
		options string
		sends   bool // top_k
	}{
		"openai": {"", false}, "groq": {"", false}, "mistral": {", options: {mistral_format: openai}", false},
		"openrouter": {"", true}, "together": {"", true},
		"vllm": {", options: {upstream_url: 'http://vllm.test:8000/v1/chat/completions'}", true},
	} {
		base, _ := serving(t, fmt.Sprintf("services: [{name: ai, url: 'http://localhost:32000', routes: [{name: g, paths: [/g], plugins: [{name: go-ai-proxy, config: "+
			"{llm_format: gemini, targets: [{route_type: llm/v1/chat, auth: {header_name: Authorization, header_value: Bearer x}, model: {provider: %s, name: m%s}}]}}]}]}]", provider, c.options), up)
		resp, err := http.Post(base+"/g/v1beta/models/m:generateContent", "application/json", strings.NewReader(gemini))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || strings.Contains(sent, `"top_k":40`) != c.sends {
			t.Errorf("%s: status %d, the mock was sent %s and said %s", provider, resp.StatusCode, sent, answer)
		}
	}
}

func TestMockRefusesWhatAProviderRefuses(t *testing.T) {
	h := mock.Handler(mock.Options{Refuses: refuses})
	for host, want := range map[string]int{"api.openai.com": 400, "api.x.ai": 400, "vllm.test": 200, "openrouter.ai": 200} {
		path := "/v1/chat/completions"
		if host == "openrouter.ai" {
			path = "/api" + path
		}
		r := httptest.NewRequest("POST", "http://127.0.0.1"+path, strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"x"}],"top_k":1}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-Host", host)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want || want == 400 && !strings.Contains(w.Body.String(), "unrecognized request argument supplied: top_k") {
			t.Errorf("%s: got %d, want %d: %s", host, w.Code, want, w.Body)
		}
	}
}
