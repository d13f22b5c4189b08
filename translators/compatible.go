package translators

import (
	"errors"
	"strconv"

	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// rows are the providers that have OpenAI's API, but for what an Edit says. One
// more is one more row: see docs/adding-a-provider.md.
var rows = []*provider.Provider{
	// xai. https://docs.x.ai/docs/api-reference
	{
		Name: "xai",
		Base: At("https://api.x.ai"),
		Operations: operations{
			route.Chat:      ChatAt("/v1/chat/completions", provider.Edit{Drop: topK, Rewrite: reasoningContent, Spare: refusedByGrok}),
			route.Responses: responsesAt("/v1/responses"),
			// size, quality and style are taken and have no effect; there are no streams.
			route.ImageGenerations: {Path: path("/v1/images/generations"), Format: provider.OpenAIImages, Meter: openai.MediaMeter, NoStream: true},
		},
	},
	// deepseek takes the path with the version and without. It calls the cached
	// part of a prompt usage.prompt_cache_hit_tokens, which the meter knows.
	// https://api-docs.deepseek.com
	{
		Name: "deepseek",
		Base: At("https://api.deepseek.com"),
		Operations: operations{
			route.Chat: chatOf(path("/v1/chat/completions"), provider.Edit{
				Drop: []string{"top_k", "n", "seed", "logit_bias"}, Rename: olderLimit, Request: systemRole,
			}, openai.Upstream{Reasoning: true}),
		},
	},
	// cerebras. https://inference-docs.cerebras.ai/api-reference/chat-completions
	{
		Name: "cerebras",
		Base: At("https://api.cerebras.ai"),
		Operations: operations{
			route.Chat: ChatAt("/v1/chat/completions", provider.Edit{
				Drop: []string{"top_k", "frequency_penalty", "presence_penalty", "logit_bias"}, Rewrite: reasoningContent, Request: systemRole,
			}),
		},
	},
	// databricks serves foundation models. It counts tokens in every chunk, and
	// refuses stream_options.
	// https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
	{
		Name: "databricks",
		Base: func(t *target.Target) (string, error) {
			id := t.Options.Databricks.WorkspaceInstanceID
			if id == "" {
				return "", errors.New("model.options.databricks.workspace_instance_id: must be set for databricks")
			}
			if !isHostLabel(id) {
				return "", errors.New("model.options.databricks.workspace_instance_id: " + strconv.Quote(id) + " is no host name")
			}
			return "https://" + id + ".cloud.databricks.com", nil
		},
		Operations: operations{
			route.Chat: ChatAt("/serving-endpoints/v1/chat/completions", provider.Edit{
				NoStreamOptions: true, Rename: olderLimit, Rewrite: splitContent, Request: systemRole,
			}),
		},
	},
	// vllm is a self-hosted server. It takes sampling parameters beyond
	// OpenAI's, top_k among them, and calls thinking "reasoning".
	// https://docs.vllm.ai/en/stable/features/reasoning_outputs/
	{
		Name:       "vllm",
		Operations: operations{route.Chat: ChatAt("/v1/chat/completions", provider.Edit{Rewrite: reasoningContent})},
	},
}
