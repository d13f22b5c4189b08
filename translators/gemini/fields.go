package gemini

import (
	"maps"

	"go-ai-proxy/translators/provider"
)

// fields rules the fields of an OpenAI chat request.
var fields = provider.Fields{
	"model":    mapped("the URL"),
	"stream":   mapped("the URL"),
	"messages": mapped("contents and systemInstruction"),

	"max_completion_tokens": mapped("generationConfig.maxOutputTokens"),
	"max_tokens":            mapped("generationConfig.maxOutputTokens"),
	"temperature":           mapped("generationConfig.temperature"),
	"top_p":                 mapped("generationConfig.topP"),
	"top_k":                 mapped("generationConfig.topK"),
	"n":                     mapped("generationConfig.candidateCount"),
	"seed":                  mapped("generationConfig.seed"),
	"stop":                  mapped("generationConfig.stopSequences"),
	"presence_penalty":      mapped("generationConfig.presencePenalty"),
	"frequency_penalty":     mapped("generationConfig.frequencyPenalty"),
	"logprobs":              mapped("generationConfig.responseLogprobs"),
	"top_logprobs":          mapped("generationConfig.logprobs"),
	"response_format":       mapped("generationConfig.responseMimeType, responseSchema, responseJsonSchema"),
	"reasoning_effort":      mapped("generationConfig.thinkingConfig, for models that think"),
	"modalities":            mapped("generationConfig.responseModalities"),
	"audio":                 mapped("generationConfig.speechConfig: the voice; the format is the model's"),

	"tools":              mapped("tools.functionDeclarations; a native tool is its own entry"),
	"functions":          mapped("tools.functionDeclarations"),
	"tool_choice":        mapped("toolConfig.functionCallingConfig"),
	"function_call":      mapped("toolConfig.functionCallingConfig"),
	"web_search_options": mapped("tools.googleSearch, without its settings"),
	"service_tier":       mapped("serviceTier"),
	"extra_body":         mapped("merged into the body"),

	"logit_bias":             dropped("no equal"),
	"metadata":               dropped("nothing is stored; Vertex takes labels"),
	"parallel_tool_calls":    dropped("the model decides"),
	"prediction":             dropped("no equal"),
	"prompt_cache_key":       dropped("caching is implicit, or by cachedContent"),
	"prompt_cache_retention": dropped("caching is implicit, or by cachedContent"),
	"safety_identifier":      dropped("no equal"),
	"store":                  dropped("nothing is stored"),
	"stream_options":         dropped("usage is always sent"),
	"user":                   dropped("no equal"),
	"verbosity":              dropped("no equal"),
}

// vertexFields are those of Gemini on Vertex AI.
var vertexFields = func() provider.Fields {
	f := maps.Clone(fields)
	f["service_tier"] = dropped("Vertex takes it as the header X-Vertex-AI-LLM-Shared-Request-Type")
	return f
}()

func mapped(note string) provider.Field {
	return provider.Field{Treatment: provider.Mapped, Note: note}
}

func dropped(note string) provider.Field {
	return provider.Field{Treatment: provider.Dropped, Note: note}
}
