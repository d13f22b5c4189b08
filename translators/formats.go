package translators

import (
	llama2raw "go-ai-proxy/translators/llama2"
	"go-ai-proxy/translators/ollama"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Some models are served in several formats, and an option says in which. Kong
// leaves it to the configuration; "openai" is the table's own.

var (
	llama2Formats = inFormats(llama2, func(t *target.Target) string { return t.Options.Llama2Format },
		map[string]*provider.Provider{"raw": &llama2raw.Provider, "ollama": &ollama.Provider})

	mistralFormats = inFormats(mistral, func(t *target.Target) string { return t.Options.MistralFormat },
		map[string]*provider.Provider{"ollama": &ollama.Provider})
)

// inFormats is p for targets of no other format. What is of another one is at
// its upstream_url: none of the others has a Base.
func inFormats(p *provider.Provider, format func(*target.Target) string, others map[string]*provider.Provider) *provider.Provider {
	with := *p
	with.Variant = func(t *target.Target) *provider.Provider {
		if other := others[format(t)]; other != nil {
			return other
		}
		return p
	}
	return &with
}
