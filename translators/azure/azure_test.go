package azure

import (
	"reflect"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
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
	for version, refused := range map[string]bool{"2023-05-15": true, "2024-08-01-preview": true, "2024-09-01-preview": false, "2024-10-21": false, "v1": false, "preview": false, "": false} {
		if got := beforeStreamOptions(&target.Target{Options: &target.Options{AzureAPIVersion: version}}); got != refused {
			t.Errorf("%s: refused %t", version, got)
		}
	}
}
