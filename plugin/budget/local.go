package budget

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Store counts what is used of all budgets. It outlives the configurations that the
// budgets are of. Its zero value counts in this process only, and it is safe for
// concurrent use.
type Store struct {
	mu     sync.Mutex
	groups map[string]*group
	swept  time.Time

	shared *shared // nil without Redis
}

// group counts for those who have one budget.
type group struct {
	mu       sync.Mutex
	size     int64 // of the window in ms
	counters map[string]*counter
	used     time.Time // when somebody last asked

	exceeded, warned atomic.Uint64
}

// counter is what one of them has used.
type counter struct{ window, used int64 }

const (
	// maxCounters bounds a group. Those beyond it share one counter.
	maxCounters = 1 << 16
	sweepEvery  = time.Minute
)

// Open readies a budget for Reserve. It keeps what an earlier configuration has counted
// of a budget that differs from this one in its limit only.
func (s *Store) Open(b *Budget) {
	b.scope = strings.Join([]string{b.Plugin, b.Per, strings.ToLower(b.Header), b.What, b.Unit(), Duration(b.Window)}, "\x00")
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for scope, g := range s.groups {
		if g.idle(now) {
			delete(s.groups, scope)
		}
	}
	if s.groups == nil {
		s.groups = map[string]*group{}
	}
	if b.group = s.groups[b.scope]; b.group == nil {
		b.group = &group{size: b.Window.Milliseconds(), counters: map[string]*counter{}}
		s.groups[b.scope] = b.group
	}
	b.group.touch(now)
}

func (g *group) touch(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used = now
}

// idle says whether nothing that the group has counted matters any more.
func (g *group) idle(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return now.Sub(g.used) > 2*time.Duration(g.size)*time.Millisecond
}

// Reserve reserves what a request wants of its budgets: all of it, or nothing when one
// of them does not have enough left, whose place in asks is over; over is -1 when the
// request may be served. states has an entry for each of asks. A hold that is not nil
// must be settled. down means that a budget is counted with other nodes only, and that
// Redis does not answer; nothing is reserved then.
func (s *Store) Reserve(asks []Ask) (hold *Hold, states []State, over int, down bool) {
	now := time.Now()
	parts, states := make([]part, len(asks)), make([]State, len(asks))
	for i := range asks {
		a := &asks[i]
		parts[i] = part{budget: a.Budget, key: a.Budget.key(a.Identity), amount: a.Amount}
		states[i] = State{Budget: a.Budget, Reserved: a.Amount}
	}
	s.bound(parts, now)
	counted := false
	if s.shared != nil {
		if over, counted = s.shared.reserve(s, asks, parts, states, now); !counted {
			for i := range asks {
				if down = down || asks[i].Budget.Together && !asks[i].Unchecked; down {
					return nil, states, -1, true
				}
				states[i].Alone = true
			}
		}
	}
	if !counted {
		over = s.reserve(asks, parts, states, now)
		if over < 0 && s.shared != nil {
			for i := range parts {
				s.shared.add(&parts[i], parts[i].amount) // the others learn of it when Redis is back
			}
		}
	}
	judge(asks, states, over)
	if over >= 0 {
		return nil, states, over, false
	}
	return &Hold{s, parts}, states, -1, false
}

// judge says in states what became of each budget, and counts it.
func judge(asks []Ask, states []State, over int) {
	for i := range states {
		st := &states[i]
		switch {
		case i == over:
			st.Outcome, st.Reserved = Exceeded, 0
			st.Budget.group.exceeded.Add(1)
		case over >= 0:
			st.Outcome, st.Reserved = Uncalled, 0
		case st.Used > st.Budget.Limit && !asks[i].Unchecked:
			st.Outcome = Warned
			st.Budget.group.warned.Add(1)
		default:
			st.Outcome = Admitted
		}
	}
}

// bound makes those who come when a group is full share a counter.
func (s *Store) bound(parts []part, now time.Time) {
	s.mu.Lock()
	sweep := now.Sub(s.swept) > sweepEvery
	if sweep {
		s.swept = now
	}
	s.mu.Unlock()
	for i := range parts {
		g := parts[i].budget.group
		g.mu.Lock()
		g.used = now
		if sweep {
			g.sweep(now)
		}
		if g.counters[parts[i].key] == nil {
			if len(g.counters) >= maxCounters {
				parts[i].key = parts[i].budget.key("\x00others")
			}
			if g.counters[parts[i].key] == nil {
				g.counters[parts[i].key] = &counter{window: -1}
			}
		}
		g.mu.Unlock()
	}
}

// sweep forgets what was counted in windows that are over. The lock is held.
func (g *group) sweep(now time.Time) {
	w := now.UnixMilli() / g.size
	for key, c := range g.counters {
		if c.window < w-1 {
			delete(g.counters, key)
		}
	}
}

// reserve is Reserve by what this process has counted.
func (s *Store) reserve(asks []Ask, parts []part, states []State, now time.Time) (over int) {
	s.mu.Lock() // of several groups, all or none
	defer s.mu.Unlock()
	over = -1
	for i := range parts {
		p := &parts[i]
		g := p.budget.group
		g.mu.Lock()
		c := g.at(p.key, now)
		p.window = c.window
		states[i].Used = c.used
		g.mu.Unlock()
		states[i].Reset = time.Duration((p.window+1)*g.size-now.UnixMilli()) * time.Millisecond
		if asks[i].hard() && over < 0 && states[i].Used+p.amount > p.budget.Limit {
			over = i
		}
	}
	if over >= 0 {
		return over
	}
	for i := range parts {
		p := &parts[i]
		g := p.budget.group
		g.mu.Lock()
		c := g.at(p.key, now)
		c.used += p.amount
		states[i].Used = c.used
		g.mu.Unlock()
	}
	return -1
}

// at is the counter of key in the window of now. The lock is held.
func (g *group) at(key string, now time.Time) *counter {
	c := g.counters[key]
	if c == nil { // swept meanwhile
		c = &counter{window: -1}
		g.counters[key] = c
	}
	if w := now.UnixMilli() / g.size; c.window < w {
		c.window, c.used = w, 0
	}
	return c
}

// know records what all nodes together have used, as far as this one knows.
func (g *group) know(key string, window, used int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.counters[key]; c != nil && c.window <= window {
		c.window, c.used = window, used
	}
}

// known is what know recorded last.
func (g *group) known(key string) counter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.counters[key]; c != nil {
		return *c
	}
	return counter{window: -1}
}

// change settles a part.
func (s *Store) change(p *part, by int64) {
	g := p.budget.group
	g.mu.Lock()
	if c := g.counters[p.key]; c != nil && c.window == p.window {
		c.used = max(c.used+by, 0)
	}
	g.mu.Unlock()
	if s.shared != nil {
		s.shared.add(p, by)
	}
}

// Use is what is shown of a budget.
type Use struct {
	Counters int   // how many have used something in this window
	Most     int64 // what the one has used that has used most
	Exceeded uint64
	Warned   uint64
}

// Use returns what is used of a budget now, as far as this process knows.
func (b *Budget) Use(now time.Time) Use {
	g := b.group
	u := Use{Exceeded: g.exceeded.Load(), Warned: g.warned.Load()}
	w := now.UnixMilli() / g.size
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.counters {
		if c.window == w && c.used > 0 {
			u.Counters++
			u.Most = max(u.Most, c.used)
		}
	}
	return u
}
