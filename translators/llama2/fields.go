package llama2

import "go-ai-proxy/translators/provider"

// Fields holds the rules for the fields of an OpenAI chat request in the raw format.
// An endpoint with more parameters gets them by extra_body.
var Fields = provider.Fields{
	"messages":              provider.Mapped.With("inputs, in Llama 2's template"),
	"max_completion_tokens": provider.Mapped.With("parameters.max_new_tokens"),
	"max_tokens":            provider.Mapped.With("parameters.max_new_tokens"),
	"temperature":           provider.Mapped.With("parameters.temperature"),
	"top_p":                 provider.Mapped.With("parameters.top_p"),
	"top_k":                 provider.Mapped.With("parameters.top_k"),
	"extra_body":            provider.Mapped.With("merged into the body"),

	"stream":          provider.Refused.With("the format does not stream"),
	"tools":           provider.Refused.With("the template has no place for them"),
	"functions":       provider.Refused.With("the template has no place for them"),
	"response_format": provider.Refused.With("the answer is text; other values than text cannot be kept"),

	"audio":                  provider.Dropped.With("text only"),
	"frequency_penalty":      provider.Dropped.With("no such parameter"),
	"function_call":          provider.Dropped.With("there are no functions to choose from"),
	"logit_bias":             provider.Dropped.With("no such parameter"),
	"logprobs":               provider.Dropped.With("no such parameter"),
	"metadata":               provider.Dropped.With("nothing is stored"),
	"modalities":             provider.Dropped.With("text only"),
	"model":                  provider.Dropped.With("the endpoint is the model"),
	"n":                      provider.Dropped.With("one answer per request"),
	"parallel_tool_calls":    provider.Dropped.With("there are no tools"),
	"prediction":             provider.Dropped.With("no such parameter"),
	"presence_penalty":       provider.Dropped.With("no such parameter"),
	"prompt_cache_key":       provider.Dropped.With("no such parameter"),
	"prompt_cache_retention": provider.Dropped.With("no such parameter"),
	"reasoning_effort":       provider.Dropped.With("the model does not think aloud"),
	"safety_identifier":      provider.Dropped.With("nobody to tell"),
	"seed":                   provider.Dropped.With("no such parameter"),
	"service_tier":           provider.Dropped.With("there is one"),
	"stop":                   provider.Dropped.With("no such parameter"),
	"store":                  provider.Dropped.With("nothing is stored"),
	"stream_options":         provider.Dropped.With("the format does not stream"),
	"tool_choice":            provider.Dropped.With("there are no tools to choose from"),
	"top_logprobs":           provider.Dropped.With("no such parameter"),
	"user":                   provider.Dropped.With("nobody to tell"),
	"verbosity":              provider.Dropped.With("no such parameter"),
	"web_search_options":     provider.Refused.With("nothing searches; left out beside functions"),
}

// completeFields holds the rules for the fields of an OpenAI completions request.
var completeFields = provider.Fields{
	"prompt":            provider.Mapped.With("inputs, as one instruction"),
	"max_tokens":        provider.Mapped.With("parameters.max_new_tokens"),
	"temperature":       provider.Mapped.With("parameters.temperature"),
	"top_p":             provider.Mapped.With("parameters.top_p"),
	"top_k":             provider.Mapped.With("parameters.top_k"),
	"extra_body":        provider.Mapped.With("merged into the body"),
	"stream":            provider.Refused.With("the format does not stream"),
	"best_of":           provider.Dropped.With("one answer per request"),
	"echo":              provider.Dropped.With("no such parameter"),
	"frequency_penalty": provider.Dropped.With("no such parameter"),
	"logit_bias":        provider.Dropped.With("no such parameter"),
	"logprobs":          provider.Dropped.With("no such parameter"),
	"model":             provider.Dropped.With("the endpoint is the model"),
	"n":                 provider.Dropped.With("one answer per request"),
	"presence_penalty":  provider.Dropped.With("no such parameter"),
	"seed":              provider.Dropped.With("no such parameter"),
	"stop":              provider.Dropped.With("no such parameter"),
	"stream_options":    provider.Dropped.With("the format does not stream"),
	"suffix":            provider.Dropped.With("no such parameter"),
	"user":              provider.Dropped.With("nobody to tell"),
}
