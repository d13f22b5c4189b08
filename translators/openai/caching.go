package openai

import (
	"strings"

	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Caching is how OpenAI is asked to cache prompts: it does so by itself, and finds them
// by a key.
var Caching = &provider.Caching{Key: true, Retains: retains}

// Cached returns op with OpenAI's Caching, which its newer API has, too.
func Cached(op *provider.Operation) *provider.Operation {
	op.Caching = Caching
	if op.Instead != nil {
		op.Instead.Operation.Caching = Caching
	}
	return op
}

// retained are the models that keep prompts for a day if asked to, without the date that
// may follow. Others refuse prompt_cache_retention.
// https://platform.openai.com/docs/guides/prompt-caching#prompt-cache-retention
var retained = []string{
	"gpt-5.5", "gpt-5.4", "gpt-5.2",
	"gpt-5.1", "gpt-5.1-codex-max", "gpt-5.1-codex", "gpt-5.1-codex-mini", "gpt-5.1-chat-latest",
	"gpt-5", "gpt-5-codex", "gpt-4.1",
}

func retains(t *target.Target) bool {
	for _, name := range retained {
		if rest, ok := strings.CutPrefix(t.Model, name); ok && (rest == "" || strings.HasPrefix(rest, "-20")) {
			return true
		}
	}
	return false
}
