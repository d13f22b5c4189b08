package azure

import (
	"reflect"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

func TestAzureKeepsItsVersionInTheQuery(t *testing.T) {
	got := Provider.Query(&target.Target{Options: &target.Options{AzureAPIVersion: "2024-10-21"}})
	if !reflect.DeepEqual(got, [][2]string{{"api-version", "2024-10-21"}}) {
		t.Errorf("got %v", got)
	}
}

func TestVersionsOfV1TakeTheDeploymentByName(t *testing.T) {
	for _, c := range []struct{ version, path, query, model string }{
		{"2024-10-21", "/openai/deployments/d/chat/completions", "2024-10-21", `"m"`},
		{"v1", "/openai/v1/chat/completions", "", `"d"`},
		{"preview", "/openai/v1/chat/completions", "preview", `"d"`},
	} {
		on := &target.Target{Provider: "azure", Route: route.Chat, Model: "m", Options: &target.Options{AzureInstance: "i", AzureDeploymentID: "d", AzureAPIVersion: c.version}}
		op := Provider.Operations[route.Chat]
		path, err := op.Path(on, false)
		if err != nil || path != c.path {
			t.Errorf("%s: path %s (%v)", c.version, path, err)
		}
		query := ""
		for _, q := range Provider.Query(on) {
			query = q[1]
		}
		if query != c.query {
			t.Errorf("%s: api-version %q, want %q", c.version, query, c.query)
		}
		body, err := op.AppendRequest(nil, on, &chat.Request{})
		if got := string(jsonedit.Lookup(body, "model")); err != nil || got != c.model {
			t.Errorf("%s: model %s (%v), want %s", c.version, got, err, c.model)
		}
	}
}

func TestAFoundryResourceIsItsWholeHost(t *testing.T) {
	for instance, want := range map[string]string{
		"acme": "https://acme.openai.azure.com", "acme.services.ai.azure.com": "https://acme.services.ai.azure.com",
		"acme.evil.com": "https://acme.evil.com.openai.azure.com", "services.ai.azure.com": "https://services.ai.azure.com.openai.azure.com",
	} {
		if got, err := base(&target.Target{Options: &target.Options{AzureInstance: instance}}); err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", instance, got, err, want)
		}
	}
}

func TestStreamOptionsAreKnownSinceSeptember2024(t *testing.T) {
	const below = "https://h/openai/deployments/d/chat/completions?api-version="
	for _, c := range []struct {
		configured, url, query string
		refused                bool
	}{
		{"2023-05-15", "", "", true},
		{"2024-08-01-preview", "", "", true},
		{"2024-09-01-preview", "", "", false},
		{"2024-10-21", "", "", false},
		{"v1", "", "", false},
		{"preview", "", "", false},
		{"", "", "", false},
		{"2024-10-21", below + "2024-02-01", "", true},
		{"2023-05-15", below + "2024-10-21", "", false},
		{"2023-05-15", "https://h/openai/v1/chat/completions", "", false},
		{"2024-10-21", "", "api-version=2024-02-01", true},
		{"2023-05-15", "", "Api-Version=2024-10-21", false},
		{"2023-05-15", below + "2024-02-01", "api-version=2024-10-21", true},
		{"v1", "", "api-version=2024-02-01", false},
	} {
		on := &target.Target{Options: &target.Options{AzureAPIVersion: c.configured, UpstreamURL: c.url}}
		if got := beforeStreamOptions(asked(on, c.query)); got != c.refused {
			t.Errorf("%+v: refused %t", c, got)
		}
		if on.Options.AzureAPIVersion != c.configured {
			t.Errorf("%+v: the configuration became %s", c, on.Options.AzureAPIVersion)
		}
	}
}

func TestClaudeOnFoundryHasAnthropicsOwnAPI(t *testing.T) {
	for _, c := range []struct {
		model, deployment, url string
		is                     bool
	}{
		{"claude-opus-5", "d", "", true}, {"", "claude-sonnet-5", "", true}, {"m", "d", "https://h/anthropic/v1/messages", true},
		{"gpt-5", "d", "", false}, {"m", "d", "https://h/openai/v1/chat/completions", false},
	} {
		on := &target.Target{Provider: "azure", Route: route.Chat, Model: c.model, Options: &target.Options{AzureInstance: "acme", AzureDeploymentID: c.deployment, AzureAPIVersion: "2023-05-15", UpstreamURL: c.url}}
		if p := Provider.Variant(on); (p == claude) != c.is || (audience(on) != "") != c.is {
			t.Errorf("%s as %s: its own API %t, tokens for %q", c.model, c.deployment, p == claude, audience(on))
		}
	}

	on := &target.Target{Provider: "azure", Route: route.Chat, Model: "claude-opus-5", Options: &target.Options{AzureInstance: "acme", AzureDeploymentID: "mine"}}
	base, err := claude.Base(on)
	path, _ := claude.Operations[route.Chat].Path(on, true)
	if err != nil || base+path != "https://acme.services.ai.azure.com/anthropic/v1/messages" || claude.Query != nil {
		t.Errorf("address %s%s (%v)", base, path, err)
	}
	if h := claude.Header(on); !reflect.DeepEqual(h, [][2]string{{"Anthropic-Version", "2023-06-01"}}) {
		t.Errorf("headers %v", h)
	}
	body, err := claude.Operations[route.Chat].AppendRequest(nil, on, &chat.Request{Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("hi")}}}}})
	if got := string(jsonedit.Lookup(body, "model")); err != nil || got != `"mine"` {
		t.Errorf("translated: model %s (%v) in %s", got, err, body)
	}
	sent := []byte(`{"model":"claude-opus-5","max_tokens":5,"messages":[]}`)
	own := jsonedit.Join(nil, claudeEdit.Apply(nil, on, sent, jsonedit.Members(sent, nil), nil))
	if got := string(own); got != `{"model":"mine","max_tokens":5,"messages":[]}` {
		t.Errorf("as it is: %s", got)
	}
}

func TestAVersionForClaudeIsNamedAsWithoutEffect(t *testing.T) {
	for version, warned := range map[string]bool{"2024-10-21": true, "2023-05-15": false, "": false} {
		on := &target.Target{Provider: "azure", Route: route.Chat, Model: "claude-opus-5", Options: &target.Options{AzureAPIVersion: version}}
		if got := check(&provider.Use{Target: on}); (len(got) == 1 && got[0].Warning) != warned {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestResponsesAreOnlyBelowV1(t *testing.T) {
	for configured, want := range map[string]string{"2023-05-15": "", "v1": "", "preview": "preview", "": ""} {
		on := &target.Target{Provider: "azure", Route: route.Responses, Model: "gpt-5", Options: &target.Options{AzureInstance: "i", AzureDeploymentID: "d", AzureAPIVersion: configured}}
		if got := version(on); got != want {
			t.Errorf("%s: api-version %q, want %q", configured, got, want)
		}
		if set := Provider.Operations[route.Responses].Edit.Set(on); len(set) != 1 || string(set[0].Value) != `"d"` {
			t.Errorf("%s: model %v", configured, set)
		}
	}
}

func TestClaudeOnFoundryConforms(t *testing.T) {
	conformance.Run(t, claude, conformance.Options{
		Name: "claude", Target: target.Target{Options: &target.Options{AzureInstance: "acme"}},
		Lacks: map[string]string{"choices": "one answer per request", conformance.RefusalParts: "a refusal is ordinary text"},
	})
}
