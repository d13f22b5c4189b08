package translators

import (
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// sent is the body that a provider gets of a client's, after edits for all.
func sent(t *testing.T, p *provider.Provider, model, body string, edits ...jsonedit.Edit) string {
	t.Helper()
	e := &p.Operations["llm/v1/chat"].Edit
	b := []byte(body)
	to := &target.Target{Model: model, Options: &target.Options{}}
	if e.Request != nil {
		b = e.Request(nil, to, b)
	}
	members, err := jsonedit.Object(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(jsonedit.Join(nil, e.Apply(nil, to, b, members, edits)))
}

func TestRequestsAreEditedForTheProvider(t *testing.T) {
	for _, test := range []struct{ name, provider, model, body, want string }{
		{"untouched bytes", "openai", "gpt-4o", `{ "messages" : [ ] , "temperature":0.10 }`, `{ "messages" : [ ] , "temperature":0.10 }`},
		{"names of messages", "groq", "openai/gpt-oss-20b", `{"messages":[{"role":"user","name":"Bo","content":"x"}],"logit_bias":{"1":1}}`, `{"messages":[{"role":"user","content":"x"}]}`},
		{"thoughts that came from elsewhere", "kimi", "kimi-k3", `{"messages":[{"role":"assistant","content":"x","reasoning":"hm"}]}`, `{"messages":[{"role":"assistant","content":"x","reasoning_content":"hm"}]}`},
		{"thoughts of a gateway", "openrouter", "anthropic/claude-opus-5", `{"messages":[{"role":"assistant","content":"x","reasoning_content":"hm"}]}`, `{"messages":[{"role":"assistant","content":"x","reasoning":"hm"}]}`},
		{"a limit by its older name", "together", "Qwen/Qwen3.5-9B", `{"max_completion_tokens":5}`, `{"max_tokens":5}`},
		{"reasoning models of a maker", "github", "openai/gpt-5", `{"max_tokens":5}`, `{"max_completion_tokens":5}`},
		{"no top_k", "openai", "gpt-4o", `{"top_k":1,"n":1}`, `{"n":1}`},
		{"max_tokens stays", "openai", "gpt-4o", `{"max_tokens":5}`, `{"max_tokens":5}`},
		{"reasoning models", "openai", "o3-mini", `{"max_tokens":5}`, `{"max_completion_tokens":5}`},
		{"reasoning models in Azure", "azure", "gpt-5", `{"max_tokens":5}`, `{"max_completion_tokens":5}`},
		{"both limits", "openai", "gpt-5.1", `{"max_tokens":5,"max_completion_tokens":6}`, `{"max_completion_tokens":6}`},
		{"developer to OpenAI", "openai", "o1", `{"messages":[{"role":"developer","content":"x"}]}`, `{"messages":[{"role":"developer","content":"x"}]}`},
		{"developer to others", "deepseek", "d", `{"messages":[{"role":"developer","content":"a \"developer\""},{"role":"user","content":"x"}]}`, `{"messages":[{"role":"system","content":"a \"developer\""},{"role":"user","content":"x"}]}`},
		{"mistral's seed", "mistral", "m", `{"seed":7,"user":"u","logit_bias":{}}`, `{"random_seed":7}`},
		{"mistral's any", "mistral", "m", `{"tool_choice":"required","tools":[]}`, `{"tool_choice":"any","tools":[]}`},
		{"mistral's auto", "mistral", "m", `{"tool_choice":"auto","messages":[{"role":"user","content":"\"required\""}]}`, `{"tool_choice":"auto","messages":[{"role":"user","content":"\"required\""}]}`},
		{"mistral's limit", "mistral", "m", `{"max_completion_tokens":7}`, `{"max_tokens":7}`},
		{"router's members", "huggingface", "m", `{"model":"m","options":{"use_cache":false},"parameters":{},"stop":"x"}`, `{"model":"m","stop":"x"}`},
		{"vllm's own", "vllm", "m", `{"top_k":5,"chat_template_kwargs":{"thinking":true}}`, `{"top_k":5,"chat_template_kwargs":{"thinking":true}}`},
		{"xai's effort", "xai", "grok-4", `{"reasoning_effort":"high"}`, `{"reasoning_effort":"high"}`},
	} {
		got := sent(t, Lookup(test.provider), test.model, test.body)
		if !jsontest.Equal(t, got, test.want) || test.name == "untouched bytes" && got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestConfiguredTokenLimitWinsUnderAnyName(t *testing.T) {
	// The relay removes the client's max_completion_tokens and sets max_tokens.
	tuned := []jsonedit.Edit{{Key: "max_completion_tokens"}, {Key: "max_tokens", Value: []byte("9")}}
	for name, want := range map[string]string{"mistral": `{"max_tokens":9}`, "openai": `{"max_completion_tokens":9}`} {
		if got := sent(t, Lookup(name), "o3", `{"max_completion_tokens":7}`, slices.Clone(tuned)...); !jsontest.Equal(t, got, want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestConfiguredOptionUnknownToTheAPIIsDropped(t *testing.T) {
	tuned := []jsonedit.Edit{{Key: "top_k", Value: []byte("5")}, {Key: "top_p", Value: []byte("0.5")}}
	for _, name := range []string{"mistral", "huggingface"} {
		if got := sent(t, Lookup(name), "m", `{"top_k":7}`, slices.Clone(tuned)...); !jsontest.Equal(t, got, `{"top_p":0.5}`) {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestProvidersHaveTheirAddresses(t *testing.T) {
	no := false
	for _, test := range []struct {
		provider, route string
		options         target.Options
		want            string
	}{
		{"openai", "llm/v1/chat", target.Options{}, "https://api.openai.com/v1/chat/completions"},
		{"openai", "llm/v1/responses", target.Options{}, "https://api.openai.com/v1/responses"},
		{"azure", "llm/v1/chat", target.Options{AzureInstance: "acme", AzureDeploymentID: "d-1"}, "https://acme.openai.azure.com/openai/deployments/d-1/chat/completions"},
		{"azure", "llm/v1/embeddings", target.Options{AzureInstance: "acme", AzureDeploymentID: "d"}, "https://acme.openai.azure.com/openai/deployments/d/embeddings"},
		{"azure", "llm/v1/responses", target.Options{AzureInstance: "acme"}, "https://acme.openai.azure.com/openai/v1/responses"},
		{"azure", "llm/v1/chat", target.Options{AzureDeploymentID: "d"}, "azure_instance: must be set"},
		{"azure", "llm/v1/chat", target.Options{AzureInstance: "evil.com/", AzureDeploymentID: "d"}, "azure_instance: \"evil.com/\" is no host name"},
		{"azure", "llm/v1/chat", target.Options{AzureInstance: "acme", AzureDeploymentID: "../x"}, "azure_deployment_id: \"../x\" cannot stand in a URL path"},
		{"azure", "llm/v1/chat", target.Options{AzureInstance: "acme", AzureDeploymentID: ".."}, "azure_deployment_id: must be set"},
		{"cerebras", "llm/v1/chat", target.Options{}, "https://api.cerebras.ai/v1/chat/completions"},
		{"dashscope", "llm/v1/chat", target.Options{}, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions"},
		{"dashscope", "llm/v1/chat", target.Options{Dashscope: target.Dashscope{International: &no}}, "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions"},
		{"databricks", "llm/v1/chat", target.Options{Databricks: target.Databricks{WorkspaceInstanceID: "dbc-x"}}, "https://dbc-x.cloud.databricks.com/serving-endpoints/v1/chat/completions"},
		{"databricks", "llm/v1/chat", target.Options{}, "workspace_instance_id: must be set"},
		{"deepseek", "llm/v1/chat", target.Options{}, "https://api.deepseek.com/v1/chat/completions"},
		{"mistral", "llm/v1/chat", target.Options{}, "https://api.mistral.ai/v1/chat/completions"},
		{"xai", "llm/v1/chat", target.Options{}, "https://api.x.ai/v1/chat/completions"},
		{"groq", "llm/v1/chat", target.Options{}, "https://api.groq.com/openai/v1/chat/completions"},
		{"groq", "audio/v1/audio/transcriptions", target.Options{}, "https://api.groq.com/openai/v1/audio/transcriptions"},
		{"together", "llm/v1/chat", target.Options{}, "https://api.together.ai/v1/chat/completions"},
		{"together", "image/v1/images/generations", target.Options{}, "https://api.together.ai/v1/images/generations"},
		{"fireworks", "llm/v1/chat", target.Options{}, "https://api.fireworks.ai/inference/v1/chat/completions"},
		{"openrouter", "llm/v1/chat", target.Options{}, "https://openrouter.ai/api/v1/chat/completions"},
		{"perplexity", "llm/v1/chat", target.Options{}, "https://api.perplexity.ai/chat/completions"},
		{"perplexity", "llm/v1/responses", target.Options{}, "https://api.perplexity.ai/v1/responses"},
		{"nvidia", "llm/v1/embeddings", target.Options{}, "https://integrate.api.nvidia.com/v1/embeddings"},
		{"github", "llm/v1/chat", target.Options{}, "https://models.github.ai/inference/chat/completions"},
		{"kimi", "llm/v1/chat", target.Options{}, "https://api.moonshot.ai/v1/chat/completions"},
		{"vercel", "llm/v1/chat", target.Options{}, "https://ai-gateway.vercel.sh/v1/chat/completions"},
		{"baseten", "llm/v1/chat", target.Options{}, "https://inference.baseten.co/v1/chat/completions"},
	} {
		p := Lookup(test.provider)
		tgt := &target.Target{Options: &test.options}
		base, err := p.Base(tgt)
		path := ""
		if err == nil {
			path, err = p.Operations[route.Type(test.route)].Path(tgt, false)
		}
		got := base + path
		if err != nil {
			got = err.Error()
		}
		if got != test.want && (err == nil || !strings.Contains(got, test.want)) {
			t.Errorf("%s %s: got %s, want %s", test.provider, test.route, got, test.want)
		}
	}
}

func TestSelfHostedProvidersHaveNoDefaultAddress(t *testing.T) {
	for _, name := range []string{"vllm", "llama2"} {
		if Lookup(name).Base != nil {
			t.Errorf("%s: has an address of its own", name)
		}
	}
}

// TestEditsApplyToClientsOfOtherFormats: what is translated to OpenAI's
// format still is for a certain provider.
func TestEditsApplyToClientsOfOtherFormats(t *testing.T) {
	req := &chat.Request{Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("x")}}}}, Stream: true, MaxTokens: "5", TopK: "3", Seed: "1"}
	for name, want := range map[string]string{
		"openai":     `{"model":"o3","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true},"seed":1,"max_completion_tokens":5}`,
		"mistral":    `{"model":"o3","messages":[{"role":"user","content":"x"}],"stream":true,"max_tokens":5,"random_seed":1}`,
		"databricks": `{"model":"o3","messages":[{"role":"user","content":"x"}],"stream":true,"max_tokens":5,"top_k":3,"seed":1}`,
	} {
		got, err := Lookup(name).Operations["llm/v1/chat"].Chat.AppendRequest(nil, &target.Target{Model: "o3", Options: &target.Options{}}, req)
		if err != nil || !jsontest.Equal(t, string(got), want) {
			t.Errorf("%s: error %v, got %s", name, err, got)
		}
	}
}

func TestProviderNamesAreSortedAndLookupFindsThem(t *testing.T) {
	names := Names()
	if !slices.IsSorted(names) || len(names) != len(Providers) || Lookup("nobody") != nil {
		t.Errorf("got %v", names)
	}
	for _, name := range names {
		if p := Lookup(name); p == nil || p.Name != name {
			t.Errorf("%s: found %+v", name, p)
		}
	}
}
