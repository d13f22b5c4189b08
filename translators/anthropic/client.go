package anthropic

import (
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Client lists what clients of Anthropic's API may call.
// https://platform.claude.com/docs/en/api/overview
var Client = provider.ClientFormat{
	Name:    "anthropic",
	Errors:  Dialect,
	Models:  Models,
	Headers: []string{"Anthropic-"},
	// Those of the SDKs, and of Claude Code: https://code.claude.com/docs/en/llm-gateway
	Private: []string{"X-Stainless-", "X-Claude-", "X-App"},
	Paths: []provider.ClientPath{
		{Path: "/v1/messages", Route: route.Chat, API: &provider.API{
			Format: provider.AnthropicMessages, Dialect: Dialect, Check: provider.Needs("messages"), Streams: true,
			Prose: openai.PromptWords, PromptFirst: true, Ends: true,
		}},
		{Path: "/v1/messages/count_tokens", Route: route.Chat, API: &provider.API{
			Format: provider.AnthropicCount, Dialect: Dialect, Count: appendTokens, Beside: provider.AnthropicMessages, Check: provider.Needs("messages"),
		}},
		{Route: route.Batches, API: &provider.API{
			Format: provider.AnthropicBatches, Nested: true, Body: provider.TakeAny, Model: provider.ModelTaken, Resources: &clientBatches,
		}},
		{Route: route.Skills, API: &provider.API{
			Format: provider.AnthropicSkills, Nested: true, Body: provider.TakeAny, Model: provider.ModelIgnored, Resources: &clientSkills,
		}},
	},
}

var clientSkills = provider.Resources{
	Names: []string{"skills"},
	Allowed: map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET", "DELETE"}, "/{}/versions": {"GET", "POST"}, "/{}/versions/{}": {"GET", "DELETE"}, "/{}/versions/{}/content": {"GET"},
	},
	IDs: []provider.IDPrefix{{Prefix: "skill_", Name: "skills"}},
}

var clientBatches = provider.Resources{
	Names: []string{"messages/batches"},
	Allowed: map[string][]string{
		"": {"GET", "POST"}, "/{}": {"GET", "DELETE"}, "/{}/cancel": {"POST"}, "/{}/results": {"GET"},
	},
	Output: provider.Output{Under: "/results", Line: readBatchResult},
}
