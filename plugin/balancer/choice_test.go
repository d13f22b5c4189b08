package balancer

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// pick makes one choice and says which; -1 for none. The attempt stays under way.
func pick(b *Balancer, r *Request) int {
	i, ok := b.Pick(r)
	if !ok {
		return -1
	}
	return i
}

func request2(n int) *Request { return &Request{Now: time.Unix(1000, 0), Candidates: all(n)} }

func TestUnknownAlgorithmIsRefused(t *testing.T) {
	if _, err := New(Options{Algorithm: "best"}, targets(1)); err == nil || !strings.Contains(err.Error(), "balancer.algorithm") {
		t.Errorf("%v", err)
	}
}

func TestTriedTargetsAreTriedAgainWhenNoneIsLeft(t *testing.T) {
	for _, n := range []int{1, 2, 8, 9, 20} {
		b := newBalancer(t, Options{}, targets(make([]int, n)...))
		for i := range b.targets {
			b.targets[i].Weight, b.targets[i].inverse = 1, 1
		}
		b.policy = newRoundRobin(b.targets)
		r := request2(n)
		for round := range 2 {
			seen := map[int]bool{}
			for range n {
				if !b.Left(r) {
					t.Fatalf("%d targets, round %d: none is left", n, round)
				}
				i := pick(b, r)
				if seen[i] || r.Available() != n-len(seen) {
					t.Fatalf("%d targets, round %d: %d again, of %d", n, round, i, r.Available())
				}
				seen[i] = true
				b.Done(r, i, Neutral, r.Now)
				b.Exclude(r, i)
			}
		}
	}
}

func TestNothingIsLeftWhenTheLastWasTriedAndIsClosedOff(t *testing.T) {
	b := newBalancer(t, Options{Breaker: Breaker{MaxFails: 1, FailTimeout: time.Minute}}, targets(1))
	r := request2(1)
	b.Done(r, pick(b, r), Bad, r.Now)
	b.Exclude(r, 0)
	if pick(b, r) != -1 || b.Left(r) {
		t.Error("it is still there")
	}
}

func TestNoTargetIsTriedTwiceByPriorityAndSemantic(t *testing.T) {
	for _, algorithm := range []Algorithm{Priority, Semantic} {
		b := newBalancer(t, Options{Algorithm: algorithm}, targets(1, 1))
		r := request2(2)
		for range 2 {
			if !b.Left(r) {
				t.Fatalf("%s: none is left", algorithm)
			}
			b.Exclude(r, pick(b, r))
		}
		if b.Left(r) || pick(b, r) != -1 {
			t.Errorf("%s: a target is tried twice", algorithm)
		}
	}
}

func TestNothingIsLeftWithoutCandidates(t *testing.T) {
	b := newBalancer(t, Options{}, targets(1))
	if r := (&Request{}); b.Left(r) || pick(b, r) != -1 || b.RetryAfter(r) != 0 {
		t.Error("something is left")
	}
}

func TestOnlyCandidatesAreChosen(t *testing.T) {
	for _, algorithm := range []Algorithm{RoundRobin, ConsistentHashing, LeastConnections, LowestLatency, LowestUsage, Priority, Semantic} {
		b := newBalancer(t, Options{Algorithm: algorithm}, targets(100, 5, 100, 5))
		for i := range 20 {
			r := &Request{Now: time.Unix(1000, 0), Candidates: []int{1, 3}, Hash: uint64(i), Ranked: []int{0, 2}}
			if got := pick(b, r); got != 1 && got != 3 {
				t.Errorf("%s: %d", algorithm, got)
			}
		}
	}
}

