package gemini

import (
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

const hex = "0123456789abcdef"

// appendString writes s as a JSON string; bytes that are no UTF-8 become U+FFFD.
// (fastjson quotes the way Go does, and \x01 is no JSON.)
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[from:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, s[from:i]...)
			dst = append(dst, "\uFFFD"...)
			from = i + 1
		}
		i += n
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// appendValue writes v compactly. Numbers keep their text.
func appendValue(dst []byte, v *fastjson.Value) []byte {
	switch v.Type() {
	case fastjson.TypeString:
		return appendString(dst, v.GetStringBytes())
	case fastjson.TypeArray:
		dst = append(dst, '[')
		for _, item := range v.GetArray() {
			dst = appendValue(comma(dst), item)
		}
		return append(dst, ']')
	case fastjson.TypeObject:
		dst = append(dst, '{')
		v.GetObject().Visit(func(key []byte, item *fastjson.Value) {
			dst = appendValue(append(appendString(comma(dst), key), ':'), item)
		})
		return append(dst, '}')
	}
	return v.MarshalTo(dst)
}

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
func text[T string | []byte](dst []byte, key string, value T) []byte {
	return appendString(member(dst, key), value)
}

// merge puts from's members over those of into, objects within deeply.
func merge(into, from *fastjson.Value) {
	from.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		k := string(key)
		if old := into.Get(k); old != nil && old.Type() == fastjson.TypeObject && v.Type() == fastjson.TypeObject {
			merge(old, v)
			return
		}
		into.Set(k, v)
	})
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
// are both the format (they are protocol buffers in JSON).
func first(v *fastjson.Value, names ...string) *fastjson.Value {
	for _, n := range names {
		if m := v.Get(n); m != nil && m.Type() != fastjson.TypeNull {
			return m
		}
	}
	return nil
}
