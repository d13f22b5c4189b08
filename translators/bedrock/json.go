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

// count reads a counter into n and reports whether there is one.
func count(n *int, v *jsonedit.Value) bool {
	if v == nil || v.Type() != jsonedit.TypeNumber {
		return false
	}
	i, err := v.Int()
	if err != nil || i < 0 {
		return false
	}
	*n = i
	return true
}
