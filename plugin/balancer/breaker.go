package balancer

import (
	"sync/atomic"
	"time"
)

// Breaker is the circuit breaker's configuration. MaxFails failures, counted in
// total, exclude a target for FailTimeout; then one request probes it. 0 MaxFails
// switches the breaker off.
type Breaker struct {
	MaxFails    int
	FailTimeout time.Duration
}

// failures counts the failures of a target: all of them, and how many of them
// are forgiven. Both only grow, so that counts of several nodes can be joined.
type failures struct{ packed atomic.Uint64 } // all<<32 | forgiven

func (f *failures) load() (all, forgiven uint32) {
	p := f.packed.Load()
	return uint32(p >> 32), uint32(p)
}

// update replaces both counts by the result of next.
func (f *failures) update(next func(all, forgiven uint32) (uint32, uint32)) {
	for {
		p := f.packed.Load()
		all, forgiven := next(uint32(p>>32), uint32(p))
		if f.packed.CompareAndSwap(p, uint64(all)<<32|uint64(forgiven)) {
			return
		}
	}
}

// closed reports whether the target has failed too often.
func (b Breaker) closed(s *State) bool {
	if b.MaxFails == 0 {
		return false
	}
	all, forgiven := s.fails.load()
	return int(all-forgiven) >= b.MaxFails
}

// allows reports whether a request may be sent to the target.
func (b Breaker) allows(s *State, now time.Time) bool {
	return !b.closed(s) || b.remaining(s, now) == 0 && !s.probing.Load()
}

// admit reports whether the attempt may begin, and whether it is the probe of an
// excluded target.
func (b Breaker) admit(s *State, now time.Time) (ok, probe bool) {
	if !b.closed(s) {
		return true, false
	}
	probe = b.allows(s, now) && s.probing.CompareAndSwap(false, true)
	return probe, probe
}

// settle counts the end of an attempt. A success forgives earlier failures only if it
// comes FailTimeout or more after the last of them, or if it was the probe.
func (b Breaker) settle(s *State, v Verdict, probe bool, now time.Time) {
	if b.MaxFails == 0 {
		return
	}
	switch v {
	case Good:
		if all, forgiven := s.fails.load(); all != forgiven && (probe || now.UnixNano()-s.last.Load() >= int64(b.FailTimeout)) {
			s.fails.update(func(all, _ uint32) (uint32, uint32) { return all, all })
		}
	case Bad:
		later(&s.last, now.UnixNano())
		s.fails.update(func(all, forgiven uint32) (uint32, uint32) { return all + 1, forgiven })
	}
	if probe {
		s.probing.Store(false)
	}
}

// remaining returns how long the target stays excluded.
func (b Breaker) remaining(s *State, now time.Time) time.Duration {
	if !b.closed(s) {
		return 0
	}
	return max(time.Duration(s.last.Load()-now.UnixNano())+b.FailTimeout, 0)
}

// later sets a time if it is later than the old one.
func later(at *atomic.Int64, t int64) {
	for {
		old := at.Load()
		if old >= t || at.CompareAndSwap(old, t) {
			return
		}
	}
}
