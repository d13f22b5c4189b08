package dashscope

import (
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
)

// reasons says what DashScope's errors mean, which have OpenAI's format and, in part,
// names of their own.
var reasons = slices.Concat(chat.Reasons{
	{Reason: chat.Quota, Name: "Arrearage", Document: errorCodes},
	{Reason: chat.Quota, Name: "AllocationQuota.FreeTierOnly", Document: errorCodes},
	{Reason: chat.InvalidModel, Name: "ModelNotFound", Document: errorCodes},
	{Reason: chat.InvalidModel, Name: "model_not_supported", Document: errorCodes},
	{Reason: chat.Auth, Name: "InvalidApiKey", Document: errorCodes},
	{Reason: chat.Filtered, Name: "DataInspectionFailed", Document: errorCodes},
	{Reason: chat.Filtered, Name: "data_inspection_failed", Document: errorCodes},
	// Requests and tokens per minute are told by this name, too.
	{Reason: "", Status: 429, Name: "insufficient_quota", Words: []string{"per minute"}, Document: errorCodes},
}, openai.Reasons)

const errorCodes = "https://help.aliyun.com/en/model-studio/error-code"
