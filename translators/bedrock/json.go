package bedrock

import (
	"strconv"

	"github.com/valyala/fastjson"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// comma writes the comma that a further member or element needs.
func comma(dst []byte) []byte {
	if c := dst[len(dst)-1]; c == '{' || c == '[' {
		return dst
	}
	return append(dst, ',')
}

// member begins a member of the open object. name needs no escapes.
func member(dst []byte, name string) []byte {
	dst = append(comma(dst), '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// raw writes a member whose value is JSON already; nothing for an empty one.
func raw[T ~string | ~[]byte](dst []byte, name string, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return append(member(dst, name), value...)
}

// text writes a string member.
func text(dst []byte, name, value string) []byte {
	return jsonedit.AppendString(member(dst, name), value)
}

// bytesText is text for bytes.
func bytesText(dst []byte, name string, value []byte) []byte {
	return jsonedit.AppendBytes(member(dst, name), value)
}

// number writes an integer member.
func number(dst []byte, name string, n int) []byte {
	return strconv.AppendInt(member(dst, name), int64(n), 10)
}

// appendValue writes v compactly.
func appendValue(dst []byte, v *fastjson.Value) []byte { return jsonedit.AppendValue(dst, v) }

// rawOf is a copy of v as JSON text, nil for none or null.
func rawOf(v *fastjson.Value) chat.Raw {
	if v == nil || v.Type() == fastjson.TypeNull {
		return nil
	}
	return appendValue(nil, v)
}

// str is a copy of v's string member name, "" where there is none.
func str(v *fastjson.Value, names ...string) string { return string(v.GetStringBytes(names...)) }

// count reads a counter into n, and says whether there is one.
func count(n *int, v *fastjson.Value) bool {
	if v == nil || v.Type() != fastjson.TypeNumber {
		return false
	}
	i, err := v.Int()
	if err != nil || i < 0 {
		return false
	}
	*n = i
	return true
}
