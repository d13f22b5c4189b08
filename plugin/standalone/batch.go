package standalone

import (
	"io"
	"sync"
	"time"
)

// batch is a writer of log entries. What comes within a few milliseconds goes
// out in one write, so that under load an entry costs no system call. It is
// safe for concurrent use; who ends it calls flush.
type batch struct {
	mu      sync.Mutex
	out     io.Writer
	held    []byte
	timer   *time.Timer // of flush
	waiting bool        // flush is on its way
}

const (
	holdEntries = 2 * time.Millisecond
	maxHeld     = 256 << 10 // bytes; an output that takes no more holds up the requests
)

// Write implements io.Writer. It takes in p whole and returns no error: there
// is nobody to tell when the output is gone.
func (b *batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = append(b.held, p...)
	switch {
	case len(b.held) >= maxHeld:
		b.write()
	case b.timer == nil:
		b.waiting = true
		b.timer = time.AfterFunc(holdEntries, b.flush)
	case !b.waiting:
		b.waiting = true
		b.timer.Reset(holdEntries)
	}
	return len(p), nil
}

// flush writes what is held.
func (b *batch) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = false
	b.write()
}

func (b *batch) write() {
	if len(b.held) > 0 {
		_, _ = b.out.Write(b.held)
	}
	if b.held = b.held[:0]; cap(b.held) > 2*maxHeld { // there was a large payload
		b.held = nil
	}
}
