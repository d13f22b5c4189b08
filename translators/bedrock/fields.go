package bedrock

import "go-ai-proxy/translators/provider"

// fields holds the rules for the fields of an OpenAI chat request. Converse has
// settings for all models; other settings of a model go into
// additionalModelRequestFields, which a client may also send itself.
var fields = provider.Fields{
	"model":    provider.Mapped.With("the URL"),
	"stream":   provider.Mapped.With("the URL"),
	"messages": provider.Mapped.With("messages and system"),

	"max_completion_tokens": provider.Mapped.With("inferenceConfig.maxTokens"),
	"max_tokens":            provider.Mapped.With("inferenceConfig.maxTokens"),
	"temperature":           provider.Mapped.With("inferenceConfig.temperature; at most 1 for Claude, and not to models that refuse it"),
	"top_p":                 provider.Mapped.With("inferenceConfig.topP; not to models that refuse it"),
	"top_k":                 provider.Mapped.With("additionalModelRequestFields, under the model's name for it, unless it has none"),
	"stop":                  provider.Mapped.With("inferenceConfig.stopSequences, but those of white space only"),

	"tools":         provider.Mapped.With("toolConfig.tools"),
	"functions":     provider.Mapped.With("toolConfig.tools"),
	"tool_choice":   provider.Mapped.With("toolConfig.toolChoice; with none, tools are left out unless the history has calls, which demand them"),
	"function_call": provider.Mapped.With("toolConfig.toolChoice"),

	"response_format":  provider.Mapped.With("outputConfig.textFormat, or a forced tool for models without; json_object is an instruction in system"),
	"reasoning_effort": provider.Mapped.With("outputConfig.effort or additionalModelRequestFields, unless the model does not reason"),
	"service_tier":     provider.Mapped.With("serviceTier; auto and scale are left out"),
	"metadata":         provider.Mapped.With("requestMetadata, but for pairs that Bedrock's logs do not take"),
	"extra_body":       provider.Mapped.With("merged into the body"),

	"web_search_options": provider.Refused.With("but for Nova, which searches the web in the USA; left out beside functions"),

	"audio":                  provider.Dropped.With("Converse answers in text"),
	"frequency_penalty":      provider.Dropped.With("no such setting"),
	"logit_bias":             provider.Dropped.With("no such setting"),
	"logprobs":               provider.Dropped.With("no such setting"),
	"modalities":             provider.Dropped.With("Converse answers in text"),
	"n":                      provider.Dropped.With("one answer per request"),
	"parallel_tool_calls":    provider.Dropped.With("no such setting"),
	"prediction":             provider.Dropped.With("no such setting"),
	"presence_penalty":       provider.Dropped.With("no such setting"),
	"prompt_cache_key":       provider.Dropped.With("caching is asked by cache_control"),
	"prompt_cache_retention": provider.Dropped.With("caching is asked by cache_control"),
	"safety_identifier":      provider.Dropped.With("no such setting"),
	"seed":                   provider.Dropped.With("no such setting"),
	"store":                  provider.Dropped.With("nothing is stored"),
	"stream_options":         provider.Dropped.With("usage is always sent"),
	"top_logprobs":           provider.Dropped.With("no such setting"),
	"user":                   provider.Dropped.With("no such setting; requestMetadata goes to the logs"),
	"verbosity":              provider.Dropped.With("no such setting"),
}
