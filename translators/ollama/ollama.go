// Package ollama implements the API of Ollama, which other servers for local models
// have copied: /api/chat, /api/generate and /api/embed. It knows the internal
// form, Ollama's format and, for embeddings, OpenAI's.
//
// Start with Provider; request.go writes requests, answer.go reads answers. A
// stream consists of such answers, one per line. Facts are from
// https://docs.ollama.com/api and from the server's own types:
// https://github.com/ollama/ollama/blob/main/api/types.go
package ollama

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Provider is an Ollama server. Its address is always upstream_url; if that has no
// path, it gets that of the operation.
var Provider = provider.Provider{
	Name:    "ollama",
	Embeds:  true,
	Reasons: Reasons,
	// The registry, the library and the tag "latest" are optional, and names are not
	// case-sensitive.
	// https://github.com/ollama/ollama/blob/main/types/model/name.go
	PlainModel: func(name string) string {
		name = strings.TrimPrefix(strings.ToLower(name), "registry.ollama.ai/")
		return strings.TrimSuffix(strings.TrimPrefix(name, "library/"), ":latest")
	},
	Operations: map[route.Type]*provider.Operation{
		route.Chat:        {Path: provider.Path("/api/chat"), Format: provider.OllamaChat, Chat: Chat, Meter: Meter, Fields: Fields, Edit: edit},
		route.Completions: {Path: provider.Path("/api/generate"), Format: provider.OllamaGenerate, Chat: Generate, Meter: Meter, Fields: generateFields, Edit: edit},
		route.Embeddings:  {Path: provider.Path("/api/embed"), Format: provider.OllamaEmbed, Body: Embed, NoStream: true},
	},
}

// edit has what the models take. The requests of Ollama's own clients are not changed
// by it: the families refuse no member.
var edit = provider.Edit{Models: families, Refusals: []provider.Refusal{
	{Status: 400, Words: []string{"does not support thinking"}, What: "think", Without: provider.WithoutMember("think"), Document: "https://docs.ollama.com/capabilities/thinking"},
}}

// The formats of Ollama's API.
var (
	// Chat is POST /api/chat.
	Chat chat.Upstream = chatFormat{}
	// Generate is POST /api/generate, which takes a prompt.
	Generate chat.Upstream = generateFormat{}
	// Embed is POST /api/embed.
	Embed provider.Translator = embedFormat{}
)

// fields holds the rules for the fields that chat and completions have in common.
var fields = provider.Fields{
	"model":             provider.Mapped.With("model"),
	"max_tokens":        provider.Mapped.With("options.num_predict"),
	"temperature":       provider.Mapped.With("options.temperature"),
	"top_p":             provider.Mapped.With("options.top_p"),
	"top_k":             provider.Mapped.With("options.top_k"),
	"seed":              provider.Mapped.With("options.seed"),
	"stop":              provider.Mapped.With("options.stop"),
	"presence_penalty":  provider.Mapped.With("options.presence_penalty"),
	"frequency_penalty": provider.Mapped.With("options.frequency_penalty"),
	"stream":            provider.Mapped.With("stream"),
	"extra_body":        provider.Mapped.With("merged into the body"),
	"logit_bias":        provider.Dropped.With("no such option"),
	"n":                 provider.Dropped.With("one answer per request"),
	"stream_options":    provider.Dropped.With("usage is always sent"),
	"user":              provider.Dropped.With("nobody to tell"),
}

// Fields holds the rules for the fields of an OpenAI chat request for /api/chat.
var Fields = fields.With(provider.Fields{
	"messages": provider.Mapped.With("messages"),

	"max_completion_tokens": provider.Mapped.With("options.num_predict"),

	"tools":         provider.Mapped.With("tools"),
	"functions":     provider.Mapped.With("tools"),
	"tool_choice":   provider.Mapped.With("tool_choice, which Ollama does not read yet; none leaves out the tools"),
	"function_call": provider.Mapped.With("tool_choice"),

	"response_format":  provider.Mapped.With("format"),
	"reasoning_effort": provider.Mapped.With("think, of models that can"),
	"logprobs":         provider.Mapped.With("logprobs"),
	"top_logprobs":     provider.Mapped.With("top_logprobs"),

	"audio":                  provider.Dropped.With("the models do not speak"),
	"metadata":               provider.Dropped.With("nothing is stored"),
	"modalities":             provider.Dropped.With("text is the only one"),
	"parallel_tool_calls":    provider.Dropped.With("no such option"),
	"prediction":             provider.Dropped.With("no such option"),
	"prompt_cache_key":       provider.Dropped.With("the server caches by itself"),
	"prompt_cache_retention": provider.Dropped.With("the server caches by itself"),
	"safety_identifier":      provider.Dropped.With("nobody to tell"),
	"service_tier":           provider.Dropped.With("there is one"),
	"store":                  provider.Dropped.With("nothing is stored"),
	"verbosity":              provider.Dropped.With("no such option"),
	"web_search_options":     provider.Refused.With("nothing searches; left out beside functions"),
})

// generateFields holds the rules for the fields of an OpenAI completions request.
var generateFields = fields.With(provider.Fields{
	"prompt":   provider.Mapped.With("prompt"),
	"suffix":   provider.Mapped.With("suffix"),
	"best_of":  provider.Dropped.With("one answer per request"),
	"echo":     provider.Dropped.With("no such option"),
	"logprobs": provider.Dropped.With("Ollama's have another form than those of completions"),
})
