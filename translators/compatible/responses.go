package compatible

import (
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
)

// The table of Responses APIs that are not whole: what of it each has. OpenRouter has all
// of Codex's tools, and refuses previous_response_id itself. Together, Cerebras, DeepSeek,
// Kimi, Mistral, NVIDIA and Baseten are asked in chat: they have no such API, or one that
// keeps nothing and runs nothing which chat has not. vLLM is asked where its configured URL
// says so.

// xaiResponses keeps answers and runs tools. It refuses Codex's namespaces ("unknown variant
// `namespace`"), which are functions then.
//
//	https://docs.x.ai/developers/tools/overview
//	https://github.com/kittors/CliRelay/issues/696
//	https://github.com/lidge-jun/opencodex/issues/2239
var xaiResponses = openai.Partial{
	Tools:    []string{"web_search", "web_search_preview", "x_search", "code_interpreter", "code_execution", "file_search", "collections_search", "mcp"},
	Document: "https://docs.x.ai/developers/model-capabilities/text/comparison", Read: pagesRead,
}

// groqResponses keeps no answers: previous_response_id is refused with the remedy.
var groqResponses = openai.Partial{
	Members: []string{
		"model", "input", "instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "reasoning", "service_tier",
		"stream", "temperature", "text", "tool_choice", "tools", "top_p", "user",
	},
	Tools:    []string{"browser_search", "code_interpreter", "mcp"},
	Document: "https://console.groq.com/docs/responses-api", Read: pagesRead,
}

// fireworksResponses keeps answers, and asks MCP servers.
var fireworksResponses = openai.Partial{
	Members: []string{
		"model", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls", "previous_response_id",
		"reasoning", "store", "stream", "temperature", "text", "tool_choice", "tools", "top_p", "truncation", "user",
	},
	Tools:    []string{"mcp", "sse"},
	Document: "https://docs.fireworks.ai/guides/response-api", Read: pagesRead,
}

// databricksResponses forwards all to OpenAI, whose models alone have it.
var databricksResponses = openai.Partial{
	Models:   provider.Families{{Prefix: "databricks-gpt-5", Document: databricksResponsesPage}, {Prefix: "databricks-gpt-6", Document: databricksResponsesPage}, {Prefix: "system.ai.gpt-5", Document: databricksResponsesPage}, {Prefix: "system.ai.gpt-6", Document: databricksResponsesPage}},
	Document: databricksResponsesPage, Read: pagesRead,
}

const databricksResponsesPage = "https://docs.databricks.com/gcp/en/machine-learning/model-serving/query-openai-responses"
