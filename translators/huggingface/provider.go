package huggingface

import (
	"strconv"

	"go-ai-proxy/translators/compatible"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is the router to the inference providers. It refuses members that it does
// not know, and takes the options of the older API as headers.
// https://huggingface.co/docs/inference-providers/tasks/chat-completion
var Provider = provider.Provider{
	Name:       "huggingface",
	OwnKey:     true,
	Embeds:     true,
	ModelLands: target.InModel,
	Base:       provider.At("https://router.huggingface.co"),
	Native:     native,
	Client:     &Client,
	Reasons:    reasons,
	Header: func(t *target.Target) (headers [][2]string) {
		if use := t.Options.Huggingface.UseCache; use != nil {
			headers = append(headers, [2]string{"x-use-cache", strconv.FormatBool(*use)})
		}
		if wait := t.Options.Huggingface.WaitForModel; wait != nil {
			headers = append(headers, [2]string{"x-wait-for-model", strconv.FormatBool(*wait)})
		}
		return headers
	},
	Operations: map[route.Type]*provider.Operation{
		route.Chat: openai.ChatAt("/v1/chat/completions", provider.Edit{
			Only: []string{
				"model", "messages", "stream", "stream_options", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n",
				"presence_penalty", "reasoning_effort", "response_format", "seed", "stop", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
			},
			Rename: compatible.OlderLimit, Rewrite: compatible.ReasoningContent, Request: compatible.SystemRole, NoAnswer: noAnswer,
			History: compatible.StrictHistory,
		}),
		route.Completions: textGeneration,
		route.Embeddings:  featureExtraction,
		// https://developer.konghq.com/ai-gateway/ai-providers/huggingface/
		route.ImageGenerations: {Path: provider.Path("/v1/images/generations"), Format: provider.OpenAIImages, Meter: openai.MediaMeter, NoStream: true},
		route.Transcriptions:   openai.TranscriptionsAt(provider.Path("/v1/audio/transcriptions")),
		route.Videos:           openai.RESTAt(provider.Path("/v1/videos"), provider.OpenAIVideo),
	},
}
