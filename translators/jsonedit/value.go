package jsonedit

import (
	"errors"
	"strconv"
	"time"
	"unicode/utf8"
)

// Type is the kind of a Value.
type Type uint8

// The kinds of values. TypeNone is the kind of an absent Value (nil).
const (
	TypeNone Type = iota
	TypeNull
	TypeObject
	TypeArray
	TypeString
	TypeNumber
	TypeTrue
	TypeFalse
)

// String names the kind as JSON does.
func (t Type) String() string {
	return [...]string{"nothing", "null", "object", "array", "string", "number", "true", "false"}[t]
}

// Value is a value of a parsed text, which it aliases. Strings and numbers are only
// decoded when they are read. Of members with the same name only the last exists,
// at any depth, as in most decoders. So what is checked before a translation is
// what the model gets.
//
// All methods may be called on nil, which is an absent value. A Value and what its
// methods return are valid until its Parser parses another text.
type Value struct {
	doc *Parser
	at  uint32 // its index in nodes

	start, end    uint32 // its position in the text
	name, nameEnd uint32 // position of its name without quotes, if it is a member: in the text or, with nameMade, in scratch
	next          uint32 // the node after all nodes inside it
	count         uint32 // of members or elements; of a string's bytes in scratch
	made          uint32 // 1 + position of the result of reading it, in scratch, lists or slots; 0 if not read yet
	kind          Type
	flags         uint8
}

// nameMade is the flag of a Value whose name had escapes.
const nameMade = 1 << 3

// errType means that a value is not of the requested kind.
var errType = errors.New("the value is of another type")

// Type returns the kind of v.
func (v *Value) Type() Type {
	if v == nil {
		return TypeNone
	}
	return v.kind
}

// Raw returns the text of v as written; nil if v is absent.
func (v *Value) Raw() []byte {
	if v == nil {
		return nil
	}
	return v.doc.text[v.start:v.end:v.end]
}

// Get returns the value at a path of member names and element indexes, or nil if
// there is none.
func (v *Value) Get(path ...string) *Value {
	for _, name := range path {
		switch v.Type() {
		case TypeObject:
			v = v.doc.find(v, name)
		case TypeArray:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= int(v.count) {
				return nil
			}
			v = v.GetArray()[n]
		default:
			return nil
		}
	}
	return v
}

// Exists reports whether there is a value at the path; null counts as a value.
func (v *Value) Exists(path ...string) bool { return v.Get(path...) != nil }

// Has reports whether there is a value at the path that is not null.
func (v *Value) Has(path ...string) bool {
	v = v.Get(path...)
	return v != nil && v.Type() != TypeNull
}

// GetString returns a copy of the text of the string at the path, or "" if there is
// none.
func (v *Value) GetString(path ...string) string { return string(v.GetStringBytes(path...)) }

// GetObject returns the object at the path, or nil if there is none.
func (v *Value) GetObject(path ...string) *Value {
	if v = v.Get(path...); v.Type() != TypeObject {
		return nil
	}
	return v
}

// Object returns v, or an error if it is not an object.
func (v *Value) Object() (*Value, error) {
	if v.Type() != TypeObject {
		return nil, errType
	}
	return v, nil
}

// GetArray returns the elements of the array at the path, or nil if there is none.
func (v *Value) GetArray(path ...string) []*Value {
	if v = v.Get(path...); v.Type() != TypeArray {
		return nil
	}
	p := v.doc
	if v.made == 0 {
		v.made = uint32(len(p.lists)) + 1
		for i := v.at + 1; i < v.next; i = p.nodes[i].next {
			p.lists = append(p.lists, &p.nodes[i])
		}
	}
	from, to := v.made-1, v.made-1+v.count
	return p.lists[from:to:to]
}

// Array returns the elements of v, or an error if it is not an array.
func (v *Value) Array() ([]*Value, error) {
	if v.Type() != TypeArray {
		return nil, errType
	}
	return v.GetArray(), nil
}

