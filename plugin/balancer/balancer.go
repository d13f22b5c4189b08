// Package balancer decides which target gets a request, and tracks which targets
// are healthy. It does no I/O and knows nothing of HTTP: the relay reports how
// attempts ended. Start with Balancer.Pick. Each policy is one small type in
// policies.go (hashing.go and affinity.go for consistent hashing); state.go has the state of a
// target, failing.go how errors change it.
package balancer

import (
	"fmt"
	"slices"
	"time"
)

// Target is a target as the balancer sees it.
type Target struct {
	ID     string // identifies the target across configurations
	Weight int    // 1 … 65535
	// State is the target's state; see Store.
	State *State

	inverse float64 // 1 / Weight
}

// Algorithm is `balancer.algorithm`.
type Algorithm string

// The algorithms.
const (
	RoundRobin        Algorithm = "round-robin"
	ConsistentHashing Algorithm = "consistent-hashing"
	LeastConnections  Algorithm = "least-connections"
	LowestLatency     Algorithm = "lowest-latency"
	LowestUsage       Algorithm = "lowest-usage"
	Priority          Algorithm = "priority"
	Semantic          Algorithm = "semantic"
	Affinity          Algorithm = "affinity"
)

// Options configure a Balancer.
type Options struct {
	Algorithm Algorithm
	// Latency is tpot or e2e, Usage the name of a token count strategy.
	Latency, Usage string
	// Slots is the size of the ring of consistent hashing and affinity.
	Slots int
	// Bound limits the requests under way at a target, with affinity: relative to its
	// weight, to so many times the mean. Less than 1 is DefaultBound.
	Bound   float64
	Breaker Breaker
}

// Balancer chooses among a fixed set of targets. It is safe for concurrent use and
// takes no lock while a request is served.
type Balancer struct {
	targets []Target
	policy  policy
	breaker Breaker
	once    bool // no target is tried twice for one request
}

// policy chooses among the targets that are available; it never sees others.
// from is in ascending order and not empty.
type policy interface {
	pick(r *Request, all []Target, from []int) int
}

// Request holds what a choice depends on. It belongs to one request and is used for
// all its attempts.
type Request struct {
	Now time.Time
	// Candidates are the indexes of the targets that can serve the request, ascending.
	Candidates []int
	// Hash is the hash of the client's hash header, or of what names its conversation.
	Hash uint64
	// Ranked are candidates in the order of preference (semantic).
	Ranked []int

	probe bool // the attempt under way probes a target that was closed off
	asks  bool // it asks whether the target accepts its credentials again
	tried []bool
	some  bool // a target was tried
	from  []int
	// Preallocated space for both, for up to eight targets.
	fewTried [8]bool
	fewFrom  [8]int
}

// New returns a balancer over targets. It fails for an algorithm that it does not know.
func New(o Options, targets []Target) (*Balancer, error) {
	b := &Balancer{targets: slices.Clone(targets), breaker: o.Breaker}
	for i := range b.targets {
		b.targets[i].inverse = 1 / float64(b.targets[i].Weight)
	}
	switch o.Algorithm {
	case RoundRobin, "":
		b.policy = newRoundRobin(targets)
	case ConsistentHashing:
		b.policy = newHashing(o.Slots, b.targets)
	case Affinity:
		b.policy = newAffinity(o.Slots, o.Bound, b.targets)
	case LeastConnections:
		b.policy = leastConnections{}
	case LowestLatency:
		b.policy = newLowestLatency(o.Latency == "e2e", targets)
	case LowestUsage:
		b.policy = newLowestUsage(o.Usage)
	case Priority:
		b.policy, b.once = newPriority(), true
	case Semantic:
		b.policy, b.once = newSemantic(targets), true
	default:
		return nil, fmt.Errorf("balancer.algorithm: %q is not known", o.Algorithm)
	}
	return b, nil
}

// Pick chooses the target of the next attempt, and counts the attempt as under
// way until Done is called. Targets that failed this request are not chosen
// while there are others. ok is false when no target is left.
func (b *Balancer) Pick(r *Request) (index int, ok bool) {
	for {
		b.available(r)
		if len(r.from) == 0 && r.some && !b.once {
			clear(r.tried)
			r.some = false
			b.available(r)
		}
		if len(r.from) == 0 {
			return 0, false
		}
		i := r.from[0]
		if len(r.from) > 1 {
			i = b.policy.pick(r, b.targets, r.from)
		}
		s := b.targets[i].State
		admitted, probe := b.breaker.admit(s, r.Now)
		if !admitted {
			continue // another request is the probe
		}
		r.probe, r.asks = probe, s.denied.ask(r.Now)
		s.inflight.Add(1)
		return i, true
	}
}

