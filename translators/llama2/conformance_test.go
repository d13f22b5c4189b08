package llama2

import (
	"testing"

	"go-ai-proxy/translators/conformance"
)

func TestRawLlama2Conforms(t *testing.T) {
	const noTools, noThoughts = "the template has no place for tools", "the model does not think aloud"
	conformance.Run(t, &rawProvider, conformance.Options{Name: "raw", Lacks: map[string]string{
		"tools":                   noTools,
		"tools_text":              noTools,
		"tool_result":             noTools,
		"long_arguments":          noTools,
		"thinking":                noThoughts,
		"thinking_tools":          noThoughts,
		"images":                  "text only",
		"image_url":               "text only",
		"structured":              "text only",
		"choices":                 "one answer per request",
		conformance.RefusalParts:  "a refusal is ordinary text",
		conformance.Usage:         "tokens are not counted",
		conformance.FinishReasons: "nobody says why the answer ended",
		conformance.StreamErrors:  "there is no stream",
	}})
}
