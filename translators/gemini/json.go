package gemini

import (
	"strconv"

	"github.com/valyala/fastjson"

	"go-ai-proxy/translators/jsonedit"
)

// appendValue writes v compactly.
func appendValue(dst []byte, v *fastjson.Value) []byte { return jsonedit.AppendValue(dst, v) }

// comma writes the comma that a further member or element needs.
func comma(dst []byte) []byte {
	if c := dst[len(dst)-1]; c == '{' || c == '[' {
		return dst
	}
	return append(dst, ',')
}

// member begins a member of the open object. key needs no escapes.
func member(dst []byte, key string) []byte {
	dst = append(comma(dst), '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// raw writes a member with a JSON value that is text already.
func raw[T ~string | ~[]byte](dst []byte, key string, value T) []byte {
	return append(member(dst, key), value...)
}

// text writes a string member.
func text(dst []byte, key, value string) []byte {
	return jsonedit.AppendString(member(dst, key), value)
}

// bytesText is text for bytes.
func bytesText(dst []byte, key string, value []byte) []byte {
	return jsonedit.AppendBytes(member(dst, key), value)
}

// number writes an integer member.
func number(dst []byte, key string, n int) []byte {
	return strconv.AppendInt(member(dst, key), int64(n), 10)
}

// isObject says whether s is one valid JSON object.
func isObject(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return fastjson.Validate(s[i:]) == nil
		}
		return false
	}
	return false
}

// first returns the first of the names that v has: camel case and snake case
// are both the format (it is protocol buffers in JSON).
func first(v *fastjson.Value, names ...string) *fastjson.Value {
	for _, n := range names {
		if m := v.Get(n); m != nil && m.Type() != fastjson.TypeNull {
			return m
		}
	}
	return nil
}