// available collects the untried and healthy candidates in r.from. Those with a
// Retry-After that has not passed, that refuse their credentials or that health checks
// found down, are only among them if there are no others.
func (b *Balancer) available(r *Request) {
	if r.from == nil {
		r.from = r.fewFrom[:0]
	}
	r.from = r.from[:0]
	resting := false
	now := r.Now.UnixNano()
	for _, i := range r.Candidates {
		s := b.targets[i].State
		switch {
		case i < len(r.tried) && r.tried[i], !b.breaker.allows(s, r.Now):
		case s.rest.Load() > now, s.denied.shut(r.Now), s.checks.down.Load():
			resting = true
		default:
			r.from = append(r.from, i)
		}
	}
	if len(r.from) > 0 || !resting {
		return
	}
	for _, i := range r.Candidates {
		if !(i < len(r.tried) && r.tried[i]) && b.breaker.allows(b.targets[i].State, r.Now) {
			r.from = append(r.from, i)
		}
	}
}

// Available returns how many targets the last choice was made from.
func (r *Request) Available() int { return len(r.from) }

// Left reports whether another attempt of r could be made.
func (b *Balancer) Left(r *Request) bool {
	b.available(r)
	return len(r.from) > 0 || r.some && !b.once
}

// Other reports whether there is a candidate that r has not tried and that nothing
// speaks against.
func (b *Balancer) Other(r *Request) bool {
	for _, i := range r.Candidates {
		s := b.targets[i].State
		if !(i < len(r.tried) && r.tried[i]) && b.breaker.allows(s, r.Now) && s.rest.Load() <= r.Now.UnixNano() && !s.denied.shut(r.Now) && !s.checks.down.Load() {
			return true
		}
	}
	return false
}

// Clone returns a copy of r for another attempt that is made at the same time.
func (r *Request) Clone() Request {
	c := *r
	c.tried, c.from = slices.Clone(r.tried), nil
	return c
}

// RetryAfter returns the time until the first of the candidates is available again; 0
// if one is.
func (b *Balancer) RetryAfter(r *Request) time.Duration {
	least := time.Duration(-1)
	for _, i := range r.Candidates {
		d := b.breaker.remaining(b.targets[i].State, r.Now)
		if least < 0 || d < least {
			least = d
		}
	}
	return max(least, 0)
}

// Verdict is what an attempt's end means for its target's health.
type Verdict int

// The verdicts.
const (
	Good    Verdict = iota
	Bad             // counts as a failure of the target
	Neutral         // says nothing about its health: the client left, or a status that never counts
)

// Done ends an attempt at target i that Pick began.
func (b *Balancer) Done(r *Request, i int, v Verdict, now time.Time) {
	s := b.targets[i].State
	s.inflight.Add(-1)
	b.breaker.settle(s, v, r.probe, now)
	if v == Good {
		s.good.Store(now.UnixNano())
	}
	if r.asks {
		s.denied.asking.Store(false)
	}
}

// Exclude prevents target i from being chosen again for r while others are left.
func (b *Balancer) Exclude(r *Request, i int) {
	if r.tried == nil {
		r.tried = r.fewTried[:]
		if len(b.targets) > len(r.fewTried) {
			r.tried = make([]bool, len(b.targets))
		}
	}
	r.tried[i], r.some = true, true
}

// Rest excludes target i until then, as its provider asked, unless no other is
// left.
func (b *Balancer) Rest(i int, until time.Time) { later(&b.targets[i].State.rest, until.UnixNano()) }

// Learn records what an answered attempt at target i cost.
func (b *Balancer) Learn(i int, s Sample, now time.Time) { b.targets[i].State.learn(s, now) }

// Fail records that an attempt of r at target i failed: the target counts as the
// slowest and the most used of the candidates. Otherwise a target that answers
// only errors, at once and for no tokens, would look best.
func (b *Balancer) Fail(r *Request, i int, now time.Time) {
	b.targets[i].State.streak.Add(1)
	b.penalize(r, i, now)
}

// Refuse records that target i refused r as a bad request, which may be the
// request's own fault. A target that does so several times in a row counts as
// failed.
func (b *Balancer) Refuse(r *Request, i int, now time.Time) {
	if b.targets[i].State.streak.Add(1) >= refusals {
		b.penalize(r, i, now)
	}
}
