// Package hedge decides when a request without an answer is sent to a second target,
// and bounds how many are: Policy. It runs the two, of which one wins: Race. It knows
// times and counts only: the relay measures the first, and makes the requests.
package hedge

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Policy is balancer.hedge, compiled. It is safe for concurrent use.
type Policy struct {
	after      time.Duration // 0: by percentile
	percentile int
	share      int64        // what a request adds to credit
	credit     atomic.Int64 // in units of which a hedge costs whole
}

const (
	// whole is the credit that one hedged request costs: a budget of 100 % earns it by
	// every request.
	whole = 100_000
	// most is how many hedged requests can be saved up: a provider that becomes slow
	// after a quiet hour does not double the load.
	most = 10
)

// New returns the policy for after, "p95" or "800ms", and budget, "5%". The errors
// begin with the name of the field.
func New(after, budget string) (*Policy, error) {
	p := &Policy{}
	if rank, ok := strings.CutPrefix(after, "p"); ok {
		n, err := strconv.Atoi(rank)
		if err != nil || n < 1 || n > 99 {
			return nil, fmt.Errorf("after: %q is no percentile: p1 to p99", after)
		}
		p.percentile = n
	} else {
		d, err := time.ParseDuration(after)
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("after: %q is neither a percentile such as p95 nor a time such as 800ms", after)
		}
		p.after = d
	}
	share, err := strconv.ParseFloat(strings.TrimSuffix(budget, "%"), 64)
	if err != nil || !strings.HasSuffix(budget, "%") || !(share*whole/100 >= 1 && share <= 100) {
		return nil, fmt.Errorf("budget: %q is no share of the requests: 0.001%% to 100%%", budget)
	}
	p.share = int64(share * whole / 100)
	return p, nil
}

// Percentile is the percentile of the target's own times to the first content that the
// policy goes by; 0 if it goes by a fixed time.
func (p *Policy) Percentile() int { return p.percentile }

// After is the fixed time, or 0.
func (p *Policy) After() time.Duration { return p.after }

// Count counts a request that may be hedged.
func (p *Policy) Count() {
	if p.credit.Add(p.share) > most*whole {
		p.credit.Store(most * whole)
	}
}

// Take reports whether one more request may be hedged, and counts it if so.
func (p *Policy) Take() bool {
	for {
		c := p.credit.Load()
		if c < whole {
			return false
		}
		if p.credit.CompareAndSwap(c, c-whole) {
			return true
		}
	}
}
