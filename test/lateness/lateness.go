// Package lateness tells a late program from a busy machine. It is for tests that
// hold something to a time, such as that a client's leaving ends the provider's
// request within 50 ms.
package lateness

import (
	"sync/atomic"
	"testing"
	"time"
)

// Watch knows how late this process gets a processor.
type Watch struct {
	worst atomic.Int64 // ns
	due   atomic.Int64 // when the next tick is, in ns since the watch began
	began time.Time
}

// Start watches until the test ends.
func Start(t testing.TB) *Watch {
	w, stop, stopped := &Watch{began: time.Now()}, make(chan struct{}), make(chan struct{})
	const tick = time.Millisecond
	w.due.Store(int64(tick))
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(tick):
				at := int64(time.Since(w.began))
				w.worst.Store(max(w.worst.Load(), at-w.due.Load()))
				w.due.Store(at + int64(tick))
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return w
}

// handovers are the most that lie between a client that leaves and its provider's
// handler, between goroutines and by sockets. Each waits for a processor.
const handovers = 6

// Within is limit and what the machine may have added to it. A tick that is overdue
// counts: after a standstill, who calls may have been given a processor before the watch.
func (w *Watch) Within(limit time.Duration) time.Duration {
	overdue := int64(time.Since(w.began)) - w.due.Load()
	return limit + handovers*time.Duration(max(w.worst.Load(), overdue))
}
