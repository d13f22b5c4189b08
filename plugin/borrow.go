package plugin

import "sync"

// Large bodies are read into buffers that requests hand on to each other: to
// make and clear a new one costs as much as to read it. Small ones are left to
// the collector, and so are huge ones, which are rare.
const (
	minBorrowed = 16 << 10 // bytes
	maxBorrowed = 1 << 20
)

var large = sync.Pool{New: func() any { return new([]byte) }}

// borrow returns a buffer of n bytes, with anything in it. It is the request's
// until its end, or until it gives it back.
func (q *request) borrow(n int) []byte {
	if n < minBorrowed || n > maxBorrowed || q.instance.keeps {
		return make([]byte, n)
	}
	p := large.Get().(*[]byte)
	if cap(*p) < n {
		*p = make([]byte, n+n/4)
	}
	q.borrowed = append(q.borrowed, p)
	return (*p)[:n]
}

// giveBack returns what was borrowed, but for the client's own body unless the
// request has come to its end. Nothing may refer to it any more.
func (q *request) giveBack(end bool) {
	kept := q.borrowed[:0]
	for _, p := range q.borrowed {
		if !end && len(q.body) > 0 && cap(*p) > 0 && &(*p)[:1][0] == &q.body[0] {
			kept = append(kept, p)
			continue
		}
		large.Put(p)
	}
	q.borrowed = kept
}
