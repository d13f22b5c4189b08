package gemini

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// edited is a maker's own format with the edits that Vertex needs.
type edited struct {
	chat.Upstream
	edit *provider.Edit
}

// AppendRequest implements chat.Upstream.
func (e edited) AppendRequest(dst []byte, t *target.Target, req *chat.Request) ([]byte, error) {
	body, err := e.Upstream.AppendRequest(nil, t, req)
	if err != nil {
		return nil, err
	}
	if e.edit.Fit != nil {
		// Hosted tools have been offered before; what remains is members.
		if body, _, _, err = e.edit.Fit.Body(body, nil); err != nil {
			return nil, err
		}
	}
	members, err := jsonedit.Object(body, nil)
	if err != nil {
		return nil, &chat.RequestError{Message: err.Error()}
	}
	var edits []jsonedit.Edit
	if e.edit.RefusesStreamOptions(t) {
		edits = append(edits, jsonedit.Edit{Key: "stream_options"})
	}
	return jsonedit.Join(dst, e.edit.Apply(nil, t, body, members, edits)), nil
}

// openAIChat returns chat in OpenAI's format with edit.
func openAIChat(path func(*target.Target, bool) (string, error), edit provider.Edit) map[route.Type]*provider.Operation {
	return map[route.Type]*provider.Operation{route.Chat: openai.ChatOf(path, edit)}
}
