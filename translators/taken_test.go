package translators

import (
	"strings"
	"testing"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/gemini"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// written is the body of a chat for a provider's model.
func written(t *testing.T, client chat.Dialect, to, model, body string) string {
	t.Helper()
	r, err := chat.ParseRequest(client, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	at := &target.Target{Provider: to, Route: "llm/v1/chat", Model: model, Options: &target.Options{MistralFormat: "openai"}}
	p := Lookup(to)
	if p.Variant != nil {
		p = p.Variant(at)
	}
	op := p.Operations[route.Chat]
	if op.Instead != nil && op.Instead.Request(at, r) {
		op = op.Instead.Operation
	}
	sent, err := op.Chat.AppendRequest(nil, at, r)
	if err != nil {
		t.Fatalf("%s: %v", to, err)
	}
	return string(sent)
}

func TestNoMoreTokensAreAskedForThanTheModelWrites(t *testing.T) {
	const claudeCode = `{"model":"m","max_tokens":200000,"messages":[{"role":"user","content":"x"}]}`
	const withTool = `{"model":"m","max_tokens":200000,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":{"type":"object"}}]}`
	for _, c := range []struct{ to, model, body, want string }{
		{"openai", "gpt-4o-2024-08-06", claudeCode, `"max_tokens":16384`},
		{"openai", "gpt-4.1-mini", claudeCode, `"max_tokens":32768`},
		{"openai", "gpt-5", claudeCode, `"max_completion_tokens":128000`},
		{"openai", "gpt-6-sol", withTool, `"max_output_tokens":200000`}, // not known
		{"openai", "gpt-5.5", withTool, `"max_output_tokens":128000`},
		{"azure", "gpt-35-turbo", claudeCode, `"max_tokens":4096`},
		{"deepseek", "deepseek-chat", claudeCode, `"max_tokens":200000`}, // now a name of a newer model
		{"groq", "llama-3.3-70b-versatile", claudeCode, `"max_tokens":32768`},
		{"gemini", "gemini-2.5-pro", claudeCode, `"maxOutputTokens":65535`},
		{"gemini", "gemini-2.0-flash", claudeCode, `"maxOutputTokens":8192`},
		{"bedrock", "us.amazon.nova-pro-v1:0", claudeCode, `"maxTokens":10000`},
		{"bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0", claudeCode, `"maxTokens":4096`},
		{"bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", claudeCode, `"maxTokens":64000`},
		{"anthropic", "claude-opus-4-1", claudeCode, `"max_tokens":32000`},
		{"vllm", "qwen3", claudeCode, `"max_tokens":200000`},
	} {
		if got := written(t, anthropic.Dialect, c.to, c.model, c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: no %s in %s", c.to, c.model, c.want, got)
		}
	}
	thinking := `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":40000,"thinkingConfig":{"thinkingBudget":100000}}}`
	if got := written(t, gemini.Dialect, "anthropic", "claude-sonnet-4-5", thinking); !strings.Contains(got, `"max_tokens":64000`) || !strings.Contains(got, `"budget_tokens":62976`) {
		t.Errorf("no room for the answer in %s", got)
	}
}

func TestATemperatureAboveOneIsOneOnBedrock(t *testing.T) {
	body := `{"model":"m","temperature":1.6,"messages":[{"role":"user","content":"x"}]}`
	if got := written(t, openai.Chat, "bedrock", "us.amazon.nova-pro-v1:0", body); !strings.Contains(got, `"temperature":1}`) {
		t.Error(got)
	}
}

func TestAChoiceWithoutToolsIsNotSentToClaude(t *testing.T) {
	body := `{"model":"m","tools":[],"tool_choice":"auto","messages":[{"role":"user","content":"x"}]}`
	if got := written(t, openai.Chat, "anthropic", "claude-sonnet-4-5", body); strings.Contains(got, "tool_choice") {
		t.Error(got)
	}
}

// Of Claude's schemas and Google's, OpenAI enforces those of its own kind only.
func TestASchemaThatOpenAIDoesNotEnforceGoesAsAWish(t *testing.T) {
	const body = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"output_config":{"format":{"type":"json_schema","schema":#}},` +
		`"tools":[{"name":"f","strict":true,"input_schema":#}]}`
	for schema, strict := range map[string]bool{
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`: true,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"},"b":{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"null"}]}}},` +
			`"required":["b","a"],"additionalProperties":false,"$defs":{"A":{"enum":["x"]}}}`: true,
		`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`:                                       false,
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`:                                                   false,
		`{"type":"object","properties":{"a":{"type":"string","format":"uri"}},"required":["a"],"additionalProperties":false}`:       false,
		`{"type":"object","properties":{"a":{"type":"string","default":""}},"required":["a"],"additionalProperties":false}`:         false,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"d"}},"required":["a"],"additionalProperties":false}`: false,
		`{"type":"object","properties":{"a":{"oneOf":[{"type":"string"}]}},"required":["a"],"additionalProperties":false}`:          false,
		`{"type":"object","properties":{"a":{"type":"object","properties":{}}},"required":["a"],"additionalProperties":false}`:      false,
		`{"type":"object","properties":{"a":{"description":"anything"}},"required":["a"],"additionalProperties":false}`:             false,
		`{"type":"object","properties":{"a":{"type":"array","items":{"minimum":1}}},"required":["a"],"additionalProperties":false}`: false,
	} {
		for _, model := range []string{"gpt-4o", "gpt-5.5"} { // chat/completions, Responses
			got := written(t, anthropic.Dialect, "openai", model, strings.ReplaceAll(body, "#", schema))
			if strings.Contains(got, `"strict":true`) != strict || !strings.Contains(got, `"name":"answer"`) {
				t.Errorf("%s: strict should be %v in %s", model, strict, got)
			}
		}
	}
}

func TestOpenAIIsAskedForJSONInTheWordsThatItDemands(t *testing.T) {
	const list = `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"ARRAY","items":{"type":"STRING"}}}}`
	const plain = `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json"}}`
	const spoken = `{"contents":[{"parts":[{"text":"as Json, please"}]}],"generationConfig":{"responseMimeType":"application/json"}}`
	const words = "JSON value and nothing else. It must match this JSON schema"
	for _, c := range []struct{ model, body, has, lacks string }{
		{"gpt-4o", list, words, "response_format"},
		{"gpt-5-pro", list, words, `"format"`},
		{"gpt-4o", plain, "JSON object and nothing else", words},
		{"gpt-5-pro", plain, "JSON object and nothing else", words},
		{"gpt-4o", spoken, `"response_format":{"type":"json_object"}`, "nothing else"},
	} {
		if got := written(t, gemini.Dialect, "openai", c.model, c.body); !strings.Contains(got, c.has) || strings.Contains(got, c.lacks) {
			t.Errorf("%s: want %s, and no %s in %s", c.model, c.has, c.lacks, got)
		}
	}
}
