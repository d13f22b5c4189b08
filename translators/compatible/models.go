package compatible

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
)

// The tables of models, newest first: a fact about a model is a row here, with its
// document, and nothing else. A table without a row for any name knows nothing of the
// names that it does not have.

// grokTools are what xAI runs for its models besides the search.
//
//	https://docs.x.ai/developers/tools/overview
var grokTools = map[chat.Hosted]string{chat.CodeExecution: `{"type":"code_interpreter"}`, chat.MCP: ""}

// grok are xAI's. Those that reason refuse some of the sampling parameters.
var grok = provider.Families{
	{Prefix: "grok-2", Document: grokPage},
	{Prefix: "grok-3-mini-", Efforts: []string{"low", "high"}, Refuses: grokRefuses, Document: grokPage},
	{Prefix: "grok-3", Document: grokPage},
	{Prefix: "grok-4-", Refuses: grokRefuses, Searches: true, Runs: grokTools, Document: grokPage},
	{Prefix: "grok-4.1-", Refuses: grokRefuses, Searches: true, Runs: grokTools, Document: grokPage},
	{Prefix: "grok-4.20-multi-agent-", Efforts: []string{"low", "medium", "high", "xhigh"}, Refuses: grokRefuses, OnlyResponses: true, Searches: true, Runs: grokTools, Document: grokPage},
	{Prefix: "grok-4.20-", Refuses: grokRefuses, Searches: true, Runs: grokTools, Document: grokPage},
	{Prefix: "grok-4.3-", Efforts: []string{"none", "low", "medium", "high"}, Refuses: grokRefuses, Searches: true, Runs: grokTools, Document: grokPage},
	{Prefix: "grok-code-", Refuses: grokRefuses, Document: grokPage},
	{Prefix: "grok-build-", Refuses: grokRefuses, Searches: true, Runs: grokTools, Document: grokThinks, Read: pagesRead},
	{Prefix: "grok-4.5-", Efforts: []string{"low", "medium", "high"}, Refuses: grokRefuses, Searches: true, Runs: grokTools, Document: grokThinks, Read: pagesRead},
	{Prefix: "grok-", Efforts: []string{"low", "medium", "high", "xhigh"}, Refuses: grokRefuses, Searches: true, Runs: grokTools, Document: grokThinks, Read: pagesRead}, // 4.6, 4.7
	{Document: grokPage},
}

const (
	grokPage   = "https://docs.x.ai/docs/guides/reasoning"
	grokThinks = "https://docs.x.ai/developers/model-capabilities/text/reasoning"
)

var grokRefuses = []string{"stop", "presence_penalty", "frequency_penalty"}

// mistrals are Mistral's. Magistral reasons always.
var mistrals = provider.Families{
	{Prefix: "mistral-medium-3-5-", Efforts: []string{"none", "high"}, Document: mistralPage},
	{Prefix: "mistral-medium-2604-", Efforts: []string{"none", "high"}, Document: mistralPage},
	{Prefix: "mistral-small-latest-", Efforts: []string{"none", "high"}, Document: mistralPage},
	{Prefix: "mistral-small-2603-", Efforts: []string{"none", "high"}, Document: mistralPage},
	{Document: mistralPage},
}

const mistralPage = "https://docs.mistral.ai/capabilities/reasoning/adjustable"

// deepseeks are DeepSeek's, which answer in JSON, and not by a schema. The first two are
// names of V4 since April 2026, which writes more than they did before. None takes images:
// "unknown variant `image_url`, expected `text`".
var deepseeks = provider.Families{
	{Prefix: "deepseek-chat-", NoSchema: true, Blind: true, Document: deepseekPage},
	{Prefix: "deepseek-reasoner-", NoSchema: true, Unforced: true, Blind: true, Document: deepseekPage},
	{Efforts: []string{"low", "high", "max"}, NoSchema: true, Blind: true, Unforced: true, Thinking: unthinking, Document: deepseekThinks, Read: pagesRead},
}

