package plugin

import (
	"strings"
	"testing"

	"go-ai-proxy/plugin/wire"
)

// Programs ask what is there before they send anything: Claude Code sends HEAD to its
// base URL, browsers send OPTIONS.
func TestProbesOfClientsAreAnswered(t *testing.T) {
	claude, gemini, nova := servesModels("anthropic", "", chatTarget("openai", "m", "")), servesModels("gemini", "", chatTarget("openai", "m", "")), servesModels("bedrock", "", chatTarget("openai", "m", ""))
	two := mixed(chatRoute, "llm/v1/embeddings")
	const list = "GET, HEAD, OPTIONS"
	for _, c := range []struct {
		name, conf, method, path string
		status                   int
		allow                    string
	}{
		{"the base", chatConf, "HEAD", "/", 200, ""},
		{"the base with a version", chatConf, "HEAD", "/v1", 200, ""},
		{"the base of two", two, "HEAD", "/v1/", 200, ""},
		{"Anthropic's base", claude, "HEAD", "/", 200, ""},
		{"Gemini's base", gemini, "HEAD", "/v1beta", 200, ""},
		{"Bedrock's base", nova, "HEAD", "/", 200, ""},
		{"the base of responses", confFor("llm/v1/responses"), "HEAD", "/", 200, ""},
		{"a path for POST", chatConf, "HEAD", "/v1/chat/completions", 405, "POST"},
		{"a path that is not there", chatConf, "HEAD", "/v1/nonsense", 404, ""},
		{"Anthropic's path that is not there", claude, "HEAD", "/v1/nonsense", 404, ""},

		{"options of chat", chatConf, "OPTIONS", "/v1/chat/completions", 204, "POST, OPTIONS"},
		{"options of the base", chatConf, "OPTIONS", "/", 204, "POST, OPTIONS"},
		{"options of two", two, "OPTIONS", "/v1/embeddings", 204, "POST, OPTIONS"},
		{"options of the models", chatConf, "OPTIONS", "/v1/models", 204, list},
		{"options of Anthropic's models", claude, "OPTIONS", "/v1/models", 204, list},
		{"options of Gemini's models", gemini, "OPTIONS", "/v1beta/models", 204, list},
		{"options of Gemini's base", gemini, "OPTIONS", "/", 204, "HEAD, OPTIONS"},
		{"options of messages", claude, "OPTIONS", "/v1/messages", 204, "POST, OPTIONS"},
		{"options of a batch", claude, "OPTIONS", "/v1/messages/batches", 204, "GET, HEAD, POST, OPTIONS"},
		{"options of a file", confFor("llm/v1/files"), "OPTIONS", "/v1/files/file-1", 204, "GET, HEAD, DELETE, OPTIONS"},
		{"options of nothing", chatConf, "OPTIONS", "/v1/nonsense", 404, ""},
		{"options of nothing of Anthropic's", claude, "OPTIONS", "/v1/nonsense", 404, ""},
		{"another method of the models", chatConf, "POST", "/v1/models", 405, "GET, HEAD"},
		{"another method of Gemini's models", gemini, "DELETE", "/v1beta/models", 405, "GET, HEAD"},
	} {
		b := newBench(t, c.conf, unasked(t)).elsewhere()
		resp, rec := b.exchange(b.instance, "", func(in *wire.Inbound) {
			in.Path, in.Kong.Path = c.path, "/ai"+strings.TrimSuffix(c.path, "/")
			in.Method, in.Body, in.ContentLength = c.method, nil, 0
		})
		outcome := string(rec.Data().Outcome)
		if resp.StatusCode != c.status || resp.Header.Get("Allow") != c.allow || (outcome == "completed") != (c.status < 400) {
			t.Errorf("%s: %d, Allow %q, %s: %s", c.name, resp.StatusCode, resp.Header.Get("Allow"), outcome, rec.Data().Message)
		}
	}
}

// A file's header is that of GET, which every provider has.
func TestHEADOfAResourceAsksTheProviderWithGET(t *testing.T) {
	b := newBench(t, routeConf("llm/v1/files", "openai", "", ""), answering(`{"id":"file-1"}`)).elsewhere()
	resp, body := roundTrip(t, b, "HEAD", "/v1/files/file-1", "", "")
	if resp.StatusCode != 200 || resp.ContentLength != int64(len(`{"id":"file-1"}`)) || body != "" {
		t.Errorf("%d, %d bytes, %q", resp.StatusCode, resp.ContentLength, body)
	}
	if asked, _ := b.asked(); asked.Method != "GET" || asked.URL.Path != "/v1/files/file-1" {
		t.Errorf("asked %s %s", asked.Method, asked.URL.Path)
	}
}
