package azure

import (
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// claude is Anthropic's own API on a Foundry resource, below /anthropic. The model is
// the name of a deployment, and there is no api-version.
// https://platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry
var claude = &provider.Provider{
	Name:     "azure",
	Base:     foundry,
	Header:   func(*target.Target) [][2]string { return [][2]string{{"Anthropic-Version", anthropic.DefaultVersion}} },
	Identity: provider.Entra,
	Native: map[provider.Format]*provider.Operation{
		provider.AnthropicCount: counted,
	},
	Counter: counted,
	Operations: map[route.Type]*provider.Operation{route.Chat: {
		Path:    provider.Path("/anthropic/v1/messages"),
		Format:  provider.AnthropicMessages,
		Chat:    provider.Edited{Upstream: anthropic.Messages, Edit: &claudeEdit},
		Hosts:   anthropic.Hosts,
		Needs:   anthropic.Needs,
		Meter:   anthropic.Meter,
		Fields:  claudeFields,
		Origin:  anthropic.Origin,
		Edit:    claudeEdit,
		Tune:    anthropic.Tune,
		Caching: anthropic.Caching,
	}},
}

// counted is count_tokens.
var counted = &provider.Operation{
	Path:     provider.Path("/anthropic/v1/messages/count_tokens"),
	Format:   provider.AnthropicCount,
	Counter:  &anthropic.Counter,
	Edit:     claudeEdit,
	NoStream: true,
}

var claudeEdit = provider.Edit{Request: anthropic.Elsewhere, Set: deployed, Refusals: anthropic.Refusals}

var claudeFields = anthropic.Fields.With(provider.Fields{"model": provider.Mapped.With("model, which is the name of the deployment")})

// isClaude reports whether t is one of Anthropic's models: by the model's name, that of
// its deployment, or the configured URL.
func isClaude(t *target.Target) bool {
	return strings.HasPrefix(t.Model, "claude-") ||
		t.Options != nil && (strings.HasPrefix(t.Options.AzureDeploymentID, "claude-") || strings.Contains(provider.ConfiguredPath(t), "/anthropic/"))
}

// foundry returns the host of a Foundry resource, which instance is the name of, or
// the whole host.
func foundry(t *target.Target) (string, error) {
	return below(t, ".services.ai.azure.com")
}

// deployed is an Edit.Set: the model is the name of the deployment.
func deployed(t *target.Target) []chat.Member {
	if t.Options.AzureDeploymentID == "" {
		return nil
	}
	return []chat.Member{{Name: "model", Value: jsonedit.AppendString(nil, t.Options.AzureDeploymentID)}}
}

// audience is a Provider.Audience: the tokens for Claude are Foundry's.
// https://learn.microsoft.com/en-us/azure/ai-foundry/foundry-models/how-to/use-foundry-models-claude
func audience(t *target.Target) string {
	if isClaude(t) {
		return "https://ai.azure.com/"
	}
	return ""
}
