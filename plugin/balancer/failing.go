package balancer

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// refusals is how many refusals in a row count as the target's failure.
	refusals = 3
	// worse is the factor by which a failing target counts as slower than the
	// slowest.
	worse = 2
	// slowest is the limit of that, in ms and in ms per token: after an hour of
	// failures a target is used again within a minute or two.
	slowest = float64(5 * time.Minute / time.Millisecond)
	// maxDoublings limits how many requests the failures of a target count for: 1, 2,
	// 4 … while they continue.
	maxDoublings = 6
	// leastCost is what a failure counts for if no request has had a cost yet: less
	// than any request costs, in the currency of the prices.
	leastCost = 1e-9
)

// use is the usage of requests at a target.
type use struct{ prompt, completion, cost float64 }

// total returns the target's usage, including what its failures count for.
func (s *State) total() use {
	u := use{float64(s.prompt.Load()), float64(s.completion.Load()), math.Float64frombits(s.cost.Load())}
	if p := s.penalty.Load(); p != nil {
		u.prompt, u.completion, u.cost = u.prompt+p.prompt, u.completion+p.completion, u.cost+p.cost
	}
	return u
}

// smoothing is the weight of one request in the average.
const smoothing = 1.0 / 8

// average adds an answered request to the average usage of one.
func (s *State) average(x Sample) {
	if x.Prompt == 0 && x.Completion == 0 {
		return
	}
	next := &use{float64(x.Prompt), float64(x.Completion), x.Cost}
	if old := s.typical.Load(); old != nil {
		next.prompt = old.prompt + (next.prompt-old.prompt)*smoothing
		next.completion = old.completion + (next.completion-old.completion)*smoothing
		next.cost = old.cost + (next.cost-old.cost)*smoothing
	}
	s.typical.Store(next) // if two do this at once one is lost, which does not matter for an average
}

// penalize makes target i the slowest and the most used of the candidates.
func (b *Balancer) penalize(r *Request, i int, now time.Time) {
	var e2e, tpot float64
	most := use{}    // for the weight
	largest := use{} // average request
	for _, j := range r.Candidates {
		s, inverse := b.targets[j].State, b.targets[j].inverse
		e2e = max(e2e, measured(&s.e2e, now)*inverse)
		tpot = max(tpot, measured(&s.tpot, now)*inverse)
		if one := s.typical.Load(); one != nil {
			largest = use{max(largest.prompt, one.prompt), max(largest.completion, one.completion), max(largest.cost, one.cost)}
		}
		if j != i {
			u := s.total()
			most = use{max(most.prompt, u.prompt*inverse), max(most.completion, u.completion*inverse), max(most.cost, u.cost*inverse)}
		}
	}
	s, weight := b.targets[i].State, float64(b.targets[i].Weight)
	slow(&s.e2e, e2e*weight, now)
	slow(&s.tpot, tpot*weight, now)
	times := float64(int(1) << min(max(s.streak.Load()-1, 0), maxDoublings))
	u := s.total()
	missing := use{
		max(most.prompt*weight+times*max(largest.prompt, 1)-u.prompt, 0),
		max(most.completion*weight+times*max(largest.completion, 1)-u.completion, 0),
		max(most.cost*weight+times*max(largest.cost, leastCost)-u.cost, 0),
	}
	if p := s.penalty.Load(); p != nil {
		missing.prompt, missing.completion, missing.cost = missing.prompt+p.prompt, missing.completion+p.completion, missing.cost+p.cost
	}
	s.penalty.Store(&missing) // if two do this at once one is lost; they are alike
}

// measured returns an average, decayed until now; 0 if it was not measured.
func measured(p *atomic.Pointer[average], now time.Time) float64 {
	if a := p.Load(); a == nil || a.failed {
		return 0
	}
	return current(p, now)
}

// slow replaces an average by one that is worse than the worst.
func slow(p *atomic.Pointer[average], worst float64, now time.Time) {
	// If no target has answered yet, any value will do: the next failure is compared
	// with those that have.
	next := newAverage(min(worse*max(worst, 1), slowest), now)
	next.failed = true
	p.Store(next)
}
