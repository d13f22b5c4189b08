package balancer

import (
	"sync/atomic"
	"time"
)

// checks is what active health checks have found.
type checks struct {
	down        atomic.Bool // the target is used only if no other is left
	all, failed atomic.Int64
}

// Checked records the result of a health check of target i. A failure counts for the
// circuit breaker, too. A success that answers like a client's request forgives earlier
// failures.
func (b *Balancer) Checked(i int, ok, likeRequest bool, now time.Time) {
	s := b.targets[i].State
	s.checks.all.Add(1)
	switch {
	case !ok:
		s.checks.failed.Add(1)
		b.breaker.settle(s, Bad, false, now)
	case likeRequest:
		s.fails.update(func(all, _ uint32) (uint32, uint32) { return all, all })
	}
}

// SetDown records whether target i is down by what health checks found.
func (b *Balancer) SetDown(i int, down bool) { b.targets[i].State.checks.down.Store(down) }

// AnsweredSince says whether target i has answered a request well since then.
func (b *Balancer) AnsweredSince(i int, then time.Time) bool {
	return b.targets[i].State.good.Load() > then.UnixNano()
}
