package balancer

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

var noon = time.Unix(1_000_000, 0)

// settled is a state after verdicts, a second apart from noon on.
func settled(b Breaker, verdicts ...Verdict) *State {
	s := &State{}
	for i, v := range verdicts {
		b.settle(s, v, false, noon.Add(time.Duration(i)*time.Second))
	}
	return s
}

func TestBreakerCountsFailuresInTotalUpToTheLimit(t *testing.T) {
	for _, c := range []struct {
		name     string
		max      int
		verdicts []Verdict
		closed   bool
	}{
		{"below the limit", 3, []Verdict{Bad, Bad}, false},
		{"at the limit", 3, []Verdict{Bad, Bad, Bad}, true},
		{"above", 2, []Verdict{Bad, Bad, Bad}, true},
		{"a success between takes nothing back", 2, []Verdict{Bad, Good, Bad}, true},
		{"what says nothing counts for nothing", 2, []Verdict{Bad, Neutral, Neutral}, false},
		{"off", 0, []Verdict{Bad, Bad, Bad}, false},
	} {
		b := Breaker{MaxFails: c.max, FailTimeout: time.Hour}
		s := settled(b, c.verdicts...)
		if b.closed(s) != c.closed || b.allows(s, noon) == c.closed {
			t.Errorf("%s: closed %v", c.name, b.closed(s))
		}
		if all, _ := s.fails.load(); c.max == 0 && all != 0 {
			t.Errorf("%s: counts %d", c.name, all)
		}
	}
}

// TestSuccessForgivesOnlyALongTimeAfterTheLastFailure, or as the probe.
func TestSuccessForgivesOnlyALongTimeAfterTheLastFailure(t *testing.T) {
	b := Breaker{MaxFails: 2, FailTimeout: 10 * time.Second}
	for _, c := range []struct {
		after  time.Duration
		v      Verdict
		probe  bool
		closed bool // after one more failure
	}{
		{10*time.Second - 1, Good, false, true},
		{10 * time.Second, Good, false, false},
		{time.Hour, Good, false, false},
		{time.Hour, Neutral, false, true},
		{time.Second, Good, true, false},
		{time.Second, Neutral, true, true},
	} {
		s := settled(b, Bad)
		b.settle(s, c.v, c.probe, noon.Add(c.after))
		b.settle(s, Bad, false, noon.Add(2*time.Hour))
		if b.closed(s) != c.closed {
			t.Errorf("%v after the failure, verdict %d, probe %v: closed %v", c.after, c.v, c.probe, b.closed(s))
		}
	}
}

func TestTargetIsClosedOffUntilFailTimeoutAfterItsLastFailure(t *testing.T) {
	b := Breaker{MaxFails: 2, FailTimeout: 10 * time.Second}
	s := settled(b, Bad, Bad) // the last a second after noon
	for after, want := range map[time.Duration]time.Duration{time.Second: 10 * time.Second, 10 * time.Second: time.Second, 11*time.Second - 1: 1, 11 * time.Second: 0, time.Hour: 0} {
		now := noon.Add(after)
		if got := b.remaining(s, now); got != want || b.allows(s, now) != (want == 0) {
			t.Errorf("after %v: closed off for %v", after, got)
		}
	}
	if got := b.remaining(&State{}, noon); got != 0 {
		t.Errorf("a healthy target: %v", got)
	}
	if ok, probe := b.admit(&State{}, noon); !ok || probe {
		t.Errorf("a healthy target: %v %v", ok, probe)
	}
	if ok, probe := b.admit(s, noon); ok || probe {
		t.Errorf("closed off: %v %v", ok, probe)
	}
	later := noon.Add(time.Hour)
	if ok, probe := b.admit(s, later); !ok || !probe {
		t.Errorf("the first: %v %v", ok, probe)
	}
	if ok, probe := b.admit(s, later); ok || probe || b.allows(s, later) {
		t.Errorf("the second, meanwhile: %v %v", ok, probe)
	}
	b.settle(s, Neutral, true, later)
	if !b.allows(s, later) {
		t.Error("a probe that said nothing keeps others out")
	}
}

func TestRetryAfterIsThatOfTheFirstToComeBack(t *testing.T) {
	b := newBalancer(t, Options{Breaker: Breaker{MaxFails: 1, FailTimeout: 10 * time.Second}}, targets(1, 1, 1))
	for i, after := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second} {
		b.Done(&Request{}, i, Bad, noon.Add(after))
	}
	r := &Request{Now: noon.Add(4 * time.Second), Candidates: all(3)}
	if got := b.RetryAfter(r); got != 7*time.Second {
		t.Errorf("%v", got)
	}
	r.Candidates = []int{0, 2}
	if got := b.RetryAfter(r); got != 8*time.Second {
		t.Errorf("%v", got)
	}
}