// TestTiesGoToTheLeastBusyAndThenToTheHeaviest, in whatever order they are.
func TestTiesGoToTheLeastBusyAndThenToTheHeaviest(t *testing.T) {
	for _, algorithm := range []Algorithm{LowestUsage, LowestLatency} {
		for _, weights := range [][]int{{1, 3, 2}, {3, 1, 2}, {1, 2, 3}} {
			heaviest := slices.Index(weights, 3)
			b := newBalancer(t, Options{Algorithm: algorithm}, targets(weights...))
			r := request2(3)
			order := []int{pick(b, r), pick(b, r), pick(b, r)} // each stays under way
			if order[0] != heaviest || weights[order[1]] != 2 || weights[order[2]] != 1 {
				t.Errorf("%s, weights %v: %v", algorithm, weights, order)
			}
			if again := pick(b, r); again != heaviest {
				t.Errorf("%s, weights %v: then %d", algorithm, weights, again)
			}
		}
	}
	// 1/1 and 2/2 under way are equal.
	b := newBalancer(t, Options{Algorithm: LeastConnections}, targets(1, 2))
	r := request2(2)
	got := []int{pick(b, r), pick(b, r), pick(b, r), pick(b, r), pick(b, r), pick(b, r)}
	if !slices.Equal(got, []int{1, 0, 1, 1, 0, 1}) {
		t.Errorf("least-connections: %v", got)
	}
	// Of equals in everything the first.
	for _, algorithm := range []Algorithm{LowestUsage, LowestLatency, LeastConnections} {
		if got := pick(newBalancer(t, Options{Algorithm: algorithm}, targets(2, 2)), request2(2)); got != 0 {
			t.Errorf("%s: %d", algorithm, got)
		}
	}
}

func TestLatencyIsOfTheWholeOrOfATokenByStrategy(t *testing.T) {
	for strategy, want := range map[string]int{"e2e": 0, "tpot": 1} {
		ts := targets(1, 1)
		b := newBalancer(t, Options{Algorithm: LowestLatency, Latency: strategy}, ts)
		r := request2(2)
		b.Learn(0, Sample{Latency: time.Second, Completion: 10}, r.Now)
		b.Learn(1, Sample{Latency: 2 * time.Second, Completion: 100}, r.Now)
		if got := pick(b, r); got != want {
			t.Errorf("%s: %d", strategy, got)
		}
	}
}

func TestLatencyIsDividedByTheWeight(t *testing.T) {
	b := newBalancer(t, Options{Algorithm: LowestLatency, Latency: "e2e"}, targets(1, 4))
	r := request2(2)
	b.Learn(0, Sample{Latency: time.Second}, r.Now)
	b.Learn(1, Sample{Latency: 3 * time.Second}, r.Now)
	if got := pick(b, r); got != 1 {
		t.Errorf("%d", got)
	}
	b.Learn(1, Sample{Latency: 5 * time.Second}, r.Now)
	if got := pick(b, r); got != 0 {
		t.Errorf("%d", got)
	}
}

func TestUsageIsTheConfiguredCountForTheWeight(t *testing.T) {
	for strategy, want := range map[string][2]int{
		"total-tokens":      {1, 0}, // 110 and 90; with twice the weight 55 and 90
		"prompt-tokens":     {1, 0}, // 100 and 60; 50 and 60
		"completion-tokens": {0, 0}, // 10 and 30
		"cost":              {1, 0}, // 4 and 3; 2 and 3
	} {
		for i, weight := range []int{1, 2} {
			b := newBalancer(t, Options{Algorithm: LowestUsage, Usage: strategy}, targets(weight, 1))
			r := request2(2)
			b.Learn(0, Sample{Prompt: 100, Completion: 10, Cost: 4}, r.Now)
			b.Learn(1, Sample{Prompt: 60, Completion: 30, Cost: 3}, r.Now)
			if got := pick(b, r); got != want[i] {
				t.Errorf("%s, weight %d: %d", strategy, weight, got)
			}
		}
	}
}

func TestPriorityTakesTurnsAmongTheHeaviestOnly(t *testing.T) {
	b := newBalancer(t, Options{Algorithm: Priority}, targets(1, 7, 3, 7, 7))
	got := make([]int, 5)
	r := request2(5)
	for range 30 {
		got[pick(b, r)]++
	}
	if !slices.Equal(got, []int{0, 10, 0, 10, 10}) {
		t.Errorf("%v", got)
	}
}

