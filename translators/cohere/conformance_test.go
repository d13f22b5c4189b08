package cohere

import (
	"testing"

	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/route"
)

func TestConformance(t *testing.T) {
	lacks := map[string]string{
		"choices":                   "one answer per request",
		conformance.RefusalParts:    "a refusal is ordinary text",
		conformance.ReasoningTokens: "they are output tokens like others",
		conformance.Signatures:      "thinking is not signed",
	}
	chat := []route.Type{"llm/v1/chat"}
	conformance.Run(t, &Provider, conformance.Options{Lacks: lacks, Routes: chat})
	v1 := map[string]string{
		"long_arguments":         "a call cannot be forced",
		"images":                 "text only",
		"image_url":              "text only",
		"thinking":               "its models do not think",
		"thinking_tools":         "its models do not think",
		conformance.ToolIDs:      "calls have no ids",
		conformance.StreamErrors: "a stream just ends",
	}
	for name, reason := range lacks {
		v1[name] = reason
	}
	conformance.Run(t, legacy, conformance.Options{Name: "version 1", Lacks: v1, Routes: chat})
	conformance.Run(t, &Provider, conformance.Options{Name: "generate", Lacks: lacks, Routes: []route.Type{"llm/v1/completions"}})
}
