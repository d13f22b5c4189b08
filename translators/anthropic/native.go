package anthropic

import "go-ai-proxy/translators/provider"

// native are the operations that only a client of Anthropic's own format has.
// https://platform.claude.com/docs/en/api/messages-count-tokens
// https://platform.claude.com/docs/en/api/creating-message-batches
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
}
