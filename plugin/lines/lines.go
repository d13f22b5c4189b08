// Package lines writes log lines to an output that may block: a pipe that nobody
// reads must not delay requests, nor keep the program from ending.
package lines

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Writer is a writer of lines; each Write has one or more whole lines. Lines that
// arrive within a few milliseconds are written together, so that under load a line
// costs no system call. Lines that Out does not accept are held up to a bound;
// beyond it they are dropped and counted. It is safe for concurrent use.
type Writer struct {
	Out io.Writer
	// Lost, if set, is told when lines begin to be dropped, with 0, and how many
	// they were when Out takes lines again or the Writer is closed. It may write
	// to the Writer.
	Lost func(lines int)

	mu      sync.Mutex
	held    []byte
	spare   []byte // the buffer that held and the write under way take turns with
	timer   *time.Timer
	busy    bool          // flush runs, or will when timer fires
	idle    chan struct{} // closed when flush is done, while somebody waits for it
	dropped int           // lines that Lost has not been told of
	all     uint64        // lines that were dropped since the start
}

// Entries is a Writer of log entries to standard output; log says what is lost.
func Entries(stdout io.Writer, log zerolog.Logger) *Writer {
	return &Writer{Out: stdout, Lost: func(n int) {
		if n == 0 {
			log.Warn().Msg("nobody reads standard output: log entries are dropped")
			return
		}
		log.Warn().Int("entries", n).Msg("log entries were dropped")
	}}
}

const (
	holdTime = 2 * time.Millisecond
	// maxWait is how many bytes go without waiting for the others.
	maxWait = 256 << 10
	// maxHeld bounds the bytes that wait; a single Write may have more.
	maxHeld = 8 << 20
)

// Write implements io.Writer. It takes in p whole and neither waits nor fails:
// there is nobody to tell when the output is gone.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.held) > 0 && len(w.held)+len(p) > maxHeld {
		w.drop(p)
		return len(p), nil
	}
	w.held = append(w.held, p...)
	switch {
	case w.timer == nil:
		w.busy = true
		w.timer = time.AfterFunc(holdTime, w.flush)
	case !w.busy:
		w.busy = true
		w.timer.Reset(holdTime)
	}
	if len(w.held) >= maxWait && w.timer.Stop() {
		w.timer.Reset(0)
	}
	return len(p), nil
}

// Dropped is how many lines were dropped since the start.
func (w *Writer) Dropped() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all
}

// drop counts the lines of p, with the lock held, which it gives up meanwhile.
func (w *Writer) drop(p []byte) {
	first := w.dropped == 0
	n := bytes.Count(p, []byte{'\n'})
	w.dropped, w.all = w.dropped+n, w.all+uint64(n)
	if first {
		w.lost(0)
	}
}

// lost calls Lost without the lock.
func (w *Writer) lost(n int) {
	if w.Lost == nil {
		return
	}
	w.mu.Unlock()
	defer w.mu.Lock()
	w.Lost(n)
}

// flush writes until nothing is held.
func (w *Writer) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for takes := false; len(w.held) > 0 || takes && w.dropped > 0; {
		batch := w.held
		w.held, w.spare = w.spare[:0], nil
		if n := w.dropped; takes && n > 0 {
			w.dropped = 0
			w.lost(n)
		}
		if len(batch) == 0 {
			continue
		}
		w.mu.Unlock()
		n, err := w.Out.Write(batch)
		w.mu.Lock()
		if takes = err == nil; !takes {
			w.drop(batch[min(n, len(batch)):])
		}
		if cap(batch) <= 2*maxWait { // there was no large payload
			w.spare = batch[:0]
		}
	}
	w.busy = false
	if w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}

// Close writes what is held, waits until that is done, for that long at most,
// and tells Lost of what was not written. Writes are taken in all the same.
func (w *Writer) Close(wait time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	w.settle(ctx)
	w.mu.Lock()
	n := w.dropped + bytes.Count(w.held, []byte{'\n'})
	w.dropped = 0
	if n > 0 {
		w.lost(n)
	}
	w.mu.Unlock()
	if n > 0 { // it may have written that here
		w.settle(ctx)
	}
}

// settle waits until nothing is held, or ctx is done.
func (w *Writer) settle(ctx context.Context) {
	w.mu.Lock()
	if !w.busy {
		w.mu.Unlock()
		return
	}
	if w.timer.Stop() {
		w.timer.Reset(0)
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	idle := w.idle
	w.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
