package jsonedit

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// Type is the kind of a Value.
type Type uint8

// The kinds of values; TypeNone is that of a Value that is not there.
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

// Value is a value of a parsed text, which it aliases: strings and numbers are
// looked at only when they are asked for. Of members with equal names only the
// last is there, at any depth: so do most decoders, and what is checked before
// a translation and what a model reads are then the same.
//
// All methods may be called on nil, which is a value that is not there. A Value
// and what its methods return are gone when its Parser parses another text.
type Value struct {
	doc *Parser
	at  uint32 // its index among the nodes

	start, end    uint32 // where it stands in the text
	name, nameEnd uint32 // where its name without quotes stands, if it is a member: in the text or, with nameMade, in scratch
	next          uint32 // the node after all that is in it
	count         uint32 // of members or elements; of a string's bytes in scratch
	made          uint32 // 1 + where scratch, lists or slots have what reading made of it; 0 for nothing yet
	kind          Type
	flags         uint8
}

// nameMade says in a Value's flags that its name had escapes.
const nameMade = 1 << 3

// errType says that a value is not of the kind that was asked for.
var errType = errors.New("the value is of another type")

// Type returns the kind of v.
func (v *Value) Type() Type {
	if v == nil {
		return TypeNone
	}
	return v.kind
}

// Raw returns v as written, nil when it is not there.
func (v *Value) Raw() []byte {
	if v == nil {
		return nil
	}
	return v.doc.text[v.start:v.end:v.end]
}

// Get returns the value at a path of names of members and indexes of elements,
// or nil.
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

// Exists says whether there is a value at the path; null is one.
func (v *Value) Exists(path ...string) bool { return v.Get(path...) != nil }

// GetObject returns the object at the path, nil when there is none.
func (v *Value) GetObject(path ...string) *Value {
	if v = v.Get(path...); v.Type() != TypeObject {
		return nil
	}
	return v
}

// Object returns v, and an error when it is no object.
func (v *Value) Object() (*Value, error) {
	if v.Type() != TypeObject {
		return nil, errType
	}
	return v, nil
}

// GetArray returns the elements of the array at the path, nil when there is none.
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

// Array returns the elements of v, and an error when it is no array.
func (v *Value) Array() ([]*Value, error) {
	if v.Type() != TypeArray {
		return nil, errType
	}
	return v.GetArray(), nil
}

// GetStringBytes returns what the string at the path says, nil when there is
// none. The bytes are not to be changed.
func (v *Value) GetStringBytes(path ...string) []byte {
	if v = v.Get(path...); v.Type() != TypeString {
		return nil
	}
	p := v.doc
	inside := p.text[v.start+1 : v.end-1 : v.end-1]
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

// StringBytes returns what the string v says, and an error when it is none.
func (v *Value) StringBytes() ([]byte, error) {
	if v.Type() != TypeString {
		return nil, errType
	}
	return v.GetStringBytes(), nil
}

// GetInt returns the integer at the path as Value's Int reads it, 0 when there
// is none.
func (v *Value) GetInt(path ...string) int {
	n, _ := v.Get(path...).Int()
	return n
}

// GetInt64 is GetInt for fields of that type.
func (v *Value) GetInt64(path ...string) int64 { return int64(v.GetInt(path...)) }

// Int returns the integer v, and an error when it is none, is written otherwise
// (1e3, 2.0) or does not fit.
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

// GetFloat64 returns the number at the path, 0 when there is none.
func (v *Value) GetFloat64(path ...string) float64 {
	f, _ := v.Get(path...).Float64()
	return f
}

// Float64 returns the number v, and an error when it is none or beyond what a
// float can hold.
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

// GetBool says whether the value at the path is true.
func (v *Value) GetBool(path ...string) bool { return v.Get(path...).Type() == TypeTrue }

// Bool returns the boolean v, and an error when it is none.
func (v *Value) Bool() (bool, error) {
	switch v.Type() {
	case TypeTrue:
		return true, nil
	case TypeFalse:
		return false, nil
	}
	return false, errType
}

// AppendValue writes v without white space, null when it is not there. Numbers
// keep their text, and strings all that is valid in it: what is not UTF-8
// becomes \ufffd, and characters that need no escape have none.
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
