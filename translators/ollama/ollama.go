// Package ollama speaks the API of Ollama, which other servers of local models
// have copied: /api/chat, /api/generate and /api/embed. It knows the internal
// form and Ollama's, and for embeddings OpenAI's.
//
// Start with Provider; request.go writes requests, answer.go reads answers,
// and a stream is such answers, one a line. Facts are from
// https://docs.ollama.com/api and from the server's own types:
// https://github.com/ollama/ollama/blob/main/api/types.go
package ollama

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is an Ollama server. Only upstream_url can say where it is; a URL
// without a path gets that of the operation.
var Provider = provider.Provider{
	Name: "ollama",
	// The registry, the library and the tag "latest" need not be said, and the
	// case of letters does not count.
	// https://github.com/ollama/ollama/blob/main/types/model/name.go
	PlainModel: func(name string) string {
		name = strings.TrimPrefix(strings.ToLower(name), "registry.ollama.ai/")
		return strings.TrimSuffix(strings.TrimPrefix(name, "library/"), ":latest")
	},
	Operations: map[route.Type]*provider.Operation{
		route.Chat:        {Path: path("/api/chat"), Format: provider.OllamaChat, Chat: Chat, Meter: Meter, Fields: Fields},
		route.Completions: {Path: path("/api/generate"), Format: provider.OllamaGenerate, Chat: Generate, Meter: Meter, Fields: generateFields},
		route.Embeddings:  {Path: path("/api/embed"), Format: provider.OllamaEmbed, Body: Embed, NoStream: true},
	},
}

// The formats of Ollama's API.
var (
	// Chat is POST /api/chat.
	Chat chat.Upstream = chatFormat{}
	// Generate is POST /api/generate, which takes a prompt.
	Generate chat.Upstream = generateFormat{}
	// Embed is POST /api/embed.
	Embed provider.Translator = embedFormat{}
)

func path(p string) func(*target.Target, bool) (string, error) {
	return func(*target.Target, bool) (string, error) { return p, nil }
}

// Fields rules the fields of an OpenAI chat request for /api/chat.
var Fields = provider.Fields{
	"model":    mapped("model"),
	"messages": mapped("messages"),

	"max_completion_tokens": mapped("options.num_predict"),
	"max_tokens":            mapped("options.num_predict"),
	"temperature":           mapped("options.temperature"),
	"top_p":                 mapped("options.top_p"),
	"top_k":                 mapped("options.top_k"),
	"seed":                  mapped("options.seed"),
	"stop":                  mapped("options.stop"),
	"presence_penalty":      mapped("options.presence_penalty"),
	"frequency_penalty":     mapped("options.frequency_penalty"),
	"stream":                mapped("stream"),

	"tools":         mapped("tools"),
	"functions":     mapped("tools"),
	"tool_choice":   mapped("tool_choice, which Ollama does not read yet; none leaves out the tools"),
	"function_call": mapped("tool_choice"),

	"response_format":  mapped("format"),
	"reasoning_effort": mapped("think"),
	"logprobs":         mapped("logprobs"),
	"top_logprobs":     mapped("top_logprobs"),
	"extra_body":       mapped("merged into the body"),

	"audio":                  dropped("the models do not speak"),
	"logit_bias":             dropped("no such option"),
	"metadata":               dropped("nothing is stored"),
	"modalities":             dropped("text is the only one"),
	"n":                      dropped("one answer per request"),
	"parallel_tool_calls":    dropped("no such option"),
	"prediction":             dropped("no such option"),
	"prompt_cache_key":       dropped("the server caches by itself"),
	"prompt_cache_retention": dropped("the server caches by itself"),
	"safety_identifier":      dropped("nobody to tell"),
	"service_tier":           dropped("there is one"),
	"store":                  dropped("nothing is stored"),
	"stream_options":         dropped("usage is always sent"),
	"user":                   dropped("nobody to tell"),
	"verbosity":              dropped("no such option"),
	"web_search_options":     dropped("the server does not search"),
}

// generateFields rules the fields of an OpenAI completions request.
var generateFields = provider.Fields{
	"model":             mapped("model"),
	"prompt":            mapped("prompt"),
	"suffix":            mapped("suffix"),
	"max_tokens":        mapped("options.num_predict"),
	"temperature":       mapped("options.temperature"),
	"top_p":             mapped("options.top_p"),
	"top_k":             mapped("options.top_k"),
	"seed":              mapped("options.seed"),
	"stop":              mapped("options.stop"),
	"presence_penalty":  mapped("options.presence_penalty"),
	"frequency_penalty": mapped("options.frequency_penalty"),
	"stream":            mapped("stream"),
	"extra_body":        mapped("merged into the body"),
	"best_of":           dropped("one answer per request"),
	"echo":              dropped("no such option"),
	"logit_bias":        dropped("no such option"),
	"logprobs":          dropped("Ollama's have another form than those of completions"),
	"n":                 dropped("one answer per request"),
	"stream_options":    dropped("usage is always sent"),
	"user":              dropped("nobody to tell"),
}

func mapped(note string) provider.Field {
	return provider.Field{Treatment: provider.Mapped, Note: note}
}

func dropped(note string) provider.Field {
	return provider.Field{Treatment: provider.Dropped, Note: note}
}
