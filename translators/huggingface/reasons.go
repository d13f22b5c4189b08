package huggingface

import (
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
)

// reasons says what the errors of the router, and of text-generation-inference behind
// it, mean.
var reasons = slices.Concat(chat.Reasons{
	{Reason: chat.InvalidModel, Name: "model_not_supported", Document: "https://huggingface.co/docs/inference-providers/tasks/chat-completion"},
	{Reason: chat.InvalidModel, Words: []string{"model", "does not exist"}, Document: "https://huggingface.co/docs/inference-providers/tasks/chat-completion"},
	{Reason: chat.Overloaded, Words: []string{"model is overloaded"}, Document: "https://huggingface.co/docs/text-generation-inference/basic_tutorials/using_cli"},
}, openai.Reasons)
