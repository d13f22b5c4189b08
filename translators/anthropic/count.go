package anthropic

import (
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// Counter is count_tokens, which takes the members of Messages that make up the
// prompt and refuses the others.
// https://platform.claude.com/docs/en/api/messages-count-tokens
var Counter = provider.Counter{
	Members: []string{"model", "messages", "system", "thinking", "tool_choice", "tools", "output_config", "cache_control"},
	Tokens:  "input_tokens",
}

// appendTokens writes the answer of count_tokens.
func appendTokens(dst []byte, tokens int) []byte {
	return append(jsonedit.AppendInt(append(dst, '{'), "input_tokens", tokens), '}')
}
