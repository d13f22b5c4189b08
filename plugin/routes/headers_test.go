package routes

import (
	"net/http"
	"testing"

	"go-ai-proxy/translators"
)

func TestHeadersOfOneVendorAreWithheldFromAnother(t *testing.T) {
	for _, c := range []struct {
		header, client, provider string
		same, want               bool
	}{
		{"x-codex-turn-metadata", "openai", "anthropic", false, true},
		{"x-codex-turn-metadata", "openai", "azure", true, true},
		{"x-codex-turn-metadata", "openai", "openai", true, false},
		{"session_id", "openai", "mistral", true, true},
		{"originator", "openai", "gemini", false, true},
		{"OpenAI-Beta", "openai", "bedrock", false, true},
		{"OpenAI-Beta", "openai", "deepseek", true, true},
		{"OpenAI-Beta", "openai", "azure", true, false},
		{"X-Stainless-Lang", "openai", "openai", true, false},
		{"X-Stainless-Lang", "openai", "anthropic", false, true},
		{"X-Stainless-Lang", "anthropic", "openai", false, true},
		{"X-Stainless-Lang", "anthropic", "anthropic", true, false},
		{"X-Stainless-Lang", "anthropic", "bedrock", true, true},
		{"anthropic-beta", "openai", "mistral", false, true},
		{"anthropic-beta", "openai", "anthropic", false, false},
		{"anthropic-beta", "anthropic", "openai", false, true},
		{"anthropic-version", "anthropic", "azure", true, false},
		{"x-app", "anthropic", "gemini", false, true},
		{"x-claude-code-session-id", "anthropic", "openai", false, true},
		{"x-goog-api-client", "gemini", "openai", false, true},
		{"x-goog-api-client", "openai", "cohere", false, true},
		{"x-goog-api-client", "gemini", "gemini", true, false},
		{"x-amzn-bedrock-trace", "bedrock", "anthropic", false, true},
		{"amz-sdk-request", "bedrock", "bedrock", true, false},
		{"X-Fern-Language", "cohere", "openai", false, true},
		{"X-My-Own", "openai", "anthropic", false, false},
		{"User-Agent", "openai", "anthropic", false, false},
	} {
		if got := Withholds(http.CanonicalHeaderKey(c.header), c.client, translators.Lookup(c.provider), c.same); got != c.want {
			t.Errorf("%s of a client of %s to %s (same format: %t): withheld %t", c.header, c.client, c.provider, c.same, got)
		}
	}
}

func TestPrefixesOfHeadersAreCanonical(t *testing.T) {
	for _, v := range vendorHeaders {
		if v.prefix != http.CanonicalHeaderKey(v.prefix) {
			t.Errorf("%s of %s would never match", v.prefix, v.format)
		}
	}
}
