package llama2

import (
	"slices"

	"go-ai-proxy/translators/compatible"
	"go-ai-proxy/translators/ollama"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is a self-hosted server of a Llama 2 model. The option llama2_format says
// which format it has: "raw", "ollama" or "openai".
var Provider = provider.InFormats(openAI, func(t *target.Target) string { return t.Options.Llama2Format },
	map[string]*provider.Provider{"raw": &rawProvider, "ollama": &ollama.Provider})

// openAI is a server with OpenAI's format.
var openAI = &provider.Provider{
	Name:    "llama2",
	Reasons: slices.Concat(openai.Reasons, ollama.Reasons),
	Kinds: []provider.Kind{
		{Name: "raw", Options: target.Options{Llama2Format: "raw"}},
		{Name: "ollama", Options: target.Options{Llama2Format: "ollama"}},
		{Name: "openai", Options: target.Options{Llama2Format: "openai"}},
	},
	Operations: map[route.Type]*provider.Operation{
		route.Chat:        openai.ChatAt("/v1/chat/completions", provider.Edit{Drop: openai.TopK, Rewrite: compatible.ReasoningContent}),
		route.Completions: openai.CompletionsAt("/v1/completions", provider.Edit{Drop: openai.TopK}),
		route.Embeddings:  openai.EmbeddingsAt("/v1/embeddings"),
	},
}
