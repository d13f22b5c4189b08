package anthropic

import (
	"testing"

	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/route"
)

func TestConformance(t *testing.T) {
	lacks := map[string]string{
		"choices":                "one answer per request",
		conformance.RefusalParts: "a refusal is ordinary text",
	}
	conformance.Run(t, &Provider, conformance.Options{Lacks: lacks, Routes: []route.Type{"llm/v1/chat"}})
	conformance.Run(t, &Provider, conformance.Options{Name: "complete", Routes: []route.Type{"llm/v1/completions"}, Lacks: map[string]string{
		conformance.Usage: "the legacy API counts no tokens",
	}})
}
