package openai

import (
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Provider is OpenAI's own API.
// https://platform.openai.com/docs/api-reference
var Provider = provider.Provider{
	Name:    "openai",
	Embeds:  true,
	Resizes: []string{"text-embedding-3"},
	Reasons: Reasons,
	Base:    provider.At("https://api.openai.com"),
	Counter: InputTokensAt("/v1/responses/input_tokens"),
	Operations: provider.With(map[route.Type]*provider.Operation{
		route.Chat: Cached(OrResponses(ChatAt("/v1/chat/completions", provider.Edit{Drop: TopK, CustomTools: true, Models: Families, Limits: Limits, History: HistoryOf}),
			ResponsesAt("/v1/responses", origin.OpenAI), Families, nil)),
		route.Completions: CompletionsAt("/v1/completions", provider.Edit{Drop: TopK}),
		route.Embeddings:  EmbeddingsAt("/v1/embeddings"),
		route.Responses:   responses,
	}, otherRoutes),
}

// responses is the Responses API, as for clients that speak it.
var responses = func() *provider.Operation {
	op := ResponsesAt("/v1/responses", origin.OpenAI)
	op.Untuned = Families.Refused
	return op
}()

// otherRoutes are the operations that do not generate text.
var otherRoutes = map[route.Type]*provider.Operation{
	route.Files:            RESTAt(provider.Path("/v1/files"), provider.OpenAIFiles),
	route.Batches:          RESTAt(provider.Path("/v1/batches"), provider.OpenAIBatches),
	route.Assistants:       AssistantsAt(provider.Path("/v1/assistants")),
	route.Conversations:    RESTAt(provider.Path("/v1/conversations"), provider.OpenAIConversations),
	route.Moderations:      RESTAt(provider.Path("/v1/moderations"), provider.OpenAIModerations),
	route.VectorStores:     RESTAt(provider.Path("/v1/vector_stores"), provider.OpenAIVectorStores),
	route.Containers:       RESTAt(provider.Path("/v1/containers"), provider.OpenAIContainers),
	route.Uploads:          RESTAt(provider.Path("/v1/uploads"), provider.OpenAIUploads),
	route.Skills:           RESTAt(provider.Path("/v1/skills"), provider.OpenAISkills),
	route.Speech:           SpeechAt(provider.Path("/v1/audio/speech")),
	route.Transcriptions:   TranscriptionsAt(provider.Path("/v1/audio/transcriptions")),
	route.Translations:     TranscriptionsAt(provider.Path("/v1/audio/translations")),
	route.ImageGenerations: ImagesAt(provider.Path("/v1/images/generations")),
	route.ImageEdits:       ImagesAt(provider.Path("/v1/images/edits")),
	route.Videos:           RESTAt(provider.Path("/v1/videos"), provider.OpenAIVideo),
	route.Realtime:         realtimeAt(realtimePath),
}

// TopK is a member that OpenAI's API refuses ("Unrecognized request argument").
var TopK = []string{"top_k"}
