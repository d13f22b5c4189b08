package openai

import "go-ai-proxy/translators/chat"

// Reasons says what OpenAI's errors mean. APIs that copied the format have its names.
var Reasons = chat.Reasons{
	{Reason: chat.Quota, Name: "insufficient_quota", Document: errorCodes},
	{Reason: chat.Quota, Name: "billing_hard_limit_reached", Document: errorCodes},
	{Reason: chat.Quota, Name: "billing_not_active", Document: errorCodes},
	{Reason: chat.InvalidModel, Name: "model_not_found", Document: errorCodes},
	{Reason: chat.InvalidModel, Status: 404, Words: []string{"the model", "does not exist"}, Document: errorCodes},
	{Reason: chat.InvalidModel, Words: []string{"the model", "has been deprecated"}, Document: "https://platform.openai.com/docs/deprecations"},
	{Reason: chat.Filtered, Name: "content_policy_violation", Document: "https://platform.openai.com/docs/guides/image-generation"},
	{Reason: chat.Filtered, Name: "moderation_blocked", Document: "https://platform.openai.com/docs/guides/image-generation"},
	{Reason: chat.Filtered, Name: "content_filter", Document: "https://platform.openai.com/docs/guides/safety-best-practices"},
	{Reason: chat.Filtered, Name: "invalid_prompt", Words: []string{"flagged"}, Document: "https://platform.openai.com/docs/guides/reasoning"},
	{Reason: chat.Auth, Name: "invalid_api_key", Document: errorCodes},
	{Reason: chat.Auth, Name: "account_deactivated", Document: errorCodes},
	{Reason: chat.Overloaded, Name: "server_is_overloaded", Document: "https://github.com/openai/openai-python/pull/3803"},
	{Reason: chat.Overloaded, Words: []string{"currently overloaded"}, Document: errorCodes},
}

const errorCodes = "https://platform.openai.com/docs/guides/error-codes"
