package translators

import (
	"net/url"

	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Operations of OpenAI's API beside generation, as rows. Who has the same API
// elsewhere gives another path.
// https://platform.openai.com/docs/api-reference

// restAt is a family of REST operations: files, batches, videos.
func restAt(path func(*target.Target, bool) (string, error), format provider.Format) *provider.Operation {
	return &provider.Operation{Path: path, Format: format, Meter: openai.Meter, NoStream: true}
}

// assistantsAt is the Assistants API; threads and their runs are beside it. The
// client sends the header OpenAI-Beta that it asks for.
func assistantsAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAIAssistants, Meter: openai.AssistantsMeter}
}

// speechAt answers with sound, or with events where the body asks for them.
func speechAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAISpeech, Meter: openai.MediaMeter}
}

// transcriptionsAt takes sound; only transcriptions are streamed.
func transcriptionsAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAITranscriptions, Meter: openai.MediaMeter}
}

// imagesAt makes or edits pictures.
func imagesAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAIImages, Meter: openai.MediaMeter}
}

// realtimeAt is a WebSocket; the model is in the query.
func realtimeAt(path func(*target.Target, bool) (string, error)) *provider.Operation {
	return &provider.Operation{Path: path, Format: provider.OpenAIRealtime, Meter: openai.RealtimeMeter}
}

// realtimePath names the model, where there is one.
func realtimePath(t *target.Target, _ bool) (string, error) {
	if t.Model == "" {
		return "/v1/realtime", nil
	}
	return "/v1/realtime?model=" + url.QueryEscape(t.Model), nil
}

// openAIRoutes are where OpenAI has them.
var openAIRoutes = operations{
	route.Files:            restAt(path("/v1/files"), provider.OpenAIFiles),
	route.Batches:          restAt(path("/v1/batches"), provider.OpenAIBatches),
	route.Assistants:       assistantsAt(path("/v1/assistants")),
	route.Speech:           speechAt(path("/v1/audio/speech")),
	route.Transcriptions:   transcriptionsAt(path("/v1/audio/transcriptions")),
	route.Translations:     transcriptionsAt(path("/v1/audio/translations")),
	route.ImageGenerations: imagesAt(path("/v1/images/generations")),
	route.ImageEdits:       imagesAt(path("/v1/images/edits")),
	route.Videos:           restAt(path("/v1/videos"), provider.OpenAIVideo),
	route.Realtime:         realtimeAt(realtimePath),
}
