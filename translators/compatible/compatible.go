// Package compatible is a table of the providers that have OpenAI's API, with small
// differences. Start with Providers: a row is a provider. edits.go holds the
// corrections that more than one of them needs, also for providers that have a folder
// of their own; mistral.go what only Mistral needs.
package compatible

import (
	"errors"
	"strconv"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// operations holds a provider's operations by route type.
type operations map[route.Type]*provider.Operation

// partly adds the Responses API of the provider called own, which has a part of it and
// takes the rest of its requests in chat.
func (o operations) partly(path string, own origin.Name, has *openai.Partial) operations {
	o[route.Responses] = openai.Partly(openai.ResponsesAt(path, own), o[route.Chat], has)
	return o
}

// atXAI is xAI's chat. Searches are made in Responses.
// https://docs.x.ai/docs/guides/tools/overview
var atXAI = openai.OrResponses(openai.ChatAt("/v1/chat/completions", provider.Edit{
	Drop: openai.TopK, Rewrite: ReasoningContent, Models: grok, History: history(provider.History{Thought: provider.ThoughtInReasoningContent}),
}), openai.ResponsesAt("/v1/responses", "xai"), grok, nil)

// Providers holds the providers that have OpenAI's API. A provider.Edit says where one
// differs. To add a provider, add a row: see docs/adding-a-provider.md.
var Providers = withReasons([]*provider.Provider{
	// xai. https://docs.x.ai/docs/api-reference
	{
		Name:    "xai",
		Base:    provider.At("https://api.x.ai"),
		Reasons: ofXAI,
		Operations: operations{
			route.Chat:      atXAI,
			route.Responses: openai.Partly(openai.ResponsesAt("/v1/responses", "xai"), atXAI.Instead.Operation, &xaiResponses),
			// size, quality and style are accepted without effect; there are no
			// streams.
			route.ImageGenerations: {Path: provider.Path("/v1/images/generations"), Format: provider.OpenAIImages, Meter: openai.MediaMeter, NoStream: true},
		},
	},
	// deepseek has the path with and without the version. It calls the cached part of
	// a prompt usage.prompt_cache_hit_tokens, which the meter reads.
	// https://api-docs.deepseek.com
	{
		Name:    "deepseek",
		Base:    provider.At("https://api.deepseek.com"),
		Reasons: ofDeepSeek,
		Operations: operations{
			// https://api-docs.deepseek.com/guides/thinking_mode
			// https://api-docs.deepseek.com/api/create-chat-completion: "Up to 16 sequences"
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Limits: provider.Limits{Stops: 16},
				Drop:   []string{"top_k", "n", "seed", "logit_bias"}, Rename: OlderLimit, Request: SystemRole, Models: deepseeks,
				History: thoughtful("deepseek-chat"),
			}),
		},
	},
	// cerebras refuses members that it does not know: "property 'body.store' is unsupported".
	// https://inference-docs.cerebras.ai/api-reference/chat-completions
	// https://github.com/Gitlawb/openclaude/issues/740
	{
		Name: "cerebras",
		Base: provider.At("https://api.cerebras.ai"),
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Drop: []string{
					"top_k", "frequency_penalty", "presence_penalty", "logit_bias", "store", "verbosity", "safety_identifier", "prompt_cache_retention",
				},
				Rewrite: ReasoningContent, Request: SystemRole, Models: onCerebras,
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
		Name:    "databricks",
		Reasons: ofDatabricks,
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
			route.Chat: openai.OrResponses(openai.ChatAt("/serving-endpoints/v1/chat/completions", provider.Edit{
				NoStreamOptions: provider.Always, Rename: OlderLimit, Rewrite: SplitContent, Request: SystemRole, Models: onDatabricks, Hosting: databricksTools,
				History: databricksHistory,
			}), openai.ResponsesAt("/serving-endpoints/responses", "databricks"), onDatabricks, nil),
		}.partly("/serving-endpoints/responses", "databricks", &databricksResponses),
	},
	// groq refuses members that it does not know, also of messages, and has OpenAI's limit
	// of stop sequences. https://console.groq.com/docs/openai
	// https://console.groq.com/docs/api-reference#chat-create
	{
		Name: "groq",
		Base: provider.At("https://api.groq.com/openai"),
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Limits: openai.Limits,
				Drop: []string{
					"top_k", "logit_bias", "logprobs", "top_logprobs",
					// "property 'verbosity' is unsupported", and so the others
					// https://github.com/CherryHQ/cherry-studio/issues/11435
					// https://github.com/griptape-ai/griptape/issues/1773
					// https://github.com/fanenr/chatbot/issues/21
					// https://github.com/sipeed/picoclaw/pull/1196
					"verbosity", "modalities", "store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
				},
				Rewrite: ReasoningContent, Request: SystemRole, Models: onGroq, Hosting: groqTools,
				History: history(provider.History{Only: []string{"role", "content", "tool_calls", "tool_call_id"}, Calls: knownOfCalls, Thought: provider.ThoughtNowhere}),
			}),
			route.Files:          openai.RESTAt(provider.Path("/v1/files"), provider.OpenAIFiles),
			route.Batches:        openai.RESTAt(provider.Path("/v1/batches"), provider.OpenAIBatches),
			route.Speech:         openai.SpeechAt(provider.Path("/v1/audio/speech")),
			route.Transcriptions: openai.TranscriptionsAt(provider.Path("/v1/audio/transcriptions")),
			route.Translations:   openai.TranscriptionsAt(provider.Path("/v1/audio/translations")),
		}.partly("/v1/responses", "groq", &groqResponses),
	},
	// together has members of its own for files and batches, which are not served.
	// https://docs.together.ai/docs/inference/openai-compatibility
	// https://github.com/togethercomputer/openapi
	{
		Name:   "together",
		Base:   provider.At("https://api.together.ai"),
		Embeds: true,
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Rename: OlderLimit, Rewrite: ReasoningContent, Request: SystemRole, Models: openWeights, History: StrictHistory,
			}),
			route.Completions:      openai.CompletionsAt("/v1/completions", provider.Edit{}),
			route.Embeddings:       openai.EmbeddingsAt("/v1/embeddings"),
			route.Speech:           openai.SpeechAt(provider.Path("/v1/audio/speech")),
			route.Transcriptions:   openai.TranscriptionsAt(provider.Path("/v1/audio/transcriptions")),
			route.Translations:     openai.TranscriptionsAt(provider.Path("/v1/audio/translations")),
			route.ImageGenerations: {Path: provider.Path("/v1/images/generations"), Format: provider.OpenAIImages, Meter: openai.MediaMeter, NoStream: true},
		},
	},
	// fireworks. https://docs.fireworks.ai/tools-sdks/openai-compatibility
	// https://docs.fireworks.ai/guides/reasoning
	{
		Name:   "fireworks",
		Base:   provider.At("https://api.fireworks.ai/inference"),
		Embeds: true,
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Rename: OlderLimit, Request: SystemRole, Models: openWeights,
				History: history(provider.History{Only: withThought, Calls: knownOfCalls, Thought: provider.ThoughtInReasoningContent}),
			}),
			route.Completions: openai.CompletionsAt("/v1/completions", provider.Edit{}),
			route.Embeddings:  openai.EmbeddingsAt("/v1/embeddings"),
		}.partly("/v1/responses", "fireworks", &fireworksResponses),
	},
	// openrouter calls thoughts "reasoning", in both directions, and hands a chat on to
	// many platforms in the words of each.
	// https://openrouter.ai/docs/api-reference/overview
	// https://openrouter.ai/docs/client-sdks/go/models/components/chatrequeststop.md: "up to 4"
	{
		Name:    "openrouter",
		Base:    provider.At("https://openrouter.ai/api"),
		Reasons: ofOpenRouter,
		Embeds:  true,
		Native:  messages,
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Limits: openai.Limits, Rewrite: ReasoningContent, Models: atOpenRouter, Hosting: openRouterTools, History: history(provider.History{Thought: provider.ThoughtInReasoning, CacheControl: true}),
			}),
			route.Embeddings:     openai.EmbeddingsAt("/v1/embeddings"),
			route.Responses:      openai.ResponsesAt("/v1/responses", "openrouter"),
			route.Speech:         openai.SpeechAt(provider.Path("/v1/audio/speech")),
			route.Transcriptions: openai.TranscriptionsAt(provider.Path("/v1/audio/transcriptions")),
		},
	},
	// perplexity's Sonar models have chats, and its Agent API has OpenAI's Responses,
	// also with models of others.
	// https://docs.perplexity.ai/docs/sonar/openai-compatibility
	// https://docs.perplexity.ai/docs/grounded-llm/openai-compatibility
	{
		Name: "perplexity",
		Base: provider.At("https://api.perplexity.ai"),
		Operations: operations{
			route.Chat: openai.ChatAt("/chat/completions", provider.Edit{
				Rename: OlderLimit, Request: SystemRole, Models: sonar, Hosting: sonarTools, History: StrictHistory,
			}),
			route.Responses: openai.ResponsesAt("/v1/responses", "perplexity"),
		},
	},
	// nvidia is the catalogue of NIM, whose servers are vLLM's or SGLang's.
	// https://docs.api.nvidia.com/nim/reference/llm-apis
	// https://docs.nvidia.com/nim/large-language-models/latest/reference/api-reference.html
	{
		Name: "nvidia",
		Base: provider.At("https://integrate.api.nvidia.com"),
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Rename: OlderLimit, Rewrite: ReasoningContent, Request: SystemRole, Models: openWeights, History: StrictHistory,
			}),
			route.Completions: openai.CompletionsAt("/v1/completions", provider.Edit{}),
			route.Embeddings:  openai.EmbeddingsAt("/v1/embeddings"),
		},
	},
	// github is GitHub Models, where a model's name begins with its publisher:
	// openai/gpt-5. https://docs.github.com/en/rest/models/inference
	{
		Name:    "github",
		Base:    provider.At("https://models.github.ai/inference"),
		Embeds:  true,
		Resizes: []string{"text-embedding-3"},
		Operations: operations{
			route.Chat:       openai.ChatAt("/chat/completions", provider.Edit{Drop: openai.TopK, Models: openai.Families, History: StrictHistory}),
			route.Embeddings: openai.EmbeddingsAt("/embeddings"),
		},
	},
	// kimi is Moonshot's API. It refuses a call in the history without the thought that
	// came with it ("reasoning_content is missing in assistant tool call message").
	// https://platform.kimi.ai/docs/api/chat
	// https://platform.kimi.ai/docs/guide/use-kimi-k2-thinking-model
	{
		Name: "kimi",
		Base: provider.At("https://api.moonshot.ai"),
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Drop: []string{"top_k", "logit_bias", "seed"}, Request: SystemRole, Models: kimis, Hosting: kimiTools,
				History: thoughtful("moonshot-v1"),
			}),
			route.Files:   openai.RESTAt(provider.Path("/v1/files"), provider.OpenAIFiles),
			route.Batches: openai.RESTAt(provider.Path("/v1/batches"), provider.OpenAIBatches),
		},
	},
	// vercel is Vercel's AI Gateway, where a model's name begins with its maker:
	// anthropic/claude-sonnet-4.5. It calls thoughts "reasoning".
	// https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions
	{
		Name:   "vercel",
		Base:   provider.At("https://ai-gateway.vercel.sh"),
		Embeds: true,
		Native: messages,
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Drop: openai.TopK, Rewrite: ReasoningContent, Models: atVercel, History: history(provider.History{Thought: provider.ThoughtInReasoning}),
			}),
			route.Embeddings:       openai.EmbeddingsAt("/v1/embeddings"),
			route.Responses:        openai.ResponsesAt("/v1/responses", "vercel"),
			route.ImageGenerations: {Path: provider.Path("/v1/images/generations"), Format: provider.OpenAIImages, Meter: openai.MediaMeter, NoStream: true},
		},
	},
	// baseten's Model APIs. A dedicated deployment is an upstream_url.
	// https://docs.baseten.co/inference/model-apis/overview
	{
		Name: "baseten",
		Base: provider.At("https://inference.baseten.co"),
		Operations: operations{
			route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
				Rename: OlderLimit, Rewrite: ReasoningContent, Request: SystemRole, Models: openWeights,
				History: history(provider.History{Only: withThought, Calls: knownOfCalls, Thought: provider.ThoughtInReasoningContent}),
			}),
		},
	},
	&vllm,
})

