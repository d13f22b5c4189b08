package cohere

import (
	"maps"

	"go-ai-proxy/translators/provider"
)

// Fields rules the fields of an OpenAI chat request for version 2 of Chat.
var Fields = provider.Fields{
	"model":    mapped("model"),
	"messages": mapped("messages; text beside tool calls is tool_plan"),

	"max_completion_tokens": mapped("max_tokens"),
	"max_tokens":            mapped("max_tokens"),
	"temperature":           mapped("temperature"),
	"top_p":                 mapped("p, between 0.01 and 0.99"),
	"top_k":                 mapped("k"),
	"frequency_penalty":     mapped("frequency_penalty, between 0 and 1"),
	"presence_penalty":      mapped("presence_penalty, between 0 and 1"),
	"seed":                  mapped("seed"),
	"stop":                  mapped("stop_sequences"),
	"stream":                mapped("stream"),
	"logprobs":              mapped("logprobs"),

	"tools":            mapped("tools; a function's own strict is left out, strict_tools passes"),
	"tool_choice":      mapped("tool_choice; for one function the others are left out"),
	"functions":        mapped("tools"),
	"function_call":    mapped("tool_choice"),
	"response_format":  mapped("response_format of type json_object"),
	"reasoning_effort": mapped("thinking"),
	"extra_body":       mapped("merged into the body"),

	"audio":                  dropped("no such setting"),
	"logit_bias":             dropped("no such setting"),
	"metadata":               dropped("no such setting"),
	"modalities":             dropped("text is the only one"),
	"n":                      dropped("one answer per request"),
	"parallel_tool_calls":    dropped("no such setting"),
	"prediction":             dropped("no such setting"),
	"prompt_cache_key":       dropped("no such setting"),
	"prompt_cache_retention": dropped("no such setting"),
	"safety_identifier":      dropped("no such setting"),
	"service_tier":           dropped("no such setting; Cohere's own priority passes"),
	"store":                  dropped("nothing is stored"),
	"stream_options":         dropped("usage is always sent"),
	"top_logprobs":           dropped("the logarithm of the chosen token is all there is"),
	"user":                   dropped("no such setting"),
	"verbosity":              dropped("no such setting"),
	"web_search_options":     dropped("no such setting"),
}

// fieldsV1 rules them for version 1.
var fieldsV1 = differing(Fields, provider.Fields{
	"messages":         mapped("chat_history, message and tool_results: text only"),
	"top_p":            mapped("p"),
	"tools":            mapped("tools; schemas become parameter_definitions"),
	"functions":        mapped("tools"),
	"tool_choice":      refused("a call cannot be forced; with none, no tools are sent"),
	"function_call":    refused("as tool_choice"),
	"logprobs":         dropped("no such setting"),
	"reasoning_effort": dropped("models that think are version 2's"),
	"service_tier":     dropped("no such setting"),
})

func differing(fields, others provider.Fields) provider.Fields {
	fields = maps.Clone(fields)
	maps.Copy(fields, others)
	return fields
}

// generateFields rules the fields of an OpenAI completions request.
var generateFields = provider.Fields{
	"model":             mapped("model"),
	"prompt":            mapped("prompt"),
	"max_tokens":        mapped("max_tokens"),
	"temperature":       mapped("temperature"),
	"top_p":             mapped("p"),
	"top_k":             mapped("k"),
	"n":                 mapped("num_generations"),
	"stop":              mapped("end_sequences, which the text leaves out"),
	"seed":              mapped("seed"),
	"frequency_penalty": mapped("frequency_penalty, between 0 and 1"),
	"presence_penalty":  mapped("presence_penalty, between 0 and 1"),
	"stream":            mapped("stream"),
	"extra_body":        mapped("merged into the body"),
	"best_of":           dropped("no such setting"),
	"echo":              dropped("no such setting"),
	"logit_bias":        dropped("the API took it back"),
	"logprobs":          dropped("the API took return_likelihoods back"),
	"stream_options":    dropped("usage is sent where it is known"),
	"suffix":            dropped("no such setting"),
	"user":              dropped("no such setting"),
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
