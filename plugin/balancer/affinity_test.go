package balancer

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func conversation(n int, candidates []int) *Request {
	return &Request{Now: time.Unix(1000, 0), Candidates: candidates, Hash: Hash(fmt.Sprintf("conversation-%d", n))}
}

func TestAConversationStaysAtItsTarget(t *testing.T) {
	ts := targets(1, 1, 1, 1)
	b := newBalancer(t, Options{Algorithm: Affinity}, ts)
	again := newBalancer(t, Options{Algorithm: Affinity}, targets(1, 1, 1, 1)) // another node
	for n := range 200 {
		first := -1
		for range 3 {
			r := conversation(n, all(4))
			i := pick(b, r)
			if first < 0 {
				first = i
			}
			if i != first || b.Placement(r, i) != Home {
				t.Fatalf("conversation %d went from %d to %d, %s", n, first, i, b.Placement(r, i))
			}
			b.Done(r, i, Good, r.Now)
		}
		if i := pick(again, conversation(n, all(4))); again.targets[i].ID != b.targets[first].ID && again.Placement(conversation(n, all(4)), first) != Home {
			t.Fatalf("another node sends conversation %d elsewhere", n)
		}
	}
}

func TestSharesOfConversationsFollowTheWeights(t *testing.T) {
	ts := targets(4, 4, 2)
	b := newBalancer(t, Options{Algorithm: Affinity}, ts)
	n := 0
	got := count(b, 10000, func() *Request { n++; return conversation(n, all(3)) })
	for i, share := range []float64{.4, .4, .2} {
		if math.Abs(float64(got[i])/10000-share) > .03 {
			t.Errorf("shares %v", got)
		}
	}
}

// No target may have more requests under way than the bound times its share, rounded
// up, whatever the conversations are.
func TestNoTargetHasMoreThanItsBoundOfTheLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 100), 2, 12).Draw(t, "weights")
		bound := rapid.Float64Range(1, 3).Draw(t, "bound")
		conversations := rapid.IntRange(1, 20).Draw(t, "conversations")
		ts, sum := targets(weights...), 0
		for _, w := range weights {
			sum += w
		}
		b, _ := New(Options{Algorithm: Affinity, Bound: bound}, ts)
		for n := 1; n <= 200; n++ {
			r := conversation(n%conversations, all(len(ts)))
			i, ok := b.Pick(r)
			if !ok {
				t.Fatal("no target has room")
			}
			most := math.Ceil(bound*float64(n)*float64(weights[i])/float64(sum) + 1e-9)
			if load := ts[i].State.inflight.Load(); float64(load) > most {
				t.Fatalf("%d of %d requests at a target of weight %d of %d, at most %v may be", load, n, weights[i], sum, most)
			}
		}
	})
}

func TestABusyTargetsConversationGoesToTheNextAndComesBack(t *testing.T) {
	ts := targets(1, 1, 1, 1)
	b := newBalancer(t, Options{Algorithm: Affinity, Bound: 1.25}, ts)
	r := conversation(1, all(4))
	home := pick(b, r)
	b.Done(r, home, Good, r.Now)
	for i := range ts {
		ts[i].State.inflight.Store(8)
	}
	ts[home].State.inflight.Store(11) // of 35: 1.25 × 36 / 4 = 11.25
	if i := pick(b, r); i != home {
		t.Fatalf("went to %d though its own has room for one more", i)
	}
	next := pick(b, r) // its own has 12 of 36 by now
	if next == home || b.Placement(r, next) != Busy {
		t.Fatalf("went to %d, %s", next, b.Placement(r, next))
	}
	ts[home].State.inflight.Store(0)
	if i := pick(b, r); i != home || b.Placement(r, i) != Home {
		t.Errorf("went to %d, %s, though its own has room again", i, b.Placement(r, i))
	}
}

func TestOnlyTheConversationsOfALostTargetMove(t *testing.T) {
	ts := targets(3, 2, 2, 1)
	b := newBalancer(t, Options{Algorithm: Affinity}, ts)
	moved := make([]int, 4)
	for n := range 4000 {
		at := func(from []int) int {
			r := conversation(n, from)
			i := pick(b, r)
			b.Done(r, i, Good, r.Now)
			return i
		}
		before, after := at(all(4)), at([]int{1, 2, 3})
		if before != 0 && before != after {
			t.Fatalf("conversation %d moved from %d to %d", n, before, after)
		}
		if before == 0 {
			moved[after]++
		}
	}
	if moved[1] == 0 || moved[2] == 0 || moved[3] == 0 {
		t.Errorf("not all others took over: %v", moved)
	}
}

func TestAfterAFailureTheNextOnTheRingIsTried(t *testing.T) {
	b := newBalancer(t, Options{Algorithm: Affinity}, targets(1, 1, 1, 1))
	var orders []string
	for range 2 {
		r := conversation(7, all(4))
		var order []int
		for b.Left(r) && len(order) < 4 {
			i := pick(b, r)
			want := Unavailable
			if len(order) == 0 {
				want = Home
			}
			if got := b.Placement(r, i); got != want {
				t.Errorf("attempt %d is %s, want %s", len(order)+1, got, want)
			}
			b.Done(r, i, Neutral, r.Now)
			b.Exclude(r, i)
			order = append(order, i)
		}
		orders = append(orders, fmt.Sprint(order))
		slices.Sort(order)
		if !slices.Equal(order, all(4)) {
			t.Errorf("tried %v", order)
		}
	}
	if orders[0] != orders[1] {
		t.Errorf("not the same order each time: %v", orders)
	}
}

func TestALightTargetIsFoundAmongManyHeavyOnes(t *testing.T) {
	weights := slices.Repeat([]int{65535}, 99)
	b := newBalancer(t, Options{Algorithm: Affinity}, targets(append(weights, 1, 1)...))
	r := conversation(1, []int{99, 100})
	i := pick(b, r)
	if i != 99 && i != 100 || b.Placement(r, i) != Home {
		t.Errorf("%d, %s", i, b.Placement(r, i))
	}
	if p := newBalancer(t, Options{}, targets(1)).Placement(r, 0); p != "" {
		t.Errorf("round-robin has the placement %q", p)
	}
}
