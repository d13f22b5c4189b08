package jsonedit

import (
	"hash/maphash"
	"unsafe"
)

// fewNames is the largest number of members whose names are compared one by one.
// Larger objects get a hash table, so that the time for many lookups, or for many
// duplicate names, stays linear.
const fewNames = 32

// Visit calls f for each member of the object v, in order. Of members with the same
// name it only visits the last. It does nothing if v is not an object.
func (v *Value) Visit(f func(name []byte, member *Value)) {
	if v.Type() != TypeObject {
		return
	}
	p := v.doc
	for i := v.at + 1; i < v.next; i = p.nodes[i].next {
		if m := &p.nodes[i]; !p.replaced(v, m) {
			f(p.nameOf(m), m)
		}
	}
}

// Len returns the number of members of the object v. Members with the same name
// are counted once. It is 0 if v is not an object.
func (v *Value) Len() int {
	n := 0
	v.Visit(func([]byte, *Value) { n++ })
	return n
}

// nameOf returns the name of the member m.
func (p *Parser) nameOf(m *Value) []byte {
	if m.flags&nameMade != 0 {
		return p.scratch[m.name:m.nameEnd:m.nameEnd]
	}
	return p.text[m.name:m.nameEnd:m.nameEnd]
}

// find returns the last member of the object o with a name, or nil.
func (p *Parser) find(o *Value, name string) (found *Value) {
	if o.count > fewNames {
		if at := *p.slot(p.table(o), name); at != 0 {
			return &p.nodes[at]
		}
		return nil
	}
	for i := o.at + 1; i < o.next; {
		m := &p.nodes[i]
		if int(m.nameEnd-m.name) == len(name) && string(p.nameOf(m)) == name {
			found = m
		}
		i = m.next
	}
	return found
}

// replaced reports whether a later member of the object o has m's name.
func (p *Parser) replaced(o, m *Value) bool {
	name := p.nameOf(m)
	if o.count > fewNames {
		return *p.slot(p.table(o), alias(name)) != m.at
	}
	for i := m.next; i < o.next; {
		later := &p.nodes[i]
		if later.nameEnd-later.name == m.nameEnd-m.name && string(p.nameOf(later)) == string(name) {
			return true
		}
		i = later.next
	}
	return false
}

var seed = maphash.MakeSeed()

// table returns the hash table of the object o. It holds, for each name, the node
// of the last member. A free slot is 0, as node 0 is never a member. At least half
// of the slots are free.
func (p *Parser) table(o *Value) []uint32 {
	size := uint32(1)
	for size < 2*o.count {
		size *= 2
	}
	if o.made != 0 {
		return p.slots[o.made-1:][:size]
	}
	from := len(p.slots)
	for n := int(size); n > 0; n -= len(noSlots) {
		p.slots = append(p.slots, noSlots[:min(n, len(noSlots))]...)
	}
	o.made = uint32(from) + 1
	table := p.slots[from:]
	for i := o.at + 1; i < o.next; {
		m := &p.nodes[i]
		*p.slot(table, alias(p.nameOf(m))) = i
		i = m.next
	}
	return table
}

// noSlots is a part of an empty table.
var noSlots [256]uint32

// slot returns the slot of a name in a table: the slot of its member, or the free
// slot where the member would go.
func (p *Parser) slot(table []uint32, name string) *uint32 {
	mask := uint64(len(table) - 1)
	for i := maphash.String(seed, name) & mask; ; i = (i + 1) & mask {
		if at := table[i]; at == 0 || string(p.nameOf(&p.nodes[at])) == name {
			return &table[i]
		}
	}
}

// alias returns b as a string without a copy.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
