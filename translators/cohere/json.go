package cohere

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendWithin writes a number, if there is one, limited to low and high.
func appendWithin(dst []byte, name string, value chat.Number, low, high chat.Number) []byte {
	f, ok := value.Float()
	least, _ := low.Float()
	most, _ := high.Float()
	switch {
	case !ok:
		return dst
	case f < least:
		value = low
	case f > most:
		value = high
	}
	return jsonedit.AppendRaw(dst, name, value)
}
