package balancer

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func targets(weights ...int) []Target {
	list := make([]Target, len(weights))
	for i, w := range weights {
		list[i] = Target{ID: fmt.Sprintf("t%d", i), Weight: w, State: &State{}}
	}
	return list
}

func all(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func newBalancer(t testing.TB, o Options, ts []Target) *Balancer {
	b, err := New(o, ts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// count picks n times, each request answered at once.
func count(b *Balancer, n int, request func() *Request) []int {
	got := make([]int, len(b.targets))
	for range n {
		r := request()
		i, ok := b.Pick(r)
		if !ok {
			continue
		}
		got[i]++
		b.Done(r, i, Good, r.Now)
	}
	return got
}

func TestRoundRobinSharesAreExactOverACycle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 200), 1, 8).Draw(t, "weights")
		ts := targets(weights...)
		b, _ := New(Options{Algorithm: RoundRobin}, ts)
		divisor, total := uint64(0), 0
		for _, w := range weights {
			divisor = gcd(divisor, uint64(w))
			total += w
		}
		cycle := total / int(divisor)
		got := count(b, 2*cycle, func() *Request { return &Request{Now: time.Now(), Candidates: all(len(ts))} })
		for i, w := range weights {
			if got[i] != 2*w/int(divisor) {
				t.Fatalf("weights %v: %v", weights, got)
			}
		}
	})
}

func TestRoundRobinSpreadsAHeavyTargetsTurns(t *testing.T) {
	b := newBalancer(t, Options{}, targets(3, 3, 3, 1))
	run, longest, last := 0, 0, -1
	for range 100 {
		r := &Request{Now: time.Now(), Candidates: all(4)}
		i, _ := b.Pick(r)
		if i == last {
			run++
		} else {
			run = 1
		}
		longest, last = max(longest, run), i
	}
	if longest > 2 {
		t.Errorf("%d turns of one target in a row", longest)
	}
}

func TestRoundRobinIsExactUnderParallelLoad(t *testing.T) {
	ts := targets(70, 25, 5)
	b := newBalancer(t, Options{}, ts)
	var got [3]atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 125 {
				r := &Request{Now: time.Now(), Candidates: all(3)}
				i, _ := b.Pick(r)
				got[i].Add(1)
				b.Done(r, i, Good, r.Now)
			}
		})
	}
	wg.Wait()
	if got[0].Load() != 700 || got[1].Load() != 250 || got[2].Load() != 50 {
		t.Errorf("%d %d %d", got[0].Load(), got[1].Load(), got[2].Load())
	}
}

func TestHashingSticksAndMovesHardlyMoreThanItMust(t *testing.T) {
	ts := targets(100, 100, 50)
	b := newBalancer(t, Options{Algorithm: ConsistentHashing}, ts)
	fewer := newBalancer(t, Options{Algorithm: ConsistentHashing}, ts[:2])
	got := make([]int, 3)
	moved := 0
	for n := range 10000 {
		h := Hash(fmt.Sprintf("client-%d", n))
		pick := func(b *Balancer, from []int) int {
			r := &Request{Now: time.Now(), Candidates: from, Hash: h}
			i, _ := b.Pick(r)
			b.Done(r, i, Good, r.Now)
			return i
		}
		i := pick(b, all(3))
		if pick(b, all(3)) != i {
			t.Fatal("the same value went to two targets")
		}
		got[i]++
		if i != 2 && pick(fewer, all(2)) != i {
			moved++
		}
		if i != 2 && pick(b, []int{0, 1}) != i {
			t.Fatal("a request moved though its target is there")
		}
	}
	for i, share := range []float64{.4, .4, .2} {
		if math.Abs(float64(got[i])/10000-share) > .05 {
			t.Errorf("shares %v", got)
		}
	}
	if moved > 400 {
		t.Errorf("%d of 10000 requests moved when another target had left the configuration", moved)
	}
}

func TestLeastConnectionsAvoidsTheBusyOne(t *testing.T) {
	ts := targets(2, 2)
	b := newBalancer(t, Options{Algorithm: LeastConnections}, ts)
	r := &Request{Now: time.Now(), Candidates: all(2)}
	slow, _ := b.Pick(r) // stays under way
	got := count(b, 100, func() *Request { return &Request{Now: time.Now(), Candidates: all(2)} })
	if got[slow] != 0 {
		t.Errorf("the busy target got %d of 100", got[slow])
	}
	b.Done(r, slow, Good, time.Now())
	for i := range ts {
		if n := ts[i].State.inflight.Load(); n != 0 {
			t.Errorf("%d requests of target %d are still counted", n, i)
		}
	}
}

