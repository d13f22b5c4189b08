package azure

import (
	"slices"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
)

// reasons says what Azure's errors mean, which are OpenAI's and some of its own, and
// Anthropic's where it serves Claude.
var reasons = slices.Concat(chat.Reasons{
	{Reason: chat.Filtered, Name: "ResponsibleAIPolicyViolation", Document: "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter"},
	{Reason: chat.Filtered, Words: []string{"content management policy"}, Document: "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter"},
	{Reason: chat.InvalidModel, Name: "DeploymentNotFound", Document: troubleshooting},
	{Reason: chat.InvalidModel, Name: "OperationNotSupported", Document: troubleshooting},
	{Reason: chat.InvalidModel, Name: "ModelDeprecated", Document: troubleshooting},
	{Reason: chat.Quota, Status: 403, Words: []string{"out of call volume quota"}, Document: "https://learn.microsoft.com/en-us/azure/api-management/quota-policy"},
	{Reason: chat.Overloaded, Status: 429, Words: []string{"experiencing high demand"}, Document: "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/quotas-limits"},
}, openai.Reasons, anthropic.Reasons)

const troubleshooting = "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/troubleshooting"
