package balancer

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// refusals in a row are the target's fault.
	refusals = 3
	// worse is how much slower than the slowest a failing target counts as.
	worse = 2
	// slowest bounds that, in ms and in ms per token: an hour of failures is
	// forgiven in a minute or two.
	slowest = float64(5 * time.Minute / time.Millisecond)
	// maxDoublings bounds how many requests the failures of a target count for:
	// 1, 2, 4 … the longer it goes on.
	maxDoublings = 6
	// leastCost is what a failure counts for where nothing has cost anything
	// yet: in the currency of the prices, less than any request costs.
	leastCost = 1e-9
)

// request is what a request uses at a target on average.
type request struct{ prompt, completion, cost float64 }

// smoothing is how much a request counts in that average.
const smoothing = 1.0 / 8

func (s *State) average(x Sample) {
	if x.Prompt == 0 && x.Completion == 0 {
		return
	}
	next := &request{float64(x.Prompt), float64(x.Completion), x.Cost}
	if old := s.typical.Load(); old != nil {
		next.prompt = old.prompt + (next.prompt-old.prompt)*smoothing
		next.completion = old.completion + (next.completion-old.completion)*smoothing
		next.cost = old.cost + (next.cost-old.cost)*smoothing
	}
	s.typical.Store(next) // of two at once one is lost, which is no harm to an average
}

// penalize makes target i the slowest and the most used of the candidates.
func (b *Balancer) penalize(r *Request, i int, now time.Time) {
	var e2e, tpot float64
	most := request{}    // use, for the weight
	largest := request{} // average request
	for _, j := range r.Candidates {
		s, inverse := b.targets[j].State, b.targets[j].inverse
		e2e = max(e2e, measured(&s.e2e, now)*inverse)
		tpot = max(tpot, measured(&s.tpot, now)*inverse)
		if one := s.typical.Load(); one != nil {
			largest.prompt = max(largest.prompt, one.prompt)
			largest.completion = max(largest.completion, one.completion)
			largest.cost = max(largest.cost, one.cost)
		}
		if j == i {
			continue
		}
		most.prompt = max(most.prompt, float64(s.prompt.Load())*inverse)
		most.completion = max(most.completion, float64(s.completion.Load())*inverse)
		most.cost = max(most.cost, math.Float64frombits(s.cost.Load())*inverse)
	}
	s, weight := b.targets[i].State, float64(b.targets[i].Weight)
	slow(&s.e2e, e2e*weight, now)
	slow(&s.tpot, tpot*weight, now)
	times := float64(int(1) << min(max(s.streak.Load()-1, 0), maxDoublings))
	raise(&s.prompt, most.prompt*weight+times*max(largest.prompt, 1))
	raise(&s.completion, most.completion*weight+times*max(largest.completion, 1))
	raiseFloat(&s.cost, most.cost*weight+times*max(largest.cost, leastCost))
}

// measured is an average as it has decayed until now; 0 where it is no measure.
func measured(p *atomic.Pointer[average], now time.Time) float64 {
	if a := p.Load(); a == nil || a.failed {
		return 0
	}
	return current(p, now)
}

// slow replaces an average by one that is worse than the worst.
func slow(p *atomic.Pointer[average], worst float64, now time.Time) {
	// Where nobody has answered yet, any time will do: the next failure counts
	// by those who have.
	next := newAverage(min(worse*max(worst, 1), slowest), now)
	next.failed = true
	p.Store(next)
}

func raise(to *atomic.Int64, least float64) { later(to, int64(math.Ceil(least))) }

func raiseFloat(to *atomic.Uint64, least float64) {
	for {
		old := to.Load()
		if math.Float64frombits(old) >= least || to.CompareAndSwap(old, math.Float64bits(least)) {
			return
		}
	}
}