func TestLowestLatencyPrefersTheFastAndKeepsTryingTheSlow(t *testing.T) {
	ts := targets(1, 1)
	b := newBalancer(t, Options{Algorithm: LowestLatency, Latency: "e2e"}, ts)
	now := time.Now()
	got := make([]int, 2)
	for range 5000 {
		r := &Request{Now: now, Candidates: all(2)}
		i, _ := b.Pick(r)
		d := []time.Duration{10 * time.Millisecond, 300 * time.Millisecond}[i]
		now = now.Add(d)
		b.Learn(i, Sample{Latency: d}, now)
		b.Done(r, i, Good, now)
		got[i]++
	}
	if share := float64(got[0]) / 5000; share < .9 || got[1] < 2 {
		t.Errorf("fast %d, slow %d", got[0], got[1])
	}
}

func TestLowestUsageGivesTheNextToTheLessUsed(t *testing.T) {
	for strategy, sample := range map[string]Sample{
		"total-tokens": {Prompt: 5, Completion: 5}, "prompt-tokens": {Prompt: 10}, "completion-tokens": {Completion: 10}, "cost": {Cost: 1},
	} {
		ts := targets(100, 100)
		b := newBalancer(t, Options{Algorithm: LowestUsage, Usage: strategy}, ts)
		for n := range 10 {
			r := &Request{Now: time.Now(), Candidates: all(2)}
			i, _ := b.Pick(r)
			b.Learn(i, sample, r.Now)
			b.Done(r, i, Good, r.Now)
			if n == 0 {
				r := &Request{Now: time.Now(), Candidates: all(2)}
				if j, _ := b.Pick(r); j == i {
					t.Errorf("%s: the used target got the next request", strategy)
				} else {
					b.Done(r, j, Good, r.Now)
				}
			}
		}
	}
}

func TestPriorityUsesLighterTargetsOnlyWhenTheHeavyAreGone(t *testing.T) {
	b := newBalancer(t, Options{Algorithm: Priority}, targets(70, 70, 25))
	got := count(b, 100, func() *Request { return &Request{Now: time.Now(), Candidates: all(3)} })
	if got[0] != 50 || got[1] != 50 || got[2] != 0 {
		t.Errorf("%v", got)
	}
	r := &Request{Now: time.Now(), Candidates: all(3)}
	var order []int
	for {
		i, ok := b.Pick(r)
		if !ok {
			break
		}
		order = append(order, i)
		b.Done(r, i, Bad, r.Now)
		b.Exclude(r, i)
	}
	if len(order) != 3 || order[2] != 2 {
		t.Errorf("order %v: each once, the light one last", order)
	}
}

func TestBreakerCountsInTotalAndProbesOnce(t *testing.T) {
	ts := targets(1)
	b := newBalancer(t, Options{Breaker: Breaker{MaxFails: 3, FailTimeout: 10 * time.Second}}, ts)
	now := time.Now()
	request := func() *Request { return &Request{Now: now, Candidates: all(1)} }
	end := func(v Verdict) {
		r := request()
		i, ok := b.Pick(r)
		if !ok {
			t.Fatal("closed off too early")
		}
		b.Done(r, i, v, now)
	}
	for _, v := range []Verdict{Bad, Bad, Good, Neutral, Bad} { // a success in between forgives nothing
		end(v)
	}
	if _, ok := b.Pick(request()); ok {
		t.Fatal("still open after three failures")
	}
	if d := b.RetryAfter(request()); d != 10*time.Second {
		t.Errorf("retry after %v", d)
	}
	now = now.Add(10 * time.Second)
	probe := request()
	i, ok := b.Pick(probe)
	if !ok {
		t.Fatal("no probe after the pause")
	}
	if _, ok := b.Pick(request()); ok {
		t.Fatal("a second request during the probe")
	}
	b.Done(probe, i, Bad, now)
	if _, ok := b.Pick(request()); ok {
		t.Fatal("open after a failed probe")
	}
	now = now.Add(10 * time.Second)
	end(Good)
	end(Bad)
	end(Bad)
	if _, ok := b.Pick(request()); !ok {
		t.Error("the counter was not reset by the probe")
	}
}

