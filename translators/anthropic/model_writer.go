package anthropic

import (
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// Models writes lists of models.
// https://platform.claude.com/docs/en/api/models-list
var Models provider.ModelWriter = modelWriter{}

type modelWriter struct{}

// unknownDate is created_at of a model whose date of release is not known.
// https://platform.claude.com/docs/en/api/models/retrieve
const unknownDate = "1970-01-01T00:00:00Z"

// AppendModel implements provider.ModelWriter.
func (modelWriter) AppendModel(dst []byte, m *provider.Model) []byte {
	dst = append(dst, '{')
	dst = jsonedit.AppendText(dst, "type", "model")
	dst = jsonedit.AppendText(dst, "id", m.ID)
	dst = jsonedit.AppendText(dst, "display_name", m.ID)
	dst = jsonedit.AppendText(dst, "created_at", unknownDate)
	return append(dst, '}')
}

// AppendModels implements provider.ModelWriter. An empty page has no first and
// last id.
func (w modelWriter) AppendModels(dst []byte, list []provider.Model) []byte {
	dst = append(dst, `{"data":[`...)
	for i := range list {
		dst = w.AppendModel(jsonedit.AppendComma(dst), &list[i])
	}
	dst = append(dst, `],"has_more":false`...)
	if len(list) == 0 {
		return append(dst, `,"first_id":null,"last_id":null}`...)
	}
	dst = jsonedit.AppendText(dst, "first_id", list[0].ID)
	dst = jsonedit.AppendText(dst, "last_id", list[len(list)-1].ID)
	return append(dst, '}')
}
