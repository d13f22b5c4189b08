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

// A hosted tool of one maker is another's where that has one, and is left out by name
// where not.
func TestHostedToolsAreMappedBothWays(t *testing.T) {
	const server = `{"type":"mcp","server_label":"docs","server_url":"https://m.test/mcp","authorization":"tok","allowed_tools":["look"],"require_approval":%}`
	mcp := func(approval string) string { return strings.Replace(server, "%", approval, 1) }
	ask := map[string]string{
		"responses": `{"input":"x","tools":[{"type":"function","name":"f"},%]}`,
		"anthropic": `{"max_tokens":9,"messages":[{"role":"user","content":"x"}],"mcp_servers":[{"type":"url","url":"https://m.test/mcp","name":"docs","authorization_token":"tok"}],"tools":[{"name":"f","input_schema":{"type":"object"}},%]}`,
		"gemini":    `{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]},%]}`,
	}
	dialects := map[string]chat.Dialect{"responses": openai.Responses, "anthropic": anthropic.Dialect, "gemini": gemini.Dialect}
	const toolset = `{"type":"mcp_toolset","mcp_server_name":"docs"}`
	const openaiMCP = `{"type":"mcp","server_label":"docs","server_url":"https://m.test/mcp","authorization":"tok","require_approval":"never"}`
	const some = `{"type":"mcp_toolset","mcp_server_name":"docs","default_config":{"enabled":false},"configs":{"look":{"enabled":true}}}`
	for _, c := range []struct{ client, tool, provider, model, want, left, needs string }{
		{"responses", mcp(`"never"`), "anthropic", "claude-sonnet-4-5", some, "", "mcp-client-2025-11-20"},
		{"responses", mcp(`"never"`), "anthropic", "claude-sonnet-4-5", `"mcp_servers":[{"type":"url","url":"https://m.test/mcp","name":"docs","authorization_token":"tok"}]`, "", "mcp-client-2025-11-20"},
		{"responses", mcp(`{"never":{"tool_names":["look","other"]}}`), "anthropic", "claude-sonnet-4-5", some, "", "mcp-client-2025-11-20"},
		{"responses", mcp(`"always"`), "anthropic", "claude-sonnet-4-5", "", "mcp", ""},                                      // nobody would ask the user
		{"responses", strings.Replace(mcp(`"never"`), `["look"]`, `[]`, 1), "anthropic", "claude-sonnet-4-5", "", "mcp", ""}, // none is not all
		{"responses", mcp(`null`), "anthropic", "claude-sonnet-4-5", "", "mcp", ""},
		{"responses", `{"type":"mcp","server_label":"d","connector_id":"connector_dropbox","require_approval":"never"}`, "anthropic", "claude-sonnet-4-5", "", "mcp", ""},
		{"responses", mcp(`"never"`), "gemini", "gemini-3-flash", "", "mcp", ""},
		{"responses", `{"type":"code_interpreter","container":{"type":"auto"}}`, "anthropic", "claude-sonnet-4-5", `{"type":"code_execution_20250825","name":"code_execution"}`, "", "code-execution-2025-08-25"},
		{"responses", `{"type":"code_interpreter","container":{"type":"auto"}}`, "gemini", "gemini-3-flash", `{"codeExecution":{}}`, "", ""},
		{"responses", `{"type":"file_search","vector_store_ids":["vs_1"]}`, "anthropic", "claude-sonnet-4-5", "", "file_search", ""},
		{"responses", `{"type":"image_generation"}`, "gemini", "gemini-3-flash", "", "image_generation", ""},
		{"anthropic", toolset, "openai", "gpt-5.1", openaiMCP, "", ""},
		{"anthropic", toolset, "xai", "grok-4", openaiMCP, "", ""},
		{"anthropic", some, "openai", "gpt-5.1", `"authorization":"tok","allowed_tools":["look"],"require_approval":"never"`, "", ""},
		{"anthropic", `{"type":"mcp_toolset","mcp_server_name":"docs","configs":{"look":{"enabled":false}}}`, "openai", "gpt-5.1", "", "mcp_toolset", ""},
		{"anthropic", `{"type":"code_execution_20250825","name":"code_execution"},` + toolset, "openai", "gpt-4.1", `{"type":"code_interpreter","container":{"type":"auto"}}`, "", ""},
		{"anthropic", `{"type":"code_execution_20250825","name":"code_execution"},` + toolset, "xai", "grok-4", `{"type":"code_interpreter"}`, "", ""},
		{"anthropic", `{"type":"web_search_20250305","name":"web_search"},` + toolset, "openai", "gpt-5.1", `{"type":"web_search"`, "", ""},
		{"responses", mcp(`"never"`), "bedrock", "anthropic.claude-sonnet-4-5", "", "mcp", ""},
		{"anthropic", toolset, "openai", "gpt-5.5", openaiMCP, "", ""},
		{"anthropic", toolset, "openai", "gpt-6-sol", openaiMCP, "", ""},
		{"anthropic", toolset, "openai", "gpt-7", openaiMCP, "", ""}, // as the newest
		{"responses", `{"type":"code_interpreter","container":{"type":"auto"}},{"type":"image_generation"}`, "openai", "gpt-6-astra", `{"type":"code_interpreter","container":{"type":"auto"}}]`, "image_generation", ""},
		{"anthropic", toolset, "anthropic", "claude-sonnet-4-5", toolset, "", "mcp-client-2025-11-20"},
		{"anthropic", toolset, "anthropic", "claude-sonnet-4-5", `"mcp_servers":[{"type":"url","url":"https://m.test/mcp","name":"docs","authorization_token":"tok"}]`, "", "mcp-client-2025-11-20"},
		{"gemini", `{"codeExecution":{}}`, "openai", "gpt-5.1", `{"type":"code_interpreter","container":{"type":"auto"}}`, "", ""},
		{"responses", `{"type":"web_search"}`, "bedrock", "us.amazon.nova-2-lite-v1:0", `{"systemTool":{"name":"nova_grounding"}}`, "", ""},
		{"responses", `{"type":"code_interpreter","container":{"type":"auto"}}`, "bedrock", "amazon.nova-2-lite-v1:0", `{"systemTool":{"name":"nova_code_interpreter"}}`, "", ""},
		{"responses", `{"type":"web_search"}`, "bedrock", "us.amazon.nova-premier-v1:0", `{"systemTool":{"name":"nova_grounding"}}`, "", ""},
		{"gemini", `{"codeExecution":{}}`, "bedrock", "amazon.nova-3-pro-v1:0", `{"systemTool":{"name":"nova_code_interpreter"}}`, "", ""}, // as the newest
		{"gemini", `{"googleSearch":{}}`, "bedrock", "eu.amazon.nova-2-lite-v1:0", "", "googleSearch", ""},                                 // in the USA only
		{"gemini", `{"codeExecution":{}}`, "bedrock", "us.amazon.nova-premier-v1:0", "", "codeExecution", ""},
		{"responses", `{"type":"web_search"}`, "bedrock", "amazon.nova-pro-v1:0", "", "web_search", ""},
		{"responses", `{"type":"web_search"}`, "groq", "openai/gpt-oss-120b", `,{"type":"browser_search"}]`, "", ""},
		{"gemini", `{"codeExecution":{}}`, "groq", "openai/gpt-oss-20b", `,{"type":"code_interpreter"}]`, "", ""},
		{"gemini", `{"codeExecution":{}}`, "groq", "groq/compound", `"compound_custom":{"tools":{"enabled_tools":["code_interpreter"]}}`, "", ""},
		{"responses", `{"type":"web_search","filters":{"allowed_domains":["x.test"]}}`, "groq", "groq/compound-mini", `"compound_custom":{"tools":{"enabled_tools":["web_search"]}},"search_settings":{"include_domains":["x.test"]}`, "", ""},
		{"responses", `{"type":"web_search"}`, "groq", "llama-3.3-70b-versatile", "", "web_search", ""},
		{"responses", `{"type":"web_search","search_context_size":"low","filters":{"allowed_domains":["x.test"]}}`, "openrouter", "z-ai/glm-5", `,{"type":"openrouter:web_search","parameters":{"allowed_domains":["x.test"],"search_context_size":"low"}}]`, "", ""},
		{"gemini", `{"urlContext":{}}`, "openrouter", "a/b", `,{"type":"openrouter:web_fetch"}]`, "", ""},
		{"gemini", `{"codeExecution":{}}`, "openrouter", "a/b", "", "codeExecution", ""},
		{"responses", `{"type":"web_search","search_context_size":"high","filters":{"blocked_domains":["x.test"]}}`, "perplexity", "sonar", `"web_search_options":{"search_context_size":"high"},"search_domain_filter":["-x.test"]`, "", ""},
		{"gemini", `{"googleSearch":{}}`, "dashscope", "qwen-plus-latest", `"enable_search":true`, "", ""},
		{"gemini", `{"googleSearch":{}}`, "dashscope", "qwen3.7-max", `{"type":"web_search"}`, "", ""}, // in Responses
		{"gemini", `{"codeExecution":{}}`, "dashscope", "qwen3.8-max", `{"type":"code_interpreter"}`, "", ""},
		{"gemini", `{"codeExecution":{}}`, "dashscope", "qwen-plus", "", "codeExecution", ""},
		{"anthropic", toolset, "dashscope", "qwen3.8-max", "", "mcp_toolset", ""},                          // in its own words only
		{"gemini", `{"googleSearch":{}}`, "kimi", "kimi-k2.6", "", "googleSearch", ""},                     // whose calls the client would answer
		{"gemini", `{"googleSearch":{}}`, "databricks", "databricks-gemini-3-pro", "", "googleSearch", ""}, // beside functions
		{"gemini", `{"googleSearch":{}}`, "openai", "gpt-5.1", `{"type":"web_search"}`, "", ""},
	} {
		about := c.client + ", " + c.provider + ": " + c.tool
		r, err := chat.ParseRequest(dialects[c.client], []byte(strings.Replace(ask[c.client], "%", c.tool, 1)))
		if err != nil {
			t.Fatalf("%s: %v", about, err)
		}
		to := &target.Target{Provider: c.provider, Model: c.model, Route: route.Chat, Options: &target.Options{}}
		op := Lookup(c.provider).Operations[route.Chat]
		if op.Instead != nil && op.Instead.Request(to, r) {
			op = op.Instead.Operation
		}
		left, err := op.Offer(to, r)
		if err != nil || strings.Join(left, ",") != c.left {
			t.Errorf("%s: left out %q, want %q, %v", about, left, c.left, err)
		}
		body, err := op.AppendRequest(nil, to, r)
		if err != nil || !strings.Contains(string(body), c.want) || c.left != "" && strings.Contains(string(body), "m.test") {
			t.Errorf("%s: want %s, sent %s, %v", about, c.want, body, err)
		}
		needs := ""
		if op.Needs != nil {
			for _, h := range op.Needs(r) {
				needs += h[1]
			}
		}
		if needs != c.needs {
			t.Errorf("%s: needs %q, want %q", about, needs, c.needs)
		}
	}
}

// Tools that no provider was asked for are not written: what is not known of a model, or
// cannot be said, is left out even where nobody looked before.
func TestHostedToolsThatAModelLacksAreNotWritten(t *testing.T) {
	r, err := chat.ParseRequest(openai.Responses, []byte(`{"input":"x","tools":[{"type":"function","name":"f"},{"type":"code_interpreter","container":{"type":"auto"}},{"type":"mcp","server_label":"d","server_url":"https://m.test","require_approval":"always"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{"", "gpt-5-chat-latest", "o1", "gpt-5-codex", "grok-2"} {
		for _, name := range []string{"openai", "xai"} {
			op := Lookup(name).Operations[route.Chat]
			body, err := op.Instead.Operation.AppendRequest(nil, &target.Target{Provider: name, Model: model, Route: route.Chat, Options: &target.Options{}}, r)
			if err != nil || strings.Contains(string(body), "code_interpreter") || strings.Contains(string(body), "m.test") {
				t.Errorf("%s, %s: sent %s, %v", name, model, body, err)
			}
		}
	}
}
