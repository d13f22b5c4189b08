package balancer

import (
	"math"
	"sync/atomic"
	"time"
)

// Snapshot is the state of a target that nodes share. Counts only grow.
type Snapshot struct {
	Prompt, Completion int64 // tokens
	Cost               float64
	Fails, Forgiven    uint32    // failures, and how many of them have been forgiven
	LastFail           time.Time // zero: never
	Rest               time.Time // until when its provider asked to be left alone
	E2E, TPOT          Average
}

// Average is a latency at a certain time, in ms or ms per token. The zero Average
// means none.
type Average struct {
	Value float64
	At    time.Time
}

// Snapshot returns what is known of the target.
func (s *State) Snapshot() Snapshot {
	x := Snapshot{
		Prompt: s.prompt.Load(), Completion: s.completion.Load(), Cost: math.Float64frombits(s.cost.Load()),
		LastFail: timeOf(s.last.Load()), Rest: timeOf(s.rest.Load()),
		E2E: averageOf(s.e2e.Load()), TPOT: averageOf(s.tpot.Load()),
	}
	x.Fails, x.Forgiven = s.fails.load()
	return x
}

// Given returns the counts and averages that SlowStart set, which were not measured.
func (s *State) Given() Snapshot {
	g := s.given.Load()
	if g == nil {
		return Snapshot{}
	}
	return *g
}

// Merge applies the state that all nodes together know of the target. known is this
// node's own snapshot that is included in all; what has happened here since then is
// added.
func (s *State) Merge(known, all Snapshot) {
	s.prompt.Add(all.Prompt - known.Prompt)
	s.completion.Add(all.Completion - known.Completion)
	addFloat(&s.cost, all.Cost-known.Cost)
	later(&s.last, nanoseconds(all.LastFail))
	later(&s.rest, nanoseconds(all.Rest))
	s.fails.update(func(fails, forgiven uint32) (uint32, uint32) {
		added := all.Fails - known.Fails
		if forgiven == known.Forgiven {
			return fails + added, all.Forgiven
		}
		return fails + added, max(forgiven+added, all.Forgiven) // forgiven since
	})
	mergeAverage(&s.e2e, known.E2E, all.E2E)
	mergeAverage(&s.tpot, known.TPOT, all.TPOT)
}

// mergeAverage uses another node's average if it is newer than ours. An average that
// equals ours is ours, even if its time has lost some precision.
func mergeAverage(p *atomic.Pointer[average], known, all Average) {
	if all.At.IsZero() || all.Value == known.Value {
		return
	}
	next := newAverage(all.Value, all.At)
	for {
		old := p.Load()
		if old != nil && !next.at.After(old.at) || p.CompareAndSwap(old, next) {
			return
		}
	}
}

func averageOf(a *average) Average {
	if a == nil {
		return Average{}
	}
	return Average{Value: a.value, At: a.at}
}

func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Each calls f for every target that a configuration uses.
func (s *Store) Each(f func(identity string, state *State)) {
	s.mu.Lock()
	used := make(map[string]*State, len(s.states))
	for id, e := range s.states {
		if e.users > 0 {
			used[id] = e.state
		}
	}
	s.mu.Unlock()
	for id, state := range used {
		f(id, state)
	}
}
