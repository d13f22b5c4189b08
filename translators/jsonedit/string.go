package jsonedit

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// String returns the text of the JSON string value, and whether value is a string.
// Lone surrogates become U+FFFD.
func String(value []byte) (string, bool) {
	text, ok := inner(value)
	if !ok {
		return "", false
	}
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text), true
	}
	return string(appendUnescaped(make([]byte, 0, len(text)), text)), true
}

// AppendUnquoted appends the text of the JSON string value to dst, and reports
// whether value is a string. If not, dst is returned unchanged.
func AppendUnquoted(dst, value []byte) ([]byte, bool) {
	text, ok := inner(value)
	if !ok {
		return dst, false
	}
	return appendUnescaped(dst, text), true
}

// inner returns the bytes between the quotes of a valid string.
func inner(value []byte) ([]byte, bool) {
	if !IsString(value) {
		return nil, false
	}
	if end, err := str(value, 0); err != nil || end != len(value) {
		return nil, false
	}
	return value[1 : len(value)-1], true
}

// unescaped returns text without escapes. It returns text itself if there are none.
func unescaped(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	return appendUnescaped(nil, text)
}

func appendUnescaped(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		c := text[i+1]
		text = text[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(text)
			text = text[4:]
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if len(text) >= 6 && text[0] == '\\' && text[1] == 'u' {
					pair = utf16.DecodeRune(r, hex4(text[2:]))
				}
				if r = pair; r != utf8.RuneError {
					text = text[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
}

// hex4 returns the value of four hexadecimal digits.
func hex4(text []byte) rune {
	var r int
	for _, c := range text[:4] {
		r = r<<4 | hexDigit(c)
	}
	return rune(r)
}

// AppendString appends s to dst as a JSON string. Quotes, backslashes and
// control characters are escaped, bytes that are not UTF-8 become \ufffd, and
// everything else is copied. Unlike encoding/json it does not escape <, > and &.
func AppendString(dst []byte, s string) []byte { return AppendBytes(dst, bytesOf(s)) }

// bytesOf returns the bytes of s without a copy; they must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// AppendBytes is like AppendString, for bytes.
func AppendBytes(dst, b []byte) []byte { return append(appendInside(append(dst, '"'), b), '"') }

// appendInside is like AppendBytes without the quotes.
func appendInside(dst, b []byte) []byte {
	if isPlain(b) {
		return append(dst, b...)
	}
	if utf8.Valid(b) {
		return appendEscaped(dst, b)
	}
	for len(b) > 0 {
		n := validPrefix(b)
		dst = appendEscaped(dst, b[:n])
		if b = b[n:]; len(b) > 0 {
			dst = append(dst, `\ufffd`...)
			b = b[1:]
		}
	}
	return dst
}

// validPrefix returns the length of the UTF-8 text before the first invalid byte.
func validPrefix(b []byte) int {
	i := 0
	for i < len(b) {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		i += size
	}
	return i
}

func appendEscaped(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	for {
		n := plain(b)
		dst = append(dst, b[:n]...)
		if n == len(b) {
			return dst
		}
		switch c := b[n]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		b = b[n+1:]
	}
}
