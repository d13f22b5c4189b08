package bedrock

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// rawOf returns a copy of v as JSON text, or nil if there is none or it is null.
func rawOf(v *jsonedit.Value) chat.Raw {
	if v == nil || v.Type() == jsonedit.TypeNull {
		return nil
	}
	return v.JSON()
}
