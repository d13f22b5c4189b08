package compatible

import (
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Gemini at Databricks searches where no function is offered.
func TestGeminiSearchesAtDatabricks(t *testing.T) {
	search := chat.HostedTool("web_search", "", chat.Raw(`{"type":"web_search"}`))
	at := Providers[slices.IndexFunc(Providers, func(p *provider.Provider) bool { return p.Name == "databricks" })]
	for model, want := range map[string]string{
		"databricks-gemini-2-5-pro": `"google_search":{}`, "system.ai.gemini-4-flash": `"google_search":{}`,
		"databricks-claude-sonnet-4-5": "", "databricks-gpt-5-4": "", "my-own": "",
	} {
		to, op := &target.Target{Provider: "databricks", Model: model, Options: &target.Options{}}, at.Operations[route.Chat]
		r := &chat.Request{Tools: []chat.Tool{search}, Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("news?")}}}}}
		if _, err := op.Offer(to, r); (err == nil) != (want != "") {
			t.Errorf("%s: %v", model, err)
			continue
		}
		if body, err := op.AppendRequest(nil, to, r); want != "" && (err != nil || !strings.Contains(string(body), want) || strings.Contains(string(body), `"tools"`)) {
			t.Errorf("%s is sent %s, %v", model, body, err)
		}
	}
}

func TestDatabricksCachesWhatIsMarkedForClaudeOnly(t *testing.T) {
	for model, marked := range map[string]bool{"databricks-claude-sonnet-4-5": true, "databricks-meta-llama-3-3-70b-instruct": false, "my-own": false} {
		if got := databricksHistory(&target.Target{Model: model}).CacheControl; got != marked {
			t.Errorf("%s: %t", model, got)
		}
	}
}
