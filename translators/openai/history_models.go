package openai

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// histories say what models take of a conversation, by the beginnings of their names.
// The first match counts. Models of others stand here because their servers have
// OpenAI's API and are configured as one (options.upstream_url). Of a model that no row
// knows the server is not known either: what is not marked as another's is forwarded.
var histories = []struct {
	prefixes []string
	provider.History
}{
	// https://platform.openai.com/docs/api-reference/chat/create: no member for a
	// thought, and ids of at most 40 bytes ("string too long. Expected a string with
	// maximum length 40").
	{[]string{"gpt-", "o1", "o3", "o4", "chatgpt-", "codex-"}, provider.History{Thought: provider.ThoughtNowhere, Calls: []string{"id", "type", "function", "custom"}, IDs: &chat.CallIDs{Prefix: "call_", Longest: 40}}},
	// https://ai.google.dev/gemini-api/docs/thought-signatures#openai
	{[]string{"gemini-", "google/gemini-"}, provider.History{Thought: provider.ThoughtNowhere, Origin: origin.Google}},
	// https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model
	{[]string{"kimi-", "moonshotai/kimi-"}, provider.History{Thought: provider.ThoughtInReasoningContent}},
	// https://api-docs.deepseek.com/guides/thinking_mode
	{[]string{"deepseek-", "deepseek/", "deepseek-ai/"}, provider.History{Thought: provider.ThoughtInReasoningContent}},
	// https://docs.z.ai/guides/capabilities/thinking-mode
	{[]string{"glm-", "z-ai/glm-", "zai-org/glm-"}, provider.History{Thought: provider.ThoughtInReasoningContent}},
}

// anyHistory is that of a model that no row knows.
var anyHistory provider.History

// HistoryOf is an Edit.History for the servers of OpenAI's own API, or of an equal one.
func HistoryOf(t *target.Target) *provider.History {
	model := strings.ToLower(t.Model)
	for i := range histories {
		for _, prefix := range histories[i].prefixes {
			if strings.HasPrefix(model, prefix) {
				return &histories[i].History
			}
		}
	}
	return &anyHistory
}