func TestAverageMovesTheMoreTheOlderItIs(t *testing.T) {
	s := &State{}
	value := func() float64 { return s.e2e.Load().value }
	s.learn(Sample{Latency: 100 * time.Millisecond, Completion: 4}, noon)
	if got := s.tpot.Load().value; value() != 100 || got != 25 {
		t.Fatalf("%v, %v per token", value(), got)
	}
	s.learn(Sample{Latency: 50 * time.Millisecond}, noon)
	if value() != 100 {
		t.Errorf("at the same time: %v", value())
	}
	s.learn(Sample{Latency: 50 * time.Millisecond}, noon.Add(10*time.Second))
	if want := 50 + 50/math.E; math.Abs(value()-want) > 1e-9 {
		t.Errorf("after the time constant: %v, want %v", value(), want)
	}
	s.learn(Sample{Latency: 300 * time.Millisecond, Completion: 1}, noon.Add(10*time.Second))
	if got := s.tpot.Load().value; value() != 300 || got != 300 {
		t.Errorf("a peak: %v, %v per token", value(), got)
	}
	if got, want := current(&s.e2e, noon.Add(20*time.Second)), 300/math.E; math.Abs(got-want) > 1e-9 {
		t.Errorf("decayed: %v, want %v", got, want)
	}
	if got := current(&s.e2e, noon); got != 300 {
		t.Errorf("before it was taken: %v", got)
	}
	before := value()
	s.learn(Sample{Prompt: 1}, noon.Add(10*time.Second))
	if value() != before {
		t.Error("what took no time has changed the average")
	}
	if got := current(&(&State{}).e2e, noon); got != 0 {
		t.Errorf("none: %v", got)
	}
}

// TestRanksOrderDecayedAverages: an older, higher average is lower at last.
func TestRanksOrderDecayedAverages(t *testing.T) {
	old, young := newAverage(100, noon), newAverage(60, noon.Add(10*time.Second))
	if old.rank >= young.rank {
		t.Error("100 a time constant ago is 37 now")
	}
	if young = newAverage(30, noon.Add(10*time.Second)); old.rank <= young.rank {
		t.Error("30 is less than 37")
	}
}

func TestNewTargetStartsAtItsWeightsShare(t *testing.T) {
	ts := targets(2, 4, 3)
	ts[0].State.learn(Sample{Latency: 100 * time.Millisecond, Prompt: 20, Completion: 10, Cost: 2}, noon)
	ts[1].State.learn(Sample{Latency: 200 * time.Millisecond, Prompt: 80, Completion: 20, Cost: 8}, noon)
	SlowStart(ts, noon)
	got := ts[2].State.Snapshot()
	// for a weight of 1: 15 and 5 tokens and 1.5 on average; 150 ms, and 10 a token
	if got.Prompt != 45 || got.Completion != 15 || got.Cost != 4.5 || got.E2E.Value != 150 || got.TPOT.Value != 10 {
		t.Errorf("%+v", got)
	}
	given := ts[2].State.Given()
	if given != got {
		t.Errorf("given %+v of %+v", given, got)
	}
	if (ts[0].State.Given() != Snapshot{}) {
		t.Errorf("given to one that was there: %+v", ts[0].State.Given())
	}
	before := ts[0].State.Snapshot()
	SlowStart(ts, noon.Add(time.Hour))
	if ts[0].State.Snapshot() != before || ts[2].State.Snapshot() != got {
		t.Error("a second start changed something")
	}
	alone := targets(1, 1)
	SlowStart(alone, noon)
	if (alone[0].State.Snapshot() != Snapshot{}) {
		t.Error("there are no peers")
	}
}

func TestStateIsKeptForAWhileAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore()
		a := s.Use("a")
		if s.Use("a") != a {
			t.Fatal("two users have two states")
		}
		s.Release("a")
		time.Sleep(20 * time.Minute)
		if s.Use("b"); s.states["a"] == nil {
			t.Fatal("a state in use was dropped")
		}
		s.Release("a")
		time.Sleep(10 * time.Minute)
		if s.Use("a") != a {
			t.Fatal("dropped too early")
		}
		s.Release("a")
		time.Sleep(10*time.Minute + 1)
		if b := s.Use("a"); b == a || b.kept.Load() {
			t.Fatal("kept too long")
		}
		s.Release("no such") // is no harm
		seen := map[string]*State{}
		s.Release("b")
		s.Each(func(identity string, state *State) { seen[identity] = state })
		if len(seen) != 1 || seen["a"] != s.states["a"].state {
			t.Errorf("in use: %v", seen)
		}
		s.Release("a") // nobody holds the store
	})
}

func TestSnapshotIsWhatIsKnown(t *testing.T) {
	if (&State{}).Snapshot() != (Snapshot{}) {
		t.Errorf("%+v of nothing", (&State{}).Snapshot())
	}
	b := Breaker{MaxFails: 9, FailTimeout: time.Second}
	s := settled(b, Bad, Bad)
	b.settle(s, Good, false, noon.Add(time.Minute))
	b.settle(s, Bad, false, noon.Add(2*time.Minute))
	s.learn(Sample{Latency: time.Second, Prompt: 2, Completion: 5, Cost: 1.5}, noon)
	later(&s.rest, noon.UnixNano())
	want := Snapshot{Prompt: 2, Completion: 5, Cost: 1.5, Fails: 3, Forgiven: 2, LastFail: noon.Add(2 * time.Minute), Rest: noon,
		E2E: Average{1000, noon}, TPOT: Average{200, noon}}
	if got := s.Snapshot(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestMergeTakesInWhatOthersKnow(t *testing.T) {
	s := &State{}
	s.learn(Sample{Latency: time.Second, Prompt: 2, Completion: 5, Cost: 1.5}, noon)
	known := s.Snapshot()
	s.learn(Sample{Prompt: 1, Completion: 2, Cost: .5}, noon)
	all := known
	all.Prompt, all.Completion, all.Cost = 12, 35, 4
	all.LastFail, all.Rest = noon.Add(time.Second), noon.Add(time.Minute)
	all.E2E, all.TPOT = Average{700, noon.Add(1)}, Average{70, noon.Add(-1)}
	s.Merge(known, all)
	want := all
	want.Prompt, want.Completion, want.Cost, want.TPOT = 13, 37, 4.5, known.TPOT // ours is younger
	if got := s.Snapshot(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	earlier := want
	earlier.LastFail, earlier.Rest, earlier.E2E = noon, time.Time{}, Average{}
	s.Merge(want, earlier)
	if got := s.Snapshot(); got != want {
		t.Errorf("earlier times: %+v, want %+v", got, want)
	}
	// The same value is ours, though its time has lost precision.
	same := want
	same.E2E.At = noon.Add(time.Hour)
	if s.Merge(want, same); s.Snapshot().E2E != want.E2E {
		t.Errorf("%+v", s.Snapshot().E2E)
	}
	empty := &State{}
	if empty.Merge(Snapshot{}, want); empty.Snapshot() != want {
		t.Errorf("%+v, want %+v", empty.Snapshot(), want)
	}
}

func TestForgivenFailuresOfAllNodesAreJoined(t *testing.T) {
	for _, c := range []struct {
		name                    string
		known, now, all         [2]uint32 // failures, forgiven
		wantFails, wantForgiven uint32
	}{
		{"others failed", [2]uint32{2, 0}, [2]uint32{2, 0}, [2]uint32{5, 0}, 5, 0},
		{"others forgave", [2]uint32{2, 0}, [2]uint32{2, 0}, [2]uint32{5, 5}, 5, 5},
		{"one more here", [2]uint32{2, 0}, [2]uint32{3, 0}, [2]uint32{5, 5}, 6, 5},
		{"forgiven here meanwhile", [2]uint32{2, 0}, [2]uint32{3, 3}, [2]uint32{5, 0}, 6, 6},
		{"forgiven in both places", [2]uint32{2, 0}, [2]uint32{2, 1}, [2]uint32{5, 5}, 5, 5},
	} {
		s := &State{}
		s.fails.update(func(uint32, uint32) (uint32, uint32) { return c.now[0], c.now[1] })
		s.Merge(Snapshot{Fails: c.known[0], Forgiven: c.known[1]}, Snapshot{Fails: c.all[0], Forgiven: c.all[1]})
		if all, forgiven := s.fails.load(); all != c.wantFails || forgiven != c.wantForgiven {
			t.Errorf("%s: %d, %d forgiven", c.name, all, forgiven)
		}
	}
}
