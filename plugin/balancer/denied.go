package balancer

import (
	"sync/atomic"
	"time"
)

const (
	// denials are how many refused credentials in a row exclude a target.
	denials = 3
	// firstDenial is for how long, the first time. Each further refusal doubles it, up
	// to longestDenial.
	firstDenial   = 10 * time.Second
	longestDenial = 5 * time.Minute
)

// denied is what is known of a target's credentials. After several refusals in a row
// the target is used only if no other is left; when the time is over, one request asks
// again.
type denied struct {
	inRow  atomic.Int64
	until  atomic.Int64 // unix nanoseconds; 0 is never
	asking atomic.Bool
}

// shut says whether requests are to avoid the target.
func (d *denied) shut(now time.Time) bool {
	until := d.until.Load()
	return until > now.UnixNano() || until != 0 && d.asking.Load()
}

// ask says whether the attempt that begins asks whether the credentials are accepted
// now.
func (d *denied) ask(now time.Time) bool {
	until := d.until.Load()
	return until != 0 && until <= now.UnixNano() && d.asking.CompareAndSwap(false, true)
}

// remaining returns how long the target is avoided.
func (d *denied) remaining(now time.Time) time.Duration {
	return max(time.Duration(d.until.Load()-now.UnixNano()), 0)
}

// Denied records that target i refused its credentials. If the target is avoided from
// now on, it returns for how long, and otherwise 0.
func (b *Balancer) Denied(i int, now time.Time) time.Duration {
	d := &b.targets[i].State.denied
	if d.until.Load() > now.UnixNano() {
		return 0 // no other target was left
	}
	n := d.inRow.Add(1)
	if n < denials {
		return 0
	}
	wait := min(firstDenial<<min(n-denials, maxDoublings), longestDenial)
	d.until.Store(now.Add(wait).UnixNano())
	return wait
}

// Accepted records that target i accepted its credentials, and says whether the target
// was avoided until then.
func (b *Balancer) Accepted(i int) bool {
	d := &b.targets[i].State.denied
	if d.inRow.Load() == 0 {
		return false
	}
	d.inRow.Store(0)
	return d.until.Swap(0) != 0
}
