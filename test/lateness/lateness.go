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
type Watch struct{ worst atomic.Int64 } // ns

// Start watches until the test ends.
func Start(t testing.TB) *Watch {
	w, stop, stopped := &Watch{}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		const tick = time.Millisecond
		for due := time.Now().Add(tick); ; due = time.Now().Add(tick) {
			select {
			case <-stop:
				return
			case at := <-time.After(tick):
				w.worst.Store(max(w.worst.Load(), int64(at.Sub(due))))
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return w
}

// handovers are the most that lie between a client that leaves and its provider's
// handler, between goroutines and by sockets. Each waits for a processor.
const handovers = 6

// Within is limit and what the machine may have added to it.
func (w *Watch) Within(limit time.Duration) time.Duration {
	return limit + handovers*time.Duration(w.worst.Load())
}
