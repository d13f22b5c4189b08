package jsonedit

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
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
	return alias(appendUnescaped(nil, text)), true
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

// appendUnescaped appends the inside of a string without its escapes to dst. It copies
// eight bytes at once, so it needs as much space behind the text.
func appendUnescaped(dst, text []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(text)+8)
	dst = dst[:cap(dst)]
	for len(text) > 0 {
		if len(text) >= 8 {
			x := binary.LittleEndian.Uint64(text)
			binary.LittleEndian.PutUint64(dst[n:], x)
			other := x ^ low*'\\'
			found := (other - low) &^ other & high // the lowest bit is that of the first backslash
			if found == 0 {
				text, n = text[8:], n+8
				continue
			}
			before := bits.TrailingZeros64(found) / 8
			text, n = text[before:], n+before
		} else if text[0] != '\\' {
			dst[n] = text[0]
			text, n = text[1:], n+1
			continue
		}
		size, width := unescape(dst[n:], text)
		text, n = text[size:], n+width
	}
	return dst[:n]
}

// unescape writes the character of the escape sequence at the start of text to dst. It
// returns the length of the sequence, two surrogates together, and of the character.
func unescape(dst, text []byte) (size, width int) {
	if c := text[1]; c != 'u' {
		if c = unescapes[c]; c == 0 {
			c = text[1]
		}
		dst[0] = c
		return 2, 1
	}
	r := hex4(text[2:])
	size = 6
	if utf16.IsSurrogate(r) {
		pair := rune(utf8.RuneError)
		if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
			pair = utf16.DecodeRune(r, hex4(text[8:]))
		}
		if r = pair; r != utf8.RuneError {
			size = 12
		}
	}
	return size, utf8.EncodeRune(dst, r)
}

// unescapes holds the characters whose escape is another letter.
var unescapes = [256]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

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
