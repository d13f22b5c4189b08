package frame

import (
	"errors"
	"io"
	"sync"
)

// cutter implements one framing. It only sees bytes that have arrived, never a
// reader, so that it cannot depend on how the stream was cut on its way.
type cutter interface {
	// cut returns the length of the event at the start of window, or 0 when its
	// end has not come yet. It is called again with the same bytes and more, and
	// remembers how far it has looked. With whole set, nothing follows window.
	cut(window []byte, whole bool) (int, error)
	// event returns the event that cut has found. Its slices may alias raw.
	event(raw []byte) (Event, error)
}

// A buffer starts with minBuffer bytes, as many as the engine reads at once, so that
// the events of one read are written to the client in one write. It doubles for an
// event that needs it. When the reader has to read more and a buffer above keepBuffer
// is nearly empty, it is replaced by a small one: an idle stream must not keep the
// memory of its largest event.
const (
	minBuffer  = 8 << 10
	keepBuffer = 32 << 10
)

// reader is the read loop that all framings share. It owns the buffer and the limit.
type reader struct {
	src    io.Reader
	waiter Waiter // src, where it is one
	cutter cutter
	max    int
	offset int64 // of buf[start] in the stream

	buf        []byte
	start, end int
	next       int   // length of the event that look has found
	srcErr     error // what src ended with
	err        error // what Next ends with
}

func (r *reader) Next() (Event, error) {
	for {
		n, err := r.look()
		if err != nil {
			return Event{}, err
		}
		if n > 0 {
			return r.take(n)
		}
		r.fill()
	}
}

func (r *reader) Buffered() bool {
	n, err := r.look()
	return n > 0 || err != nil
}

// look returns the length of the next event when it is in the buffer.
func (r *reader) look() (int, error) {
	if r.err != nil || r.next > 0 {
		return r.next, r.err
	}
	window, whole := r.buf[r.start:r.end], r.srcErr == io.EOF
	// One byte above the limit and no more, whatever the buffer holds: how the
	// stream was cut must not decide which error is found first.
	if len(window) > r.max {
		window, whole = window[:r.max+1], false
	}
	n, err := r.cutter.cut(window, whole)
	switch {
	case err != nil:
	case n > r.max, n == 0 && len(window) > r.max:
		err = &TooLargeError{Limit: r.max}
	case n == 0:
		err = r.srcErr
	}
	if err != nil {
		return 0, r.fail(err)
	}
	r.next = n
	return n, nil
}

func (r *reader) take(n int) (Event, error) {
	ev, err := r.cutter.event(r.buf[r.start : r.start+n : r.start+n])
	if err != nil {
		return Event{}, r.fail(err)
	}
	r.start += n
	r.offset += int64(n)
	r.next = 0
	return ev, nil
}

// fail makes err final.
func (r *reader) fail(err error) error {
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		syntax.Offset = r.offset
	}
	r.err, r.next = err, 0
	return err
}

// fill reads once what is there to read.
func (r *reader) fill() {
	if r.start == r.end && r.waiter != nil {
		r.release()
		r.waiter.Wait()
	}
	r.room()
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if err != nil {
			r.srcErr = err
			return
		}
		if n > 0 {
			return
		}
	}
	r.srcErr = io.ErrNoProgress
}

// room moves what is unread to the front and makes the buffer as large as the
// next read needs.
func (r *reader) room() {
	unread := r.buf[r.start:r.end]
	size := len(r.buf)
	switch {
	case size == 0, size > keepBuffer && len(unread) <= minBuffer/2:
		size = minBuffer
	case len(unread) > size-size/4:
		size *= 2
	}
	if size = min(size, r.max+1); size != len(r.buf) {
		buf := newBuffer(size)
		copy(buf, unread)
		r.release()
		r.buf = buf
	} else {
		copy(r.buf, unread)
	}
	r.start, r.end = 0, len(unread)
}

func (r *reader) Release() {
	r.release()
	r.err = io.ErrClosedPipe
}

// release gives the buffer back; what is in it is lost.
func (r *reader) release() {
	if len(r.buf) == minBuffer {
		buffers.Put((*[minBuffer]byte)(r.buf))
	}
	r.buf, r.start, r.end = nil, 0, 0
}

// buffers is the pool that all streams share. A buffer that was just used is still in
// the processor's cache.
var buffers = sync.Pool{New: func() any { return new([minBuffer]byte) }}

func newBuffer(size int) []byte {
	if size == minBuffer {
		return buffers.Get().(*[minBuffer]byte)[:]
	}
	return make([]byte, size)
}
