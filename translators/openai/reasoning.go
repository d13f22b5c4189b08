package openai

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/target"
)

// model is what must be known of a model of OpenAI's to ask it nothing that it
// refuses.
type model struct {
	prefix  string   // of the name with a dash at its end
	efforts []string // levels of reasoning_effort, from the least on; none for a model that does not reason
	noLimit bool     // max_tokens is refused by a model that does not reason, too
}

// efforts are all levels, from the least on.
var efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// models are the families, newest first; the first match counts, and "gpt-"
// takes the names that are not here yet for the newest. Models that reason refuse
// max_tokens and the sampling parameters.
//
//	https://platform.openai.com/docs/guides/reasoning
//	https://platform.openai.com/docs/api-reference/chat/create (reasoning_effort)
//	https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning
var models = []model{
	{prefix: "gpt-5-chat", noLimit: true},
	{prefix: "gpt-5-pro", efforts: []string{"high"}},
	{prefix: "gpt-5-codex", efforts: []string{"low", "medium", "high"}},
	{prefix: "gpt-5-", efforts: []string{"minimal", "low", "medium", "high"}},
	{prefix: "gpt-5.1-", efforts: []string{"none", "low", "medium", "high"}},
	{prefix: "o1-", efforts: []string{"low", "medium", "high"}},
	{prefix: "o3-", efforts: []string{"low", "medium", "high"}},
	{prefix: "o4-", efforts: []string{"low", "medium", "high"}},
	{prefix: "gpt-3"},
	{prefix: "gpt-4"},
	{prefix: "gpt-audio"},
	{prefix: "chatgpt-"},
	{prefix: "gpt-", efforts: []string{"none", "low", "medium", "high", "xhigh"}},
}

// modelOf returns the row of a model, or nil if the name is none of OpenAI's.
// A fine-tuned model is of the family of its base: ft:gpt-4.1-2025-04-14:acme::id.
func modelOf(name string) *model {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "ft:"), ":")
	name += "-"
	for i := range models {
		if strings.HasPrefix(name, models[i].prefix) {
			return &models[i]
		}
	}
	return nil
}

// EffortOf returns the level of t's model for a wanted one: the least that is no less;
// "" for models that do not reason. A model that nobody knows is asked as wanted.
func EffortOf(model, wanted string) string {
	m := modelOf(model)
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

// RefusedWhileReasoning returns the members that t's model refuses because it
// reasons. It is an Edit.Spare.
func RefusedWhileReasoning(t *target.Target) []string {
	if m := modelOf(t.Model); m != nil && len(m.efforts) > 0 {
		return sampling
	}
	return nil
}

// ReasoningLimit is an Edit.Rename: models that reason refuse max_tokens.
func ReasoningLimit(t *target.Target) map[string]string {
	if m := modelOf(t.Model); m != nil && (len(m.efforts) > 0 || m.noLimit) {
		return map[string]string{"max_tokens": "max_completion_tokens"}
	}
	return nil
}
