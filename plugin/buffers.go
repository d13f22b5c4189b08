package plugin

import (
	"errors"
	"io"
	"math/bits"
	"slices"
	"sync"
)

// Bodies are read into buffers that are reused by later requests: to allocate and
// clear a large one costs as much as to read the body, and garbage makes the
// collector run more often. A body larger than this, which is rare, gets memory of
// its own.
const maxBorrowed = 1 << 20 // bytes

// lenders are pools of buffers by size, each size a power of two. A small body may
// be kept as long as a stream lasts, so it must not occupy a large buffer.
var lenders [21]sync.Pool // of *[]byte

// buffers are the buffers that an exchange has borrowed.
type buffers struct {
	keeps    bool // bodies go into the record, so no buffers are borrowed for them
	borrowed []*[]byte
	few      [4]*[]byte // preallocated space for borrowed
}

// borrow returns a buffer of n bytes, whose content is arbitrary. It belongs to
// the exchange until that ends or gives it back.
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

// giveBack returns all borrowed buffers except the one of body, unless that is
// empty. Nothing may refer to the returned ones any more.
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

// take takes over what another exchange has borrowed.
func (b *buffers) take(from *buffers) {
	b.borrowed = append(b.borrowed, from.borrowed...)
	from.borrowed = nil
}

// Steps in which a body is read, in bytes. Memory follows what has arrived: a
// client that claims a large length must send before memory is allocated for it.
const (
	firstStep  = 8 << 10
	quickSteps = 128 << 10 // up to here allocate up to sixteen times what has arrived, then four times
	lastStep   = 1 << 20   // when the length is unknown
)

var errTooMuch = errors.New("body is larger than its limit")

// readAll reads r, of size bytes or -1, to its end. It returns errTooMuch for more
// than most bytes (0: no limit).
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

// readSteps reads a body of unknown length in pieces, so that memory holds it
// twice at most; growing a buffer would take three times its size.
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

// join concatenates the pieces of a body, n bytes in all.
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
