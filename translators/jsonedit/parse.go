package jsonedit

import (
	"bytes"
	"math"
)

// Parser parses texts into Values, one text at a time: parsing the next text
// invalidates the values of the previous one. It keeps its memory, so a reused
// parser does not allocate. Neither a Parser nor its values are safe for
// concurrent use.
type Parser struct {
	text []byte
	// nodes holds the values in the order of the text, each followed by the
	// values inside it.
	nodes []Value
	// Results of reading nodes: unescaped strings and names, the elements of
	// arrays, and the hash tables of large objects.
	scratch []byte
	lists   []*Value
	slots   []uint32
}

// Parse returns text as a Value. All of text is validated as by Object. Values
// alias text, so it must not change while they are used. Errors are *SyntaxError.
func (p *Parser) Parse(text []byte) (*Value, error) {
	p.text, p.nodes = text, p.nodes[:0]
	p.scratch, p.lists, p.slots = p.scratch[:0], p.lists[:0], p.slots[:0]
	if uint64(len(text)) > math.MaxUint32 {
		return nil, &SyntaxError{len(text), "the text is longer than 4 GiB"}
	}
	i, err := p.value(skipSpace(text, 0), 0)
	if err == nil {
		err = end(text, i)
	}
	if err != nil {
		return nil, err
	}
	return &p.nodes[0], nil
}

// Object is like the function of this name, and also returns the object as a Value,
// which is nil if body is longer than Parse takes. So one look at a body finds both. The
// members stay valid when the parser parses another text.
func (p *Parser) Object(body []byte, dst []Member) (*Value, []Member, error) {
	o, _ := p.Parse(body)
	if o.Type() != TypeObject {
		dst, err := Object(body, dst) // it says what is wrong
		return nil, dst, err
	}
	start := skipSpace(body, int(o.start)+1)
	for i := o.at + 1; i < o.next; i = p.nodes[i].next {
		m := &p.nodes[i]
		name := p.nameOf(m)
		if m.flags&nameMade != 0 {
			name = bytes.Clone(name)
		}
		dst = append(dst, Member{Key: name, Value: m.Raw(), Start: start, End: int(m.end)})
		start = next(body, int(m.end))
	}
	return o, dst, nil
}

// Parse parses text with a new Parser, so the values stay valid as long as text does
// not change.
func Parse(text []byte) (*Value, error) { return new(Parser).Parse(text) }

// MustParse is like Parse, for texts that are part of the program. It panics if
// text is not JSON.
func MustParse(text string) *Value {
	v, err := Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

// add appends a node for the value at offset i and returns it; it is valid
// until the next one is added.
func (p *Parser) add(i int) *Value {
	n := len(p.nodes)
	if n == cap(p.nodes) {
		p.grow()
	}
	p.nodes = p.nodes[:n+1]
	v := &p.nodes[n]
	v.start, v.name, v.nameEnd, v.made, v.flags = uint32(i), 0, 0, 0, 0
	return v
}

// grow doubles the space for nodes. It also sets each node's parser and index,
// which are the same for all texts.
func (p *Parser) grow() {
	nodes := make([]Value, max(16, 2*cap(p.nodes)))
	used := copy(nodes, p.nodes)
	for i := range nodes {
		nodes[i].doc, nodes[i].at = p, uint32(i)
	}
	p.nodes = nodes[:used]
	p.lists = nil // they would hold the old nodes
}

// value adds the value at i and all that is in it, and returns the offset after
// it; depth is the number of objects and arrays around it.
func (p *Parser) value(i, depth int) (int, error) {
	if i >= len(p.text) {
		return i, fail(p.text, i, "a value")
	}
	v := p.add(i)
	var err error
	switch c := p.text[i]; {
	case c == '"':
		v.kind = TypeString
		i, v.flags, err = scanString(p.text, i)
	case c == '{':
		v.kind = TypeObject
		return p.object(v.at, i, depth+1)
	case c == '[':
		v.kind = TypeArray
		return p.array(v.at, i, depth+1)
	case c == '-' || c >= '0' && c <= '9':
		v.kind = TypeNumber
		i, err = number(p.text, i)
	case c == 't':
		v.kind = TypeTrue
		i, err = word(p.text, i, "true")
	case c == 'f':
		v.kind = TypeFalse
		i, err = word(p.text, i, "false")
	case c == 'n':
		v.kind = TypeNull
		i, err = word(p.text, i, "null")
	default:
		return i, fail(p.text, i, "a value")
	}
	v.end, v.next = uint32(i), v.at+1
	return i, err
}

// object adds the members of the object at i, whose node is at.
func (p *Parser) object(at uint32, i, depth int) (int, error) {
	i, more, err := enter(p.text, i, depth, '}')
	count := uint32(0)
	for more && err == nil {
		count++
		if i, err = p.member(i, depth); err == nil {
			i, more, err = follow(p.text, i, '}')
		}
	}
	p.close(at, i, count)
	return i, err
}

// array is like object, for arrays.
func (p *Parser) array(at uint32, i, depth int) (int, error) {
	i, more, err := enter(p.text, i, depth, ']')
	count := uint32(0)
	for more && err == nil {
		count++
		if i, err = p.value(i, depth); err == nil {
			i, more, err = follow(p.text, i, ']')
		}
	}
	p.close(at, i, count)
	return i, err
}

// close records the end of the node at, and the number of its members or elements.
func (p *Parser) close(at uint32, i int, count uint32) {
	v := &p.nodes[at]
	v.end, v.next, v.count = uint32(i), uint32(len(p.nodes)), count
}

// member adds the member at i. The node of its value also holds its name.
func (p *Parser) member(i, depth int) (int, error) {
	if i >= len(p.text) || p.text[i] != '"' {
		return i, fail(p.text, i, "a name in quotes")
	}
	name := i + 1
	i, how, err := scanString(p.text, i)
	if err != nil {
		return i, err
	}
	nameEnd := i - 1
	if i = skipSpace(p.text, i); i >= len(p.text) || p.text[i] != ':' {
		return i, fail(p.text, i, "a colon")
	}
	at := len(p.nodes)
	if i, err = p.value(skipSpace(p.text, i+1), depth); err != nil {
		return i, err
	}
	v := &p.nodes[at]
	if how&escaped != 0 {
		from := len(p.scratch)
		p.scratch = appendUnescaped(p.scratch, p.text[name:nameEnd])
		name, nameEnd = from, len(p.scratch)
		v.flags |= nameMade
	}
	v.name, v.nameEnd = uint32(name), uint32(nameEnd)
	return i, nil
}
