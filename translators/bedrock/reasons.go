package bedrock

import (
	"slices"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
)

// reasons says what Bedrock's errors mean. The exception's name is in a header, so
// whole answers are known by status and words; a stream's event has the name.
var reasons = slices.Concat(chat.Reasons{
	{Reason: chat.InvalidModel, Words: []string{"model identifier is invalid"}, Document: runtimeErrors},
	{Reason: chat.InvalidModel, Words: []string{"access to the model"}, Document: runtimeErrors},
	{Reason: chat.InvalidModel, Words: []string{"on-demand throughput", "supported"}, Document: "https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html"},
	{Reason: chat.InvalidModel, Status: 404, Words: []string{"could not resolve the foundation model"}, Document: runtimeErrors},
	{Reason: chat.InvalidModel, Words: []string{"reached the end of its life"}, Document: "https://docs.aws.amazon.com/bedrock/latest/userguide/model-lifecycle.html"},
	{Reason: chat.Overloaded, Name: "serviceUnavailableException", Document: runtimeErrors},
	{Reason: chat.Overloaded, Status: 429, Words: []string{"model is not ready"}, Document: runtimeErrors},
	{Reason: chat.Quota, Status: 429, Words: []string{"tokens per day"}, Document: runtimeErrors},
	{Reason: chat.Quota, Status: 400, Words: []string{"service quota"}, Document: runtimeErrors},
	{Reason: chat.Filtered, Words: []string{"blocked by our content filters"}, Document: "https://docs.aws.amazon.com/bedrock/latest/userguide/abuse-detection.html"},
}, anthropic.Reasons)

const runtimeErrors = "https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html"
