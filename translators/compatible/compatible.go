// Package compatible is a table of the providers that have OpenAI's API, with small
// differences. Start with Providers: a row is a provider. edits.go holds the
// corrections that more than one of them needs, also for providers that have a folder
// of their own; mistral.go what only Mistral needs.
package compatible

import (
	"errors"
	"strconv"

	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// operations holds a provider's operations by route type.
type operations = map[route.Type]*provider.Operation

// Providers holds the providers that have OpenAI's API. A provider.Edit says where one
// differs. To add a provider, add a row: see docs/adding-a-provider.md.
var Providers = []*provider.Provider{
	// xai. https://docs.x.ai/docs/api-reference
	{
		Name: "xai",
		Base: provider.At("https://api.x.ai"),
		Operations: operations{
			// https://docs.x.ai/docs/guides/tools/overview: searches are made in Responses
			route.Chat: openai.OrResponses(openai.ChatAt("/v1/chat/completions", provider.Edit{Drop: openai.TopK, Rewrite: ReasoningContent, Models: grok}),
				openai.ResponsesAt("/v1/responses"), grok, nil),
			route.Responses: openai.ResponsesAt("/v1/responses"),
			// size, quality and style are accepted without effect; there are no
			// streams.
			route.ImageGenerations: {Path: provider.Path("/v1/images/generations"), Format: provider.OpenAIImages, Meter: openai.MediaMeter, NoStream: true},
		},
	},
	// deepseek has the path with and without the version. It calls the cached part of
	// a prompt usage.prompt_cache_hit_tokens, which the meter reads.
	// https://api-docs.deepseek.com
	{
		Name: "deepseek",
		Base: provider.At("https://api.deepseek.com"),
		Operations: operations{
			// https://api-docs.deepseek.com/guides/thinking_mode
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Drop: []string{"top_k", "n", "seed", "logit_bias"}, Rename: OlderLimit, Request: SystemRole, Models: deepseeks,
				History: history(provider.History{Thought: provider.ThoughtInReasoningContent}),
			}),
		},
	},
	// cerebras. https://inference-docs.cerebras.ai/api-reference/chat-completions
	{
		Name: "cerebras",
		Base: provider.At("https://api.cerebras.ai"),
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Drop: []string{"top_k", "frequency_penalty", "presence_penalty", "logit_bias"}, Rewrite: ReasoningContent, Request: SystemRole, Models: onCerebras,
				// Thoughts would be words of the content, in tags that each model has its own
				// of. https://inference-docs.cerebras.ai/capabilities/reasoning
				History: StrictHistory,
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
			if !provider.IsHostLabel(id) {
				return "", errors.New("model.options.databricks.workspace_instance_id: " + strconv.Quote(id) + " is no host name")
			}
			return "https://" + id + ".cloud.databricks.com", nil
		},
		Operations: operations{
			route.Chat: openai.ChatAt("/serving-endpoints/v1/chat/completions", provider.Edit{
				NoStreamOptions: provider.Always, Rename: OlderLimit, Rewrite: SplitContent, Request: SystemRole, Models: onDatabricks,
				// https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models
				History: history(provider.History{Only: known, Calls: knownOfCalls, Thought: provider.ThoughtSigned}),
			}),
		},
	},
	// vllm is a self-hosted server. It takes sampling parameters beyond
	// OpenAI's, top_k among them, and calls thinking "reasoning".
	// https://docs.vllm.ai/en/stable/features/reasoning_outputs/
	{
		Name: "vllm",
		Operations: operations{route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
			Rewrite: ReasoningContent, History: history(provider.History{Thought: provider.ThoughtInReasoning}),
		})},
	},
}

// history is an Edit.History that is the same for all targets.
func history(h provider.History) func(*target.Target) *provider.History {
	return func(*target.Target) *provider.History { return &h }
}

// StrictHistory is an Edit.History for APIs that refuse members that they do not know,
// and have none for a thought.
var StrictHistory = history(provider.History{Only: known, Calls: knownOfCalls, Thought: provider.ThoughtNowhere})

// The members of messages and of tool calls that all APIs know.
var (
	known        = []string{"role", "content", "name", "tool_calls", "tool_call_id"}
	knownOfCalls = []string{"id", "type", "function", "index"}
)
