// Package translators is the registry of all providers. A provider is either a folder
// with a var Provider and a line in this file, or a row in compatible/compatible.go.
package translators

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/azure"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/cohere"
	"go-ai-proxy/translators/compatible"
	"go-ai-proxy/translators/dashscope"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/huggingface"
	"go-ai-proxy/translators/llama2"
	"go-ai-proxy/translators/ollama"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/sagemaker"
)

// Providers holds all providers, in the order of the documentation.
var Providers = append([]*provider.Provider{
	&openai.Provider,
	&azure.Provider,
	&anthropic.Provider,
	&bedrock.Provider,
	&sagemaker.Provider,
	&gemini.Provider,
	&cohere.Provider,
	&compatible.Mistral,
	&huggingface.Provider,
	&llama2.Provider,
	&ollama.Provider,
	&dashscope.Provider,
}, compatible.Providers...)

// Client is the format of clients if llm_format does not name a provider's own.
var Client = &openai.Client

// Lookup returns the provider called name, or nil.
func Lookup(name string) *provider.Provider {
	for _, p := range Providers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Native returns the provider that an llm_format belongs to. It returns nil for the
// default format, which does not belong to one provider.
func Native(format string) *provider.Provider {
	for _, p := range Providers {
		if p.Client != nil && p.Client.Name == format {
			return p
		}
	}
	return nil
}

// Names returns the names of all providers, sorted.
func Names() []string {
	names := make([]string, len(Providers))
	for i, p := range Providers {
		names[i] = p.Name
	}
	slices.Sort(names)
	return names
}

// Resizes reports whether an embedding model can shorten its vectors on request,
// whichever provider serves it.
func Resizes(model string) bool {
	for _, p := range Providers {
		if slices.ContainsFunc(p.Resizes, func(part string) bool { return strings.Contains(model, part) }) {
			return true
		}
	}
	return false
}
