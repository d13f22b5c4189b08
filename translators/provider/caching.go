package provider

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// Caching says how an operation is asked to keep prompts in the provider's cache.
type Caching struct {
	// Marks, if set, returns how prompts for t are marked, without Control; hour says
	// whether a mark may last for an hour. ok is false if the model caches nothing that
	// is marked.
	Marks func(t *target.Target) (m chat.Marks, hour, ok bool)
	// Mark, if set, returns a body of the operation's own format with marks, and how many
	// they are. own says that the client has set some: then body is not changed.
	Mark func(body []byte, m *chat.Marks) (marked []byte, n int, own bool)
	// Key means that the API takes OpenAI's prompt_cache_key.
	Key bool
	// Retains, if set, says whether the model of t takes prompt_cache_retention 24h.
	Retains func(t *target.Target) bool
}
