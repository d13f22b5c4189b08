package jsonedit

import (
	"strconv"
	"unsafe"
)

// The functions here write an object or a list member by member, each after the
// comma that it needs. They allocate nothing but the room dst lacks, and return
// dst longer. Names are written as they are: they need no escapes (AppendKey
// writes those that may).

// AppendComma writes the comma that a further member or element needs: none at
// the start of an object, a list or dst.
func AppendComma(dst []byte) []byte {
	if len(dst) == 0 {
		return dst
	}
	if c := dst[len(dst)-1]; c == '{' || c == '[' {
		return dst
	}
	return append(dst, ',')
}

// AppendName begins a member: what follows is its value.
func AppendName(dst []byte, name string) []byte {
	dst = append(AppendComma(dst), '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// AppendKey is AppendName for a name that is not ours, which may need escapes.
func AppendKey[T ~string | ~[]byte](dst []byte, name T) []byte {
	return append(AppendString(AppendComma(dst), shared(&name)), ':')
}

// AppendRaw writes a member whose value is JSON already; nothing for an empty one.
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

// AppendOptional is AppendText; nothing for an empty value.
func AppendOptional[T ~string | ~[]byte](dst []byte, name string, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	return AppendText(dst, name, value)
}

// AppendTexts writes a list of strings; nothing for an empty one.
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

// shared is the text of a string or of bytes, not copied. Both begin with where
// the text is and how long it is, which is all that a string is.
func shared[T ~string | ~[]byte](text *T) string { return *(*string)(unsafe.Pointer(text)) }
