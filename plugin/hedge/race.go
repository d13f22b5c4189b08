package hedge

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// Race is an attempt that a second one, the hedge, may overtake: it starts when the
// first one has brought no content after some time. The one that claims the answer first
// has won, and the other is cancelled. What the attempts do is the caller's.
type Race struct {
	First *Racer // runs in the goroutine that started the race

	mu     sync.Mutex
	timer  *time.Timer // starts the hedge; nil if there will be none
	over   bool        // no hedge may start any more
	hedge  *Racer      // nil unless it was started
	winner *Racer
}

// Racer is one of the two attempts.
type Racer struct {
	Ctx   context.Context // ends when the other one has won
	Began time.Time
	// Panicked is what the hedge has panicked with, once it has ended.
	Panicked any

	cancel context.CancelFunc
	ended  chan struct{}
}

// NewRacer returns an attempt that has begun and ends, at the latest, with ctx.
func NewRacer(ctx context.Context) *Racer {
	p := &Racer{Began: time.Now(), ended: make(chan struct{})}
	p.Ctx, p.cancel = context.WithCancel(ctx)
	return p
}

// Run runs the attempt.
func (p *Racer) Run(attempt func()) {
	defer close(p.ended)
	attempt()
}

// Cancel ends the attempt, or one that is not run after all.
func (p *Racer) Cancel() { p.cancel() }

// Ended says whether the attempt has ended. What it has left may be read then.
func (p *Racer) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// HedgeAfter has the hedge begin in its own goroutine after d, unless there is a winner by
// then. enter makes it, or returns nil for none, and must not wait; attempt is what it
// does. If that panics, panicked gets the stack.
func (r *Race) HedgeAfter(d time.Duration, enter func() *Racer, attempt func(), panicked func(stack []byte)) {
	r.timer = time.AfterFunc(d, func() {
		p := r.enter(enter)
		if p == nil {
			return
		}
		p.Run(func() {
			defer func() {
				if p.Panicked = recover(); p.Panicked != nil {
					panicked(debug.Stack())
				}
			}()
			attempt()
		})
	})
}

func (r *Race) enter(enter func() *Racer) *Racer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.winner != nil {
		return nil
	}
	r.hedge = enter()
	return r.hedge
}

// lostWithin is how long an attempt that won waits at most for the other to end, so
// that its record has both. It is cancelled by then, and ends at once but on a host that
// has no time for it.
const lostWithin = 250 * time.Millisecond

// Claim makes p the winner, and returns false if there is one already. It must be called
// in p's goroutine. won is called before lost, the other one, is cancelled and waited for; lost
// is nil when no hedge was started.
func (r *Race) Claim(p *Racer, won func()) (lost *Racer, ok bool) {
	r.mu.Lock()
	if r.winner != nil {
		r.mu.Unlock()
		return nil, false
	}
	r.winner = p
	lost = r.hedge
	if p == lost {
		lost = r.First
	}
	r.mu.Unlock()
	won()
	if lost != nil {
		lost.cancel()
		select {
		case <-lost.ended:
		case <-time.After(lostWithin):
		}
	}
	return lost, true
}

// Join ends the race: whatever is under way is waited for. failed says that the first one
// has not come to its end, and then the hedge is cancelled.
func (r *Race) Join(failed bool) {
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	if failed && r.hedge != nil {
		r.hedge.cancel()
	}
	for _, p := range []*Racer{r.First, r.hedge} {
		if p != nil {
			<-p.ended
			p.cancel()
		}
	}
}

// Winner is the attempt that has claimed the answer, nil if none has. The race has ended.
func (r *Race) Winner() *Racer { return r.winner }
