package compatible

import (
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/ollama"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
)

// withReasons gives OpenAI's meaning to the errors of the providers that say nothing
// else of theirs.
func withReasons(list []*provider.Provider) []*provider.Provider {
	for _, p := range list {
		if p.Reasons == nil {
			p.Reasons = openai.Reasons
		}
	}
	return list
}

// What the errors of these APIs mean, beside those that they have from OpenAI.
var (
	ofXAI = slices.Concat(chat.Reasons{
		{Reason: chat.Auth, Status: 400, Words: []string{"incorrect api key"}, Document: "https://github.com/continuedev/continue/issues/10778"},
		{Reason: chat.Quota, Words: []string{"have any credits"}, Document: "https://github.com/continuedev/continue/issues/12670"},
		{Reason: chat.Quota, Words: []string{"run out of credits"}, Document: "https://docs.x.ai/docs/key-information/consumption-and-rate-limits"},
		{Reason: chat.Quota, Words: []string{"used all available credits"}, Document: "https://github.com/continuedev/continue/issues/10373"},
		{Reason: chat.Filtered, Words: []string{"violates usage guidelines"}, Document: "https://github.com/stanford-crfm/helm/pull/3770"},
	}, openai.Reasons)

	ofDeepSeek = slices.Concat(chat.Reasons{
		{Reason: chat.InvalidModel, Words: []string{"model not exist"}, Document: "https://api-docs.deepseek.com/quick_start/error_codes"},
		{Reason: chat.Filtered, Words: []string{"content exists risk"}, Document: "https://api-docs.deepseek.com/quick_start/error_codes"},
	}, openai.Reasons)

	ofDatabricks = slices.Concat(chat.Reasons{
		{Reason: chat.InvalidModel, Name: "RESOURCE_DOES_NOT_EXIST", Document: "https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference"},
		{Reason: chat.InvalidModel, Name: "ENDPOINT_NOT_FOUND", Document: "https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference"},
		{Reason: chat.Overloaded, Name: "TEMPORARILY_UNAVAILABLE", Document: "https://docs.databricks.com/api/workspace/introduction"},
	}, openai.Reasons)

	// https://openrouter.ai/docs/api-reference/errors
	ofOpenRouter = slices.Concat(chat.Reasons{
		{Reason: chat.Filtered, Status: 403, Words: []string{"flagged"}, Document: "https://openrouter.ai/docs/api-reference/errors"},
		{Reason: chat.Filtered, Status: 403, Words: []string{"moderation"}, Document: "https://openrouter.ai/docs/api-reference/errors"},
		{Reason: chat.InvalidModel, Status: 404, Words: []string{"no endpoints found"}, Document: "https://openrouter.ai/docs/api-reference/errors"},
		{Reason: chat.InvalidModel, Status: 400, Words: []string{"is not a valid model id"}, Document: "https://openrouter.ai/docs/api-reference/errors"},
	}, openai.Reasons)

	ofMistral = slices.Concat(chat.Reasons{
		{Reason: chat.InvalidModel, Name: "1500", Document: "https://docs.mistral.ai/api/endpoint/chat"},
		{Reason: chat.Overloaded, Name: "3505", Document: "https://docs.mistral.ai/api/endpoint/chat"},
	}, openai.Reasons, ollama.Reasons)
)