// deepseekThinks also says that "Thinking mode does not support this tool_choice":
// https://github.com/deepseek-ai/DeepSeek-V3/issues/1376
const (
	deepseekThinks = "https://api-docs.deepseek.com/guides/thinking_mode"
	pagesRead      = "2026-11"
)

const deepseekPage = "https://api-docs.deepseek.com/api/create-chat-completion"

// onCerebras are the models that Cerebras serves.
var onCerebras = provider.Families{
	{Prefix: "gpt-oss-", Efforts: []string{"low", "medium", "high"}, Blind: true, Document: cerebrasPage},
	{Prefix: "zai-glm-", Efforts: []string{"none", "low", "medium", "high"}, Document: cerebrasPage},
	{Document: cerebrasPage},
}

const cerebrasPage = "https://inference-docs.cerebras.ai/capabilities/reasoning"

// onDatabricks are the models that Databricks serves. Claude is asked to think in its
// own words.
var onDatabricks = inUnityCatalog(provider.Families{
	{Prefix: "databricks-claude-3-5-", Document: databricksPage},
	{Prefix: "databricks-claude-3-", Thinking: anthropic.Thinking, Document: databricksPage},
	{Prefix: "databricks-claude-sonnet-4-", Thinking: anthropic.Thinking, Document: databricksPage},
	{Prefix: "databricks-claude-haiku-4-", Thinking: anthropic.Thinking, Document: databricksPage},
	{Prefix: "databricks-claude-opus-4-7-", Thinking: anthropic.Thinking, Refuses: samplers, Document: databricksRefuses, Read: pagesRead},
	{Prefix: "databricks-claude-opus-4-8-", Thinking: anthropic.Thinking, Refuses: samplers, Document: databricksRefuses, Read: pagesRead},
	{Prefix: "databricks-claude-opus-4-", Thinking: anthropic.Thinking, Document: databricksPage},
	{Prefix: "databricks-claude-", Thinking: anthropic.Thinking, Refuses: samplers, Document: databricksRefuses, Read: pagesRead},
	{Prefix: "databricks-gpt-oss-", Efforts: []string{"low", "medium", "high"}, Document: databricksPage},
	{Prefix: "databricks-gpt-5-1-", Efforts: []string{"none", "low", "medium", "high"}, Refuses: openai.Sampling, Searches: true, Document: databricksPage},
	{Prefix: "databricks-gpt-5-2-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, Refuses: openai.Sampling, Searches: true, Document: databricksPage},
	{Prefix: "databricks-gpt-5-4-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, Refuses: openai.Sampling, QuietTools: true, Searches: true, Document: databricksPage},
	{Prefix: "databricks-gpt-5-5-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, Refuses: openai.Sampling, QuietTools: true, Searches: true, Document: databricksPage},
	{Prefix: "databricks-gpt-5-6-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, Refuses: openai.Sampling, QuietTools: true, Searches: true, Document: databricksPage},
	{Prefix: "databricks-gpt-5-", Efforts: []string{"minimal", "low", "medium", "high"}, Refuses: openai.Sampling, Searches: true, Document: databricksPage},
	{Prefix: "databricks-gemini-", Efforts: []string{"low", "medium", "high"}, Document: databricksPage},
	{Prefix: "databricks-", Document: databricksPage},
})

// inUnityCatalog adds the other names of the rows' models, which are services of Unity
// Catalog as well: system.ai.gpt-5 is databricks-gpt-5.
// https://docs.databricks.com/aws/en/generative-ai/foundation-models/query-by-type
func inUnityCatalog(rows provider.Families) provider.Families {
	for _, row := range slices.Clone(rows) {
		row.Prefix = "system.ai." + strings.TrimPrefix(row.Prefix, "databricks-")
		rows = append(rows, row)
	}
	return rows
}

// samplers are what Claude refuses from Opus 4.7 on, on every platform: "Model
// us.anthropic.claude-opus-4-7 does not support the temperature parameter."
var samplers = []string{"temperature", "top_p", "top_k"}

const (
	databricksPage    = "https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models"
	databricksRefuses = "https://github.com/BerriAI/litellm/pull/28115"
)

// onGroq are the models that Groq serves. The others do not reason.
var onGroq = provider.Families{
	{Prefix: "gpt-oss-", Efforts: []string{"low", "medium", "high"}, Blind: true, Output: 65536, Document: groqPage},
	{Prefix: "qwen3-", Efforts: []string{"none", "default"}, Output: 40960, Document: groqPage},
	{Prefix: "llama-3.3-70b-versatile-", Output: 32768, Document: groqModels},
	{Prefix: "llama-4-", Output: 8192, Document: groqModels},
	{Prefix: "kimi-k2-", Output: 16384, Document: groqModels},
	{Document: groqPage},
}

const (
	groqPage   = "https://console.groq.com/docs/reasoning"
	groqModels = "https://console.groq.com/docs/models"
)

// openWeights are models that everyone may serve. Of the others a platform says itself
// what they take.
var openWeights = provider.Families{
	{Prefix: "gpt-oss-", Efforts: []string{"low", "medium", "high"}, Blind: true, Document: "https://cookbook.openai.com/articles/openai-harmony"},
	{Prefix: "llama-", Document: "https://www.llama.com/docs/model-cards-and-prompt-formats"},
	{Prefix: "meta-llama-", Document: "https://www.llama.com/docs/model-cards-and-prompt-formats"},
}

// atOpenRouter and atVercel are all models of gateways that fit a level to each.
var (
	atOpenRouter = provider.Families{
		{Efforts: []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}, Document: "https://openrouter.ai/docs/use-cases/reasoning-tokens"},
	}
	atVercel = provider.Families{
		{Efforts: []string{"none", "minimal", "low", "medium", "high", "xhigh"}, Document: "https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions/reasoning"},
	}
)

// sonar are Perplexity's.
var sonar = provider.Families{
	{Prefix: "sonar-deep-research-", Efforts: []string{"minimal", "low", "medium", "high"}, Document: "https://docs.perplexity.ai/getting-started/models/models/sonar-deep-research"},
	{Document: "https://docs.perplexity.ai/api-reference/chat-completions-post"},
}

// kimis are Moonshot's. Those that think have fixed sampling parameters, and some of
// them can be told not to. K2 cannot be made to call a tool while it thinks.
// https://platform.kimi.ai/docs/guide/use-kimi-k2-thinking-model
var kimis = provider.Families{
	{Prefix: "moonshot-v1-", Limit: newLimit, Document: kimiPage},
	{Prefix: "kimi-k2-thinking-", Limit: newLimit, Document: kimiPage},
	{Prefix: "kimi-k2-", Limit: newLimit, Document: kimiPage},
	{Prefix: "kimi-k2.5-", Refuses: kimiRefuses, Unforced: true, Limit: newLimit, Thinking: unthinking, Document: kimiPage},
	{Prefix: "kimi-k2.6-", Refuses: kimiRefuses, Unforced: true, Limit: newLimit, Thinking: unthinking, Document: kimiPage},
	{Prefix: "kimi-k2.7-code-", Refuses: kimiRefuses, Unforced: true, Limit: newLimit, Document: kimiPage},
	{Prefix: "kimi-", Efforts: []string{"low", "high", "max"}, Refuses: kimiRefuses, Limit: newLimit, Document: kimiPage},
}

const (
	kimiPage = "https://platform.kimi.ai/docs/api/chat"
	newLimit = "max_completion_tokens"
)

var kimiRefuses = []string{"temperature", "top_p", "n", "presence_penalty", "frequency_penalty"}

// unthinking is a Family.Thinking for models that think unless they are told not to.
func unthinking(_ string, r *chat.Request) []byte {
	if provider.Effort(r) != "none" {
		return nil
	}
	return []byte(`{"type":"disabled"}`)
}