func TestSemanticFollowsTheRankingAndThenTheWeights(t *testing.T) {
	b := newBalancer(t, Options{Algorithm: Semantic}, targets(1, 3, 1))
	r := request2(3)
	r.Ranked = []int{2, 0}
	var got []int
	for range 3 {
		i := pick(b, r)
		got = append(got, i)
		b.Exclude(r, i)
	}
	if !slices.Equal(got, []int{2, 0, 1}) {
		t.Errorf("%v", got)
	}
	shares := make([]int, 3)
	for range 50 {
		shares[pick(b, request2(3))]++
	}
	if !slices.Equal(shares, []int{10, 30, 10}) {
		t.Errorf("without a ranking: %v", shares)
	}
}

// TestRoundRobinIsExactAmongThoseThatAreLeft: the cycle is that of the candidates.
func TestRoundRobinIsExactAmongThoseThatAreLeft(t *testing.T) {
	b := newBalancer(t, Options{}, targets(2, 100, 4, 6))
	got := make([]int, 4)
	for range 60 {
		got[pick(b, &Request{Candidates: []int{0, 2, 3}})]++
	}
	if !slices.Equal(got, []int{10, 0, 20, 30}) {
		t.Errorf("%v", got)
	}
}

// TestRoundRobinSpreadsTurns holds the whole order for a small cycle.
func TestRoundRobinSpreadsTurns(t *testing.T) {
	b := newBalancer(t, Options{}, targets(30, 10, 10))
	var got []int
	for range 10 {
		got = append(got, pick(b, request2(3)))
	}
	if !slices.Equal(got, []int{1, 0, 2, 0, 0, 1, 0, 2, 0, 0}) {
		t.Errorf("%v", got)
	}
	// Of six the golden ratio's 3 divides the cycle: the step is the next that does not.
	c := cycle{total: 6, divisor: 1}
	if c.settle(); c.step != 5 {
		t.Errorf("step %d", c.step)
	}
	none := cycle{}
	if none.settle(); none.step != 0 {
		t.Errorf("step %d of nothing", none.step)
	}
}

func TestRestingTargetsAreChosenWhenAllRest(t *testing.T) {
	b := newBalancer(t, Options{Breaker: Breaker{MaxFails: 1, FailTimeout: time.Minute}}, targets(1, 1, 1))
	r := request2(3)
	until := r.Now.Add(time.Second)
	for i := range 3 {
		b.Rest(i, until)
	}
	b.Rest(0, until.Add(-time.Minute)) // an earlier time takes nothing back
	b.Done(r, pickOf(b, r, 2), Bad, r.Now)
	b.Exclude(r, 1)
	if got := pick(b, r); got != 0 || r.Available() != 1 {
		t.Errorf("%d of %d: 1 was tried and 2 is closed off", got, r.Available())
	}
	fresh := &Request{Now: until, Candidates: all(2)}
	if pick(b, fresh); fresh.Available() != 2 {
		t.Errorf("%d are there when the rest is over", fresh.Available())
	}
	early := &Request{Now: until.Add(-1), Candidates: all(2)}
	b.Rest(1, until.Add(time.Hour))
	if early.Now = until; pick(b, early) != 0 || early.Available() != 1 {
		t.Errorf("%d are there", early.Available())
	}
}

// pickOf begins an attempt at target i.
func pickOf(b *Balancer, r *Request, i int) int {
	one := &Request{Now: r.Now, Candidates: []int{i}}
	pick(b, one)
	r.probe = one.probe
	return i
}

func TestAttemptsUnderWayAreCounted(t *testing.T) {
	ts := targets(1)
	b := newBalancer(t, Options{}, ts)
	r := request2(1)
	pick(b, r)
	pick(b, r)
	b.Done(r, 0, Good, r.Now)
	if n := ts[0].State.inflight.Load(); n != 1 {
		t.Errorf("%d", n)
	}
}

func TestHashIsThatOfTheValue(t *testing.T) {
	if Hash("a") == Hash("b") || Hash("a") == 0 || mix(1, 2) == mix(2, 1) || mix(1, 2) == mix(1, 3) {
		t.Error("values are not told apart")
	}
	if math.IsInf(-math.Log((float64(math.MaxUint64>>11)+.5)/(1<<53)), 0) {
		t.Error("a score is infinite")
	}
}
