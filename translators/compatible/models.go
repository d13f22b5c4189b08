package compatible

import (
	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/provider"
)

// The tables of models, newest first: a fact about a model is a row here, with its
// document, and nothing else. A table without a row for any name knows nothing of the
// names that it does not have.

// grok are xAI's. Those that reason refuse some of the sampling parameters.
var grok = provider.Families{
	{Prefix: "grok-2", Document: grokPage},
	{Prefix: "grok-3-mini-", Efforts: []string{"low", "high"}, Refuses: grokRefuses, Document: grokPage},
	{Prefix: "grok-3", Document: grokPage},
	{Prefix: "grok-4-", Refuses: grokRefuses, Searches: true, Document: grokPage},
	{Prefix: "grok-4.1-", Refuses: grokRefuses, Searches: true, Document: grokPage},
	{Prefix: "grok-4.20-multi-agent-", Efforts: []string{"low", "medium", "high", "xhigh"}, Refuses: grokRefuses, OnlyResponses: true, Searches: true, Document: grokPage},
	{Prefix: "grok-4.20-", Refuses: grokRefuses, Searches: true, Document: grokPage},
	{Prefix: "grok-4.3-", Efforts: []string{"none", "low", "medium", "high"}, Refuses: grokRefuses, Searches: true, Document: grokPage},
	{Prefix: "grok-code-", Refuses: grokRefuses, Document: grokPage},
	{Prefix: "grok-", Efforts: []string{"low", "medium", "high"}, Refuses: grokRefuses, Searches: true, Document: grokPage},
	{Document: grokPage},
}

const grokPage = "https://docs.x.ai/docs/guides/reasoning"

var grokRefuses = []string{"stop", "presence_penalty", "frequency_penalty"}

// mistrals are Mistral's. Magistral reasons always.
var mistrals = provider.Families{
	{Prefix: "mistral-medium-3-5-", Efforts: []string{"none", "high"}, Document: mistralPage},
	{Prefix: "mistral-small-latest-", Efforts: []string{"none", "high"}, Document: mistralPage},
	{Prefix: "mistral-small-2603-", Efforts: []string{"none", "high"}, Document: mistralPage},
	{Document: mistralPage},
}

const mistralPage = "https://docs.mistral.ai/capabilities/reasoning/adjustable"

// deepseeks are DeepSeek's, which answer in JSON, and not by a schema.
var deepseeks = provider.Families{
	{Prefix: "deepseek-chat-", NoSchema: true, Document: deepseekPage},
	{Prefix: "deepseek-reasoner-", NoSchema: true, Document: deepseekPage},
	{Efforts: []string{"high", "max"}, NoSchema: true, Document: "https://api-docs.deepseek.com/guides/thinking_mode"},
}

const deepseekPage = "https://api-docs.deepseek.com/api/create-chat-completion"

// onCerebras are the models that Cerebras serves.
var onCerebras = provider.Families{
	{Prefix: "gpt-oss-", Efforts: []string{"low", "medium", "high"}, Document: cerebrasPage},
	{Prefix: "zai-glm-", Efforts: []string{"none", "low", "medium", "high"}, Document: cerebrasPage},
	{Document: cerebrasPage},
}

const cerebrasPage = "https://inference-docs.cerebras.ai/capabilities/reasoning"

// onDatabricks are the models that Databricks serves. Claude is asked to think in its
// own words.
var onDatabricks = provider.Families{
	{Prefix: "databricks-claude-3-5-", Document: databricksPage},
	{Prefix: "databricks-claude-", Thinking: anthropic.Thinking, Document: databricksPage},
	{Prefix: "databricks-gpt-oss-", Efforts: []string{"low", "medium", "high"}, Document: databricksPage},
	{Prefix: "databricks-gpt-5-1-", Efforts: []string{"none", "low", "medium", "high"}, Document: databricksPage},
	{Prefix: "databricks-gpt-5-2-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, Document: databricksPage},
	{Prefix: "databricks-gpt-5-4-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, QuietTools: true, Document: databricksPage},
	{Prefix: "databricks-gpt-5-5-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, QuietTools: true, Document: databricksPage},
	{Prefix: "databricks-gpt-5-6-", Efforts: []string{"none", "low", "medium", "high", "xhigh"}, QuietTools: true, Document: databricksPage},
	{Prefix: "databricks-gpt-5-", Efforts: []string{"minimal", "low", "medium", "high"}, Document: databricksPage},
	{Prefix: "databricks-gemini-", Efforts: []string{"low", "medium", "high"}, Document: databricksPage},
	{Prefix: "databricks-", Document: databricksPage},
}

const databricksPage = "https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models"
