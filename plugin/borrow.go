package plugin

import (
	"math/bits"
	"sync"
)

// Bodies are read into buffers that requests hand on to each other: to make and
// clear a large one costs as much as to read it, and the collector runs the
// oftener the more is left to it. Only huge ones, which are rare, are its own.
const maxBorrowed = 1 << 20 // bytes

// lenders have buffers by size: each of a power of two, so that a small body,
// which may have to be kept as long as a stream lasts, takes no large one.
var lenders [21]sync.Pool // of *[]byte

// borrow returns a buffer of n bytes, with anything in it. It is the request's
// until its end, or until it gives it back.
func (q *request) borrow(n int) []byte {
	if n == 0 || n > maxBorrowed || q.instance.keeps {
		return make([]byte, n)
	}
	class := bits.Len(uint(n - 1))
	p, _ := lenders[class].Get().(*[]byte)
	if p == nil {
		b := make([]byte, 1<<class)
		p = &b
	}
	if q.borrowed == nil {
		q.borrowed = q.few[:0]
	}
	q.borrowed = append(q.borrowed, p)
	return (*p)[:n]
}

// giveBack returns what was borrowed, but for the client's own body unless the
// request has come to its end. Nothing may refer to it any more.
func (q *request) giveBack(end bool) {
	kept := q.borrowed[:0]
	for _, p := range q.borrowed {
		if !end && len(q.body) > 0 && &(*p)[0] == &q.body[0] {
			kept = append(kept, p)
			continue
		}
		lenders[bits.Len(uint(len(*p)-1))].Put(p)
	}
	q.borrowed = kept
}
