package ollama

import (
	"testing"

	"go-ai-proxy/translators/conformance"
)

func TestOllamaConforms(t *testing.T) {
	conformance.Run(t, &Provider, conformance.Options{Lacks: map[string]string{
		"image_url":                 "images are sent, not fetched",
		"safety":                    "no filter of content",
		"choices":                   "one answer per request",
		conformance.RefusalParts:    "a refusal is ordinary text",
		conformance.Signatures:      "thoughts are not signed",
		conformance.CachedTokens:    "not reported",
		conformance.ReasoningTokens: "not reported",
	}})
}
