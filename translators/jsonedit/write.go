package jsonedit

import (
	"bytes"
	"strconv"
	"unsafe"
)

// The functions in this file write an object or a list member by member, with the
// commas between them. They append to dst and return it, and allocate nothing but
// the space that dst lacks. Names are written unchanged, so they must not need
// escapes; AppendKey writes names that may.

// AppendComma writes the comma before a further member or element. It writes none
// at the start of an object, a list or dst.
func AppendComma(dst []byte) []byte {
	if len(dst) == 0 {
		return dst
	}
	if c := dst[len(dst)-1]; c == '{' || c == '[' {
		return dst
	}
	return append(dst, ',')
}

// AppendName begins a member: it writes the name and the colon.
func AppendName(dst []byte, name string) []byte {
	dst = append(AppendComma(dst), '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// AppendKey is like AppendName, for names that may need escapes.
func AppendKey[T ~string | ~[]byte](dst []byte, name T) []byte {
	return append(AppendString(AppendComma(dst), shared(&name)), ':')
}

// Flat returns valid JSON on one line, as the data of an event must be: value itself if
// it has no other, else a copy. Line breaks in JSON are white space.
func Flat(value []byte) []byte {
	if bytes.IndexByte(value, '\n') < 0 && bytes.IndexByte(value, '\r') < 0 {
		return value
	}
	flat := bytes.Clone(value)
	for i, c := range flat {
		if c == '\n' || c == '\r' {
			flat[i] = ' '
		}
	}
	return flat
}

// AppendRaw writes a member whose value is JSON; nothing if value is empty.
func AppendRaw[T ~string | ~[]byte](dst []byte, name string, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return append(AppendName(dst, name), value...)
}

// AppendText writes a string member.
func AppendText[T ~string | ~[]byte](dst []byte, name string, value T) []byte {
	return AppendString(AppendName(dst, name), shared(&value))
}

// AppendOptional is like AppendText, but writes nothing if value is empty.
func AppendOptional[T ~string | ~[]byte](dst []byte, name string, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return AppendText(dst, name, value)
}

// AppendTexts writes a member that is a list of strings; nothing if it is empty.
func AppendTexts(dst []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	return AppendStrings(AppendName(dst, name), list)
}

// AppendStrings writes a list of strings as a value.
func AppendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for _, s := range list {
		dst = AppendString(AppendComma(dst), s)
	}
	return append(dst, ']')
}

// AppendInt writes an integer member.
func AppendInt[T ~int | ~int64](dst []byte, name string, n T) []byte {
	return strconv.AppendInt(AppendName(dst, name), int64(n), 10)
}

// AppendBool writes a member that is true or false.
func AppendBool(dst []byte, name string, b bool) []byte {
	return strconv.AppendBool(AppendName(dst, name), b)
}

// shared returns a string or bytes as a string, without a copy. A slice begins with
// a pointer and a length, which is exactly the layout of a string.
func shared[T ~string | ~[]byte](text *T) string { return *(*string)(unsafe.Pointer(text)) }

// AppendObjects writes v, a list of which is written item by item, and each object as
// object writes it.
func AppendObjects(dst []byte, v *Value, object func(dst []byte, v *Value) []byte) []byte {
	switch v.Type() {
	case TypeArray:
		dst = append(dst, '[')
		for _, item := range v.GetArray() {
			dst = AppendObjects(AppendComma(dst), item, object)
		}
		return append(dst, ']')
	case TypeObject:
		return object(dst, v)
	}
	return AppendValue(dst, v)
}
