package plugin

import (
	"errors"
	"io"
	"math/bits"
	"slices"
	"sync"
)

// Bodies are read into buffers that requests hand on to each other: to make and
// clear a large one costs as much as to read it, and the collector runs the
// more often, the more garbage it is left. Only huge ones, which are rare, are its own.
const maxBorrowed = 1 << 20 // bytes

// lenders have buffers by size: each of a power of two, so that a small body,
// which may have to be kept as long as a stream lasts, takes no large one.
var lenders [21]sync.Pool // of *[]byte

// buffers are what an exchange has borrowed.
type buffers struct {
	keeps    bool // bodies go into the record: nothing is borrowed for them
	borrowed []*[]byte
	few      [4]*[]byte // room for borrowed
}

// borrow returns a buffer of n bytes, with anything in it. It is the exchange's
// until its end, or until it gives it back.
func (b *buffers) borrow(n int) []byte {
	if n == 0 || n > maxBorrowed || b.keeps {
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

// giveBack returns what was borrowed, but for the buffer of body where it is not
// empty. Nothing may refer to the others any more.
func (b *buffers) giveBack(body []byte) {
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
func (b *buffers) giveBackOne(one []byte) {
	for i, p := range b.borrowed {
		if &(*p)[0] == &one[0] {
			lenders[bits.Len(uint(len(*p)-1))].Put(p)
			b.borrowed = slices.Delete(b.borrowed, i, i+1)
			return
		}
	}
}

// Steps in which a body is read, in bytes. Memory follows what has come: who
// claims a length pays for what is put aside for it.
const (
	firstStep  = 8 << 10
	quickSteps = 128 << 10 // up to here sixteen times as much as has come is believed, then four times
	lastStep   = 1 << 20   // where the length is not known
)

var errTooMuch = errors.New("body is larger than its limit")

// readAll reads r, of size bytes or -1, to its end. More than most bytes (0: no
// limit) are errTooMuch.
func (b *buffers) readAll(r io.Reader, size, most int64) ([]byte, error) {
	switch {
	case size < 0:
		return b.readSteps(r, most)
	case most > 0 && size > most:
		return nil, errTooMuch
	}
	body := b.borrow(int(min(size, firstStep)))
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
		more := b.borrow(int(min(size, factor*int64(have))))
		copy(more, body)
		b.giveBackOne(body)
		body = more
	}
}

// readSteps reads a body of unknown length in pieces, so that it never lies in
// memory more than twice: to grow a buffer takes three times as much.
func (b *buffers) readSteps(r io.Reader, most int64) ([]byte, error) {
	var full [][]byte
	total, n := 0, 0
	piece := b.borrow(firstStep)
	for {
		m, err := r.Read(piece[n:])
		n += m
		switch {
		case most > 0 && int64(total+n) > most:
			return nil, errTooMuch
		case err == io.EOF:
			return b.join(full, piece[:n], total+n), nil
		case err != nil:
			return nil, err
		case n == len(piece):
			full, total = append(full, piece), total+n
			piece, n = b.borrow(min(total, lastStep)), 0
		}
	}
}

// join makes one of the pieces of a body, of n bytes together.
func (b *buffers) join(full [][]byte, last []byte, n int) []byte {
	if full == nil {
		return last
	}
	whole := b.borrow(n)[:0]
	for _, p := range full {
		whole = append(whole, p...)
		b.giveBackOne(p)
	}
	return append(whole, last...)
}
