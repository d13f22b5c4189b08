// Package translators is the list of providers. A provider is a folder with a
// var Provider, or a row in openai_compatible.go; here each has one line.
package translators

import (
	"slices"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/cohere"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/ollama"
	"go-ai-proxy/translators/provider"
)

// providers are all of them, by model.provider.
var providers = map[string]*provider.Provider{
	"openai":      openAI,
	"anthropic":   &anthropic.Provider,
	"azure":       azureByModel,
	"bedrock":     &bedrock.Provider,
	"cerebras":    cerebras,
	"dashscope":   dashscope,
	"cohere":      &cohere.Provider,
	"databricks":  databricks,
	"deepseek":    deepseek,
	"huggingface": huggingFace,
	"llama2":      llama2Formats,
	"gemini":      &gemini.Provider,
	"mistral":     mistralFormats,
	"ollama":      &ollama.Provider,
	"vllm":        vllm,
	"xai":         xai,
}

// Lookup returns the provider called name, or nil.
func Lookup(name string) *provider.Provider { return providers[name] }

// Names are the names of all providers, sorted.
func Names() []string {
	names := make([]string, 0, len(providers))
	for name := range providers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
