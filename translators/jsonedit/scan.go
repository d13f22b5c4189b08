package jsonedit

// MaxDepth is how deeply objects and arrays may be nested. There is a limit since
// bodies are read recursively; no API nests half as deeply.
const MaxDepth = 512

// fail returns the error for an unexpected byte at i; want names what was expected.
func fail(text []byte, i int, want string) error {
	if i >= len(text) {
		return &SyntaxError{len(text), "the text ends where " + want + " must stand"}
	}
	return &SyntaxError{i, "found " + shown(text[i]) + " where " + want + " must stand"}
}

// shown returns c in a form that is readable in an error.
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
		return object(text, i, depth+1)
	case c == '[':
		return array(text, i, depth+1)
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

// object checks the object at i and returns the offset after it.
func object(text []byte, i, depth int) (int, error) {
	i, more, err := enter(text, i, depth, '}')
	for more && err == nil {
		var m place
		if m, err = member(text, i, depth); err == nil {
			i, more, err = follow(text, m.end, '}')
		}
	}
	return i, err
}

// array is like object, for arrays.
func array(text []byte, i, depth int) (int, error) {
	i, more, err := enter(text, i, depth, ']')
	for more && err == nil {
		if i, err = value(text, i, depth); err == nil {
			i, more, err = follow(text, i, ']')
		}
	}
	return i, err
}

// enter skips the opening bracket at i. It returns the offset of the first member or
// element if there is one, or else the offset after the closing bracket.
func enter(text []byte, i, depth int, closing byte) (next int, more bool, err error) {
	if depth > MaxDepth {
		return i, false, &SyntaxError{i, "objects and arrays are nested too deep"}
	}
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == closing {
		return i + 1, false, nil
	}
	return i, true, nil
}

// follow goes from the end of a member or element to the next one, or past the
// closing bracket.
func follow(text []byte, i int, closing byte) (next int, more bool, err error) {
	i = skipSpace(text, i)
	switch {
	case i < len(text) && text[i] == ',':
		return skipSpace(text, i+1), true, nil
	case i < len(text) && text[i] == closing:
		return i + 1, false, nil
	}
	return i, false, fail(text, i, "a comma or "+shown(closing))
}

// place is the position of a member: its quoted name is text[start:name], and its
// value text[value:end].
type place struct{ start, name, value, end int }

// member checks the member at i.
func member(text []byte, i, depth int) (m place, err error) {
	m.start = i
	if i >= len(text) || text[i] != '"' {
		return m, fail(text, i, "a name in quotes")
	}
	if m.name, err = str(text, i); err != nil {
		return m, err
	}
	if i = skipSpace(text, m.name); i >= len(text) || text[i] != ':' {
		return m, fail(text, i, "a colon")
	}
	m.value = skipSpace(text, i+1)
	m.end, err = value(text, m.value, depth)
	return m, err
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
