package openai_test

import (
	"testing"

	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// TestUpstreamConforms takes OpenAI's own format through the internal form and
// back, as a client of another format would have it.
func TestUpstreamConforms(t *testing.T) {
	fields := provider.Fields{}
	for _, name := range openai.Fields {
		fields[name] = provider.Field{Treatment: provider.Mapped}
	}
	fields["stream_options"] = provider.Field{Treatment: provider.Dropped, Note: "usage is always asked for"}
	fields["web_search_options"] = provider.Field{Treatment: provider.Refused, Note: "but for search models"}
	fields["metadata"] = provider.Field{Treatment: provider.Dropped, Note: "refused without store"}
	p := &provider.Provider{Name: "openai", Operations: map[route.Type]*provider.Operation{"llm/v1/chat": {
		Path:   func(*target.Target, bool) (string, error) { return "/v1/chat/completions", nil },
		Format: provider.OpenAIChat, Chat: openai.Upstream{}, Hosts: openai.Hosts, Meter: openai.Meter, Fields: fields,
	}}}
	conformance.Run(t, p, conformance.Options{Translated: true, Lacks: map[string]string{
		conformance.Signatures: "OpenAI has no member for them",
		conformance.Thinking:   "OpenAI refuses it in history",
	}})
}
