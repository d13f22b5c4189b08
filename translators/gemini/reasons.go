package gemini

import (
	"slices"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
)

// reasons says what Google's errors mean, at Gemini's API and at Vertex, which has
// Claude, too. An invalid key is a 400 there.
var reasons = slices.Concat(chat.Reasons{
	{Reason: chat.Auth, Status: 400, Words: []string{"api key not valid"}, Document: troubleshooting},
	{Reason: chat.Auth, Status: 400, Words: []string{"api key expired"}, Document: troubleshooting},
	{Reason: chat.Quota, Status: 429, Words: []string{"check your plan and billing"}, Document: "https://ai.google.dev/gemini-api/docs/rate-limits"},
	{Reason: chat.Quota, Status: 400, Words: []string{"enable billing"}, Document: troubleshooting},
	{Reason: chat.Quota, Status: 403, Words: []string{"requires billing to be enabled"}, Document: "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors"},
	{Reason: chat.Overloaded, Status: 429, Words: []string{"resource exhausted"}, Document: "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429"},
	{Reason: chat.Overloaded, Name: "UNAVAILABLE", Document: troubleshooting},
	{Reason: chat.InvalidModel, Status: 404, Words: []string{"models/", "is not found"}, Document: troubleshooting},
	{Reason: chat.InvalidModel, Status: 404, Words: []string{"publisher model", "not found"}, Document: "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors"},
	{Reason: chat.Filtered, Words: []string{"violated google's responsible ai practices"}, Document: "https://ai.google.dev/gemini-api/docs/safety-settings"},
}, anthropic.Reasons)

const troubleshooting = "https://ai.google.dev/gemini-api/docs/troubleshooting"
