package llama2

import "go-ai-proxy/translators/provider"

// Fields rules the fields of an OpenAI chat request for the raw format. An
// endpoint that has more parameters than these gets them by extra_body.
var Fields = provider.Fields{
	"messages":              mapped("inputs, in Llama 2's template"),
	"max_completion_tokens": mapped("parameters.max_new_tokens"),
	"max_tokens":            mapped("parameters.max_new_tokens"),
	"temperature":           mapped("parameters.temperature"),
	"top_p":                 mapped("parameters.top_p"),
	"top_k":                 mapped("parameters.top_k"),
	"extra_body":            mapped("merged into the body"),

	"stream":          refused("the format does not stream"),
	"tools":           refused("the template has no place for them"),
	"functions":       refused("the template has no place for them"),
	"response_format": refused("the answer is text; other values than text cannot be kept"),

	"audio":                  dropped("text only"),
	"frequency_penalty":      dropped("no such parameter"),
	"function_call":          dropped("there are no functions to choose from"),
	"logit_bias":             dropped("no such parameter"),
	"logprobs":               dropped("no such parameter"),
	"metadata":               dropped("nothing is stored"),
	"modalities":             dropped("text only"),
	"model":                  dropped("the endpoint is the model"),
	"n":                      dropped("one answer per request"),
	"parallel_tool_calls":    dropped("there are no tools"),
	"prediction":             dropped("no such parameter"),
	"presence_penalty":       dropped("no such parameter"),
	"prompt_cache_key":       dropped("no such parameter"),
	"prompt_cache_retention": dropped("no such parameter"),
	"reasoning_effort":       dropped("the model does not think aloud"),
	"safety_identifier":      dropped("nobody to tell"),
	"seed":                   dropped("no such parameter"),
	"service_tier":           dropped("there is one"),
	"stop":                   dropped("no such parameter"),
	"store":                  dropped("nothing is stored"),
	"stream_options":         dropped("the format does not stream"),
	"tool_choice":            dropped("there are no tools to choose from"),
	"top_logprobs":           dropped("no such parameter"),
	"user":                   dropped("nobody to tell"),
	"verbosity":              dropped("no such parameter"),
	"web_search_options":     dropped("the endpoint does not search"),
}

// completeFields rules the fields of an OpenAI completions request.
var completeFields = provider.Fields{
	"prompt":            mapped("inputs, as one instruction"),
	"max_tokens":        mapped("parameters.max_new_tokens"),
	"temperature":       mapped("parameters.temperature"),
	"top_p":             mapped("parameters.top_p"),
	"top_k":             mapped("parameters.top_k"),
	"extra_body":        mapped("merged into the body"),
	"stream":            refused("the format does not stream"),
	"best_of":           dropped("one answer per request"),
	"echo":              dropped("no such parameter"),
	"frequency_penalty": dropped("no such parameter"),
	"logit_bias":        dropped("no such parameter"),
	"logprobs":          dropped("no such parameter"),
	"model":             dropped("the endpoint is the model"),
	"n":                 dropped("one answer per request"),
	"presence_penalty":  dropped("no such parameter"),
	"seed":              dropped("no such parameter"),
	"stop":              dropped("no such parameter"),
	"stream_options":    dropped("the format does not stream"),
	"suffix":            dropped("no such parameter"),
	"user":              dropped("nobody to tell"),
}

func mapped(note string) provider.Field {
	return provider.Field{Treatment: provider.Mapped, Note: note}
}

func refused(note string) provider.Field {
	return provider.Field{Treatment: provider.Refused, Note: note}
}

func dropped(note string) provider.Field {
	return provider.Field{Treatment: provider.Dropped, Note: note}
}
