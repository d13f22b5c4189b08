package bedrock

import "go-ai-proxy/translators/provider"

// fields rules the fields of an OpenAI chat request. Converse has a base set
// for all models; what a model has beyond it goes into
// additionalModelRequestFields, which a client may also send itself.
var fields = provider.Fields{
	"model":    mapped("the URL"),
	"stream":   mapped("the URL"),
	"messages": mapped("messages and system"),

	"max_completion_tokens": mapped("inferenceConfig.maxTokens"),
	"max_tokens":            mapped("inferenceConfig.maxTokens"),
	"temperature":           mapped("inferenceConfig.temperature; at most 1 for Claude, and not to models that refuse it"),
	"top_p":                 mapped("inferenceConfig.topP; not to models that refuse it"),
	"top_k":                 mapped("additionalModelRequestFields, under the model's name for it, unless it has none"),
	"stop":                  mapped("inferenceConfig.stopSequences, but those of white space only"),

	"tools":         mapped("toolConfig.tools"),
	"functions":     mapped("toolConfig.tools"),
	"tool_choice":   mapped("toolConfig.toolChoice; with none, tools are left out unless the history has calls, which demand them"),
	"function_call": mapped("toolConfig.toolChoice"),

	"response_format":  mapped("outputConfig.textFormat, or a forced tool for models without; json_object is an instruction in system"),
	"reasoning_effort": mapped("outputConfig.effort or additionalModelRequestFields, unless the model does not reason"),
	"service_tier":     mapped("serviceTier; auto and scale are left out"),
	"metadata":         mapped("requestMetadata, but for pairs that Bedrock's logs do not take"),
	"extra_body":       mapped("merged into the body"),

	"web_search_options": refused("Converse has no web search"),

	"audio":                  dropped("Converse answers in text"),
	"frequency_penalty":      dropped("no such setting"),
	"logit_bias":             dropped("no such setting"),
	"logprobs":               dropped("no such setting"),
	"modalities":             dropped("Converse answers in text"),
	"n":                      dropped("one answer per request"),
	"parallel_tool_calls":    dropped("no such setting"),
	"prediction":             dropped("no such setting"),
	"presence_penalty":       dropped("no such setting"),
	"prompt_cache_key":       dropped("caching is asked by cache_control"),
	"prompt_cache_retention": dropped("caching is asked by cache_control"),
	"safety_identifier":      dropped("no such setting"),
	"seed":                   dropped("no such setting"),
	"store":                  dropped("nothing is stored"),
	"stream_options":         dropped("usage is always sent"),
	"top_logprobs":           dropped("no such setting"),
	"user":                   dropped("no such setting; requestMetadata goes to the logs"),
	"verbosity":              dropped("no such setting"),
}

func mapped(note string) provider.Field {
	return provider.Field{Treatment: provider.Mapped, Note: note}
}

func dropped(note string) provider.Field {
	return provider.Field{Treatment: provider.Dropped, Note: note}
}

func refused(note string) provider.Field {
	return provider.Field{Treatment: provider.Refused, Note: note}
}
