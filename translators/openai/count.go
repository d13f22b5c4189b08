package openai

import (
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// InputTokensAt returns the counter of the Responses API at a path, for providers whose
// chat has that API Instead.
// https://platform.openai.com/docs/api-reference/responses/input-tokens
func InputTokensAt(p string) *provider.Operation {
	return &provider.Operation{Path: provider.Path(p), Format: provider.OpenAIInputTokens, NoStream: true, Counter: &provider.Counter{
		Instead: true, AtHome: true,
		Members: []string{"model", "input", "tools", "tool_choice", "text", "reasoning", "parallel_tool_calls", "truncation"},
		Tokens:  "input_tokens",
	}}
}

// appendTokens writes the answer of /responses/input_tokens.
func appendTokens(dst []byte, tokens int) []byte {
	dst = jsonedit.AppendText(append(dst, '{'), "object", "response.input_tokens")
	return append(jsonedit.AppendInt(dst, "input_tokens", tokens), '}')
}
