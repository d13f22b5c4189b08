package anthropic

import (
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// MessagesAt returns POST /v1/messages at a path, for gateways that have Anthropic's
// format, with the header of its only version, beside one of their own.
func MessagesAt(path string) *provider.Operation {
	return &provider.Operation{
		Path:    provider.Path(path),
		Format:  provider.AnthropicMessages,
		Chat:    Messages,
		Meter:   Meter,
		Origin:  Origin,
		Header:  func(*target.Target) [][2]string { return [][2]string{{"Anthropic-Version", DefaultVersion}} },
		Edit:    provider.Edit{Request: Elsewhere, Refusals: Refusals},
		Tune:    Tune,
		Caching: Caching,
	}
}

// native are the operations that only a client of Anthropic's own format has.
// https://platform.claude.com/docs/en/api/messages-count-tokens
// https://platform.claude.com/docs/en/api/creating-message-batches
// https://platform.claude.com/docs/en/build-with-claude/skills-guide
var native = map[provider.Format]*provider.Operation{
	provider.AnthropicCount: {
		Path:     provider.Path("/v1/messages/count_tokens"),
		Format:   provider.AnthropicCount,
		Counter:  &Counter,
		Edit:     provider.Edit{Request: OwnThinking},
		NoStream: true,
	},
	provider.AnthropicBatches: {
		Path:     provider.Path("/v1/messages/batches"),
		Format:   provider.AnthropicBatches,
		NoStream: true,
	},
	provider.AnthropicSkills: {
		Path:     provider.Path("/v1/skills"),
		Format:   provider.AnthropicSkills,
		NoStream: true,
	},
}
