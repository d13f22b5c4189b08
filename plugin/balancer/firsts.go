package balancer

import (
	"math"
	"sync/atomic"
	"time"
)

// firsts estimates percentiles of the time to the first content of a target's answers:
// a histogram whose bounds grow by a constant factor, so that its error is one too. Old
// times fade.
type firsts struct {
	counts [firstBuckets]atomic.Uint32
	total  atomic.Uint32
}

const (
	firstBuckets = 160
	// firstsPerDoubling is how many buckets there are from a time to its double: what is
	// estimated is at most 9 % too long.
	firstsPerDoubling = 8
	shortestFirst     = time.Millisecond
	// leastFirsts is how many times must be known for an estimate, and fadeAfter how
	// many there are before all are halved.
	leastFirsts = 20
	fadeAfter   = 1000
)

func (f *firsts) add(d time.Duration) {
	i := 0
	if d > shortestFirst {
		i = min(int(math.Ceil(math.Log2(float64(d)/float64(shortestFirst))*firstsPerDoubling)), firstBuckets-1)
	}
	f.counts[i].Add(1)
	if n := f.total.Add(1); n >= fadeAfter && f.total.CompareAndSwap(n, n/2) {
		for i := range f.counts { // what is added meanwhile may be lost, which does not matter
			f.counts[i].Store(f.counts[i].Load() / 2)
		}
	}
}

// percentile returns the time below which n percent of the times are; 0 if too few are
// known.
func (f *firsts) percentile(n int) time.Duration {
	var total uint32
	for i := range f.counts {
		total += f.counts[i].Load()
	}
	if total < leastFirsts {
		return 0
	}
	rank, below := float64(total)*float64(n)/100, uint32(0)
	for i := range f.counts {
		if below += f.counts[i].Load(); float64(below) >= rank {
			return time.Duration(float64(shortestFirst) * math.Exp2(float64(i)/firstsPerDoubling))
		}
	}
	return 0
}

// Began records that the first content of an answer of target i came after d. Streams
// and whole answers are told apart.
func (b *Balancer) Began(i int, stream bool, d time.Duration) {
	b.targets[i].State.firstsOf(stream).add(d)
}

// FirstContent returns the nth percentile of the time to the first content at target i;
// 0 if it is not known yet.
func (b *Balancer) FirstContent(i int, stream bool, n int) time.Duration {
	return b.targets[i].State.firstsOf(stream).percentile(n)
}

func (s *State) firstsOf(stream bool) *firsts {
	at := &s.firsts[0]
	if stream {
		at = &s.firsts[1]
	}
	f := at.Load()
	if f == nil { // only targets that are asked have one
		at.CompareAndSwap(nil, &firsts{})
		f = at.Load()
	}
	return f
}
