package balancer

import (
	"math"
	"testing"
	"time"
)

// TestFailureCountsAsTheWorstOfTheCandidates holds what it adds up to.
func TestFailureCountsAsTheWorstOfTheCandidates(t *testing.T) {
	ts := targets(2, 4, 1)
	b := newBalancer(t, Options{Algorithm: LowestUsage}, ts)
	b.Learn(1, Sample{Latency: 400 * time.Millisecond, Prompt: 80, Completion: 40, Cost: 8}, noon)
	b.Learn(2, Sample{Latency: 5 * time.Second, Prompt: 8000, Completion: 4000, Cost: 800}, noon) // no candidate
	r := &Request{Now: noon, Candidates: all(2)}
	// The other has used 20, 10 and 2 for a weight of 1, in one request of 80,
	// 40 and 8; it took 100 ms for a weight of 1, and 2.5 a token.
	for _, times := range []float64{1, 2, 4, 8, 16, 32, 64, 64} {
		b.Fail(r, 0, noon)
		if got, want := ts[0].State.total(), (use{40 + times*80, 20 + times*40, 4 + times*8}); got != want {
			t.Errorf("as %v requests: %+v, want %+v", times, got, want)
		}
		got := ts[0].State.Snapshot()
		if got.Prompt != 0 || got.Completion != 0 || got.Cost != 0 {
			t.Errorf("it has used nothing: %+v", got)
		}
		if got.E2E.Value != 400 || got.TPOT.Value != 10 || !got.E2E.At.Equal(noon) {
			t.Errorf("twice the slowest: %+v", got)
		}
	}
	// An answer ends the row, and its latency is the first that was measured.
	b.Learn(0, Sample{Latency: 10 * time.Millisecond, Prompt: 80, Completion: 40, Cost: 8}, noon)
	got := ts[0].State.Snapshot()
	if got.E2E.Value != 10 || got.TPOT.Value != .25 || ts[0].State.streak.Load() != 0 {
		t.Errorf("after an answer: %+v", got)
	}
	// An answer that comes between may have ended the row already.
	ts[0].State.streak.Store(0)
	b.penalize(r, 0, noon)
	// What is higher already stays.
	before := ts[0].State.total()
	b.Fail(r, 0, noon)
	if again := ts[0].State.total(); again != before {
		t.Errorf("%+v after %+v", again, before)
	}
}

func TestFailureWhereNobodyHasAnsweredYet(t *testing.T) {
	ts := targets(1, 1)
	b := newBalancer(t, Options{}, ts)
	b.Fail(&Request{Candidates: all(2)}, 0, noon)
	got := ts[0].State.Snapshot()
	if ts[0].State.total() != (use{1, 1, leastCost}) || got.E2E.Value != 2 || got.TPOT.Value != 2 {
		t.Errorf("%+v", got)
	}
}

// TestFailuresDoNotAddUpWithoutBound: where all fail, each is worse than the other.
func TestFailuresDoNotAddUpWithoutBound(t *testing.T) {
	ts := targets(1, 1)
	b := newBalancer(t, Options{}, ts)
	b.Learn(0, Sample{Latency: time.Minute}, noon)
	for n := range 1000 {
		b.Fail(&Request{Candidates: all(2)}, n%2, noon)
	}
	for i := range ts {
		if got, u := ts[i].State.Snapshot(), ts[i].State.total(); got.E2E.Value > slowest || u.prompt > 1000*64 || u.cost > 1 {
			t.Errorf("%+v, %+v", got, u)
		}
	}
	b.Learn(0, Sample{Latency: time.Hour}, noon)
	if b.Fail(&Request{Candidates: all(2)}, 1, noon); ts[1].State.Snapshot().E2E.Value != 300_000 {
		t.Errorf("%v ms", ts[1].State.Snapshot().E2E.Value)
	}
}

func TestRefusalsCountFromTheThirdInARow(t *testing.T) {
	ts := targets(1, 1)
	b := newBalancer(t, Options{}, ts)
	r := &Request{Candidates: all(2)}
	refused := func() bool {
		before := ts[0].State.penalty.Load()
		b.Refuse(r, 0, noon)
		return ts[0].State.penalty.Load() != before
	}
	for range 2 { // an answer ends the row
		for n, want := range []bool{false, false, true, true} {
			if got := refused(); got != want {
				t.Errorf("refusal %d counts: %v", n+1, got)
			}
		}
		b.Learn(0, Sample{Latency: time.Second}, noon)
	}
}

func TestTypicalRequestIsAnAverage(t *testing.T) {
	s := &State{}
	s.average(Sample{Cost: 3})
	if s.typical.Load() != nil {
		t.Error("an answer without tokens counts")
	}
	s.average(Sample{Prompt: 8, Completion: 16, Cost: 1})
	s.average(Sample{Prompt: 16, Completion: 8, Cost: 2})
	if got := *s.typical.Load(); got != (use{9, 15, 1.125}) {
		t.Errorf("%+v", got)
	}
	s.average(Sample{Prompt: 9})
	s.average(Sample{Completion: 1})
	if got := *s.typical.Load(); got.completion >= 15 || got.prompt >= 9 {
		t.Errorf("%+v", got)
	}
}

// TestFailedTargetIsNoPeerOfANewOne: what it counts as is not what it used.
func TestFailedTargetIsNoPeerOfANewOne(t *testing.T) {
	ts := targets(1, 1, 1)
	b := newBalancer(t, Options{}, ts)
	b.Learn(0, Sample{Latency: time.Second, Prompt: 10}, noon)
	for range 10 {
		b.Fail(&Request{Candidates: all(2)}, 1, noon)
	}
	SlowStart(ts, noon)
	if got := ts[2].State.Snapshot(); got.Prompt != 10 || math.Abs(got.E2E.Value-1000) > 1e-9 {
		t.Errorf("%+v", got)
	}
}
