// Package translators is the list of providers. A provider is a folder with a
// var Provider and a line here, or a row in compatible.go.
package translators

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/bedrock"
	"go-ai-proxy/translators/cohere"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/ollama"
	"go-ai-proxy/translators/provider"
)

// Providers are all of them, in the order of the README.
var Providers = append([]*provider.Provider{
	openAI,
	azureByModel,
	&anthropic.Provider,
	&bedrock.Provider,
	&gemini.Provider,
	&cohere.Provider,
	mistralFormats,
	huggingFace,
	llama2Formats,
	&ollama.Provider,
	dashscope,
}, rows...)

// Lookup returns the provider called name, or nil.
func Lookup(name string) *provider.Provider {
	for _, p := range Providers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Native returns the provider whose own format clients of an llm_format speak,
// nil for the default one, which is not of one provider.
func Native(format string) *provider.Provider {
	for _, p := range Providers {
		if p.Client != nil && p.Client.Name == format {
			return p
		}
	}
	return nil
}

// Names are the names of all providers, sorted.
func Names() []string {
	names := make([]string, len(Providers))
	for i, p := range Providers {
		names[i] = p.Name
	}
	slices.Sort(names)
	return names
}

// Resizes says whether an embedding model, wherever it is served, shortens its
// vectors on request.
func Resizes(model string) bool {
	for _, p := range Providers {
		if slices.ContainsFunc(p.Resizes, func(part string) bool { return strings.Contains(model, part) }) {
			return true
		}
	}
	return false
}
