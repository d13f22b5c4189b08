package ollama

import "go-ai-proxy/translators/chat"

// Reasons says what the errors of an Ollama server mean.
var Reasons = chat.Reasons{
	{Reason: chat.InvalidModel, Status: 404, Words: []string{"model", "not found"}, Document: "https://github.com/ollama/ollama/blob/main/docs/api.md"},
}
