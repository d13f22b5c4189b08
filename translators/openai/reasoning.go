package openai

import (
	"strings"

	"go-ai-proxy/translators/target"
)

// reasoning lists the families of models that reason, by the beginning of their
// names, with the members that they refuse. The first match counts.
// https://platform.openai.com/docs/guides/reasoning
// https://docs.x.ai/docs/guides/reasoning
var reasoning = []struct {
	prefix  string
	refuses []string
}{
	{"gpt-5-chat", nil},
	{"gpt-5", sampling},
	{"o1", sampling},
	{"o3", sampling},
	{"o4", sampling},
	{"grok-4", []string{"stop", "presence_penalty", "frequency_penalty"}},
}

var sampling = []string{"temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"}

// RefusedWhileReasoning returns the members that t's model refuses because it
// reasons. It is an Edit.Spare.
func RefusedWhileReasoning(t *target.Target) []string {
	for _, family := range reasoning {
		if isOf(t.Model, family.prefix) {
			return family.refuses
		}
	}
	return nil
}

// isOf reports whether a model belongs to a family: gpt-5, gpt-5-mini and gpt-5.1, but not gpt-50.
func isOf(model, family string) bool {
	rest, ok := strings.CutPrefix(model, family)
	return ok && (rest == "" || rest[0] == '-' || rest[0] == '.')
}

// ReasoningLimit is an Edit.Rename: OpenAI's reasoning models refuse max_tokens.
// https://platform.openai.com/docs/guides/reasoning
func ReasoningLimit(t *target.Target) map[string]string {
	for _, prefix := range [...]string{"o1", "o3", "o4", "gpt-5"} {
		if isOf(t.Model, prefix) {
			return map[string]string{"max_tokens": "max_completion_tokens"}
		}
	}
	return nil
}
