package compatible

import (
	"encoding/json"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
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
		{"xai", "grok-4.7", chat.Request{ReasoningEffort: "max"}, "xhigh", ""},
		{"xai", "grok-4.5", chat.Request{ReasoningEffort: "max"}, "high", ""},
		{"xai", "grok-build-0.1", chat.Request{ReasoningEffort: "low"}, "", ""},
		{"mistral", "mistral-medium-2604", chat.Request{ReasoningEffort: "low"}, "high", ""},
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
		{"deepseek", "deepseek-v4-pro", chat.Request{ReasoningEffort: "minimal"}, "low", ""},
		{"deepseek", "deepseek-v4-pro", chat.Request{ReasoningEffort: "none"}, "", `{"type":"disabled"}`},
		{"deepseek", "deepseek-chat", chat.Request{ReasoningEffort: "high"}, "", ""},
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

func named(name string) *provider.Provider {
	for _, p := range Providers {
		if p.Name == name {
			return p
		}
	}
	return mistral
}

// "Thinking mode does not support this tool_choice".
func TestSamplingIsNotAskedOfModelsOnDatabricksThatRefuseIt(t *testing.T) {
	for model, taken := range map[string]bool{
		"databricks-claude-opus-4-7": false, "system.ai.claude-opus-4-8": false, "databricks-claude-sonnet-5": false, "databricks-claude-mythos-6": false, "databricks-gpt-5": false, "system.ai.gpt-5-4-mini": false,
		"databricks-claude-opus-4-6": true, "databricks-claude-sonnet-4-5": true, "databricks-claude-haiku-4-5": true, "databricks-claude-3-7-sonnet": true, "databricks-gemini-2-5-pro": true, "databricks-llama-4-maverick": true, "system.ai.gpt-oss-120b": true,
	} {
		if onDatabricks.Of(model).Takes("temperature") != taken {
			t.Errorf("%s takes a temperature: want %t", model, taken)
		}
	}
	if row := onDatabricks.Of("system.ai.claude-sonnet-4-5"); row == nil || row.Thinking == nil {
		t.Error("a service of Unity Catalog is not known as the model that it is")
	}
}

func TestDemandForACallIsMadeOfModelsThatThinkAsTheyTakeIt(t *testing.T) {
	const forced, words = `"tool_choice":"required"`, `Answer by calling one of the tools.`
	for _, c := range []struct{ provider, model, effort, want, not string }{
		{"deepseek", "deepseek-v4-pro", "", `"thinking":{"type":"disabled"}`, words},
		{"deepseek", "deepseek-v4-pro", "", forced, words},
		{"deepseek", "deepseek-v4-pro", "high", words, forced},
		{"deepseek", "deepseek-v4-pro", "none", forced, words},
		{"deepseek", "deepseek-reasoner", "", words, forced},
		{"deepseek", "deepseek-chat", "", forced, words},
		{"kimi", "kimi-k2.6", "", forced, words},
		{"kimi", "kimi-k2.7-code", "", words, forced},
		{"kimi", "kimi-k3", "high", forced, words},
		{"xai", "grok-4", "", forced, words},
	} {
		r := chat.Request{
			Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("hi")}}}},
			Tools:    []chat.Tool{{Name: "f"}}, ToolChoice: chat.ToolChoice{Mode: "required"}, ReasoningEffort: c.effort,
		}
		op := named(c.provider).Operations[route.Chat]
		to := &target.Target{Provider: c.provider, Model: c.model, Options: &target.Options{}}
		body, err := op.AppendRequest(nil, to, &r)
		if err != nil || !strings.Contains(string(body), c.want) || strings.Contains(string(body), c.not) {
			t.Errorf("%s, effort %q: %s (%v), want %s", c.model, c.effort, body, err, c.want)
		}
		if said := op.Caveats(to, &r); (said != nil) != (c.want == words) {
			t.Errorf("%s, effort %q: the record says %v", c.model, c.effort, said)
		}
	}
}

func TestAnswersWithoutAThoughtHaveOneWhereItIsDemanded(t *testing.T) {
	const asked = `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"x"},{"role":"assistant","content":null,"reasoning_content":"","tool_calls":[]},{"role":"assistant","content":"y","reasoning_content":"hm"}]}`
	const filled = `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"x","reasoning_content":" "},{"role":"assistant","content":null,"reasoning_content":" ","tool_calls":[]},{"role":"assistant","content":"y","reasoning_content":"hm"}]}`
	for model, want := range map[string]string{"deepseek deepseek-v4-pro": filled, "deepseek deepseek-chat": asked, "kimi kimi-k2.6": filled, "kimi moonshot-v1-8k": asked} {
		name, model, _ := strings.Cut(model, " ")
		got := named(name).Operations[route.Chat].Edit.Request(nil, &target.Target{Provider: name, Model: model, Options: &target.Options{}}, []byte(asked))
		if want == asked { // an empty thought is none
			want = strings.Replace(asked, `"reasoning_content":"",`, "", 1)
		}
		if string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", model, got, want)
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

func TestMembersThatGroqAndCerebrasRefuseAreNotSent(t *testing.T) {
	const body = `{"model":"m","messages":[{"role":"user","content":"x"}],"store":false,"verbosity":"low","safety_identifier":"s","prompt_cache_retention":"24h","user":"u"}`
	for _, p := range Providers {
		if p.Name != "groq" && p.Name != "cerebras" {
			continue
		}
		members, err := jsonedit.Object([]byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		edit := p.Operations[route.Chat].Edit
		sent := string(jsonedit.Join(nil, edit.Apply(nil, &target.Target{Model: "m"}, []byte(body), members, nil)))
		if want := `{"model":"m","messages":[{"role":"user","content":"x"}],"user":"u"}`; sent != want {
			t.Errorf("%s is sent %s, want %s", p.Name, sent, want)
		}
	}
}
