package cohere

import (
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Client lists what clients of Cohere's API may call, in both versions.
// https://docs.cohere.com/reference/about
var Client = provider.ClientFormat{
	Name:    "cohere",
	Private: []string{"X-Fern-"}, // the SDKs'
	Bound:   true,
	Errors:  Errors,
	Paths: []provider.ClientPath{
		{Path: "/v2/chat", Route: route.Chat, API: &provider.API{
			Format: provider.CohereChatV2, Check: provider.Needs("messages"), Streams: true, Ends: true, Prose: openai.PromptWords,
		}},
		{Path: "/v1/chat", Route: route.Chat, API: &provider.API{
			Format: provider.CohereChatV1, Check: provider.Needs("message"), Streams: true, Framing: frame.Lines, Ends: true, Prose: openai.PromptWords,
		}},
		{Path: "/v2/rerank", Route: route.Chat, API: &provider.API{Format: provider.CohereRerankV2, Check: provider.Needs("query")}},
		{Path: "/rerank", Route: route.Chat, API: &provider.API{Format: provider.CohereRerankV1, Check: provider.Needs("query")}},
		{Path: "/v2/embed", Route: route.Embeddings, API: &provider.API{Format: provider.CohereEmbed}},
		{Path: "/v1/embed", Route: route.Embeddings, API: &provider.API{Format: provider.CohereEmbedV1}},
	},
}
