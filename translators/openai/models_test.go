package openai

import (
	"testing"
)

func TestOpenAIsModelsAreAskedInTheirOwnWords(t *testing.T) {
	for _, c := range []struct {
		model, wanted, effort string
		completion            bool // max_completion_tokens
	}{
		{"gpt-5", "none", "minimal", true},
		{"gpt-5-mini-2025-08-07", "xhigh", "high", true},
		{"gpt-5-pro", "low", "high", true},
		{"gpt-5-chat-latest", "low", "", true},
		{"gpt-5.1", "none", "none", true},
		{"gpt-5.1", "minimal", "low", true},
		{"gpt-5.4", "xhigh", "xhigh", true},
		{"gpt-5.5", "max", "xhigh", true},
		{"gpt-5.6-sol", "none", "none", true},
		{"gpt-6-astra", "max", "max", true},
		{"gpt-6-astra", "none", "low", true},
		{"gpt-6-luna", "none", "none", true},
		{"gpt-6.1-sol", "minimal", "low", true},
		{"gpt-6.2-sol", "none", "low", true},
		{"gpt-7-to-come", "max", "max", true},
		{"ft:gpt-6-mini:acme::id", "none", "none", true},
		{"o3", "none", "low", true},
		{"o4-mini", "", "", true},
		{"gpt-4o", "none", "", false},
		{"ft:gpt-4.1-2025-04-14:acme::id", "high", "", false},
		{"my-deployment", "minimal", "minimal", false},
	} {
		row := Families.Of(c.model)
		if got := row.Effort(c.wanted); got != c.effort {
			t.Errorf("%s: %q became %q, want %q", c.model, c.wanted, got, c.effort)
		}
		if got := row != nil && row.Limit != ""; got != c.completion {
			t.Errorf("%s: max_completion_tokens %t", c.model, got)
		}
	}
}