func TestRestingTargetIsUsedOnlyWhenNoOtherIsLeft(t *testing.T) {
	ts := targets(1, 1)
	b := newBalancer(t, Options{}, ts)
	now := time.Now()
	b.Rest(0, now.Add(time.Minute))
	got := count(b, 10, func() *Request { return &Request{Now: now, Candidates: all(2)} })
	if got[0] != 0 {
		t.Errorf("%v", got)
	}
	got = count(b, 10, func() *Request { return &Request{Now: now, Candidates: []int{0}} })
	if got[0] != 10 {
		t.Errorf("%v", got)
	}
}

func TestStateOutlivesTheConfiguration(t *testing.T) {
	s := NewStore()
	a := s.Use("x")
	a.learn(Sample{Latency: time.Second, Prompt: 5}, time.Now())
	s.Release("x")
	if s.Use("x") != a {
		t.Error("the state is gone")
	}
	if s.Use("y") == a {
		t.Error("another target has the state")
	}
}

func TestNewTargetStartsAtTheMeanOfItsPeers(t *testing.T) {
	ts := targets(1, 1, 1)
	now := time.Now()
	ts[0].State.learn(Sample{Latency: 100 * time.Millisecond, Prompt: 100}, now)
	ts[1].State.learn(Sample{Latency: 300 * time.Millisecond, Prompt: 300}, now)
	SlowStart(ts, now)
	if got := current(&ts[2].State.e2e, now); math.Abs(got-200) > 1 {
		t.Errorf("latency %v", got)
	}
	if got := ts[2].State.prompt.Load(); got != 200 {
		t.Errorf("usage %v", got)
	}
}

// TestPickAllocatesNothing holds the cost of a choice for a request that is
// used again (the first fills its lists).
func TestPickAllocatesNothing(t *testing.T) {
	for _, algorithm := range []Algorithm{RoundRobin, ConsistentHashing, LeastConnections, LowestLatency, LowestUsage, Priority, Semantic, Affinity} {
		for _, n := range []int{2, 100} {
			ts := targets(make([]int, n)...)
			for i := range ts {
				ts[i].Weight = i%7 + 1
			}
			b := newBalancer(t, Options{Algorithm: algorithm}, ts)
			r := &Request{Now: time.Now(), Candidates: all(n), Hash: 42}
			if got := testing.AllocsPerRun(100, func() {
				i, _ := b.Pick(r)
				b.Done(r, i, Good, r.Now)
			}); got != 0 {
				t.Errorf("%s, %d targets: %v allocations", algorithm, n, got)
			}
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, algorithm := range []Algorithm{RoundRobin, ConsistentHashing, LeastConnections, LowestLatency, LowestUsage, Priority, Semantic, Affinity} {
		for _, n := range []int{2, 100} {
			b.Run(fmt.Sprintf("%s/%d", algorithm, n), func(b *testing.B) {
				ts := targets(make([]int, n)...)
				for i := range ts {
					ts[i].Weight = i%7 + 1
				}
				lb := newBalancer(b, Options{Algorithm: algorithm, Breaker: Breaker{MaxFails: 3, FailTimeout: time.Second}}, ts)
				r := &Request{Now: time.Now(), Candidates: all(n), Hash: 42}
				b.ReportAllocs()
				for b.Loop() {
					i, _ := lb.Pick(r)
					lb.Done(r, i, Good, r.Now)
				}
			})
		}
	}
}

func TestTargetThatOnlyWaitsForItsFirstRequestIsNotNew(t *testing.T) {
	s, now := NewStore(), time.Now()
	load := func() []Target {
		return []Target{{ID: "a", Weight: 1, State: s.Use("a")}, {ID: "b", Weight: 1, State: s.Use("b")}}
	}
	ts := load()
	SlowStart(ts, now)
	ts[0].State.learn(Sample{Latency: time.Second, Prompt: 100}, now)
	SlowStart(load(), now)
	if n := ts[1].State.prompt.Load(); n != 0 {
		t.Errorf("a reload gave it %d tokens that it has not used", n)
	}
}

func TestMergedStatesAgreeWhateverHappensMeanwhile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Breaker{MaxFails: 1, FailTimeout: time.Second}
		s, now := &State{}, time.Unix(1000, 0)
		act := func(label string) (bad, used int) {
			for range rapid.IntRange(0, 3).Draw(t, label) {
				b.settle(s, Bad, false, now)
				s.learn(Sample{Prompt: 5, Cost: .5}, now)
				bad, used = bad+1, used+5
			}
			return bad, used
		}
		act("before")
		known := s.Snapshot()
		others := uint32(rapid.IntRange(0, 9).Draw(t, "others"))
		all := known
		all.Prompt, all.Fails, all.Forgiven = known.Prompt+40, known.Fails+others, known.Fails+others
		bad, used := act("meanwhile")
		s.Merge(known, all)
		got := s.Snapshot()
		if got.Prompt != all.Prompt+int64(used) || got.Fails != all.Fails+uint32(bad) || got.Fails-got.Forgiven != uint32(bad) {
			t.Fatalf("%+v after %+v and %d failures", got, all, bad)
		}
	})
}