// vllm is a self-hosted server. It takes sampling parameters beyond
// OpenAI's, top_k among them, and calls thinking "reasoning". A server has one model,
// and the operations that it is for; it ranks in Cohere's format.
// https://docs.vllm.ai/en/stable/features/reasoning_outputs/
// https://docs.vllm.ai/en/stable/serving/openai_compatible_server/
//
// Its Responses API lacks much that clients of that API ask for. They are answered
// through its chat, unless the configured URL is that of its own.
var vllm = func() provider.Provider {
	responses := *onChat
	responses.Operations = provider.With(provider.With(operations{}, onChat.Operations), operations{route.Responses: openai.ResponsesAt("/v1/responses", "vllm")})
	p := *onChat
	p.Kinds = []provider.Kind{{}, {Name: "responses", Options: target.Options{UpstreamURL: "http://localhost:8000/v1/responses"}}}
	p.Variant = func(t *target.Target) *provider.Provider {
		if strings.HasSuffix(provider.ConfiguredPath(t), "/responses") {
			return &responses
		}
		return onChat
	}
	return p
}()

var onChat = &provider.Provider{
	Name:   "vllm",
	Embeds: true,
	Native: map[provider.Format]*provider.Operation{
		provider.CohereRerankV1: {Path: provider.Path("/v1/rerank"), Format: provider.CohereRerankV1, Meter: openai.Meter, NoStream: true},
		provider.CohereRerankV2: {Path: provider.Path("/v2/rerank"), Format: provider.CohereRerankV2, Meter: openai.Meter, NoStream: true},
	},
	Operations: operations{
		route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
			Rewrite: ReasoningContent, History: history(provider.History{Thought: provider.ThoughtInReasoning}),
		}),
		route.Completions:    openai.CompletionsAt("/v1/completions", provider.Edit{}),
		route.Embeddings:     openai.EmbeddingsAt("/v1/embeddings"),
		route.Transcriptions: openai.TranscriptionsAt(provider.Path("/v1/audio/transcriptions")),
		route.Translations:   openai.TranscriptionsAt(provider.Path("/v1/audio/translations")),
	},
}

