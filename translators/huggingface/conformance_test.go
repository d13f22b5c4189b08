package huggingface

import (
	"testing"

	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

func TestConformance(t *testing.T) {
	p := &provider.Provider{
		Name:       "huggingface",
		Base:       func(*target.Target) (string, error) { return "https://router.huggingface.co", nil },
		Operations: map[route.Type]*provider.Operation{"llm/v1/completions": textGeneration},
	}
	conformance.Run(t, p, conformance.Options{Target: target.Target{Model: "acme/mock-model-1"}, Lacks: map[string]string{
		conformance.Usage: "only a stream counts the prompt",
	}})
}
