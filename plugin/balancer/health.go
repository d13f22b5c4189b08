package balancer

import "time"

// Health is what the balancer knows of a target at one time.
type Health struct {
	// Available is false while the breaker excludes the target, for ClosedFor more.
	Available bool
	ClosedFor time.Duration
	// RestingFor is how long the provider has asked not to be called.
	RestingFor time.Duration
	// DeniedFor is how long the target is avoided because it refused its credentials.
	DeniedFor time.Duration
	// Down says that health checks found the target dead; Checks and Failed count them.
	Down           bool
	Checks, Failed int64
	InFlight       int64   // attempts under way
	E2E, TPOT      float64 // expected latency in ms, and in ms per token; 0 if unknown

	Prompt, Completion int64 // tokens used
	Cost               float64
}

// Health returns what is known of target i. It may be called at any time.
func (b *Balancer) Health(i int, now time.Time) Health {
	s := b.targets[i].State
	x := s.Snapshot()
	return Health{
		Available: b.breaker.allows(s, now), ClosedFor: b.breaker.remaining(s, now), RestingFor: max(x.Rest.Sub(now), 0),
		DeniedFor: s.denied.remaining(now), Down: s.checks.down.Load(), Checks: s.checks.all.Load(), Failed: s.checks.failed.Load(),
		InFlight: s.inflight.Load(), E2E: current(&s.e2e, now), TPOT: current(&s.tpot, now),
		Prompt: x.Prompt, Completion: x.Completion, Cost: x.Cost,
	}
}
