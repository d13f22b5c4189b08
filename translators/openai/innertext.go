package openai

import (
	"bytes"

	"go-ai-proxy/translators/jsonedit"
)

// innerText takes the one string out of the arguments of a function that stands for
// a tool with free text, {"input":"…"}, while they arrive in pieces. However they
// are cut, the text is the same. Arguments that hold no string are the text
// themselves: some models write it without its object.
//
// The zero value is ready to use.
type innerText struct {
	state  innerState
	quoted bool   // inside: within a string
	slash  bool   // after a backslash, in a string that is passed over
	depth  int    // inside: of objects and lists that are passed over
	escape []byte // of the string: an escape sequence that is not complete
	before []byte // all that came, until the string begins
}

type innerState uint8

const (
	beforeObject innerState = iota
	beforeName
	inName
	beforeColon
	beforeValue
	inside // a value that is no string, which is passed over
	inText
	afterText
)

// append appends to dst what piece adds to the text.
func (u *innerText) append(dst, piece []byte) []byte {
	if u.state < inText {
		u.before = append(u.before, piece...)
	}
	for i := 0; i < len(piece) && u.state != afterText; {
		if u.state == inText {
			var n int
			dst, n = u.text(dst, piece[i:])
			i += n
			continue
		}
		u.step(piece[i])
		i++
	}
	if u.state >= inText {
		u.before = nil
	}
	return dst
}

// step reads a byte of what stands before the string.
func (u *innerText) step(c byte) {
	space := c == ' ' || c == '\t' || c == '\n' || c == '\r'
	switch u.state {
	case inside:
		u.passOver(c)
	case inName:
		switch {
		case u.slash:
			u.slash = false
		case c == '\\':
			u.slash = true
		case c == '"':
			u.state = beforeColon
		}
	case beforeObject, beforeName, beforeColon, beforeValue:
		switch {
		case space, c == ',' && u.state == beforeName:
		case c == '{' && u.state == beforeObject:
			u.state = beforeName
		case c == '"' && u.state == beforeName:
			u.state = inName
		case c == ':' && u.state == beforeColon:
			u.state = beforeValue
		case c == '"' && u.state == beforeValue:
			u.state = inText
		case u.state == beforeValue:
			u.state = inside
			u.passOver(c)
		default: // no object, or no JSON: see end
			u.state, u.depth = inside, 1<<30
		}
	}
}

// passOver reads a byte of a value that is no string.
func (u *innerText) passOver(c byte) {
	switch {
	case u.slash:
		u.slash = false
	case u.quoted:
		u.slash, u.quoted = c == '\\', c != '"'
	case c == '"':
		u.quoted = true
	case c == '{' || c == '[':
		u.depth++
	case (c == '}' || c == ']') && u.depth > 0:
		u.depth--
	case c == ',' && u.depth == 0:
		u.state = beforeName
	}
}

// text appends the start of b, which is in the string, to dst: up to an escape
// sequence, or one. It returns how many bytes of b that was.
func (u *innerText) text(dst, b []byte) ([]byte, int) {
	if len(u.escape) == 0 {
		n := bytes.IndexAny(b, `"\`)
		switch {
		case n < 0:
			return append(dst, b...), len(b)
		case b[n] == '"':
			u.state = afterText
			return append(dst, b[:n]...), n + 1
		}
		u.escape = append(u.escape, '\\')
		return append(dst, b[:n]...), n + 1
	}
	e := u.escape
	if len(e) == 6 && b[0] != '\\' || len(e) == 7 && b[0] != 'u' {
		return u.unescaped(dst, 6), 0 // half of a pair of surrogates, and no other half
	}
	e = append(e, b[0])
	u.escape = e
	if len(e) == 12 && !isSurrogate(e[6:], 'c') {
		dst = u.unescaped(dst, 6)
		e = u.escape
	}
	if len(e) == 2 && e[1] != 'u' || len(e) == 6 && !isSurrogate(e, '8') || len(e) == 12 {
		dst = u.unescaped(dst, len(e))
	}
	return dst, 1
}

// isSurrogate reports whether an escape sequence is one half of a pair: the first,
// from d800 on, or the second, from dc00 on.
func isSurrogate(e []byte, from byte) bool {
	if e[2]|0x20 != 'd' {
		return false
	}
	switch e[3] {
	case '8', '9', 'a', 'b', 'A', 'B':
		return from == '8'
	case 'c', 'd', 'e', 'f', 'C', 'D', 'E', 'F':
		return from == 'c'
	}
	return false
}

// unescaped appends what the first n bytes of the escape sequence stand for; what is
// not JSON is appended as it is.
func (u *innerText) unescaped(dst []byte, n int) []byte {
	var space [14]byte
	quoted := append(append(append(space[:0], '"'), u.escape[:n]...), '"')
	if jsonedit.Valid(quoted) == nil {
		dst, _ = jsonedit.AppendUnquoted(dst, quoted)
	} else {
		dst = append(dst, u.escape[:n]...)
	}
	u.escape = append(u.escape[:0], u.escape[n:]...)
	return dst
}

// end appends the rest of the text, when all arguments have come.
func (u *innerText) end(dst []byte) []byte {
	if u.state >= inText {
		return u.unfinished(dst)
	}
	text := bytes.TrimSpace(u.before)
	u.before, u.state = nil, afterText
	if string(text) == "{}" {
		return dst
	}
	return append(dst, text...)
}

// unfinished appends an escape sequence that was cut off.
func (u *innerText) unfinished(dst []byte) []byte {
	if len(u.escape) >= 6 {
		dst = u.unescaped(dst, 6)
	}
	u.escape = u.escape[:0]
	return dst
}
