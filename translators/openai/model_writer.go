package openai

import (
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// Models writes lists of models.
// https://platform.openai.com/docs/api-reference/models
var Models provider.ModelWriter = modelWriter{}

type modelWriter struct{}

// AppendModel implements provider.ModelWriter. When the model was made is not
// known: created is 0.
func (modelWriter) AppendModel(dst []byte, m *provider.Model) []byte {
	dst = append(dst, '{')
	dst = jsonedit.AppendText(dst, "id", m.ID)
	dst = jsonedit.AppendText(dst, "object", "model")
	dst = jsonedit.AppendInt(dst, "created", 0)
	dst = jsonedit.AppendText(dst, "owned_by", m.Owner)
	return append(dst, '}')
}

// AppendModels implements provider.ModelWriter.
func (w modelWriter) AppendModels(dst []byte, list []provider.Model) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	for i := range list {
		dst = w.AppendModel(jsonedit.AppendComma(dst), &list[i])
	}
	return append(dst, "]}"...)
}
