// Package jsonedit reads JSON text without decoding it, and edits the members of
// an object without changing the bytes around them. No other package searches
// JSON by hand. The package knows no field of any API.
//
// Start with Object, which validates a body and finds its members, and Splice,
// which edits them. trusted.go reads values that have already been validated. A
// text that is read as a whole becomes a Value, which refers to the text: strings are not
// copied, the original text of each value is known, and what is not JSON is refused.
package jsonedit

import (
	"bytes"
	"strconv"
)

// Member is a member of a JSON object. Its slices alias the body, so it is
// valid as long as the body is unchanged.
type Member struct {
	// Key is the name without quotes, unescaped; a copy if it had escapes.
	Key []byte
	// Value is the value as written, without white space around it.
	Value []byte
	// Start and End are the offsets in the body of the name's opening quote and
	// of the byte after the value.
	Start, End int
}

// SyntaxError means that a text is not valid JSON, or not the kind of value that is
// required.
type SyntaxError struct {
	Offset  int // of the first wrong byte, from 0
	Message string
}

func (e *SyntaxError) Error() string {
	return e.Message + " at byte " + strconv.Itoa(e.Offset)
}

// Object appends the members of the JSON object body to dst, in order, and
// returns the extended slice. The whole body is validated: it must be one object,
// valid JSON (RFC 8259), nested at most MaxDepth deep, with only white space
// around it. As in encoding/json, strings need not be valid UTF-8. Members with
// duplicate names are all returned; the last one wins. Errors are *SyntaxError.
// Only dst and names with escapes are allocated.
func Object(body []byte, dst []Member) ([]Member, error) {
	s := validating(body)
	for s.next() {
		dst = append(dst, Member{Key: s.name(), Value: s.value(), Start: s.at.start, End: s.at.end})
	}
	return dst, s.end()
}

// validator goes through the members of an object one by one, and validates the whole.
type validator struct {
	text []byte
	at   place // of the member
	i    int   // where the next one begins,
	more bool  // if there is one
	err  error
}

// validating returns a validator before the first member of body.
func validating(body []byte) (s validator) {
	s.text, s.i = body, skipSpace(body, 0)
	if s.i == len(body) || body[s.i] != '{' {
		s.err = fail(body, s.i, "an object")
		return s
	}
	s.i, s.more, s.err = enter(body, s.i, 1, '}')
	return s
}

// next goes to the next member. It returns false after the last one and when what
// follows is not valid.
func (s *validator) next() bool {
	if !s.more || s.err != nil {
		return false
	}
	if s.at, s.err = member(s.text, s.i, 1); s.err != nil {
		return false
	}
	s.i, s.more, s.err = follow(s.text, s.at.end, '}')
	return true
}

func (s *validator) name() []byte {
	return unescaped(s.text[s.at.start+1 : s.at.name-1 : s.at.name-1])
}

func (s *validator) value() []byte { return s.text[s.at.value:s.at.end:s.at.end] }

// end returns why the text is not one object.
func (s *validator) end() error {
	if s.err != nil {
		return s.err
	}
	return end(s.text, s.i)
}

// Array appends the elements of the JSON array list to dst, as written, and
// returns the extended slice. It validates list as Object does.
func Array(list []byte, dst [][]byte) ([][]byte, error) {
	i := skipSpace(list, 0)
	if i == len(list) || list[i] != '[' {
		return dst, fail(list, i, "an array")
	}
	i, more, err := enter(list, i, 1, ']')
	for more && err == nil {
		var to int
		if to, err = value(list, i, 1); err != nil {
			break
		}
		dst = append(dst, list[i:to:to])
		i, more, err = follow(list, to, ']')
	}
	if err != nil {
		return dst, err
	}
	return dst, end(list, i)
}

// Valid returns nil if text is one JSON value, and otherwise a *SyntaxError.
func Valid(text []byte) error {
	i, err := value(text, skipSpace(text, 0), 0)
	if err != nil {
		return err
	}
	return end(text, i)
}

// ValidString is like Valid for a string.
func ValidString(text string) error { return Valid(bytesOf(text)) }

// end checks that only white space follows.
func end(text []byte, i int) error {
	if i = skipSpace(text, i); i < len(text) {
		return fail(text, i, "the end")
	}
	return nil
}

// Find returns the value of the last member called key, or nil.
func Find(ms []Member, key string) []byte {
	for i := len(ms) - 1; i >= 0; i-- {
		if string(ms[i].Key) == key {
			return ms[i].Value
		}
	}
	return nil
}

// Lookup returns the value at a path of object members as written, or nil if there
// is none or body is not valid JSON. The last of duplicate names wins. For an
// empty path it returns body without white space around it.
func Lookup(body []byte, path ...string) []byte {
	if len(path) == 0 {
		if Valid(body) != nil {
			return nil
		}
		return bytes.Trim(body, " \t\r\n")
	}
	var value []byte
	s := validating(body)
	for s.next() {
		if string(s.name()) == path[0] {
			value = s.value()
		}
	}
	if s.end() != nil {
		return nil
	}
	for _, key := range path[1:] {
		value = Get(value, key)
	}
	return value
}

// Get returns the value of the last member called key of a valid object, or nil.
func Get(object []byte, key string) (value []byte) {
	for w := Walk(object); w.Next(); {
		if string(w.Key) == key {
			value = w.Value
		}
	}
	return value
}

// The functions below tell the kind of a value by its first byte. So value must be
// valid, as a Member's value is, without white space before it. For nil they all
// return false.

// IsObject reports whether value is an object.
func IsObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// IsArray reports whether value is an array.
func IsArray(value []byte) bool { return len(value) > 0 && value[0] == '[' }

// IsString reports whether value is a string.
func IsString(value []byte) bool { return len(value) > 0 && value[0] == '"' }

// IsNumber reports whether value is a number.
func IsNumber(value []byte) bool {
	return len(value) > 0 && (value[0] == '-' || value[0] >= '0' && value[0] <= '9')
}

// IsTrue reports whether value is true.
func IsTrue(value []byte) bool { return string(value) == "true" }

// IsFalse reports whether value is false.
func IsFalse(value []byte) bool { return string(value) == "false" }

// IsNull reports whether value is null. An absent value is not.
func IsNull(value []byte) bool { return string(value) == "null" }

// Int returns the value of a JSON number, and whether it is an integer (1e3 and 2.0
// are).
func Int(value []byte) (int, bool) {
	if !IsNumber(value) {
		return 0, false
	}
	if i, err := strconv.Atoi(string(value)); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(string(value), 64)
	const limit = 1 << 53 // beyond it, floats skip integers
	if err != nil || f < -limit || f > limit || f != float64(int(f)) {
		return 0, false
	}
	return int(f), true
}