// TestHashingSharesAreThoseOfTheWeights, also at Kong's smallest ring.
func TestHashingSharesAreThoseOfTheWeights(t *testing.T) {
	for _, slots := range []int{0, 10, 10000} {
		for _, weights := range [][]int{{1, 1, 1}, {100, 100, 50}, {99, 1}, {70, 25, 5}, {65535, 65535}} {
			ts, total := targets(weights...), 0
			for _, w := range weights {
				total += w
			}
			b := newBalancer(t, Options{Algorithm: ConsistentHashing, Slots: slots}, ts)
			const n = 30000
			got := make([]int, len(weights))
			for i := range n {
				r := &Request{Now: time.Now(), Candidates: all(len(ts)), Hash: Hash(fmt.Sprintf("client-%d", i))}
				j, _ := b.Pick(r)
				b.Done(r, j, Good, r.Now)
				got[j]++
			}
			for i, w := range weights {
				if want := float64(n*w) / float64(total); math.Abs(float64(got[i])-want) > 4*math.Sqrt(want) {
					t.Errorf("%d slots, weights %v: %v", slots, weights, got)
				}
			}
		}
	}
}

// Each target owns its share of the slots, to within one, and one at least.
func TestSlotsAreSharedOutByWeight(t *testing.T) {
	for _, c := range []struct {
		slots   int
		weights []int
		want    []int
	}{
		{10, []int{1, 1, 1}, []int{333, 334, 333}},
		{1000, []int{70, 25, 5}, []int{700, 250, 50}},
		{1001, []int{1}, []int{1001}},
		{65536, []int{3, 1}, []int{49152, 16384}},
		{1000, []int{65535, 1, 65535}, []int{500, 1, 500}},
		{10000, []int{65535, 1, 65535}, []int{5000, 1, 5000}},
		{65536, []int{65535, 2}, []int{65534, 2}},
	} {
		b := newBalancer(t, Options{Algorithm: ConsistentHashing, Slots: c.slots}, targets(c.weights...))
		got := make([]int, len(c.weights))
		for hash := range len(b.policy.(*hashing).ring) {
			i, _ := b.Pick(&Request{Now: time.Now(), Candidates: all(len(c.weights)), Hash: uint64(hash)})
			got[i]++
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d slots, weights %v: %v, want %v", c.slots, c.weights, got, c.want)
		}
	}
}

// A change of the configuration moves hardly more requests than it must, wherever a
// target stands in the list.
func TestNewTargetTakesItsShareOfTheSlots(t *testing.T) {
	before := targets(1, 1, 1, 1)
	after := append(targets(1), before...)
	after[0].ID = "new"
	ring := func(ts []Target) []int32 {
		b := newBalancer(t, Options{Algorithm: ConsistentHashing, Slots: 10000}, ts)
		return b.policy.(*hashing).ring
	}
	small, large := ring(before), ring(after)
	moved, taken := 0, 0
	for slot := range 10000 {
		switch a, b := before[small[slot]].ID, after[large[slot]].ID; {
		case b == "new":
			taken++
		case a != b:
			moved++
		}
	}
	if taken != 2000 || moved > 500 {
		t.Errorf("the new target has %d of 10000 slots, and %d moved between the others", taken, moved)
	}
}
