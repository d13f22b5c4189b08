package jsonedit

import "bytes"

// Edit is a change to one member.
type Edit struct {
	Key string
	// Value is the new value, valid JSON. nil removes the member, or keeps its
	// value if Name is set.
	Value []byte
	// Name is the member's new name; "" keeps the name. If the object has no member
	// Key, nothing is renamed. Other members with the new name are removed.
	Name string
}

// name returns the name of the member after the edit.
func (e *Edit) name() string {
	if e.Name != "" {
		return e.Name
	}
	return e.Key
}

// Splice appends the object body with its members edited to dst, as pieces
// that alias body and the values of edits, and returns the extended slice. ms
// are all members of body, from Object.
//
// An existing member is replaced in place, a new one is added at the end, and all
// other bytes stay the same. Of several members with the edited key, the last one
// is edited and the others are removed. Of two edits with the same key, the last
// one wins. Two edits must not give two members the same name.
func Splice(dst [][]byte, body []byte, ms []Member, edits []Edit) [][]byte {
	s := splice{dst: dst, body: body, ms: ms, edits: edits}
	s.locate()
	if len(ms) == 0 {
		s.to = bytes.IndexByte(body, '{') + 1
	} else {
		s.to = ms[0].Start
	}
	for i := range ms {
		s.member(i)
	}
	s.added()
	if len(ms) > 0 {
		s.copy(ms[len(ms)-1].End, len(body))
	} else {
		s.copy(s.to, len(body))
	}
	s.flush()
	return s.dst
}

const unused = -2 // an edit that a later one of the same key replaces

// splice is the state of one call of Splice.
type splice struct {
	dst   [][]byte
	body  []byte
	ms    []Member
	edits []Edit
	few   [16]int // last, where that many will do: it is on the stack
	many  []int

	// Many edits are found by name, so that the time does not grow with edits times
	// members.
	byKey, byName map[string]int

	from, to int  // part of body that is not in dst yet
	any      bool // a member has been written
}

// last holds the index of the member that an edit changes: -1 if there is none, or
// unused.
func (s *splice) last(edit int) *int {
	if s.many != nil {
		return &s.many[edit]
	}
	return &s.few[edit]
}

// locate finds the member of each edit in one pass, so that a body with many
// duplicate names costs no more than others.
func (s *splice) locate() {
	if len(s.edits) > len(s.few) {
		s.index()
	} else {
		for i := range s.edits {
			*s.last(i) = -1
			for j := range i {
				if s.edits[j].Key == s.edits[i].Key {
					*s.last(j) = unused
				}
			}
		}
	}
	for i := range s.ms {
		if e := s.edit(s.ms[i].Key); e >= 0 {
			*s.last(e) = i
		}
	}
}

// index finds the edit that applies to each name.
func (s *splice) index() {
	s.many = make([]int, len(s.edits))
	s.byKey, s.byName = make(map[string]int, len(s.edits)), map[string]int{}
	for i := range s.edits {
		s.many[i] = -1
		if j, ok := s.byKey[s.edits[i].Key]; ok {
			s.many[j] = unused
		}
		s.byKey[s.edits[i].Key] = i
	}
	for i := range s.edits {
		if name := s.edits[i].Name; name != "" && s.many[i] != unused {
			s.byName[name] = i
		}
	}
}

// edit returns the edit of key, or -1.
func (s *splice) edit(key []byte) int {
	if s.byKey != nil {
		if i, ok := s.byKey[string(key)]; ok {
			return i
		}
		return -1
	}
	for i := range s.edits {
		if string(key) == s.edits[i].Key && *s.last(i) != unused {
			return i
		}
	}
	return -1
}

// taken reports whether an edit gives its member the name key.
func (s *splice) taken(key []byte) bool {
	if s.byName != nil {
		i, ok := s.byName[string(key)]
		return ok && s.names(i)
	}
	for i := range s.edits {
		if s.edits[i].Name != "" && string(key) == s.edits[i].Name && s.names(i) {
			return true
		}
	}
	return false
}

// names reports whether the edit i, which has a Name, renames a member.
func (s *splice) names(i int) bool {
	return *s.last(i) >= 0 || *s.last(i) == -1 && s.edits[i].Value != nil
}

// member writes the member i with its edit applied.
func (s *splice) member(i int) {
	m := &s.ms[i]
	n := s.edit(m.Key)
	if n < 0 {
		if !s.taken(m.Key) {
			s.separate(i)
			s.copy(m.Start, m.End)
		}
		return
	}
	e := &s.edits[n]
	if *s.last(n) != i || e.Value == nil && e.Name == "" {
		return
	}
	s.separate(i)
	start := m.Start
	if e.Name != "" {
		s.insert(AppendString(make([]byte, 0, len(e.Name)+2), e.Name))
		start += len(m.quoted(s.body))
	}
	if e.Value == nil {
		s.copy(start, m.End)
		return
	}
	s.copy(start, m.End-len(m.Value))
	s.insert(e.Value)
}

// quoted returns the name as written in body.
func (m *Member) quoted(body []byte) []byte {
	end, _ := str(body, m.Start)
	return body[m.Start:end]
}

// separate writes the bytes between the member i and the one before it, unless i is
// the first to be written.
func (s *splice) separate(i int) {
	if s.any {
		s.copy(s.ms[i-1].End, s.ms[i].Start)
	}
	s.any = true
}

// added writes the new members.
func (s *splice) added() {
	var labels []byte
	for i := range s.edits {
		e := &s.edits[i]
		if *s.last(i) != -1 || e.Value == nil {
			continue
		}
		name := e.name()
		if cap(labels)-len(labels) < len(name)+len(`,"":`) {
			labels = make([]byte, 0, max(len(name)+len(`,"":`), 64)) // those before stay where they are
		}
		from := len(labels)
		if s.any {
			labels = append(labels, ',')
		}
		s.any = true
		labels = append(AppendString(labels, name), ':')
		s.insert(labels[from:len(labels):len(labels)])
		s.insert(e.Value)
	}
}

// copy writes body[from:to].
func (s *splice) copy(from, to int) {
	if from != s.to {
		s.flush()
		s.from = from
	}
	s.to = to
}

func (s *splice) insert(piece []byte) {
	s.flush()
	s.dst = append(s.dst, piece)
}

func (s *splice) flush() {
	if s.from < s.to {
		s.dst = append(s.dst, s.body[s.from:s.to:s.to])
	}
	s.from = s.to
}

// Join appends the pieces to dst and returns the extended buffer.
func Join(dst []byte, pieces [][]byte) []byte {
	for _, p := range pieces {
		dst = append(dst, p...)
	}
	return dst
}
