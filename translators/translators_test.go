package translators

import (
	"testing"

	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// needs are the options that a provider cannot do without.
var needs = map[string]target.Options{
	"azure":      {AzureInstance: "acme", AzureDeploymentID: "gpt-4o", AzureAPIVersion: "2024-10-21"},
	"databricks": {Databricks: target.Databricks{WorkspaceInstanceID: "dbc-1"}},
}

func TestCompatibleProvidersConform(t *testing.T) {
	for name, p := range providers {
		if chat := p.Operations["llm/v1/chat"]; chat == nil || chat.Format != provider.OpenAIChat {
			continue
		}
		options := needs[name]
		conformance.Run(t, p, conformance.Options{Name: name, Target: target.Target{Options: &options}})
	}
}
