package gemini

import (
	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Client lists what clients of Google's APIs may call, of the public one and of
// Vertex AI's.
// https://ai.google.dev/api
var Client = provider.ClientFormat{
	Name:    "gemini",
	Bound:   true,
	Errors:  Dialect,
	Models:  Models,
	Headers: []string{"X-Goog-"},
	Private: []string{"X-Gemini-", "X-Server-Timeout"}, // Gemini CLI's and the SDKs'
	Before:  "/models/", Joiner: ":",
	Paths: []provider.ClientPath{
		{Path: "/models/{model}:generateContent", Route: route.Chat, API: generateAPI(frame.Array)},
		{
			Path: "/models/{model}:streamGenerateContent", Route: route.Chat, API: generateAPI(frame.Array), Stream: true,
			Query: &provider.QueryAPI{Name: "alt", Value: "sse", API: generateAPI(frame.SSE)},
		},
		{Path: "/models/{model}:countTokens", Route: route.Chat, API: &provider.API{
			Format: provider.GeminiCount, Dialect: countDialect{Dialect}, Count: appendTokens, Beside: provider.GeminiGenerate, Model: provider.ModelInPath,
		}},
		{Path: "/models/{model}:embedContent", Route: route.Embeddings, API: repeating(provider.GeminiEmbed)},
		{Path: "/models/{model}:batchEmbedContents", Route: route.Embeddings, API: repeating(provider.GeminiEmbedBatch)},
		{Path: "/models/{model}:batchEmbedContent", Route: route.Embeddings, API: repeating(provider.GeminiEmbedBatch)},
		{Path: "/models/{model}:batchGenerateContent", Route: route.Batches, API: ofModel(provider.GeminiBatch)},
		{Path: "/models/{model}:predict", Route: route.Embeddings, API: ofModel(provider.GeminiPredict)},
		{Path: "/models/{model}:predictLongRunning", Route: route.Videos, API: ofModel(provider.GeminiPredictLong)},
		{Path: "/models/{model}:fetchPredictOperation", Route: route.Videos, API: ofModel(provider.GeminiFetch)},
		// Claude on Vertex AI: https://docs.anthropic.com/en/api/claude-on-vertex-ai
		{Path: "/publishers/anthropic/models/count-tokens:rawPredict", Route: route.Chat, API: anthropic.Client.Paths[1].API},
		{Path: "/publishers/anthropic/models/{model}:rawPredict", Route: route.Chat, API: &rawClaude},
		{Path: "/publishers/anthropic/models/{model}:streamRawPredict", Route: route.Chat, API: &rawClaude, Stream: true},
		{Route: route.Chat, API: interactionsAPI},
		{Path: "BidiGenerateContent", Route: route.Realtime, API: &provider.API{
			Format: provider.GeminiLive, Body: provider.TakeSocket, Model: provider.ModelIgnored, Tokens: true,
		}},
		{Route: route.Videos, API: &provider.API{
			Format: provider.GeminiOperations, Body: provider.TakeAny, Model: provider.ModelInPath, Resources: &clientOperations,
		}},
		// SDKs send the pieces of a file without a content type.
		{Route: route.Files, API: &provider.API{
			Format: provider.GeminiUpload, Body: provider.TakeUnread, Model: provider.ModelIgnored, Resources: &clientUpload,
		}},
		{Route: route.Files, API: &provider.API{
			Format: provider.GeminiFiles, Body: provider.TakeAny, Model: provider.ModelIgnored, Resources: &clientFiles,
		}},
		{Route: route.Batches, API: &provider.API{
			Format: provider.GeminiBatches, Body: provider.TakeAny, Model: provider.ModelIgnored, Resources: &clientBatches,
		}},
		{Route: route.Batches, API: &provider.API{
			Format: provider.VertexJobs, Nested: true, Body: provider.TakeAny, Model: provider.ModelIgnored, Resources: &clientJobs,
		}},
		{Route: route.Chat, API: &provider.API{
			Format: provider.VertexRank, Nested: true, Body: provider.TakeAny, Model: provider.ModelIgnored, Resources: &clientRank,
		}},
	},
}

// rawClaude is Anthropic's Messages with the model in the path, and the version in the
// body.
var rawClaude = provider.API{
	Format: provider.VertexAnthropic, Dialect: anthropic.Dialect, Check: provider.Needs("messages"), Streams: true, Model: provider.ModelInPath,
	Prose: openai.PromptWords, PromptFirst: true, Ends: true,
}

// generateAPI is generateContent with streams as one JSON array, or as server-sent
// events for clients that ask for alt=sse.
func generateAPI(framing frame.Kind) *provider.API {
	a := &provider.API{
		Format: provider.GeminiGenerate, Dialect: Dialect, Check: provider.Present("contents"), Streams: true, Model: provider.ModelInPath,
		Prose: openai.PromptWords,
	}
	if framing == frame.Array {
		a.Dialect, a.Framing, a.Media = ArrayDialect, framing, "application/json"
	}
	return a
}

// ofModel returns a custom method of a model, which is in the path.
func ofModel(format provider.Format) *provider.API {
	return &provider.API{Format: format, Model: provider.ModelInPath}
}

// repeating is ofModel for bodies that also name the model.
func repeating(format provider.Format) *provider.API {
	return &provider.API{Format: format, Model: provider.ModelInPath, Remodel: setModel}
}

var (
	clientOperations = provider.Resources{
		Names:   []string{"operations"},
		Allowed: map[string][]string{"/{}": {"GET"}},
	}
	clientUpload = provider.Resources{
		Names:   []string{"upload/v1beta/files"},
		Allowed: map[string][]string{"": {"POST"}},
	}
	clientFiles = provider.Resources{
		Names:   []string{"files"},
		Allowed: map[string][]string{"": {"GET", "POST"}, "/{}": {"GET", "DELETE"}},
	}
	clientBatches = provider.Resources{
		Names:   []string{"batches"},
		Allowed: map[string][]string{"": {"GET"}, "/{}": {"GET", "POST", "DELETE"}},
	}
	clientJobs = provider.Resources{
		Names:   []string{"batchPredictionJobs"},
		Allowed: map[string][]string{"": {"GET", "POST"}, "/{}": {"GET", "POST", "DELETE"}},
	}
	clientRank = provider.Resources{
		Names:   []string{"rankingConfigs"},
		Allowed: map[string][]string{"/{}": {"POST"}},
	}
)
