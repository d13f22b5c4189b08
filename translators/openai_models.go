package translators

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/target"
)

// openAIModel is what must be known of a model of OpenAI's to ask it nothing that it
// refuses.
type openAIModel struct {
	prefix  string   // of the name with a dash at its end
	efforts []string // levels of reasoning_effort, from the least on; none for a model that does not reason
}

// efforts are all levels, from the least on.
var efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// openAIModels are the families, newest first; the first match counts, and "gpt-"
// takes the names that are not here yet for the newest. Models that reason refuse
// max_tokens and the sampling parameters.
//
//	https://platform.openai.com/docs/guides/reasoning
//	https://platform.openai.com/docs/api-reference/chat/create (reasoning_effort)
//	https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning
var openAIModels = []openAIModel{
	{prefix: "gpt-5-chat"},
	{"gpt-5-pro", []string{"high"}},
	{"gpt-5-codex", []string{"low", "medium", "high"}},
	{"gpt-5-", []string{"minimal", "low", "medium", "high"}},
	{"gpt-5.1-", []string{"none", "low", "medium", "high"}},
	{"o1-", []string{"low", "medium", "high"}},
	{"o3-", []string{"low", "medium", "high"}},
	{"o4-", []string{"low", "medium", "high"}},
	{prefix: "gpt-3"},
	{prefix: "gpt-4"},
	{prefix: "gpt-audio"},
	{prefix: "chatgpt-"},
	{"gpt-", []string{"none", "low", "medium", "high", "xhigh"}},
}

// modelOfOpenAI returns the row of a model, or nil if the name is none of OpenAI's.
// A fine-tuned model is of the family of its base: ft:gpt-4.1-2025-04-14:acme::id.
func modelOfOpenAI(name string) *openAIModel {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "ft:"), ":")
	name += "-"
	for i := range openAIModels {
		if strings.HasPrefix(name, openAIModels[i].prefix) {
			return &openAIModels[i]
		}
	}
	return nil
}

// openAIEffort is the level of t's model for a wanted one: the least that is no less;
// "" for models that do not reason. A model that nobody knows is asked as wanted.
func openAIEffort(model, wanted string) string {
	m := modelOfOpenAI(model)
	if m == nil || wanted == "" {
		return wanted
	}
	for _, level := range m.efforts {
		if slices.Index(efforts, level) >= slices.Index(efforts, wanted) {
			return level
		}
	}
	if len(m.efforts) == 0 {
		return ""
	}
	return m.efforts[len(m.efforts)-1]
}

// sampling are the parameters that models refuse which reason.
var sampling = []string{"temperature", "top_p", "stop", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"}

// refusedWhileReasoning is what t's model refuses because it reasons.
func refusedWhileReasoning(t *target.Target) []string {
	if m := modelOfOpenAI(t.Model); m != nil && len(m.efforts) > 0 {
		return sampling
	}
	return nil
}

// reasoningLimit: models that reason refuse max_tokens.
func reasoningLimit(t *target.Target) map[string]string {
	if m := modelOfOpenAI(t.Model); m != nil && len(m.efforts) > 0 {
		return map[string]string{"max_tokens": "max_completion_tokens"}
	}
	return nil
}

// refusedByGrok is what xAI's models refuse that reason.
// https://docs.x.ai/docs/guides/reasoning
func refusedByGrok(t *target.Target) []string {
	if strings.HasPrefix(t.Model+"-", "grok-4-") || strings.HasPrefix(t.Model, "grok-4.") {
		return []string{"stop", "presence_penalty", "frequency_penalty"}
	}
	return nil
}
