package gemini

import (
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// pathFunc is an Operation's Path.
type pathFunc = func(t *target.Target, stream bool) (string, error)

// publicNative holds the operations of the public API for its own clients.
// https://ai.google.dev/api
var publicNative = func() map[provider.Format]*provider.Operation {
	model := func(method string) pathFunc {
		return func(t *target.Target, _ bool) (string, error) {
			name, err := segment("model.name", strings.TrimPrefix(t.Model, "models/"))
			return "/v1beta/models/" + name + method, err
		}
	}
	native := modelOperations(model)
	native[provider.GeminiLive] = publicLive
	native[provider.GeminiInteractions] = interactions
	native[provider.GeminiCount].Counter = &publicCounter
	for format, path := range map[provider.Format]string{
		provider.GeminiFiles: "/v1beta/files", provider.GeminiUpload: "/upload/v1beta/files", provider.GeminiBatches: "/v1beta/batches",
	} {
		native[format] = &provider.Operation{Path: func(*target.Target, bool) (string, error) { return path, nil }, Format: format, NoStream: true}
	}
	return native
}()

// vertexNative holds those of Vertex AI. Project and location are the configured
// ones, whatever the client's path says.
// https://cloud.google.com/vertex-ai/docs/reference/rest
var vertexNative = func() map[provider.Format]*provider.Operation {
	native := modelOperations(func(method string) pathFunc {
		return published("google", func(bool) string { return method })
	})
	native[provider.GeminiLive] = vertexLive
	native[provider.GeminiCount].Counter = &vertexCounter
	native[provider.VertexJobs] = &provider.Operation{Path: below("/batchPredictionJobs"), Format: provider.VertexJobs, NoStream: true}
	// https://cloud.google.com/generative-ai-app-builder/docs/ranking
	native[provider.VertexRank] = &provider.Operation{
		Base: func(*target.Target) (string, error) { return "https://discoveryengine.googleapis.com", nil },
		Path: below("/rankingConfigs"), Format: provider.VertexRank, NoStream: true,
	}
	return native
}()

// modelOperations returns the custom methods of a model. alt=sse is only sent if the
// client sent it.
func modelOperations(model func(method string) pathFunc) map[provider.Format]*provider.Operation {
	whole, streamed := model(":generateContent"), model(":streamGenerateContent")
	native := map[provider.Format]*provider.Operation{
		provider.GeminiGenerate: {
			Path: func(t *target.Target, stream bool) (string, error) {
				if stream {
					return streamed(t, stream)
				}
				return whole(t, stream)
			},
			Format: provider.GeminiGenerate, Chat: Generate, Origin: ofGoogle, Meter: Meter, Tune: tune, Edit: provider.Edit{Request: ownHistory, Refusals: corrupted},
		},
		provider.GeminiOperations: {Path: model("/operations"), Format: provider.GeminiOperations, NoStream: true},
	}
	for format, method := range map[provider.Format]string{
		provider.GeminiCount: ":countTokens", provider.GeminiEmbed: ":embedContent", provider.GeminiEmbedBatch: ":batchEmbedContents",
		provider.GeminiBatch: ":batchGenerateContent", provider.GeminiPredict: ":predict", provider.GeminiPredictLong: ":predictLongRunning",
		provider.GeminiFetch: ":fetchPredictOperation",
	} {
		native[format] = &provider.Operation{Path: model(method), Format: format, NoStream: true}
	}
	native[provider.GeminiCount].Edit.Request = ownHistory
	for _, format := range []provider.Format{provider.GeminiEmbed, provider.GeminiEmbedBatch, provider.GeminiPredict} {
		native[format].Meter = Meter
	}
	native[provider.GeminiEmbed].Tune = tuneEmbed
	native[provider.GeminiEmbedBatch].Tune = tuneEmbedBatch
	native[provider.GeminiPredict].Tune = tunePredict
	return native
}

// below returns a path in the project's location.
func below(path string) pathFunc {
	return func(t *target.Target, _ bool) (string, error) {
		at, err := location(t)
		return at + path, err
	}
}

// setModel returns the body of embedContent or batchEmbedContents with model in each
// place that names one, since Google requires the model of the URL. It returns body
// itself if it names none.
func setModel(body []byte, model string) []byte {
	if !jsonedit.Contains(body, `"model"`) {
		return body
	}
	name := jsonedit.AppendString(nil, "models/"+strings.TrimPrefix(model, "models/"))
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return body
	}
	var edits []jsonedit.Edit
	if jsonedit.Find(members, "model") != nil {
		edits = append(edits, jsonedit.Edit{Key: "model", Value: name})
	}
	if list := jsonedit.Find(members, "requests"); jsonedit.IsArray(list) {
		requests, err := jsonedit.Array(list, nil)
		if err != nil {
			return body
		}
		value := []byte{'['}
		for _, r := range requests {
			value = jsonedit.AppendComma(value)
			inner, err := jsonedit.Object(r, nil)
			if err != nil || jsonedit.Find(inner, "model") == nil {
				value = append(value, r...)
				continue
			}
			value = jsonedit.Join(value, jsonedit.Splice(nil, r, inner, []jsonedit.Edit{{Key: "model", Value: name}}))
		}
		edits = append(edits, jsonedit.Edit{Key: "requests", Value: append(value, ']')})
	}
	return jsonedit.Join(nil, jsonedit.Splice(nil, body, members, edits))
}
