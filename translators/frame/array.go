package frame

import (
	"bytes"
	"io"
)

// array splits a JSON array into its elements as they arrive, or splits consecutive
// values, with or without white space between them. It only finds where values
// end; it does not validate them.
//
// An element is complete with its last byte, so that none is delayed. The comma or
// bracket after it, and white space within the array, go into the next Raw. Only a
// bare number or word needs the following byte to be complete. A line end after a
// value outside of an array is an event without Data, since a client that reads
// lines waits for it.
type array struct {
	state   arrayState
	inArray bool
	value   span
	scan    int // offset of the first byte not looked at
	depth   int // of open brackets within the value
	quoted  bool
	escaped bool // the window ended in a string's backslash
}

type arrayState uint8

const (
	between    arrayState = iota // outside of arrays, or at the start
	opened                       // after [
	afterComma                   // in an array, a value must follow
	afterValue                   // in an array, a comma or ] must follow
	inWord                       // in a number, true, false or null
	inValue                      // in an object, an array or a string
)

func (a *array) cut(window []byte, whole bool) (int, error) {
	for a.scan < len(window) {
		var n int
		var err error
		switch a.state {
		case inValue:
			n = a.skipValue(window)
		case inWord:
			n = a.skipWord(window)
		default:
			n, err = a.step(window)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	switch {
	case !whole:
		return 0, nil
	case a.inArray || a.state == inValue:
		return 0, io.ErrUnexpectedEOF
	case a.state == inWord:
		return a.ended(len(window)), nil
	}
	return len(window), nil
}

// step looks at one byte between values.
func (a *array) step(window []byte) (int, error) {
	c := window[a.scan]
	a.scan++
	switch c {
	case ' ', '\t', '\r':
		return 0, nil
	case '\n':
		if a.state == between {
			return a.scan, nil
		}
		return 0, nil
	case ',':
		if a.state != afterValue {
			break
		}
		a.state = afterComma
		return 0, nil
	case ']':
		if a.state != afterValue && a.state != opened {
			break
		}
		a.state, a.inArray = between, false
		return a.scan, nil
	default:
		if a.state == afterValue {
			break
		}
		if c == '[' && a.state == between {
			a.state, a.inArray = opened, true
			return 0, nil
		}
		if a.begin(c) {
			return 0, nil
		}
	}
	return 0, &SyntaxError{Message: "a stream of JSON values has " + string(quote(c)) + " where " + a.expected() + " must stand"}
}

func (a *array) expected() string {
	if a.state == afterValue {
		return "a comma or the end of the array"
	}
	return "a value"
}

// quote makes c readable in an error.
func quote(c byte) []byte {
	const hex = "0123456789abcdef"
	if c < ' ' || c > '~' {
		return []byte{'0', 'x', hex[c>>4], hex[c&15]}
	}
	return []byte{'\'', c, '\''}
}

// begin notes a value's start; it is false when no value starts with c.
func (a *array) begin(c byte) bool {
	switch {
	case c == '{' || c == '[':
		a.state, a.depth = inValue, 1
	case c == '"':
		a.state, a.depth, a.quoted = inValue, 0, true
	case c == '-' || c >= '0' && c <= '9' || c == 't' || c == 'f' || c == 'n':
		a.state = inWord
	default:
		return false
	}
	a.value.from = a.scan - 1
	return true
}

// ended notes a value's end and returns it.
func (a *array) ended(end int) int {
	a.value.to = end
	if a.state = between; a.inArray {
		a.state = afterValue
	}
	return end
}

func (a *array) skipWord(window []byte) int {
	i := bytes.IndexAny(window[a.scan:], " \t\r\n,]}[{\":")
	if i < 0 {
		a.scan = len(window)
		return 0
	}
	return a.ended(a.scan + i)
}

func (a *array) skipValue(window []byte) int {
	for a.scan < len(window) {
		if a.quoted {
			a.skipString(window)
			if a.quoted || a.depth > 0 {
				continue
			}
			return a.ended(a.scan)
		}
		c := window[a.scan]
		a.scan++
		switch c {
		case '"':
			a.quoted = true
		case '{', '[':
			a.depth++
		case '}', ']':
			if a.depth--; a.depth == 0 {
				return a.ended(a.scan)
			}
		}
	}
	return 0
}

// skipString goes behind the closing quote, or to the end of the window. It
// looks at each byte once, however many escapes there are.
func (a *array) skipString(window []byte) {
	if a.escaped {
		a.escaped = false
		a.scan++
	}
	quote := -1 // offset of the next quote, once looked for
	for a.scan < len(window) {
		if quote < a.scan {
			quote = bytes.IndexByte(window[a.scan:], '"')
			if quote < 0 {
				quote = len(window)
			} else {
				quote += a.scan
			}
		}
		escape := bytes.IndexByte(window[a.scan:quote], '\\')
		switch {
		case escape >= 0:
			a.scan += escape + 2
		case quote < len(window):
			a.scan, a.quoted = quote+1, false
			return
		default:
			a.scan = len(window)
		}
	}
	if a.scan > len(window) {
		a.scan, a.escaped = len(window), true
	}
}

func (a *array) event(raw []byte) (Event, error) {
	ev := Event{Raw: raw}
	if a.value.to > 0 {
		ev.Data = raw[a.value.from:a.value.to]
	}
	a.scan, a.value = 0, span{}
	return ev, nil
}
