package openai

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// Families are OpenAI's, on its own API and on Azure. "gpt-" takes the names that are
// not here yet for the newest. Models that reason refuse max_tokens and the sampling
// parameters.
var Families = provider.Families{
	{Prefix: "gpt-5-chat-", Limit: newLimit, Output: 16384, Document: modelsPage + "/gpt-5-chat-latest"},
	{Prefix: "gpt-5.1-chat-", Efforts: []string{"medium"}, Refuses: Sampling, Limit: newLimit, Output: 16384, Document: modelsPage + "/gpt-5.1-chat-latest"},
	{Prefix: "gpt-5.2-chat-", Efforts: []string{"medium"}, Refuses: Sampling, Limit: newLimit, Output: 16384, Document: modelsPage + "/gpt-5.2-chat-latest"},
	{Prefix: "gpt-5-pro-", Efforts: []string{"high"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Searches: true, Runs: proTools, Output: 272000, Document: modelsPage + "/gpt-5-pro"},
	{Prefix: "gpt-5-codex-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Output: 128000, Document: modelsPage + "/gpt-5-codex"},
	{Prefix: "gpt-5-", Efforts: []string{"minimal", "low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, Searches: true, Runs: allTools, Output: 128000, Document: reasoningPage},
	{Prefix: "gpt-5.1-codex-max-", Efforts: []string{"low", "medium", "high", "xhigh"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Output: 128000, Document: modelsPage + "/gpt-5.1-codex-max"},
	{Prefix: "gpt-5.1-codex-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Output: 128000, Document: modelsPage + "/gpt-5.1-codex"},
	{Prefix: "gpt-5.1-", Efforts: []string{"none", "low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, Searches: true, Runs: allTools, Output: 128000, Document: reasoningPage},
	{Prefix: "gpt-5.2-pro-", Efforts: []string{"medium", "high", "xhigh"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Searches: true, Runs: proTools, Output: 128000, Document: modelsPage + "/gpt-5.2-pro"},
	{Prefix: "gpt-5.2-codex-", Efforts: []string{"low", "medium", "high", "xhigh"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Output: 128000, Document: modelsPage + "/gpt-5.2-codex"},
	{Prefix: "gpt-5.2-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, Refuses: Sampling, Limit: newLimit, Searches: true, Runs: allTools, Output: 128000, Document: modelsPage + "/gpt-5.2"},
	{Prefix: "gpt-5.3-codex-", Efforts: []string{"low", "medium", "high", "xhigh"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Output: 128000, Document: modelsPage + "/gpt-5.3-codex"},
	{Prefix: "gpt-5.3-chat-", Efforts: []string{"medium"}, Refuses: Sampling, Limit: newLimit, Output: 16384, Document: modelsPage + "/gpt-5.3-chat-latest"},
	{Prefix: "gpt-5.4-pro-", Efforts: []string{"medium", "high", "xhigh"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Searches: true, Runs: proTools, Output: 128000, Document: modelsPage + "/gpt-5.4-pro"},
	{Prefix: "gpt-5.5-pro-", Efforts: []string{"medium", "high", "xhigh"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Searches: true, Output: 128000, Document: modelsPage + "/gpt-5.5-pro"},
	{Prefix: "gpt-5.4-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, Default: "none", Refuses: Sampling, Limit: newLimit, QuietTools: true, Searches: true, Runs: allTools, Output: 128000, Document: modelsPage + "/gpt-5.4"},
	{Prefix: "gpt-5.5-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, Refuses: Sampling, Limit: newLimit, QuietTools: true, Searches: true, Runs: newTools, Output: 128000, Document: modelsPage + "/gpt-5.5"},
	{Prefix: "gpt-5.6-", Efforts: upToMax, Refuses: Sampling, Limit: newLimit, QuietTools: true, Searches: true, Runs: newTools, Output: 128000, Document: modelsPage + "/gpt-5.6-sol", Read: "2026-11"},
	{Prefix: "gpt-6-astra-", Efforts: upToMax[1:], Refuses: Sampling, Limit: newLimit, QuietTools: true, Searches: true, Runs: newTools, Document: modelsPage + "/gpt-6-astra", Read: "2026-11"},
	{Prefix: "gpt-6-", Efforts: upToMax, Refuses: Sampling, Limit: newLimit, QuietTools: true, Searches: true, Runs: allTools, Document: modelsPage + "/gpt-6-sol", Read: "2026-11"},
	{Prefix: "gpt-6.1-", Efforts: upToMax[1:], Refuses: Sampling, Limit: newLimit, QuietTools: true, Searches: true, Runs: allTools, Document: modelsPage + "/gpt-6.1-sol", Read: "2026-11"},
	{Prefix: "codex-mini-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Output: 100000, Document: modelsPage + "/codex-mini-latest"},
	{Prefix: "computer-use-preview-", OnlyResponses: true, Truncates: true, Document: modelsPage + "/computer-use-preview"},
	{Prefix: "o1-pro-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Output: 100000, Document: onlyResponsesPage},
	{Prefix: "o3-pro-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, Searches: true, Runs: proTools, Output: 100000, Document: onlyResponsesPage},
	{Prefix: "o3-deep-research-", Efforts: []string{"medium"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, AlwaysSearches: true, Output: 100000, Document: deepPage},
	{Prefix: "o4-mini-deep-research-", Efforts: []string{"medium"}, Refuses: Sampling, Limit: newLimit, OnlyResponses: true, AlwaysSearches: true, Output: 100000, Document: deepPage},
	{Prefix: "o3-mini-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, Output: 100000, Document: reasoningPage},
	{Prefix: "o1-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, Output: 100000, Document: reasoningPage},
	{Prefix: "o3-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, Searches: true, Runs: allTools, Output: 100000, Document: reasoningPage},
	{Prefix: "o4-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, Searches: true, Runs: allTools, Output: 100000, Document: reasoningPage},
	{Prefix: "o5-", Efforts: []string{"low", "medium", "high"}, Refuses: Sampling, Limit: newLimit, Searches: true, Runs: allTools, Document: reasoningPage}, // if it comes
	{Prefix: "gpt-oss-", Efforts: []string{"low", "medium", "high"}, Document: "https://cookbook.openai.com/articles/openai-harmony"},
	{Prefix: "gpt-35-", Output: 4096, Document: "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/legacy-models"},
	{Prefix: "gpt-3", Output: 4096, Document: chatPage},
	{Prefix: "gpt-4o-audio-", Output: 16384, Document: chatPage},
	{Prefix: "gpt-4o-mini-audio-", Output: 16384, Document: chatPage},
	{Prefix: "gpt-4o-", Searches: true, Runs: allTools, Output: 16384, Document: searchPage},
	{Prefix: "gpt-4.1-nano-", Output: 32768, Document: searchPage},
	{Prefix: "gpt-4.1-", Searches: true, Runs: allTools, Output: 32768, Document: searchPage},
	{Prefix: "gpt-4-turbo-", Output: 4096, Document: modelsPage + "/gpt-4-turbo"},
	{Prefix: "gpt-4", Document: chatPage},
	{Prefix: "gpt-audio", Document: chatPage},
	{Prefix: "chatgpt-", Output: 16384, Document: chatPage},
	// gpt-6.2 and what comes.
	// gpt-5.4 and newer: "Function tools with reasoning_effort are not supported … in
	// /v1/chat/completions. To use function tools, use /v1/responses or set
	// reasoning_effort to 'none'." Newer ones say so of requests without an effort, too,
	// and some have no 'none'.
	{Prefix: "gpt-", Efforts: upToMax[1:], Refuses: Sampling, Limit: newLimit, QuietTools: true, Searches: true, Runs: newTools, Document: modelsPage + "/gpt-6.2-sol", Read: "2026-11"},
}

// What the API runs for the models besides the search: what a list of their tools names.
// Of those that no list is known of it is what the one before and the next have, and of
// the newest what all of the generation have.
//
//	https://docs.oxen.ai/inference-api/reference/models/gpt-6-astra
//	https://docs.oxen.ai/inference-api/reference/models/gpt-6-1-sol
//	https://platform.openai.com/docs/guides/tools-code-interpreter
//	https://platform.openai.com/docs/guides/tools-image-generation
//	https://platform.openai.com/docs/guides/tools-connectors-mcp
var (
	allTools = map[chat.Hosted]string{
		chat.CodeExecution: `{"type":"code_interpreter","container":{"type":"auto"}}`, chat.ImageGeneration: `{"type":"image_generation"}`, chat.MCP: "",
	}
	newTools = map[chat.Hosted]string{chat.CodeExecution: allTools[chat.CodeExecution], chat.MCP: ""}
	proTools = map[chat.Hosted]string{chat.ImageGeneration: `{"type":"image_generation"}`, chat.MCP: ""}
)

const (
	chatPage      = "https://platform.openai.com/docs/api-reference/chat/create"
	reasoningPage = "https://platform.openai.com/docs/guides/reasoning"
	modelsPage    = "https://platform.openai.com/docs/models"
	deepPage      = "https://platform.openai.com/docs/guides/deep-research"
	searchPage    = "https://platform.openai.com/docs/guides/tools-web-search"
	// onlyResponsesPage has the type ResponsesOnlyModel.
	onlyResponsesPage = "https://developers.openai.com/api/reference/resources/$shared"
	// newLimit is what max_tokens is called for models that reason.
	newLimit = "max_completion_tokens"
)

// upToMax are the levels of gpt-5.6 and newer; some of those have no "none".
var upToMax = []string{"none", "low", "medium", "high", "xhigh", "max"}

// Sampling are the parameters that models refuse which reason.
// https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning
var Sampling = []string{"temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"}