// messages is Anthropic's own format, at gateways that have it beside OpenAI's.
// https://openrouter.ai/docs/api/api-reference/anthropic-messages
// https://vercel.com/docs/ai-gateway/sdks-and-apis/anthropic-messages-api
var messages = map[provider.Format]*provider.Operation{provider.AnthropicMessages: anthropic.MessagesAt("/v1/messages")}

// history is an Edit.History that is the same for all targets, but for Mistral's models:
// their order of messages is demanded wherever they are served.
func history(h provider.History) func(*target.Target) *provider.History {
	strict := h
	strict.Bridge = bridge
	return func(t *target.Target) *provider.History {
		if madeByMistral(t.Model) {
			return &strict
		}
		return &h
	}
}

// thoughtful is the Edit.History of APIs whose models demand a thought of every answer
// in the history ("reasoning_content is missing in assistant tool call message"), which
// answers of other providers and many clients do not have. An empty one is refused, too.
// Models whose names begin with plain do not think.
// https://github.com/charmbracelet/crush/issues/2696
// https://github.com/NousResearch/hermes-agent/pull/17341
func thoughtful(plain string) func(*target.Target) *provider.History {
	return func(t *target.Target) *provider.History {
		h := provider.History{Thought: provider.ThoughtInReasoningContent, NoThought: " "}
		if strings.HasPrefix(t.Model, plain) {
			h.NoThought = ""
		}
		return &h
	}
}

// databricksHistory is an Edit.History. Only Claude has thoughts that come back, with
// their signatures, and takes marks for its cache.
//
//	https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models
//	https://docs.databricks.com/aws/en/machine-learning/model-serving/query-chat-models (prompt caching)
func databricksHistory(t *target.Target) *provider.History {
	return &provider.History{
		Only: known, Calls: knownOfCalls, Thought: provider.ThoughtSigned, CacheControl: strings.Contains(t.Model, "claude-"),
	}
}

// StrictHistory is an Edit.History for APIs that refuse members that they do not know,
// and have none for a thought.
var StrictHistory = history(provider.History{Only: known, Calls: knownOfCalls, Thought: provider.ThoughtNowhere})

// The members of messages and of tool calls that all APIs know.
var (
	known        = []string{"role", "content", "name", "tool_calls", "tool_call_id"}
	knownOfCalls = []string{"id", "type", "function", "index"}
	// withThought are known, and the thought of an answer.
	withThought = append([]string{"reasoning_content"}, known...)
)
