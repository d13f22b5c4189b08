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
