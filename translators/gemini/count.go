package gemini

import (
	"strings"

	"go-ai-proxy/translators/anthropic"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// publicCounter is countTokens of the public API: a prompt with a system instruction
// or tools is a whole request.
// https://ai.google.dev/api/tokens
var publicCounter = provider.Counter{
	Members: []string{"contents", "tools", "toolConfig", "systemInstruction", "generationConfig"},
	Tokens:  "totalTokens",
	Wrap: func(dst []byte, t *target.Target, body []byte) []byte {
		dst = jsonedit.AppendText(append(dst, `{"generateContentRequest":{`...), "model", "models/"+strings.TrimPrefix(t.Model, "models/"))
		if len(body) > len("{}") {
			dst = append(append(dst, ','), body[1:len(body)-1]...)
		}
		return append(dst, "}}"...)
	},
}

// vertexCounter is countTokens of Vertex AI.
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/count-tokens
var vertexCounter = provider.Counter{
	Members: []string{"contents", "tools", "systemInstruction", "generationConfig"},
	Tokens:  "totalTokens",
}

// claudeCounter is count_tokens of Claude on Vertex AI, which wants the model in the
// body: the path names none.
// https://docs.anthropic.com/en/docs/build-with-claude/token-counting
var claudeCounter = provider.Counter{
	Members: []string{"anthropic_version", "messages", "system", "thinking", "tool_choice", "tools"},
	Tokens:  anthropic.Counter.Tokens,
	Wrap: func(dst []byte, t *target.Target, body []byte) []byte {
		dst = jsonedit.AppendText(append(dst, '{'), "model", strings.TrimPrefix(t.Model, "publishers/anthropic/models/"))
		return append(append(dst, ','), body[1:]...)
	},
}

// countDialect reads the bodies of countTokens: contents, or a whole request.
type countDialect struct{ chat.Dialect }

// ParseRequest implements chat.Dialect.
func (d countDialect) ParseRequest(body *jsonedit.Value) (*chat.Request, error) {
	if inner := body.GetObject("generateContentRequest"); inner != nil {
		body = inner
	}
	return d.Dialect.ParseRequest(body)
}

// appendTokens writes the answer of countTokens.
func appendTokens(dst []byte, tokens int) []byte {
	return append(jsonedit.AppendInt(append(dst, '{'), "totalTokens", tokens), '}')
}
