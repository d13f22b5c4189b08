package gemini

import (
	"go-ai-proxy/translators/provider"
)

// fields rules the fields of an OpenAI chat request.
var fields = provider.Fields{
	"model":    provider.Mapped.With("the URL"),
	"stream":   provider.Mapped.With("the URL"),
	"messages": provider.Mapped.With("contents and systemInstruction"),

	"max_completion_tokens": provider.Mapped.With("generationConfig.maxOutputTokens"),
	"max_tokens":            provider.Mapped.With("generationConfig.maxOutputTokens"),
	"temperature":           provider.Mapped.With("generationConfig.temperature"),
	"top_p":                 provider.Mapped.With("generationConfig.topP"),
	"top_k":                 provider.Mapped.With("generationConfig.topK"),
	"n":                     provider.Mapped.With("generationConfig.candidateCount"),
	"seed":                  provider.Mapped.With("generationConfig.seed"),
	"stop":                  provider.Mapped.With("generationConfig.stopSequences"),
	"presence_penalty":      provider.Mapped.With("generationConfig.presencePenalty"),
	"frequency_penalty":     provider.Mapped.With("generationConfig.frequencyPenalty"),
	"logprobs":              provider.Mapped.With("generationConfig.responseLogprobs"),
	"top_logprobs":          provider.Mapped.With("generationConfig.logprobs"),
	"response_format":       provider.Mapped.With("generationConfig.responseMimeType, responseSchema, responseJsonSchema"),
	"reasoning_effort":      provider.Mapped.With("generationConfig.thinkingConfig, for models that think"),
	"modalities":            provider.Mapped.With("generationConfig.responseModalities"),
	"audio":                 provider.Mapped.With("generationConfig.speechConfig: the voice; the format is the model's"),

	"tools":              provider.Mapped.With("tools.functionDeclarations; a native tool is its own entry"),
	"functions":          provider.Mapped.With("tools.functionDeclarations"),
	"tool_choice":        provider.Mapped.With("toolConfig.functionCallingConfig"),
	"function_call":      provider.Mapped.With("toolConfig.functionCallingConfig"),
	"web_search_options": provider.Mapped.With("tools.googleSearch, without its settings"),
	"service_tier":       provider.Mapped.With("serviceTier"),
	"extra_body":         provider.Mapped.With("merged into the body"),

	"logit_bias":             provider.Dropped.With("no equal"),
	"metadata":               provider.Dropped.With("nothing is stored; Vertex takes labels"),
	"parallel_tool_calls":    provider.Dropped.With("the model decides"),
	"prediction":             provider.Dropped.With("no equal"),
	"prompt_cache_key":       provider.Dropped.With("caching is implicit, or by cachedContent"),
	"prompt_cache_retention": provider.Dropped.With("caching is implicit, or by cachedContent"),
	"safety_identifier":      provider.Dropped.With("no equal"),
	"store":                  provider.Dropped.With("nothing is stored"),
	"stream_options":         provider.Dropped.With("usage is always sent"),
	"user":                   provider.Dropped.With("no equal"),
	"verbosity":              provider.Dropped.With("no equal"),
}

// vertexFields are those of Gemini on Vertex AI.
var vertexFields = fields.With(provider.Fields{
	"service_tier": provider.Dropped.With("Vertex takes it as the header X-Vertex-AI-LLM-Shared-Request-Type"),
})
