package bedrock

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// signed are the headers of a signed request: the signature itself is not this
// package's.
var signed = [][2]string{
	{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/bedrock/aws4_request, " +
		"SignedHeaders=content-length;content-type;host;x-amz-date, Signature=" + strings.Repeat("0f", 32)},
	{"X-Amz-Date", "20261123T000000Z"},
}

func options() *target.Options {
	return &target.Options{Bedrock: target.Bedrock{AWSRegion: "us-east-1"}}
}

// lacks is what Converse does not have.
var lacks = map[string]string{
	"choices":                   "one answer per request",
	"image_url":                 "Bedrock fetches nothing from the web",
	conformance.RefusalParts:    "a refusal is ordinary text",
	conformance.ReasoningTokens: "they are among outputTokens and not told apart",
}

func TestConverseConforms(t *testing.T) {
	for _, model := range []string{
		"arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0",
		"anthropic.claude-sonnet-4-20250514-v1:0",
		"us.amazon.nova-2-lite-v1:0",
	} {
		if raceEnabled && model != sonnet {
			continue // no goroutines here: one model is enough
		}
		options := conformance.Options{
			Name: model, Target: target.Target{Model: model, Options: options()}, Header: signed, Lacks: lacks,
		}
		if model != "mock-model-1" {
			options.Routes = []route.Type{"llm/v1/chat"}
		}
		conformance.Run(t, &Provider, options)
	}
}
