package cohere

import "go-ai-proxy/translators/chat"

// reasons says what Cohere's errors mean.
var reasons = chat.Reasons{
	{Reason: chat.Quota, Status: 429, Words: []string{"trial key", "/ month"}, Document: "https://docs.cohere.com/docs/rate-limits"},
	{Reason: chat.InvalidModel, Status: 404, Words: []string{"model", "not found"}, Document: errorsPage},
	{Reason: chat.InvalidModel, Status: 404, Words: []string{"model", "was removed"}, Document: "https://docs.cohere.com/docs/deprecations"},
	{Reason: chat.Filtered, Status: 498, Document: errorsPage},
}

const errorsPage = "https://docs.cohere.com/reference/errors"
