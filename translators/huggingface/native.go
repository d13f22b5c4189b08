package huggingface

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// native holds the operations at TGI's own paths, for its clients.
// https://huggingface.github.io/text-generation-inference
var native = map[provider.Format]*provider.Operation{
	provider.HuggingfaceTGI: {Path: generatePath, Format: provider.HuggingfaceTGI, Meter: Meter, Tune: tune},
}

// tune returns the edits that set the tuning options in a body of TGI. Values that it
// refuses mean "not given", as in appendParameters.
func tune(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	s := provider.Settings{MaxTokens: "parameters.max_new_tokens", Temperature: "parameters.temperature", TopP: "parameters.top_p", TopK: "parameters.top_k"}
	o := *s.Yielding(t, ms).Options
	if o.Temperature != nil && *o.Temperature <= 0 {
		o.Temperature = nil
	}
	if o.TopP != nil && (*o.TopP <= 0 || *o.TopP >= 1) {
		o.TopP = nil
	}
	if o.TopK != nil && *o.TopK <= 0 {
		o.TopK = nil
	}
	l := provider.Layer{Members: ms, Edits: s.Tune(&target.Target{Options: &o}, ms)}
	if o.Temperature != nil {
		l.Set("parameters.do_sample", []byte("true"))
	}
	return l.Edits
}

// generatePath is below the model's path on the router. A self-hosted server has only
// one model.
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
	return append(jsonedit.AppendText(dst, "error_type", e.Type), '}')
}
