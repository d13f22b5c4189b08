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
	return limit + handovers*w.late()
}

// late is the most by which a processor was late so far.
func (w *Watch) late() time.Duration {
	overdue := int64(time.Since(w.began)) - w.due.Load()
	return time.Duration(max(w.worst.Load(), overdue))
}

// Undisturbed calls measure, and fails the test by what it returns: "", or what is not as
// it should be. If a processor was late by more than bearable meanwhile, that says nothing
// of the program, and it is measured again. It is for tests that compare times with one
// another. Each call of measure begins anew.
func Undisturbed(t testing.TB, bearable time.Duration, measure func() string) {
	t.Helper()
	for range 20 {
		w := Start(t)
		wrong := measure()
		if wrong == "" {
			return
		}
		if w.late() <= bearable {
			t.Error(wrong)
			return
		}
		t.Logf("measured again, for the machine was late by %v: %s", w.late(), wrong)
	}
	t.Error("the machine is never undisturbed for as long as this takes")
}

// Away waits for the next window of the clock, such as an hour, where this one is nearly
// over: a test that counts what happens in a window is not to see two.
func Away(window time.Duration) {
	if left := window - time.Duration(time.Now().UnixNano())%window; left < 20*time.Second {
		time.Sleep(left)
	}
}
