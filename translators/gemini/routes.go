package gemini

import (
	"strings"

	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// publicModel returns the path of a model's method on the public API.
func publicModel(method string) pathFunc {
	return func(t *target.Target, _ bool) (string, error) {
		name, err := segment("model.name", strings.TrimPrefix(t.Model, "models/"))
		return "/v1beta/models/" + name + method, err
	}
}

// vertexModel returns that on Vertex AI.
func vertexModel(method string) pathFunc {
	return published("google", func(bool) string { return method })
}

// publicRoutes and vertexRoutes are the operations other than chat.
var (
	publicRoutes = map[route.Type]*provider.Operation{
		route.Embeddings:       {Path: publicModel(":batchEmbedContents"), Format: provider.GeminiEmbedBatch, Body: batchEmbed{}, NoStream: true},
		route.ImageGenerations: {Path: imagesPath(publicModel), Format: provider.GeminiGenerate, Body: images{}, NoStream: true},
		route.ImageEdits:       {Path: imagesPath(publicModel), Format: provider.GeminiGenerate, Body: images{}, NoStream: true},
		route.Videos:           {Path: publicModel(":predictLongRunning"), Format: provider.GeminiPredictLong, Resource: videos{model: publicModel}, NoStream: true},
		route.Batches:          {Format: provider.GeminiBatches, Path: publicModel(":batchGenerateContent"), Resource: publicBatches{}, NoStream: true},
		route.Files:            {Format: provider.GeminiFiles, Path: fixed("/v1beta/files"), Resource: publicFiles{}, NoStream: true},
		route.Realtime:         publicLive,
	}
	vertexRoutes = map[route.Type]*provider.Operation{
		route.Embeddings:       {Path: vertexEmbedPath, Format: provider.GeminiPredict, Body: predictEmbed{}, NoStream: true},
		route.ImageGenerations: {Path: imagesPath(vertexModel), Format: provider.GeminiGenerate, Body: images{}, NoStream: true},
		route.ImageEdits:       {Path: imagesPath(vertexModel), Format: provider.GeminiGenerate, Body: images{}, NoStream: true},
		route.Videos:           {Path: vertexModel(":predictLongRunning"), Format: provider.GeminiPredictLong, Resource: videos{vertexModel, true}, NoStream: true},
		route.Batches:          {Format: provider.VertexJobs, Path: below("/batchPredictionJobs"), Resource: batchJobs{}, NoStream: true},
		route.Realtime:         vertexLive,
	}
)
