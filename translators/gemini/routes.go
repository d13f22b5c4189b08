package gemini

import (
	"strings"

	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// publicModel is the path of a model's method on the public API.
func publicModel(method string) pathFunc {
	return func(t *target.Target, _ bool) (string, error) {
		name, err := segment("model.name", strings.TrimPrefix(t.Model, "models/"))
		return "/v1beta/models/" + name + method, err
	}
}

// vertexModel is that on Vertex AI.
func vertexModel(method string) pathFunc {
	return published("google", func(bool) string { return method })
}

// publicRoutes and vertexRoutes are what is no chat.
var (
	publicRoutes = map[string]*provider.Operation{
		"llm/v1/embeddings":           {Path: publicModel(":batchEmbedContents"), Format: provider.GeminiEmbedBatch, Body: batchEmbed{}, NoStream: true},
		"image/v1/images/generations": {Path: imagesPath(publicModel), Format: provider.GeminiGenerate, Body: images{}, NoStream: true},
		"image/v1/images/edits":       {Path: imagesPath(publicModel), Format: provider.GeminiGenerate, Body: images{}, NoStream: true},
		"video/v1/videos/generations": {Path: publicModel(":predictLongRunning"), Format: provider.GeminiPredictLong, Resource: videos{model: publicModel}, NoStream: true},
		"llm/v1/batches":              {Format: provider.GeminiBatches, Path: publicModel(":batchGenerateContent"), Resource: publicBatches{}, NoStream: true},
		"llm/v1/files":                {Format: provider.GeminiFiles, Path: fixed("/v1beta/files"), Resource: publicFiles{}, NoStream: true},
		"realtime/v1/realtime":        publicLive,
	}
	vertexRoutes = map[string]*provider.Operation{
		"llm/v1/embeddings":           {Path: vertexEmbedPath, Format: provider.GeminiPredict, Body: predictEmbed{}, NoStream: true},
		"image/v1/images/generations": {Path: imagesPath(vertexModel), Format: provider.GeminiGenerate, Body: images{}, NoStream: true},
		"image/v1/images/edits":       {Path: imagesPath(vertexModel), Format: provider.GeminiGenerate, Body: images{}, NoStream: true},
		"video/v1/videos/generations": {Path: vertexModel(":predictLongRunning"), Format: provider.GeminiPredictLong, Resource: videos{vertexModel, true}, NoStream: true},
		"llm/v1/batches":              {Format: provider.VertexJobs, Path: below("/batchPredictionJobs"), Resource: batchJobs{}, NoStream: true},
		"realtime/v1/realtime":        vertexLive,
	}
)
