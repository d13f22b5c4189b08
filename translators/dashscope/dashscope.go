// Package dashscope implements Alibaba's Model Studio: its compatible mode, which has
// OpenAI's format, and its own API for images. Start with Provider; images.go
// translates images.
package dashscope

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/compatible"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is Model Studio. Its own options (enable_thinking …) are forwarded.
// https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope
var Provider = provider.Provider{
	Name:    "dashscope",
	Reasons: reasons,
	Base: func(t *target.Target) (string, error) {
		if in := t.Options.Dashscope.International; in != nil && !*in {
			return "https://dashscope.aliyuncs.com", nil
		}
		return "https://dashscope-intl.aliyuncs.com", nil
	},
	Operations: map[route.Type]*provider.Operation{
		route.Chat:             chats,
		route.Responses:        openai.Partly(openai.ResponsesAt(responsesPath, "dashscope"), chats, &responses),
		route.Embeddings:       openai.EmbeddingsAt("/compatible-mode/v1/embeddings"),
		route.ImageGenerations: {Path: provider.Path(aigc + "multimodal-generation/generation"), Format: provider.DashscopeImages, Resource: images{}, NoStream: true},
		route.ImageEdits:       {Path: provider.Path(aigc + "image2image/image-synthesis"), Format: provider.DashscopeImages, Resource: images{}, NoStream: true},
	},
}

// chats is compatible mode's chat, with the Responses API instead for the tools that only
// that runs.
var chats = func() *provider.Operation {
	op := openai.OrResponses(openai.ChatAt("/compatible-mode/v1/chat/completions", provider.Edit{
		Rename: compatible.OlderLimit, Request: compatible.SystemRole, Models: qwens, Hosting: searching,
		History: func(*target.Target) *provider.History { return history },
	}), openai.ResponsesAt(responsesPath, "dashscope"), inResponses, nil)
	op.Instead.Operation.Caveats = func(_ *target.Target, r *chat.Request) []string { return r.SearchCaveat() }
	needed := op.Instead.Request
	op.Instead.Request = func(t *target.Target, r *chat.Request) bool {
		return !r.ForcesHosted() && needed(t, r) // a tool_choice has no name of a tool there
	}
	return op
}()

// qwens are the models that think unless they are told not to. They refuse a demand for
// a call then: "The tool_choice parameter does not support being set to required or
// object in thinking mode". Of the others nothing is known.
// https://github.com/cloudwego/eino/issues/994
//
// The open models of Qwen3 refuse whole answers besides: "parameter.enable_thinking must be
// set to false for non-streaming calls". Those of July 2025 think always or never.
// https://github.com/QuantumNous/new-api/pull/1109
var qwens = provider.Families{
	{Prefix: "qwen3.", Unforced: true, Off: unthinking, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-235b-a22b-instruct-", Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-235b-a22b-thinking-", Unforced: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-235b-a22b-", Unforced: true, Off: unthinking, ThinksInStreams: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-30b-a3b-instruct-", Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-30b-a3b-thinking-", Unforced: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-30b-a3b-", Unforced: true, Off: unthinking, ThinksInStreams: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-next-80b-a3b-thinking-", Unforced: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-32b-", Unforced: true, Off: unthinking, ThinksInStreams: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-14b-", Unforced: true, Off: unthinking, ThinksInStreams: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-8b-", Unforced: true, Off: unthinking, ThinksInStreams: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-4b-", Unforced: true, Off: unthinking, ThinksInStreams: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-1.7b-", Unforced: true, Off: unthinking, ThinksInStreams: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwen3-0.6b-", Unforced: true, Off: unthinking, ThinksInStreams: true, Document: thinkingPage, Read: "2026-11"},
	{Prefix: "qwq-", Unforced: true, Document: thinkingPage, Read: "2026-11"},
}

// unthinking tells a model not to think.
var unthinking = jsonedit.Edit{Key: "enable_thinking", Value: []byte("false")}

const thinkingPage = "https://www.alibabacloud.com/help/en/model-studio/deep-thinking"

// history says that what a client marks is cached, and that thoughts are without
// signatures.
//
//	https://www.alibabacloud.com/help/en/model-studio/context-cache
//	https://www.alibabacloud.com/help/en/model-studio/deep-thinking
var history = &provider.History{CacheControl: true, Thought: provider.ThoughtInReasoningContent}
