package plugin

import (
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/plugin/wire"
)

// mixed is a plugin whose targets have the route types, each with a model m0, m1 …
func mixed(routes ...string) string {
	var list []string
	for i, r := range routes {
		list = append(list, `{"route_type":"`+r+`","logging":{"log_statistics":true},"auth":{"header_name":"Authorization","header_value":"Bearer CANARY-KEY"},
		 "model":{"provider":"openai","name":"m`+string(rune('0'+i))+`"}}`)
	}
	return `{"targets":[` + strings.Join(list, ",") + `]}`
}

func TestTargetsOfSeveralRouteTypesEachGetTheirRequests(t *testing.T) {
	b := newBench(t, mixed("llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings", "llm/v1/responses", "llm/v1/files", "audio/v1/audio/speech", "audio/v1/audio/transcriptions", "image/v1/images/generations"), answering(`{"choices":[],"id":"x"}`)).elsewhere()
	for _, c := range []struct{ name, method, path, media, body, asked, model string }{
		{"chat by its path", "POST", "/ai/v1/chat/completions", asJSON, `{"messages":[{"role":"user","content":"x"}]}`, "/v1/chat/completions", "m0"},
		{"completions by its path", "POST", "/ai/v1/completions", asJSON, `{"prompt":"x"}`, "/v1/completions", "m1"},
		{"embeddings by its path", "POST", "/ai/v1/embeddings/", asJSON, `{"input":"x"}`, "/v1/embeddings", "m2"},
		{"responses by its path", "POST", "/ai/v1/responses", asJSON, `{"input":"x"}`, "/v1/responses", "m3"},
		{"a response by its id", "GET", "/ai/v1/responses/resp_1", "", "", "/v1/responses/resp_1", ""},
		{"a file's content", "GET", "/ai/v1/files/file-1/content", "", "", "/v1/files/file-1/content", ""},
		{"a form by its path", "POST", "/ai/v1/audio/transcriptions", formType, formOf("model=m6", "file@=abc"), "/v1/audio/transcriptions", ""},
		{"images by its path", "POST", "/ai/v1/images/generations", asJSON, `{"prompt":"x"}`, "/v1/images/generations", "m7"},
		{"chat by its body", "POST", "/ai", asJSON, `{"messages":[{"role":"user","content":"x"}]}`, "/v1/chat/completions", "m0"},
		{"completions by its body", "POST", "/ai", "", `{"prompt":"x"}`, "/v1/completions", "m1"},
		{"embeddings by its body", "POST", "/ai", asJSON, `{"input":"x"}`, "/v1/embeddings", "m2"},
		{"speech by its body", "POST", "/ai", asJSON, `{"input":"x","voice":"alloy"}`, "/v1/audio/speech", "m5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := b.send(c.method, c.path, c.media, c.body)
			if resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			asked, sent := b.asked()
			if asked.URL.Path != c.asked {
				t.Errorf("asked %s, want %s", asked.URL.Path, c.asked)
			}
			if c.model != "" && !strings.Contains(sent, `"model":"`+c.model+`"`) {
				t.Errorf("sent %s, want the model %s", sent, c.model)
			}
		})
	}
	if !slices.Contains(b.instance.Need(), wire.NeedPath) {
		t.Error("the access phase does not pass the client's path on")
	}
}

func TestRequestOfUnknownRouteTypeGoesToTheFirstTarget(t *testing.T) {
	b := newBench(t, mixed("llm/v1/chat", "llm/v1/embeddings"), answer).elsewhere()
	for _, body := range []string{`{`, `{"x":1}`, ``} {
		if resp, said := b.send("POST", "/ai", asJSON, body); resp.StatusCode != 400 || len(b.upstreamBodies()) > 0 {
			t.Errorf("%q: %d %s", body, resp.StatusCode, said)
		}
	}
	long := `{"input":"` + strings.Repeat("x", 1<<20) + `"}`
	if resp, said := b.send("POST", "/ai", asJSON, long); resp.StatusCode != 413 {
		t.Errorf("a long body: %d %.80s", resp.StatusCode, said)
	}
	if resp, said := b.send("POST", "/ai", asJSON, "x", "Content-Encoding", "br"); resp.StatusCode != 415 {
		t.Errorf("brotli: %d %.80s", resp.StatusCode, said)
	}
}
