package anthropic

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendBlocks writes an array of n values.
func appendBlocks(dst []byte, n int, value func(dst []byte, i int) []byte) []byte {
	dst = append(dst, '[')
	for i := range n {
		dst = jsonedit.AppendComma(dst)
		dst = value(dst, i)
	}
	return append(dst, ']')
}

func appendCacheControl(dst []byte, c chat.Raw) []byte {
	if c == nil {
		return dst
	}
	return jsonedit.AppendRaw(dst, "cache_control", c)
}

// raw returns v's member name as JSON, or nil if there is none.
func raw(v *jsonedit.Value, name string) chat.Raw {
	if !v.Has(name) {
		return nil
	}
	return v.Get(name).JSON()
}
