package balancer

import (
	"math"
	"slices"
	"sync/atomic"
)

// roundRobin gives each target exactly its share within a cycle whose length is the
// sum of the (reduced) weights. The order goes through the cycle by a step that is
// coprime to its length, so that a heavy target's turns are spread out, without a
// table of turns.
type roundRobin struct {
	turn atomic.Uint64
	all  cycle // of all targets
}

func newRoundRobin(targets []Target) *roundRobin {
	p := &roundRobin{}
	for _, t := range targets {
		p.all.total += uint64(t.Weight)
		p.all.divisor = gcd(p.all.divisor, uint64(t.Weight))
	}
	p.all.settle()
	return p
}

// cycle is the turn order over targets with a total weight.
type cycle struct{ total, divisor, step uint64 }

func (c *cycle) settle() {
	if c.total == 0 {
		return
	}
	c.total /= c.divisor
	c.step = max(1, uint64(float64(c.total)*0.618034))
	for gcd(c.step, c.total) != 1 {
		c.step++
	}
}

func (p *roundRobin) pick(_ *Request, all []Target, from []int) int {
	c := p.all
	if len(from) != len(all) {
		c = cycle{}
		for _, i := range from {
			c.total += uint64(all[i].Weight)
			c.divisor = gcd(c.divisor, uint64(all[i].Weight))
		}
		c.settle()
	}
	at := (p.turn.Add(1) % c.total) * c.step % c.total
	for _, i := range from {
		share := uint64(all[i].Weight) / c.divisor
		if at < share {
			return i
		}
		at -= share
	}
	return from[len(from)-1]
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// leastConnections chooses the target with the fewest requests under way, relative to
// its weight. A stream counts until its end.
type leastConnections struct{}

func (leastConnections) pick(_ *Request, all []Target, from []int) int {
	return lowest(all, from, busy)
}

func busy(s *State) float64 { return float64(s.inflight.Load() + 1) }

// lowestLatency chooses the target with the lowest average latency, relative to its
// weight. Averages decay, so that a slow target is tried again after a while.
type lowestLatency struct {
	e2e     bool
	weights []float64 // logarithms, by target
}

func newLowestLatency(e2e bool, targets []Target) *lowestLatency {
	p := &lowestLatency{e2e: e2e}
	for _, t := range targets {
		p.weights = append(p.weights, math.Log(float64(t.Weight)))
	}
	return p
}

func (p *lowestLatency) pick(_ *Request, all []Target, from []int) int {
	best, bestRank := -1, 0.0
	for _, i := range from {
		average := &all[i].State.tpot
		if p.e2e {
			average = &all[i].State.e2e
		}
		rank := math.Inf(-1) // not used yet: use it now
		if a := average.Load(); a != nil {
			rank = a.rank - p.weights[i]
		}
		if best < 0 || rank < bestRank || rank == bestRank && lighter(&all[i], &all[best]) {
			best, bestRank = i, rank
		}
	}
	return best
}

// lowestUsage chooses the target that has used the least, relative to its weight, by
// the configured count.
type lowestUsage struct{ used func(*State) float64 }

func newLowestUsage(strategy string) lowestUsage {
	switch strategy {
	case "prompt-tokens":
		return lowestUsage{func(s *State) float64 { return s.total().prompt }}
	case "completion-tokens":
		return lowestUsage{func(s *State) float64 { return s.total().completion }}
	case "cost":
		return lowestUsage{func(s *State) float64 { return s.total().cost }}
	}
	return lowestUsage{func(s *State) float64 { u := s.total(); return u.prompt + u.completion }}
}

func (p lowestUsage) pick(_ *Request, all []Target, from []int) int { return lowest(all, from, p.used) }

// lowest returns the target with the lowest score relative to its weight. Of equal
// ones it returns the one with the fewest requests under way, then the heaviest.
func lowest(all []Target, from []int, score func(*State) float64) int {
	best, bestScore := -1, 0.0
	for _, i := range from {
		x := score(all[i].State) * all[i].inverse
		if best < 0 || x < bestScore || x == bestScore && lighter(&all[i], &all[best]) {
			best, bestScore = i, x
		}
	}
	return best
}

func lighter(a, b *Target) bool {
	x, y := a.State.inflight.Load(), b.State.inflight.Load()
	return x < y || x == y && a.Weight > b.Weight
}

// priority uses the heaviest targets only, in turn, and lighter ones if none of those
// is left.
type priority struct{ turn atomic.Uint64 }

func newPriority() *priority { return &priority{} }

func (p *priority) pick(_ *Request, all []Target, from []int) int {
	top, n := 0, uint64(0)
	for _, i := range from {
		switch w := all[i].Weight; {
		case w > top:
			top, n = w, 1
		case w == top:
			n++
		}
	}
	nth := p.turn.Add(1) % n
	for _, i := range from {
		if all[i].Weight == top {
			if nth == 0 {
				return i
			}
			nth--
		}
	}
	return from[0]
}

// semantic chooses the first available target in the ranking by the prompt's meaning.
// Without a ranking it chooses by weight.
type semantic struct{ fallback *roundRobin }

func newSemantic(targets []Target) *semantic { return &semantic{fallback: newRoundRobin(targets)} }

func (p *semantic) pick(r *Request, all []Target, from []int) int {
	for _, want := range r.Ranked {
		if _, ok := slices.BinarySearch(from, want); ok {
			return want
		}
	}
	return p.fallback.pick(r, all, from)
}
