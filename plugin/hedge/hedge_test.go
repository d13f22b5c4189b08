package hedge

import (
	"strings"
	"testing"
	"time"
)

func TestPolicyIsReadFromItsFields(t *testing.T) {
	for _, c := range []struct {
		after, budget string
		percentile    int
		fixed         time.Duration
		err           string
	}{
		{"p95", "5%", 95, 0, ""},
		{"p1", "0.5%", 1, 0, ""},
		{"800ms", "100%", 0, 800 * time.Millisecond, ""},
		{"1.5s", "5%", 0, 1500 * time.Millisecond, ""},
		{"p100", "5%", 0, 0, "after:"},
		{"p", "5%", 0, 0, "after:"},
		{"0ms", "5%", 0, 0, "after:"},
		{"fast", "5%", 0, 0, "after:"},
		{"p95", "5", 0, 0, "budget:"},
		{"p95", "0%", 0, 0, "budget:"},
		{"p95", "0.0001%", 0, 0, "budget:"}, // less than can be counted: none would be hedged
		{"p95", "101%", 0, 0, "budget:"},
		{"p95", "many%", 0, 0, "budget:"},
		{"p95", "NaN%", 0, 0, "budget:"},
	} {
		p, err := New(c.after, c.budget)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%s, %s: %v", c.after, c.budget, err)
			}
			continue
		}
		if err != nil || p.Percentile() != c.percentile || p.After() != c.fixed {
			t.Errorf("%s, %s: %v %v", c.after, c.budget, p, err)
		}
	}
}

func TestBudgetBoundsTheShare(t *testing.T) {
	p, err := New("p95", "5%")
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for i := 1; i <= 1000; i++ {
		if p.Count(); p.Take() {
			taken++
		}
		if taken*20 > i {
			t.Fatalf("%d of %d", taken, i)
		}
	}
	if taken != 50 {
		t.Errorf("%d of 1000", taken)
	}
	for range 10_000 { // a quiet time
		p.Count()
	}
	for taken = 0; p.Take(); taken++ {
	}
	if taken != most {
		t.Errorf("%d could be saved up", taken)
	}
}

// raced runs first, with second as its hedge from the start, and returns the race.
func raced(t *testing.T, first, second func(p *Racer, r *Race)) (r *Race, hedge *Racer, stacks int) {
	t.Helper()
	r = &Race{First: NewRacer(t.Context())}
	began := make(chan struct{})
	r.HedgeAfter(0, func() *Racer {
		defer close(began)
		hedge = NewRacer(t.Context())
		return hedge
	}, func() { second(hedge, r) }, func([]byte) { stacks++ })
	<-began
	r.First.Run(func() { first(r.First, r) })
	r.Join(false)
	return r, hedge, stacks
}

func TestWinnerCancelsTheOther(t *testing.T) {
	wins := func(p *Racer, r *Race) {
		lost, ok := r.Claim(p, func() {})
		if !ok || lost == nil || lost.Ctx.Err() == nil {
			t.Errorf("the other one: %+v, %v", lost, ok)
		}
	}
	loses := func(p *Racer, r *Race) {
		<-p.Ctx.Done()
		if _, ok := r.Claim(p, func() { t.Error("observed") }); ok {
			t.Error("both have won")
		}
	}
	if r, _, _ := raced(t, wins, loses); r.Winner() != r.First {
		t.Error("the first one has not won")
	}
	if r, hedge, _ := raced(t, loses, wins); r.Winner() != hedge || hedge == nil {
		t.Error("the hedge has not won")
	}
}

func TestHedgeThatPanicsIsTold(t *testing.T) {
	r, hedge, stacks := raced(t, func(*Racer, *Race) {}, func(*Racer, *Race) { panic("it") })
	if stacks != 1 || hedge.Panicked != "it" || r.Winner() != nil {
		t.Errorf("%d stacks, %v", stacks, hedge.Panicked)
	}
}

func TestNoHedgeStartsOnceThereIsAnAnswer(t *testing.T) {
	r := &Race{First: NewRacer(t.Context())}
	r.HedgeAfter(time.Hour, func() *Racer { t.Error("started"); return nil }, func() {}, func([]byte) {})
	r.First.Run(func() {
		if lost, ok := r.Claim(r.First, func() {}); !ok || lost != nil {
			t.Errorf("%v, %v", lost, ok)
		}
	})
	r.timer.Reset(0)
	r.Join(false)
	if r.enter(func() *Racer { t.Error("entered"); return nil }) != nil {
		t.Error("a hedge after the end")
	}
}
