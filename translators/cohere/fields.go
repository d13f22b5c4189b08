package cohere

import (
	"go-ai-proxy/translators/provider"
)

// Fields holds the rules for the fields of an OpenAI chat request in version 2 of
// Chat.
var Fields = provider.Fields{
	"model":    provider.Mapped.With("model"),
	"messages": provider.Mapped.With("messages; text beside tool calls is tool_plan"),

	"max_completion_tokens": provider.Mapped.With("max_tokens"),
	"max_tokens":            provider.Mapped.With("max_tokens"),
	"temperature":           provider.Mapped.With("temperature"),
	"top_p":                 provider.Mapped.With("p, between 0.01 and 0.99"),
	"top_k":                 provider.Mapped.With("k"),
	"frequency_penalty":     provider.Mapped.With("frequency_penalty, between 0 and 1"),
	"presence_penalty":      provider.Mapped.With("presence_penalty, between 0 and 1"),
	"seed":                  provider.Mapped.With("seed"),
	"stop":                  provider.Mapped.With("stop_sequences"),
	"stream":                provider.Mapped.With("stream"),
	"logprobs":              provider.Mapped.With("logprobs"),

	"tools":            provider.Mapped.With("tools; a function's own strict is left out, strict_tools passes"),
	"tool_choice":      provider.Mapped.With("tool_choice; for one function the others are left out"),
	"functions":        provider.Mapped.With("tools"),
	"function_call":    provider.Mapped.With("tool_choice"),
	"response_format":  provider.Mapped.With("response_format of type json_object; beside tools or documents an instruction in a system message"),
	"reasoning_effort": provider.Mapped.With("thinking"),
	"extra_body":       provider.Mapped.With("merged into the body"),

	"audio":                  provider.Dropped.With("no such setting"),
	"logit_bias":             provider.Dropped.With("no such setting"),
	"metadata":               provider.Dropped.With("no such setting"),
	"modalities":             provider.Dropped.With("text is the only one"),
	"n":                      provider.Dropped.With("one answer per request"),
	"parallel_tool_calls":    provider.Dropped.With("no such setting"),
	"prediction":             provider.Dropped.With("no such setting"),
	"prompt_cache_key":       provider.Dropped.With("no such setting"),
	"prompt_cache_retention": provider.Dropped.With("no such setting"),
	"safety_identifier":      provider.Dropped.With("no such setting"),
	"service_tier":           provider.Dropped.With("no such setting; Cohere's own priority passes"),
	"store":                  provider.Dropped.With("nothing is stored"),
	"stream_options":         provider.Dropped.With("usage is always sent"),
	"top_logprobs":           provider.Dropped.With("the logarithm of the chosen token is all there is"),
	"user":                   provider.Dropped.With("no such setting"),
	"verbosity":              provider.Dropped.With("no such setting"),
	"web_search_options":     provider.Refused.With("nothing searches; left out beside functions"),
}

// fieldsV1 holds the rules for version 1.
var fieldsV1 = Fields.With(provider.Fields{
	"messages":         provider.Mapped.With("chat_history, message and tool_results: text only"),
	"top_p":            provider.Mapped.With("p"),
	"tools":            provider.Mapped.With("tools; schemas become parameter_definitions"),
	"functions":        provider.Mapped.With("tools"),
	"tool_choice":      provider.Refused.With("a call cannot be forced; with none, no tools are sent"),
	"function_call":    provider.Refused.With("as tool_choice"),
	"logprobs":         provider.Dropped.With("no such setting"),
	"reasoning_effort": provider.Dropped.With("models that think are version 2's"),
	"service_tier":     provider.Dropped.With("no such setting"),
})

// generateFields holds the rules for the fields of an OpenAI completions request.
var generateFields = provider.Fields{
	"model":             provider.Mapped.With("model"),
	"prompt":            provider.Mapped.With("prompt"),
	"max_tokens":        provider.Mapped.With("max_tokens"),
	"temperature":       provider.Mapped.With("temperature"),
	"top_p":             provider.Mapped.With("p"),
	"top_k":             provider.Mapped.With("k"),
	"n":                 provider.Mapped.With("num_generations"),
	"stop":              provider.Mapped.With("end_sequences, which the text leaves out"),
	"seed":              provider.Mapped.With("seed"),
	"frequency_penalty": provider.Mapped.With("frequency_penalty, between 0 and 1"),
	"presence_penalty":  provider.Mapped.With("presence_penalty, between 0 and 1"),
	"stream":            provider.Mapped.With("stream"),
	"extra_body":        provider.Mapped.With("merged into the body"),
	"best_of":           provider.Dropped.With("no such setting"),
	"echo":              provider.Dropped.With("no such setting"),
	"logit_bias":        provider.Dropped.With("the API took it back"),
	"logprobs":          provider.Dropped.With("the API took return_likelihoods back"),
	"stream_options":    provider.Dropped.With("usage is sent where it is known"),
	"suffix":            provider.Dropped.With("no such setting"),
	"user":              provider.Dropped.With("no such setting"),
}
