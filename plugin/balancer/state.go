package balancer

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// decay is the time constant of the latency average.
const decay = 10 * time.Second

// State is the state of a target: connections, latency, usage and health. It is
// kept across configurations as long as the target stays the same.
type State struct {
	inflight atomic.Int64
	e2e      atomic.Pointer[average] // ms
	tpot     atomic.Pointer[average] // ms per token

	prompt     atomic.Int64
	completion atomic.Int64
	cost       atomic.Uint64       // float64 bits
	typical    atomic.Pointer[use] // of one request, on average
	penalty    atomic.Pointer[use] // what failures count for, in addition to the usage
	streak     atomic.Int64        // failures and refusals since the last answer

	rest    atomic.Int64 // unix nanoseconds until which the provider asked to be left alone
	denied  denied
	checks  checks                    // by health checks
	good    atomic.Int64              // unix nanoseconds of the last success
	firsts  [2]atomic.Pointer[firsts] // of whole answers and of streams, where hedging needs them
	fails   failures
	last    atomic.Int64 // unix nanoseconds of the last failure
	probing atomic.Bool  // the target is excluded, and its probe is under way

	given atomic.Pointer[Snapshot] // what SlowStart put in
	kept  atomic.Bool              // an earlier configuration had the target
}

type average struct {
	value float64
	at    time.Time
	// rank orders decayed averages without computing them. It is the logarithm of the
	// value plus the time of the measurement in units of decay. Since all values
	// decay at the same rate, the order of ranks is the order of the values at any
	// time.
	rank float64
	// failed means that the value is not a latency but what a failure counts as.
	failed bool
}

func newAverage(value float64, at time.Time) *average {
	return &average{value: value, at: at, rank: math.Log(value) + float64(at.UnixNano())/float64(decay)}
}

// Sample is what one answered request cost.
type Sample struct {
	Latency            time.Duration // from connecting to the end of the answer
	Prompt, Completion int           // tokens
	Cost               float64
}

func (s *State) learn(x Sample, now time.Time) {
	if x.Latency > 0 {
		ms := float64(x.Latency) / float64(time.Millisecond)
		update(&s.e2e, ms, now)
		update(&s.tpot, ms/float64(max(x.Completion, 1)), now)
		s.streak.Store(0)
	}
	s.average(x)
	s.prompt.Add(int64(x.Prompt))
	s.completion.Add(int64(x.Completion))
	addFloat(&s.cost, x.Cost)
}

// update moves an average towards value, more so the older the average is. The first
// value, and the first after a failure, is used unchanged.
func update(p *atomic.Pointer[average], value float64, now time.Time) {
	for {
		old := p.Load()
		average := value
		if old != nil && !old.failed {
			w := weightAfter(now.Sub(old.at))
			average = max(value, old.value*w+value*(1-w)) // a peak counts immediately
		}
		next := newAverage(average, now)
		if p.CompareAndSwap(old, next) {
			return
		}
	}
}

// current returns an average, decayed until now, so that a target that is not used is
// tried again after a while.
func current(p *atomic.Pointer[average], now time.Time) float64 {
	a := p.Load()
	if a == nil {
		return 0
	}
	return a.value * weightAfter(now.Sub(a.at))
}

func weightAfter(d time.Duration) float64 { return math.Exp(-float64(max(d, 0)) / float64(decay)) }

func addFloat(to *atomic.Uint64, f float64) {
	if f == 0 {
		return
	}
	for {
		old := to.Load()
		if to.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+f)) {
			return
		}
	}
}

// Store keeps states by the identity of their targets across configurations.
type Store struct {
	mu     sync.Mutex
	states map[string]*stored
}

type stored struct {
	state *State
	users int
	idle  time.Time // the time since when it is not used
}

// keepState is how long a state that no configuration uses is kept: a full sync may
// remove a target and add it again.
const keepState = 10 * time.Minute

// NewStore returns an empty store.
func NewStore() *Store { return &Store{states: map[string]*stored{}} }

// Use returns the state of the target with this identity, and creates it if
// necessary. Each call needs a Release.
func (s *Store) Use(identity string) *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, e := range s.states {
		if e.users == 0 && now.Sub(e.idle) > keepState {
			delete(s.states, id)
		}
	}
	e := s.states[identity]
	if e == nil {
		e = &stored{state: &State{}}
		s.states[identity] = e
	} else {
		e.state.kept.Store(true)
	}
	e.users++
	return e.state
}

// Release says that a configuration no longer uses the target.
func (s *Store) Release(identity string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.states[identity]; e != nil {
		if e.users--; e.users == 0 {
			e.idle = time.Now()
		}
	}
}

// SlowStart gives new targets the mean usage and latency of their peers, so that a
// target added later does not get all requests until it has caught up.
func SlowStart(targets []Target, now time.Time) {
	var known []Target
	for _, t := range targets {
		if a := t.State.e2e.Load(); a != nil && !a.failed {
			known = append(known, t)
		}
	}
	if len(known) == 0 || len(known) == len(targets) {
		return
	}
	n := float64(len(known))
	var e2e, tpot, prompt, completion, cost float64
	for _, t := range known {
		w := float64(t.Weight)
		e2e += current(&t.State.e2e, now) / n
		tpot += current(&t.State.tpot, now) / n
		prompt += float64(t.State.prompt.Load()) / w / n
		completion += float64(t.State.completion.Load()) / w / n
		cost += math.Float64frombits(t.State.cost.Load()) / w / n
	}
	for _, t := range targets {
		s, w := t.State, float64(t.Weight)
		if s.e2e.Load() != nil || s.kept.Load() {
			continue
		}
		s.e2e.Store(newAverage(e2e, now))
		s.tpot.Store(newAverage(tpot, now))
		s.prompt.Store(int64(prompt * w))
		s.completion.Store(int64(completion * w))
		s.cost.Store(math.Float64bits(cost * w))
		now := s.Snapshot()
		s.given.Store(&Snapshot{Prompt: now.Prompt, Completion: now.Completion, Cost: now.Cost, E2E: now.E2E, TPOT: now.TPOT})
	}
}