// GetStringBytes returns the text of the string at the path, or nil if there is
// none. The caller must not change the bytes.
func (v *Value) GetStringBytes(path ...string) []byte {
	if v = v.Get(path...); v.Type() != TypeString {
		return nil
	}
	p := v.doc
	inside := v.inside()
	if v.flags&escaped == 0 {
		return inside
	}
	if v.made == 0 {
		from := len(p.scratch)
		p.scratch = appendUnescaped(p.scratch, inside)
		v.made, v.count = uint32(from)+1, uint32(len(p.scratch)-from)
	}
	from, to := v.made-1, v.made-1+v.count
	return p.scratch[from:to:to]
}

// StringBytes returns the text of the string v, or an error if it is not a string.
func (v *Value) StringBytes() ([]byte, error) {
	if v.Type() != TypeString {
		return nil, errType
	}
	return v.GetStringBytes(), nil
}

// GetInt returns the integer at the path, read as by Int, or 0 if there is none.
func (v *Value) GetInt(path ...string) int {
	n, _ := v.Get(path...).Int()
	return n
}

// Int returns the integer v. It fails if v is not an integer, is not written as one
// (1e3, 2.0), or does not fit into an int.
func (v *Value) Int() (int, error) {
	if v.Type() != TypeNumber {
		return 0, errType
	}
	n, err := strconv.Atoi(alias(v.Raw()))
	if err != nil {
		return 0, errType
	}
	return n, nil
}

// GetFloat64 returns the number at the path, or 0 if there is none.
func (v *Value) GetFloat64(path ...string) float64 {
	f, _ := v.Get(path...).Float64()
	return f
}

// Float64 returns the number v. It fails if v is not a number or does not fit into a
// float64.
func (v *Value) Float64() (float64, error) {
	if v.Type() != TypeNumber {
		return 0, errType
	}
	f, err := strconv.ParseFloat(alias(v.Raw()), 64)
	if err != nil {
		return 0, errType
	}
	return f, nil
}

// Unix returns the time at path in v, in unix seconds: a string of RFC 3339, with or without
// a fraction of a second. It is 0 where there is none.
func Unix(v *Value, path ...string) int64 {
	at, err := time.Parse(time.RFC3339, v.GetString(path...))
	if err != nil {
		return 0
	}
	return at.Unix()
}

// GetBool reports whether the value at the path is true.
func (v *Value) GetBool(path ...string) bool { return v.Get(path...).Type() == TypeTrue }

// Bool returns the boolean v, or an error if it is not a boolean.
func (v *Value) Bool() (bool, error) {
	switch v.Type() {
	case TypeTrue:
		return true, nil
	case TypeFalse:
		return false, nil
	}
	return false, errType
}

// AppendValue appends v to dst without white space, or null if v is absent. Numbers
// keep their text. Strings are written with only the escapes they need, and bytes
// that are not UTF-8 become \ufffd.
func AppendValue(dst []byte, v *Value) []byte {
	switch v.Type() {
	case TypeNone:
		return append(dst, "null"...)
	case TypeString:
		raw := v.Raw()
		if v.flags&unusual != 0 || v.flags&wide != 0 && !utf8.Valid(raw) {
			return AppendBytes(dst, v.GetStringBytes())
		}
		return append(dst, raw...)
	case TypeArray:
		p := v.doc
		dst = append(dst, '[')
		for i := v.at + 1; i < v.next; i = p.nodes[i].next {
			if i > v.at+1 {
				dst = append(dst, ',')
			}
			dst = AppendValue(dst, &p.nodes[i])
		}
		return append(dst, ']')
	case TypeObject:
		dst = append(dst, '{')
		first := true
		v.Visit(func(name []byte, member *Value) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = AppendValue(append(AppendBytes(dst, name), ':'), member)
		})
		return append(dst, '}')
	}
	return append(dst, v.Raw()...)
}
