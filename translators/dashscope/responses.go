package dashscope

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
)

// responsesPath is where the Responses API is since 2026: the older path below
// /api/v2/apps/protocols ends soon.
const (
	responsesPath = "/compatible-mode/v1/responses"
	responsesPage = "https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-openai-responses"
)

// responses is what the API has of OpenAI's. It ignores all else: the members below that
// are not its own have no effect on an answer.
var responses = openai.Partial{
	Members: []string{
		"model", "input", "instructions", "previous_response_id", "conversation", "stream", "store", "tools", "tool_choice",
		"temperature", "top_p", "enable_thinking", "reasoning", "max_output_tokens", "ocr_options",
		"include", "metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "stream_options", "user",
	},
	Tools:    []string{"web_search", "code_interpreter", "web_extractor", "web_search_image", "image_search", "file_search", "mcp"},
	Models:   inResponses,
	Document: responsesPage, Read: "2026-11",
}

// inResponses are the models that have the API, and what it runs for them. It has no form
// of answers: a schema goes in words. A demand for one of the client's tools does, too.
var inResponses = provider.Families{
	{Prefix: "qwen3.5-ocr-", NoSchema: true, Unforced: true, Document: responsesPage, Read: "2026-11"},
	{Prefix: "qwen3.", Efforts: efforts, NoSchema: true, Unforced: true, Searches: true, Runs: runs, Document: responsesPage, Read: "2026-11"},
	{Prefix: "qwen3-max-", Efforts: efforts, NoSchema: true, Unforced: true, Searches: true, Runs: runs, Document: responsesPage, Read: "2026-11"},
	{Prefix: "qwen3-coder-plus-", NoSchema: true, Unforced: true, Document: responsesPage, Read: "2026-11"},
	{Prefix: "qwen3-coder-flash-", NoSchema: true, Unforced: true, Document: responsesPage, Read: "2026-11"},
	{Prefix: "qwen-plus-", Efforts: efforts, NoSchema: true, Unforced: true, Document: responsesPage, Read: "2026-11"},
	{Prefix: "qwen-flash-", Efforts: efforts, NoSchema: true, Unforced: true, Document: responsesPage, Read: "2026-11"},
	{Prefix: "deepseek-v4-", Efforts: efforts, NoSchema: true, Unforced: true, Document: responsesPage, Read: "2026-11"},
}

var (
	efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}
	// https://www.alibabacloud.com/help/en/model-studio/web-search
	runs = map[chat.Hosted]string{chat.CodeExecution: `{"type":"code_interpreter"}`}
)
