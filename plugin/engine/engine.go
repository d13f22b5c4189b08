// Package engine speaks HTTP/1.1 on both sides of the relay: Server for the
// connections of clients, Client for those to providers. One goroutine serves
// a client's connection and, while it does, reads and writes the provider's
// too, so that a request costs no hand-off between goroutines.
//
// README.md says what it promises, where it differs from net/http, which can take
// its place, and where to begin reading.
package engine

import (
	"errors"
	"os"
	"sync"
	"time"
)

// bufferSize is the most that one read returns, in bytes. Heads and events of streams
// are smaller.
const bufferSize = 8 << 10

// buffers are shared by all connections of the process. A connection takes one when there
// is something to put into it, and not while it waits.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func takeBuffer() []byte { return buffers.Get().(*[bufferSize]byte)[:] }

// giveBuffer returns a buffer to the pool, unless it has grown.
func giveBuffer(b []byte) {
	if cap(b) == bufferSize {
		buffers.Put((*[bufferSize]byte)(b[:bufferSize]))
	}
}

// timer keeps a connection's deadline a given time ahead. Moving a deadline costs
// more than parsing a header, so a deadline that is only a little later than
// requested is not moved: it never passes too early, and at most an eighth, or a
// second, too late.
type timer struct {
	set func(time.Time) error
	at  time.Time // zero: there is none
}

// ahead sets the deadline to d from now; 0 means none.
func (t *timer) ahead(d time.Duration) error {
	if d <= 0 {
		return t.fix(time.Time{})
	}
	slack := min(d/8, time.Second)
	if !t.at.IsZero() {
		if left := time.Until(t.at); left >= d && left <= d+slack {
			return nil
		}
	}
	return t.fix(time.Now().Add(d + slack))
}

// fix sets the deadline; zero means none.
func (t *timer) fix(at time.Time) error {
	if at.Equal(t.at) {
		return nil
	}
	t.at = at
	return t.set(at)
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}
