package bedrock

import (
	"net/url"
	"slices"
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Bedrock also has OpenAI's API, and on a newer endpoint, bedrock-mantle, Anthropic's.
// The configured URL or path says so. Answers are server-sent events there, and the
// model is in the body.
// https://docs.aws.amazon.com/bedrock/latest/userguide/models-api-compatibility.html
// https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html
// https://github.com/openai/openai-node/blob/HEAD/docs/bedrock.md
var (
	// onRuntime is OpenAI's chat on bedrock-runtime.
	onRuntime = compatible(base, operations{route.Chat: openAIChat("/openai/v1/chat/completions")})
	// onMantle is OpenAI's API on bedrock-mantle, which has Responses, too.
	onMantle = compatible(nil, operations{
		route.Chat:      openAIChat("/v1/chat/completions"),
		route.Responses: openai.ResponsesAt("/v1/responses", "bedrock"),
	})
	// claudeOnMantle is Anthropic's API on bedrock-mantle.
	claudeOnMantle = compatible(nil, operations{route.Chat: messages})
)

type operations = map[route.Type]*provider.Operation

var messages = func() *provider.Operation {
	op := anthropic.MessagesAt("/anthropic/v1/messages")
	op.Fields = anthropic.Fields
	op.Hosts = func(t *target.Target, r *chat.Request, tool *chat.Tool) bool { // servers need a beta that it does not have
		return tool.Server == nil && anthropic.Hosts(t, r, tool)
	}
	return op
}()

// compatible is Bedrock with the API of another vendor.
func compatible(base func(*target.Target) (string, error), ops operations) *provider.Provider {
	return &provider.Provider{Name: "bedrock", Base: base, PathOverURL: true, Identity: provider.AWS, Service: service, OwnKey: true, Operations: ops}
}

func openAIChat(path string) *provider.Operation {
	return openai.ChatAt(path, provider.Edit{
		Drop: openai.TopK, Models: openAIs,
		History: func(*target.Target) *provider.History { return &provider.History{Thought: provider.ThoughtNowhere} },
	})
}

// openAIs are OpenAI's models, by Bedrock's names for them.
var openAIs = func() provider.Families {
	own := slices.Clone(openai.Families)
	for i := range own {
		own[i].Prefix = "openai." + own[i].Prefix
	}
	return own
}()

// elsewhere returns the provider that serves t by the API of another vendor, or nil.
func elsewhere(t *target.Target) *provider.Provider {
	path := provider.ConfiguredPath(t)
	switch {
	case isMantle(t) && (strings.HasSuffix(path, "/v1/messages") || path == "" && isClaude(t)):
		return claudeOnMantle
	case isMantle(t):
		return onMantle
	case strings.HasSuffix(path, "/openai/v1/chat/completions"):
		return onRuntime
	}
	return nil
}

// isMantle reports whether the configured URL is that of bedrock-mantle, such as
// https://bedrock-mantle.us-east-1.api.aws.
func isMantle(t *target.Target) bool {
	if t == nil || t.Options == nil || !strings.Contains(t.Options.UpstreamURL, "bedrock-mantle.") {
		return false
	}
	u, err := url.Parse(t.Options.UpstreamURL)
	return err == nil && strings.HasPrefix(u.Host, "bedrock-mantle.")
}

// service is AWS's name of the service that t is at.
func service(t *target.Target) string {
	if isMantle(t) {
		return "bedrock-mantle"
	}
	return "bedrock"
}
