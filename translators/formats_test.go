package translators

import (
	"testing"

	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

func TestFormatOptionSelectsTheModelsFormat(t *testing.T) {
	for _, c := range []struct {
		name    string
		options target.Options
		route   route.Type
		format  provider.Format
		path    string
	}{
		{"mistral", target.Options{}, "llm/v1/chat", provider.OpenAIChat, "/v1/chat/completions"},
		{"mistral", target.Options{MistralFormat: "openai"}, "llm/v1/chat", provider.OpenAIChat, "/v1/chat/completions"},
		{"mistral", target.Options{MistralFormat: "ollama"}, "llm/v1/chat", provider.OllamaChat, "/api/chat"},
		{"mistral", target.Options{MistralFormat: "ollama"}, "llm/v1/completions", provider.OllamaGenerate, "/api/generate"},
		{"mistral", target.Options{MistralFormat: "ollama"}, "llm/v1/embeddings", provider.OllamaEmbed, "/api/embed"},
		{"llama2", target.Options{Llama2Format: "openai"}, "llm/v1/chat", provider.OpenAIChat, "/v1/chat/completions"},
		{"llama2", target.Options{Llama2Format: "ollama"}, "llm/v1/chat", provider.OllamaChat, "/api/chat"},
		{"llama2", target.Options{Llama2Format: "ollama"}, "llm/v1/completions", provider.OllamaGenerate, "/api/generate"},
		{"llama2", target.Options{Llama2Format: "raw"}, "llm/v1/chat", provider.Llama2Raw, "/"},
		{"llama2", target.Options{Llama2Format: "raw"}, "llm/v1/completions", provider.Llama2Raw, "/"},
		{"llama2", target.Options{Llama2Format: "raw"}, "llm/v1/embeddings", "", ""},
		{"ollama", target.Options{}, "llm/v1/chat", provider.OllamaChat, "/api/chat"},
	} {
		to := &target.Target{Provider: c.name, Route: c.route, Options: &c.options}
		p := Lookup(c.name)
		if p.Variant != nil {
			p = p.Variant(to)
		}
		op := p.Operations[c.route]
		if op == nil {
			if c.format != "" {
				t.Errorf("%+v: there is no operation", c)
			}
			continue
		}
		if path, err := op.Path(to, false); err != nil || op.Format != c.format || path != c.path {
			t.Errorf("%+v: got %s at %s, %v", c, op.Format, path, err)
		}
		if own := op.Format == provider.OpenAIChat && c.name == "mistral"; (p.Base != nil) != own {
			t.Errorf("%+v: has a base URL: %v", c, p.Base != nil)
		}
	}
}
