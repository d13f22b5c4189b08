package gemini

import (
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// Models writes lists of models.
// https://ai.google.dev/api/models
var Models provider.ModelWriter = modelWriter{}

type modelWriter struct{}

// methods are the supportedGenerationMethods of models of a route type.
// https://ai.google.dev/api/all-methods
var methods = []struct {
	route route.Type
	names []string
}{
	{route.Chat, []string{"generateContent", "countTokens"}},
	{route.Embeddings, []string{"embedContent"}},
	{route.Batches, []string{"batchGenerateContent"}},
	{route.Videos, []string{"predictLongRunning"}},
	{route.Realtime, []string{"bidiGenerateContent"}},
}

// AppendModel implements provider.ModelWriter.
func (modelWriter) AppendModel(dst []byte, m *provider.Model) []byte {
	name := strings.TrimPrefix(m.ID, "models/")
	dst = append(dst, '{')
	dst = jsonedit.AppendText(dst, "name", "models/"+name)
	dst = jsonedit.AppendText(dst, "displayName", name)
	dst = append(jsonedit.AppendName(dst, "supportedGenerationMethods"), '[')
	for _, wanted := range m.Routes {
		for i := range methods {
			if methods[i].route != wanted {
				continue
			}
			for _, method := range methods[i].names {
				dst = jsonedit.AppendString(jsonedit.AppendComma(dst), method)
			}
		}
	}
	return append(dst, "]}"...)
}

// AppendModels implements provider.ModelWriter.
func (w modelWriter) AppendModels(dst []byte, list []provider.Model) []byte {
	dst = append(dst, `{"models":[`...)
	for i := range list {
		dst = w.AppendModel(jsonedit.AppendComma(dst), &list[i])
	}
	return append(dst, "]}"...)
}
