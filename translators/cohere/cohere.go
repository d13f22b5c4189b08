// Package cohere implements Cohere's formats as a provider: Chat in versions 2 and
// 1, the legacy Generate, and Embed. It knows the internal form but no client
// formats.
//
// Start with Provider, then chat.go (requests of version 2) and answer.go and
// stream.go: answers of all versions are read by their shape, as private
// deployments and gateways serve them under paths of their own.
//
// Facts are from https://docs.cohere.com/reference/chat, its page for version
// 1, and the types of Cohere's SDKs.
package cohere

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Provider is Cohere's API. Chat is version 2, unless the configured URL or
// path ends in /v1/chat.
var Provider = func() provider.Provider {
	p := *current
	p.Variant = variant
	p.Client = &Client
	return p
}()

var (
	current = withChat(chatV2Operation)
	legacy  = withChat(chatV1Operation)
)

var (
	chatV2Operation = &provider.Operation{
		Path:    provider.Path("/v2/chat"),
		Format:  provider.CohereChatV2,
		Chat:    Chat,
		Meter:   Meter,
		Fields:  Fields,
		Caveats: caveats,
		Tune:    settings.Tune,
	}
	chatV1Operation = &provider.Operation{
		Path:    provider.Path("/v1/chat"),
		Format:  provider.CohereChatV1,
		Chat:    ChatV1,
		Meter:   Meter,
		Fields:  fieldsV1,
		Caveats: caveats,
		Tune:    settings.Tune,
	}
)

// limits: "A list of up to 5 strings that the model will use to stop generation."
// https://docs.cohere.com/reference/chat
var limits = provider.Limits{Stops: 5}

func caveats(_ *target.Target, r *chat.Request) []string { return limits.Caveats(r) }

// settings are the names of the tuning options in both versions.
var settings = provider.Settings{MaxTokens: "max_tokens", Temperature: "temperature", TopP: "p", TopK: "k"}

// withChat is Cohere's API with a version of Chat.
func withChat(chat *provider.Operation) *provider.Provider {
	return &provider.Provider{
		Name:    "cohere",
		Base:    func(*target.Target) (string, error) { return "https://api.cohere.com", nil },
		Native:  native,
		Reasons: reasons,
		Operations: map[route.Type]*provider.Operation{
			route.Chat:        chat,
			route.Completions: generateOperation,
			route.Embeddings:  embedOperation,
		},
		Resizes: []string{"embed-v4"},
	}
}

var generateOperation = &provider.Operation{
	Path:   provider.Path("/v1/generate"),
	Format: provider.CohereGenerate,
	Chat:   Generate,
	Meter:  Meter,
	Fields: generateFields,
}

var embedOperation = &provider.Operation{
	Path:     provider.Path("/v2/embed"),
	Format:   provider.CohereEmbed,
	Body:     Embed,
	Meter:    Meter,
	Tune:     provider.TuneDimensions("output_dimension"),
	NoStream: true,
}

// The chat formats of Cohere's API.
var (
	// Chat is POST /v2/chat.
	Chat chat.Upstream = chatV2{}
	// ChatV1 is POST /v1/chat.
	ChatV1 chat.Upstream = chatV1{}
	// Generate is the legacy POST /v1/generate.
	Generate chat.Upstream = generate{}
)

// variant chooses the version of Chat by the path that is configured.
func variant(t *target.Target) *provider.Provider {
	if strings.HasSuffix(provider.ConfiguredPath(t), "/v1/chat") {
		return legacy
	}
	return current
}
