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

// exists reports whether v has a member name that is not null.
func exists(v *jsonedit.Value, name string) bool {
	m := v.Get(name)
	return m != nil && m.Type() != jsonedit.TypeNull
}

// text returns a copy of v's string member name, or "" if there is none.
func text(v *jsonedit.Value, name string) string { return string(v.GetStringBytes(name)) }

// raw returns v's member name as JSON, or nil if there is none.
func raw(v *jsonedit.Value, name string) chat.Raw {
	if !exists(v, name) {
		return nil
	}
	return v.Get(name).JSON()
}
