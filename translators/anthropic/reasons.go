package anthropic

import "go-ai-proxy/translators/chat"

// Reasons says what Anthropic's errors mean, wherever Claude is served.
var Reasons = chat.Reasons{
	{Reason: chat.Auth, Name: "authentication_error", Document: errorsPage},
	{Reason: chat.Quota, Name: "billing_error", Document: errorsPage},
	{Reason: chat.Quota, Words: []string{"credit balance is too low"}, Document: "https://github.com/anthropics/claude-code/issues/66297"},
	{Reason: chat.Quota, Words: []string{"reached your specified", "usage limits"}, Document: "https://platform.claude.com/docs/en/api/rate-limits"},
	{Reason: chat.InvalidModel, Name: "not_found_error", Words: []string{"model:"}, Document: errorsPage},
	{Reason: chat.Filtered, Words: []string{"blocked by content filtering policy"}, Document: "https://github.com/anthropics/claude-code/issues/55789"},
	{Reason: chat.Auth, Name: "permission_error", Document: errorsPage},
}

const errorsPage = "https://platform.claude.com/docs/en/api/errors"
