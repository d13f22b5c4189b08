// Package huggingface speaks two formats of Hugging Face's: text generation,
// that of Text Generation Inference (TGI) and of the inference API before it,
// and feature extraction. It knows the internal form and nothing of clients'
// formats. Chat is OpenAI's format and a row in openai_compatible.go, which
// puts these operations beside it.
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

// TextGeneration is POST / of a TGI server: it answers whole or streamed, as
// the body says. The router has it at the path of a model.
var TextGeneration = &provider.Operation{
	Path:   func(t *target.Target, _ bool) (string, error) { return modelPath(t, "") },
	Format: provider.HuggingfaceTGI,
	Chat:   Generate,
	Meter:  Meter,
	Fields: generateFields,
}

// FeatureExtraction is POST …/pipeline/feature-extraction: embeddings.
var FeatureExtraction = &provider.Operation{
	Path: func(t *target.Target, _ bool) (string, error) {
		return modelPath(t, "/pipeline/feature-extraction")
	},
	Format:   provider.HuggingfaceVector,
	Body:     Embeddings,
	NoStream: true,
}

// Generate is the format of text generation.
var Generate chat.Upstream = generate{}

// modelPath is the path of t's model on the router. Where a URL is configured
// it is of no use, and a model is not needed.
func modelPath(t *target.Target, task string) (string, error) {
	if t.Model == "" {
		if t.Options != nil && t.Options.UpstreamURL != "" {
			return "/", nil
		}
		return "", &chat.RequestError{Message: "Could not parse the Hugging Face model endponit"} // Kong's spelling
	}
	for segment := range strings.SplitSeq(t.Model, "/") {
		if !isSegment(segment) {
			return "", &chat.RequestError{Field: "model", Message: "is no name of a model: organisation/model, of letters, digits, '-', '_' and '.'"}
		}
	}
	return "/hf-inference/models/" + t.Model + task, nil
}

// isSegment says whether s can stand between two slashes as it is.
func isSegment(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0) {
			return false
		}
	}
	return s != "" && s != "." && s != ".."
}

// generateFields rules the fields of an OpenAI completions request.
var generateFields = provider.Fields{
	"model":             mapped("model, and the router's path"),
	"prompt":            mapped("inputs"),
	"max_tokens":        mapped("parameters.max_new_tokens"),
	"temperature":       mapped("parameters.temperature and do_sample; 0 is no sampling"),
	"top_p":             mapped("parameters.top_p, below 1"),
	"top_k":             mapped("parameters.top_k, from 1"),
	"frequency_penalty": mapped("parameters.frequency_penalty"),
	"seed":              mapped("parameters.seed"),
	"stop":              mapped("parameters.stop"),
	"echo":              mapped("parameters.return_full_text"),
	"stream":            mapped("stream"),
	"extra_body":        mapped("merged into the body"),
	"best_of":           dropped("one answer per request"),
	"logit_bias":        dropped("no such setting"),
	"logprobs":          dropped("not translated"),
	"n":                 dropped("one answer per request"),
	"presence_penalty":  dropped("no such setting"),
	"stream_options":    dropped("usage is always sent"),
	"suffix":            dropped("no such setting"),
	"user":              dropped("no such setting"),
}

func mapped(note string) provider.Field {
	return provider.Field{Treatment: provider.Mapped, Note: note}
}

func dropped(note string) provider.Field {
	return provider.Field{Treatment: provider.Dropped, Note: note}
}
