package jsonedit

import (
	"encoding/binary"
	"math/bits"
)

// MaxDepth is how deep objects and arrays may be nested. A body is read by
// recursion, and no API nests half as deep.
const MaxDepth = 512

// fail is the error of a byte at i that is not what must stand there.
func fail(text []byte, i int, want string) error {
	if i >= len(text) {
		return &SyntaxError{len(text), "the text ends where " + want + " must stand"}
	}
	return &SyntaxError{i, "found " + shown(text[i]) + " where " + want + " must stand"}
}

// shown makes c readable in an error.
func shown(c byte) string {
	if c < ' ' || c > '~' {
		const hex = "0123456789abcdef"
		return "0x" + string([]byte{hex[c>>4], hex[c&15]})
	}
	return "'" + string(rune(c)) + "'"
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && text[i] <= ' ' {
		switch text[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// value checks the value at i and returns the offset after it; depth is the
// number of objects and arrays around it.
func value(text []byte, i, depth int) (int, error) {
	if i >= len(text) {
		return i, fail(text, i, "a value")
	}
	switch c := text[i]; {
	case c == '"':
		return str(text, i)
	case c == '{':
		return object(text, i, depth+1, nil)
	case c == '[':
		return array(text, i, depth+1, nil)
	case c == '-' || c >= '0' && c <= '9':
		return number(text, i)
	case c == 't':
		return word(text, i, "true")
	case c == 'f':
		return word(text, i, "false")
	case c == 'n':
		return word(text, i, "null")
	}
	return i, fail(text, i, "a value")
}

// object checks the object at i and returns the offset after it. It appends
// the members to dst unless that is nil.
func object(text []byte, i, depth int, dst *[]Member) (int, error) {
	if depth > MaxDepth {
		return i, tooDeep(i)
	}
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == '}' {
		return i + 1, nil
	}
	for {
		start := i
		if i >= len(text) || text[i] != '"' {
			return i, fail(text, i, "a name in quotes")
		}
		var err error
		if i, err = str(text, i); err != nil {
			return i, err
		}
		key := text[start+1 : i-1 : i-1]
		if i = skipSpace(text, i); i >= len(text) || text[i] != ':' {
			return i, fail(text, i, "a colon")
		}
		from := skipSpace(text, i+1)
		if i, err = value(text, from, depth); err != nil {
			return i, err
		}
		if dst != nil {
			*dst = append(*dst, Member{Key: unescaped(key), Value: text[from:i:i], Start: start, End: i})
		}
		i = skipSpace(text, i)
		if i < len(text) && text[i] == '}' {
			return i + 1, nil
		}
		if i >= len(text) || text[i] != ',' {
			return i, fail(text, i, "a comma or the end of the object")
		}
		i = skipSpace(text, i+1)
	}
}

// array is as object, for arrays.
func array(text []byte, i, depth int, dst *[][]byte) (int, error) {
	if depth > MaxDepth {
		return i, tooDeep(i)
	}
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := value(text, i, depth)
		if err != nil {
			return end, err
		}
		if dst != nil {
			*dst = append(*dst, text[i:end:end])
		}
		i = skipSpace(text, end)
		if i < len(text) && text[i] == ']' {
			return i + 1, nil
		}
		if i >= len(text) || text[i] != ',' {
			return i, fail(text, i, "a comma or the end of the array")
		}
		i = skipSpace(text, i+1)
	}
}

func tooDeep(i int) error {
	return &SyntaxError{i, "objects and arrays are nested too deep"}
}

func word(text []byte, i int, want string) (int, error) {
	for n := range len(want) {
		if i+n >= len(text) || text[i+n] != want[n] {
			return i, fail(text, i+n, want)
		}
	}
	return i + len(want), nil
}

// number checks -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func number(text []byte, i int) (int, error) {
	if text[i] == '-' {
		i++
	}
	var err error
	if i < len(text) && text[i] == '0' {
		i++
	} else if i, err = digits(text, i); err != nil {
		return i, err
	}
	if i < len(text) && text[i] == '.' {
		if i, err = digits(text, i+1); err != nil {
			return i, err
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return digits(text, i)
	}
	return i, nil
}

func digits(text []byte, i int) (int, error) {
	from := i
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	if i == from {
		return i, fail(text, i, "a digit")
	}
	return i, nil
}

// str checks the string at i and returns the offset after its closing quote.
func str(text []byte, i int) (int, error) {
	i++
	for {
		if i += plain(text[i:]); i >= len(text) {
			return i, fail(text, i, "the end of a string")
		}
		switch text[i] {
		case '"':
			return i + 1, nil
		case '\\':
			n, err := escape(text, i)
			if err != nil {
				return i, err
			}
			i += n
		default:
			return i, &SyntaxError{i, "found " + shown(text[i]) + " within a string, where it must be escaped"}
		}
	}
}

// plain returns how many bytes at the start of text are neither a quote, a
// backslash nor a control character. It looks at eight at a time: a borrow in
// x - low spoils only bytes above the first that is found.
func plain(text []byte) int {
	const (
		low  = 0x0101010101010101
		high = 0x8080808080808080
	)
	i := 0
	for ; len(text)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(text[i:])
		quote, backslash := x^(low*'"'), x^(low*'\\')
		found := ((x-low*' ')&^x | (quote-low)&^quote | (backslash-low)&^backslash) & high
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// escape returns the length of the escape sequence at i.
func escape(text []byte, i int) (int, error) {
	if i+1 >= len(text) {
		return 0, fail(text, i+1, "an escaped character")
	}
	switch text[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		for n := i + 2; n < i+6; n++ {
			if n >= len(text) || hexDigit(text[n]) < 0 {
				return 0, fail(text, n, "a hexadecimal digit")
			}
		}
		return 6, nil
	}
	return 0, fail(text, i+1, "a character that may be escaped")
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
