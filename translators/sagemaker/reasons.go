package sagemaker

import (
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
)

// reasons says what SageMaker's errors mean. An error of the container has the
// container's status and words.
var reasons = slices.Concat(chat.Reasons{
	{Reason: chat.InvalidModel, Status: 400, Words: []string{"endpoint ", " not found"}, Document: invokePage},
	{Reason: chat.Overloaded, Name: "ModelNotReadyException", Document: invokePage},
}, openai.Reasons)

const invokePage = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html#API_runtime_InvokeEndpoint_Errors"
