package gemini

import (
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// openAIChat returns chat in OpenAI's format with edit.
func openAIChat(path func(*target.Target, bool) (string, error), edit provider.Edit) map[route.Type]*provider.Operation {
	return map[route.Type]*provider.Operation{route.Chat: openai.ChatOf(path, edit)}
}
