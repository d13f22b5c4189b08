// Package buffers lends memory for bodies, and reads them into it.
package buffers

import (
	"errors"
	"io"
	"math/bits"
	"slices"
	"sync"

	"go-ai-proxy/translators/jsonedit"
)

// Bodies are read into buffers that are reused by later requests: to allocate and
// clear a large one costs as much as to read the body, and garbage makes the
// collector run more often. A body larger than this, which is rare, gets memory of
// its own.
const maxBorrowed = 1 << 20 // bytes

// lenders are pools of buffers by size, each size a power of two. A small body may
// be kept as long as a stream lasts, so it must not occupy a large buffer.
var lenders [21]sync.Pool // of *[]byte

// Set is the buffers that one request has borrowed. The zero Set has none. It is for one
// goroutine at a time.
type Set struct {
	// Keeps says that bodies outlive the request, so that nothing is borrowed for them.
	Keeps    bool
	borrowed []*[]byte
	few      [4]*[]byte // preallocated space for borrowed
	parts    *Parts     // the last one that is borrowed
}

// Parts is space for what an edited JSON body usually consists of. It is nearly half of
// the memory of a small request, which needs it for some microseconds.
type Parts struct {
	Edits  [8]jsonedit.Edit
	Pieces [12][]byte

	members [12]jsonedit.Member
	edited  bool   // Edits and Pieces are in use
	before  *Parts // that the same request has borrowed
}

var parts = sync.Pool{New: func() any { return new(Parts) }}

func (b *Set) borrowParts() *Parts {
	p := parts.Get().(*Parts)
	p.before, b.parts = b.parts, p
	return p
}

// BorrowMembers returns space for the members of a body. It belongs to the request until
// that ends.
func (b *Set) BorrowMembers() []jsonedit.Member { return b.borrowParts().members[:0] }

// BorrowParts returns space for the edits of a body and the pieces that result. It belongs
// to the request until that ends.
func (b *Set) BorrowParts() *Parts {
	p := b.parts
	if p == nil || p.edited {
		p = b.borrowParts()
	}
	p.edited = true
	return p
}

// Borrow returns a buffer of n bytes, whose content is arbitrary. It belongs to the
// request until that ends or gives it back.
func (b *Set) Borrow(n int) []byte {
	if n == 0 || n > maxBorrowed || b.Keeps {
		return make([]byte, n)
	}
	class := bits.Len(uint(n - 1))
	p, _ := lenders[class].Get().(*[]byte)
	if p == nil {
		fresh := make([]byte, 1<<class)
		p = &fresh
	}
	if b.borrowed == nil {
		b.borrowed = b.few[:0]
	}
	b.borrowed = append(b.borrowed, p)
	return (*p)[:n]
}

// GiveBack returns all borrowed buffers except the one of body, with members and parts,
// unless body is empty. Nothing may refer to the returned ones any more.
func (b *Set) GiveBack(body []byte) {
	for len(body) == 0 && b.parts != nil {
		p := b.parts
		b.parts = p.before
		*p = Parts{} // it would keep bodies
		parts.Put(p)
	}
	kept := b.borrowed[:0]
	for _, p := range b.borrowed {
		if len(body) > 0 && &(*p)[0] == &body[0] {
			kept = append(kept, p)
			continue
		}
		lenders[bits.Len(uint(len(*p)-1))].Put(p)
	}
	b.borrowed = kept
}

// giveBackOne gives one buffer back before the request ends.
func (b *Set) giveBackOne(one []byte) {
	for i, p := range b.borrowed {
		if &(*p)[0] == &one[0] {
			lenders[bits.Len(uint(len(*p)-1))].Put(p)
			b.borrowed = slices.Delete(b.borrowed, i, i+1)
			return
		}
	}
}

// Forget keeps what is borrowed from ever being lent again.
func (b *Set) Forget() { b.borrowed = nil }

// Take takes over what another request has borrowed.
func (b *Set) Take(from *Set) {
	b.borrowed = append(b.borrowed, from.borrowed...)
	from.borrowed = nil
	for from.parts != nil {
		p := from.parts
		from.parts, p.before, b.parts = p.before, b.parts, p
	}
}

// Steps in which a body is read, in bytes. Memory follows what has arrived: a
// client that claims a large length must send before memory is allocated for it.
const (
	firstStep  = 8 << 10
	quickSteps = 128 << 10 // up to here allocate up to sixteen times what has arrived, then four times
	lastStep   = 1 << 20   // when the length is unknown
)

// ErrTooMuch is the error for a body that is larger than it may be.
var ErrTooMuch = errors.New("body is larger than its limit")

// ReadAll reads r, of size bytes or -1, to its end. It returns ErrTooMuch for more
// than most bytes (0: no limit).
func (b *Set) ReadAll(r io.Reader, size, most int64) ([]byte, error) {
	switch {
	case size < 0:
		return b.readSteps(r, most)
	case most > 0 && size > most:
		return nil, ErrTooMuch
	}
	body := b.Borrow(int(min(size, firstStep)))
	for have := 0; ; {
		n, err := io.ReadFull(r, body[have:])
		have += n
		switch {
		case err == io.EOF && have > 0:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case int64(have) == size:
			return body, nil
		}
		factor := int64(4)
		if have < quickSteps {
			factor = 16
		}
		more := b.Borrow(int(min(size, factor*int64(have))))
		copy(more, body)
		b.giveBackOne(body)
		body = more
	}
}

// readSteps reads a body of unknown length in pieces, so that memory holds it
// twice at most; growing a buffer would take three times its size.
func (b *Set) readSteps(r io.Reader, most int64) ([]byte, error) {
	var full [][]byte
	total, n := 0, 0
	piece := b.Borrow(firstStep)
	for {
		m, err := r.Read(piece[n:])
		n += m
		switch {
		case most > 0 && int64(total+n) > most:
			return nil, ErrTooMuch
		case err == io.EOF:
			return b.join(full, piece[:n], total+n), nil
		case err != nil:
			return nil, err
		case n == len(piece):
			full, total = append(full, piece), total+n
			piece, n = b.Borrow(min(total, lastStep)), 0
		}
	}
}

// join concatenates the pieces of a body, n bytes in all.
func (b *Set) join(full [][]byte, last []byte, n int) []byte {
	if full == nil {
		return last
	}
	whole := b.Borrow(n)[:0]
	for _, p := range full {
		whole = append(whole, p...)
		b.giveBackOne(p)
	}
	return append(whole, last...)
}
