package anthropic

import (
	"testing"

	"go-ai-proxy/translators/conformance"
)

func TestConformance(t *testing.T) {
	lacks := map[string]string{
		"choices":                "one answer per request",
		conformance.RefusalParts: "a refusal is ordinary text",
	}
	conformance.Run(t, &Provider, conformance.Options{Lacks: lacks, Routes: []string{"llm/v1/chat"}})
	conformance.Run(t, &Provider, conformance.Options{Name: "complete", Routes: []string{"llm/v1/completions"}, Lacks: map[string]string{
		conformance.Usage: "the legacy API counts no tokens",
	}})
}
