package cohere

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// Errors writes error answers as Cohere has them.
// https://docs.cohere.com/reference/errors
var Errors errorFormat

type errorFormat struct{}

// AppendError writes the body of an error answer.
func (errorFormat) AppendError(dst []byte, e *chat.Error) []byte {
	return append(jsonedit.AppendString(append(dst, `{"message":`...), e.Message), '}')
}
