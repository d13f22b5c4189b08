// Package huggingface implements two formats of Hugging Face: text generation, as
// in Text Generation Inference (TGI) and the older inference API, and feature
// extraction. It knows the internal form but no client formats. Chat has
// OpenAI's format. Start with Provider, in provider.go.
//
// Facts are from https://huggingface.co/docs/text-generation-inference and the
// package @huggingface/tasks.
package huggingface

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// textGeneration is POST / of a TGI server, which answers whole or streamed, as the
// body asks. On the router it is at the path of the model.
var textGeneration = &provider.Operation{
	Path:   func(t *target.Target, _ bool) (string, error) { return modelPath(t, "") },
	Format: provider.HuggingfaceTGI,
	Chat:   Generate,
	Meter:  Meter,
	Fields: generateFields,
}

// featureExtraction is POST …/pipeline/feature-extraction: embeddings.
var featureExtraction = &provider.Operation{
	Path: func(t *target.Target, _ bool) (string, error) {
		return modelPath(t, "/pipeline/feature-extraction")
	},
	Format:   provider.HuggingfaceVector,
	Body:     Embeddings,
	NoStream: true,
}

// Generate is the format of text generation.
var Generate chat.Upstream = generate{}

// modelPath returns the path of t's model on the router. If a URL is configured, it
// is not used, and a model is not needed.
func modelPath(t *target.Target, task string) (string, error) {
	if t.Model == "" {
		if t.Options != nil && t.Options.UpstreamURL != "" {
			return "/", nil
		}
		return "", &chat.RequestError{Message: "Could not parse the Hugging Face model endponit"} // Kong's spelling
	}
	for segment := range strings.SplitSeq(t.Model, "/") {
		if _, err := provider.Segment("model", segment); err != nil {
			return "", &chat.RequestError{Field: "model", Message: "is no name of a model: organisation/model, of letters, digits, '-', '_' and '.'"}
		}
	}
	return "/hf-inference/models/" + t.Model + task, nil
}

// generateFields holds the rules for the fields of an OpenAI completions request.
var generateFields = provider.Fields{
	"model":             provider.Mapped.With("model, and the router's path"),
	"prompt":            provider.Mapped.With("inputs"),
	"max_tokens":        provider.Mapped.With("parameters.max_new_tokens"),
	"temperature":       provider.Mapped.With("parameters.temperature and do_sample; 0 is no sampling"),
	"top_p":             provider.Mapped.With("parameters.top_p, below 1"),
	"top_k":             provider.Mapped.With("parameters.top_k, from 1"),
	"frequency_penalty": provider.Mapped.With("parameters.frequency_penalty"),
	"seed":              provider.Mapped.With("parameters.seed"),
	"stop":              provider.Mapped.With("parameters.stop"),
	"echo":              provider.Mapped.With("parameters.return_full_text"),
	"stream":            provider.Mapped.With("stream"),
	"extra_body":        provider.Mapped.With("merged into the body"),
	"best_of":           provider.Dropped.With("one answer per request"),
	"logit_bias":        provider.Dropped.With("no such setting"),
	"logprobs":          provider.Dropped.With("not translated"),
	"n":                 provider.Dropped.With("one answer per request"),
	"presence_penalty":  provider.Dropped.With("no such setting"),
	"stream_options":    provider.Dropped.With("usage is always sent"),
	"suffix":            provider.Dropped.With("no such setting"),
	"user":              provider.Dropped.With("no such setting"),
}
