package translators

import (
	"testing"

	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// needs are the options that a provider cannot do without.
var needs = map[string]target.Options{
	"azure":      {AzureInstance: "acme", AzureDeploymentID: "gpt-4o", AzureAPIVersion: "2024-10-21"},
	"databricks": {Databricks: target.Databricks{WorkspaceInstanceID: "dbc-1"}},
}

// reasoners are models that reason, of providers whose table says of unknown ones that
// they do not.
var reasoners = map[string]string{"xai": "grok-3-mini"}

func TestCompatibleProvidersConform(t *testing.T) {
	for _, p := range Providers {
		name := p.Name
		if chat := p.Operations["llm/v1/chat"]; chat == nil || chat.Format != provider.OpenAIChat || chat.Parts != "" {
			continue // in its own package
		}
		options := needs[name]
		conformance.Run(t, p, conformance.Options{Name: name, Target: target.Target{Model: reasoners[name], Options: &options}, Routes: compatibleRoutes(p)})
	}
}

// compatibleRoutes are the routes of p in OpenAI's formats. Others conform in
// their own package.
func compatibleRoutes(p *provider.Provider) (routes []route.Type) {
	for _, wanted := range []route.Type{route.Chat, route.Completions} {
		if op := p.Operations[wanted]; op != nil && (op.Format == provider.OpenAIChat || op.Format == provider.OpenAICompletions) {
			routes = append(routes, wanted)
		}
	}
	return routes
}
