// Package anthropic implements Anthropic's formats on both sides: as a provider
// (Messages and the legacy Complete translate the internal form to Anthropic's API
// and back) and as a client's dialect (Dialect, which Claude Code speaks). It
// knows the internal form but no other formats.
//
// Start with Provider, then request.go and stream.go; the client's side is in
// the files named dialect. Facts are from https://platform.claude.com/docs/en/api/messages
// and the pages it links to.
package anthropic

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// DefaultVersion is the anthropic-version that is sent if none is configured. It is
// the only one since 2023 (https://platform.claude.com/docs/en/api/versioning).
const DefaultVersion = "2023-06-01"

// Provider is Anthropic's own API.
var Provider = provider.Provider{
	Name:    "anthropic",
	Base:    func(*target.Target) (string, error) { return "https://api.anthropic.com", nil },
	Header:  header,
	Kinds:   []provider.Kind{{Options: target.Options{AnthropicVersion: "2023-06-01"}}},
	Check:   check,
	Reasons: Reasons,
	Native:  native,
	Counter: native[provider.AnthropicCount],
	Client:  &Client,
	Operations: provider.With(map[route.Type]*provider.Operation{
		route.Chat: {
			Path:    provider.Path("/v1/messages"),
			Format:  provider.AnthropicMessages,
			Chat:    Messages,
			Hosts:   Hosts,
			Needs:   Needs,
			Meter:   Meter,
			Fields:  Fields,
			Origin:  Origin,
			Edit:    provider.Edit{Request: OwnThinking, Refusals: ownRefusals},
			Tune:    tuneOwn,
			Caching: Caching,
			Caveats: caveats,
			Untuned: Untuned,
			Models:  facts,
		},
		route.Completions: {
			Path:     provider.Path("/v1/complete"),
			Format:   provider.AnthropicComplete,
			Chat:     Complete,
			Meter:    Meter,
			Fields:   completeFields,
			NoStream: true,
		},
	}, routes),
}

// Origin returns who made Claude's signatures. It is Anthropic, wherever Claude is
// served.
func Origin(*target.Target) origin.Name { return origin.Anthropic }

// The formats of Anthropic's API, as a provider speaks them.
var (
	// Messages is POST /v1/messages.
	Messages chat.Upstream = messages{}
	// Complete is the legacy POST /v1/complete; it does not stream.
	Complete chat.Upstream = complete{}
)

func header(t *target.Target) [][2]string {
	version := DefaultVersion
	if t.Options != nil && t.Options.AnthropicVersion != "" {
		version = t.Options.AnthropicVersion
	}
	return [][2]string{{"Anthropic-Version", version}}
}

// Fields holds the rules for the fields of an OpenAI chat request in the Messages
// format, wherever it is used (Anthropic, Bedrock, Vertex, Foundry).
var Fields = provider.Fields{
	"model":    provider.Mapped.With("model"),
	"messages": provider.Mapped.With("messages and system"),

	"max_completion_tokens": provider.Mapped.With("max_tokens"),
	"max_tokens":            provider.Mapped.With("max_tokens, which Anthropic requires: the most that the model writes when not given, at most 21333 unstreamed"),
	"temperature":           provider.Mapped.With("temperature, at most 1; not sent with thinking, nor to models that refuse it"),
	"top_p":                 provider.Mapped.With("top_p; not sent beside temperature, nor to models that refuse it"),
	"top_k":                 provider.Mapped.With("top_k; not sent with thinking, nor to models that refuse it"),
	"stop":                  provider.Mapped.With("stop_sequences, but those of white space only"),
	"stream":                provider.Mapped.With("stream"),

	"tools":               provider.Mapped.With("tools"),
	"tool_choice":         provider.Mapped.With("tool_choice"),
	"parallel_tool_calls": provider.Mapped.With("tool_choice.disable_parallel_tool_use"),
	"functions":           provider.Mapped.With("tools"),
	"function_call":       provider.Mapped.With("tool_choice"),
	"web_search_options":  provider.Mapped.With("the web_search tool"),

	"response_format":   provider.Mapped.With("output_config.format; json_object is an instruction in system"),
	"reasoning_effort":  provider.Mapped.With("thinking and output_config.effort"),
	"user":              provider.Mapped.With("metadata.user_id"),
	"safety_identifier": provider.Mapped.With("metadata.user_id where there is no user"),
	"service_tier":      provider.Mapped.With("service_tier"),
	"extra_body":        provider.Mapped.With("merged into the body"),

	"audio":                  provider.Dropped.With("Claude does not speak"),
	"frequency_penalty":      provider.Dropped.With("no such setting"),
	"logit_bias":             provider.Dropped.With("no such setting"),
	"logprobs":               provider.Dropped.With("no such setting"),
	"metadata":               provider.Dropped.With("Anthropic's metadata has user_id only"),
	"modalities":             provider.Dropped.With("text is the only one"),
	"n":                      provider.Dropped.With("one answer per request"),
	"prediction":             provider.Dropped.With("no such setting"),
	"presence_penalty":       provider.Dropped.With("no such setting"),
	"prompt_cache_key":       provider.Dropped.With("caching is asked by cache_control"),
	"prompt_cache_retention": provider.Dropped.With("caching is asked by cache_control"),
	"seed":                   provider.Dropped.With("no such setting"),
	"store":                  provider.Dropped.With("nothing is stored"),
	"stream_options":         provider.Dropped.With("usage is always sent"),
	"top_logprobs":           provider.Dropped.With("no such setting"),
	"verbosity":              provider.Dropped.With("no such setting"),
}
