package huggingface

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Native are TGI's own paths, for a client of it.
// https://huggingface.github.io/text-generation-inference
var Native = map[provider.Format]*provider.Operation{
	provider.HuggingfaceTGI: {Path: generatePath, Format: provider.HuggingfaceTGI, Meter: Meter},
}

// generatePath is below the model on the router; a server of one's own has one
// model only.
func generatePath(t *target.Target, stream bool) (string, error) {
	path := "/generate"
	if stream {
		path = "/generate_stream"
	}
	if t.Options != nil && t.Options.UpstreamURL != "" {
		return path, nil
	}
	return modelPath(t, path)
}

// Errors writes error answers as TGI has them.
var Errors errorFormat

type errorFormat struct{}

// AppendError writes the body of an error answer.
func (errorFormat) AppendError(dst []byte, e *chat.Error) []byte {
	dst = jsonedit.AppendString(append(dst, `{"error":`...), e.Message)
	return append(jsonedit.AppendString(append(dst, `,"error_type":`...), e.Type), '}')
}
