package balancer

import "time"

// Breaker is the circuit breaker's configuration. MaxFails failures, counted
// in total, close a target off for FailTimeout; then one request probes it.
// 0 MaxFails switches it off.
type Breaker struct {
	MaxFails    int
	FailTimeout time.Duration
}

// allows says whether a request may be sent to the target.
func (b Breaker) allows(s *State, now time.Time) bool {
	if b.MaxFails == 0 {
		return true
	}
	until := s.until.Load()
	return until == 0 || now.UnixNano() >= until && !s.probing.Load()
}

// admit takes the place of the one probe where the breaker is half open.
func (b Breaker) admit(s *State, now time.Time) bool {
	if b.MaxFails == 0 || s.until.Load() == 0 {
		return true
	}
	return b.allows(s, now) && s.probing.CompareAndSwap(false, true)
}

// settle counts the end of an attempt. A success forgives earlier failures
// only when it comes FailTimeout or more after the last of them, or when it
// was the probe.
func (b Breaker) settle(s *State, v Verdict, now time.Time) {
	if b.MaxFails == 0 {
		return
	}
	probe := s.until.Load() != 0 && s.probing.Load()
	switch v {
	case Good:
		if probe || now.UnixNano()-s.last.Load() >= int64(b.FailTimeout) {
			s.fails.Store(0)
			s.until.Store(0)
		}
	case Bad:
		s.last.Store(now.UnixNano())
		if fails := s.fails.Add(1); int(fails) >= b.MaxFails {
			s.until.Store(now.Add(b.FailTimeout).UnixNano())
		}
	}
	if probe {
		s.probing.Store(false)
	}
}

// remaining is how long the target stays closed off.
func (b Breaker) remaining(s *State, now time.Time) time.Duration {
	until := s.until.Load()
	if b.MaxFails == 0 || until == 0 {
		return 0
	}
	return max(time.Duration(until-now.UnixNano()), 0)
}
