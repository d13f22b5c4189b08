package compatible

import (
	"encoding/json"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

func TestModelsAreAskedToThinkInTheirOwnWords(t *testing.T) {
	all := map[string]*provider.Provider{"mistral": mistral}
	for _, p := range Providers {
		all[p.Name] = p
	}
	for _, c := range []struct {
		provider, model string
		r               chat.Request
		effort, think   string // "" for none
	}{
		{"xai", "grok-4", chat.Request{ReasoningEffort: "high"}, "", ""},
		{"xai", "grok-3-mini", chat.Request{ReasoningEffort: "medium"}, "high", ""},
		{"xai", "grok-4.3", chat.Request{ReasoningEffort: "none"}, "none", ""},
		{"xai", "grok-5", chat.Request{ReasoningEffort: "none"}, "low", ""},
		{"mistral", "mistral-medium-3-5", chat.Request{ReasoningBudget: "1024"}, "high", ""},
		{"mistral", "codestral-2508", chat.Request{ReasoningEffort: "low"}, "", ""},
		{"cerebras", "gpt-oss-120b", chat.Request{ReasoningEffort: "xhigh"}, "high", ""},
		{"cerebras", "llama3.1-8b", chat.Request{ReasoningEffort: "low"}, "", ""},
		{"databricks", "databricks-claude-sonnet-4-5", chat.Request{ReasoningBudget: "2048", MaxTokens: "9000", Temperature: "0.1"}, "", `{"type":"enabled","budget_tokens":2048}`},
		{"databricks", "databricks-claude-sonnet-4-5", chat.Request{ReasoningBudget: "2048", MaxTokens: "2000"}, "", `{"type":"enabled","budget_tokens":1999}`},
		{"databricks", "databricks-claude-sonnet-4-5", chat.Request{ReasoningBudget: "2048", MaxTokens: "500"}, "", ""},
		{"databricks", "databricks-claude-opus-4-7", chat.Request{ReasoningEffort: "high"}, "", `{"type":"adaptive"}`},
		{"databricks", "databricks-gpt-oss-120b", chat.Request{ReasoningEffort: "none"}, "low", ""},
		{"groq", "openai/gpt-oss-120b", chat.Request{ReasoningEffort: "max"}, "high", ""},
		{"groq", "qwen/qwen3-32b", chat.Request{ReasoningEffort: "low"}, "default", ""},
		{"groq", "llama-3.3-70b-versatile", chat.Request{ReasoningEffort: "low"}, "", ""},
		{"fireworks", "accounts/fireworks/models/gpt-oss-120b", chat.Request{ReasoningEffort: "none"}, "low", ""},
		{"fireworks", "accounts/fireworks/models/kimi-k2p5", chat.Request{ReasoningEffort: "high"}, "high", ""},
		{"openrouter", "anthropic/claude-opus-5", chat.Request{ReasoningBudget: "0"}, "none", ""},
		{"vercel", "openai/gpt-5.5", chat.Request{ReasoningEffort: "max"}, "xhigh", ""},
		{"perplexity", "sonar-pro", chat.Request{ReasoningEffort: "high"}, "", ""},
		{"perplexity", "sonar-deep-research", chat.Request{ReasoningEffort: "max"}, "high", ""},
		{"kimi", "kimi-k3", chat.Request{ReasoningEffort: "medium", Temperature: "0.1"}, "high", ""},
		{"kimi", "kimi-k2.6", chat.Request{ReasoningEffort: "none", Temperature: "0.1"}, "", `{"type":"disabled"}`},
		{"kimi", "kimi-k2.6", chat.Request{ReasoningEffort: "high"}, "", ""},
		{"databricks", "my-own-endpoint", chat.Request{ReasoningEffort: "high"}, "high", ""},
	} {
		target := &target.Target{Provider: c.provider, Model: c.model, Options: &target.Options{}}
		body, err := all[c.provider].Operations[route.Chat].AppendRequest(nil, target, &c.r)
		var got struct {
			Effort      string          `json:"reasoning_effort"`
			Thinking    json.RawMessage `json:"thinking"`
			Temperature json.RawMessage `json:"temperature"`
		}
		if err != nil || json.Unmarshal(body, &got) != nil || got.Effort != c.effort || string(got.Thinking) != c.think || got.Thinking != nil && got.Temperature != nil {
			t.Errorf("%s of %s: got %s (%v), want effort %q and thinking %s", c.model, c.provider, body, err, c.effort, c.think)
		}
	}
}

func TestVLLMsOwnResponsesAreAskedByTheirURL(t *testing.T) {
	for url, own := range map[string]bool{
		"": false, "http://vllm:8000": false, "http://vllm:8000/v1/chat/completions": false,
		"http://vllm:8000/v1/responses": true, "http://vllm:8000/v1/responses/?x=1": true, "http://a b/": false,
	} {
		p := vllm.Variant(&target.Target{Provider: "vllm", Options: &target.Options{UpstreamURL: url}})
		if got := p.Operations[route.Responses] != nil; got != own || p.Operations[route.Chat] == nil {
			t.Errorf("%q: its own responses %t", url, got)
		}
	}
}
