package balancer

import (
	"math"
	"slices"
	"sync/atomic"
)

// roundRobin gives each target exactly its share over a cycle as long as the
// sum of the (reduced) weights. The order jumps through the cycle by a step
// that has no divisor in common with it, so that a heavy target's turns are
// spread, and no wheel has to be kept.
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

// leastConnections gives the request to the target with the fewest under way
// for its weight; a stream counts until its end.
type leastConnections struct{}

func (leastConnections) pick(_ *Request, all []Target, from []int) int {
	return lowest(all, from, busy)
}

func busy(s *State) float64 { return float64(s.inflight.Load() + 1) }

// lowestLatency gives the request to the target with the lowest average for
// its weight. Averages decay, so that a slow target is tried again in time.
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
		rank := math.Inf(-1) // never asked: now
		if a := average.Load(); a != nil {
			rank = a.rank - p.weights[i]
		}
		if best < 0 || rank < bestRank || rank == bestRank && lighter(&all[i], &all[best]) {
			best, bestRank = i, rank
		}
	}
	return best
}

// lowestUsage gives the request to the target that has used the least for its
// weight, by the configured count.
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

// lowest is the target with the lowest score for its weight; of equals the one
// with the fewest requests under way, then the heaviest.
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

// priority uses the heaviest targets only, in turn, and lighter ones when none
// of those is left.
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

// semantic takes the first that is available of those ranked by the meaning of
// the prompt; without a ranking, by weight.
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
