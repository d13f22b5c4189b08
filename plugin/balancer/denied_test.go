package balancer

import (
	"testing"
	"time"
)

func twoTargets(t *testing.T) *Balancer {
	t.Helper()
	b, err := New(Options{Algorithm: RoundRobin}, []Target{{ID: "a", Weight: 1, State: &State{}}, {ID: "b", Weight: 1, State: &State{}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// picked counts who gets n requests at a time; all of them are under way at once.
func picked(b *Balancer, n int, now time.Time) (counts [2]int, done func()) {
	var ends []func()
	for range n {
		r := &Request{Now: now, Candidates: []int{0, 1}}
		i, _ := b.Pick(r)
		counts[i]++
		ends = append(ends, func() { b.Done(r, i, Good, now) })
	}
	return counts, func() {
		for _, end := range ends {
			end()
		}
	}
}

func TestRefusedCredentialsExcludeATargetAfterSeveralInARow(t *testing.T) {
	b, now := twoTargets(t), time.Now()
	b.Denied(0, now)
	b.Denied(0, now)
	b.Accepted(0)
	for range denials - 1 {
		if wait := b.Denied(0, now); wait != 0 {
			t.Fatalf("excluded for %v", wait)
		}
	}
	counts, done := picked(b, 10, now)
	if done(); counts != [2]int{5, 5} {
		t.Fatalf("before: %v", counts)
	}
	if wait := b.Denied(0, now); wait != firstDenial || b.Health(0, now).DeniedFor != firstDenial {
		t.Fatalf("excluded for %v", wait)
	}
	if counts, done = picked(b, 10, now); counts != [2]int{0, 10} {
		t.Errorf("excluded: %v", counts)
	}
	done()
	if wait := b.Denied(0, now.Add(time.Second)); wait != 0 {
		t.Error("it is asked in vain while it is excluded, which prolongs that")
	}
	later := now.Add(firstDenial)
	counts, done = picked(b, 10, later)
	if counts != [2]int{1, 9} {
		t.Errorf("half open: %v", counts)
	}
	if wait := b.Denied(0, later); wait != 2*firstDenial {
		t.Errorf("after another refusal excluded for %v", wait)
	}
	done()
	for range 20 {
		later = later.Add(time.Hour)
		if wait := b.Denied(0, later); wait > longestDenial {
			t.Fatalf("excluded for %v", wait)
		}
	}
	if !b.Accepted(0) || b.Accepted(0) {
		t.Error("that it was excluded is told once")
	}
	if counts, done = picked(b, 10, now); counts != [2]int{5, 5} {
		t.Errorf("accepted again: %v", counts)
	}
	done()
}

func TestTargetWithRefusedCredentialsIsUsedWhenNoOtherIsLeft(t *testing.T) {
	b, now := twoTargets(t), time.Now()
	for range denials {
		b.Denied(0, now)
	}
	r := &Request{Now: now, Candidates: []int{0, 1}}
	b.Exclude(r, 1)
	if i, ok := b.Pick(r); i != 0 || !ok {
		t.Errorf("%d %v", i, ok)
	}
	if b.Other(&Request{Now: now, Candidates: []int{0}}) {
		t.Error("it is no alternative to one that works")
	}
}

func TestOtherTargetsAreThoseThatWereNotTried(t *testing.T) {
	b := twoTargets(t)
	r := &Request{Now: time.Now(), Candidates: []int{0, 1}}
	b.Exclude(r, 0)
	if !b.Other(r) {
		t.Error("one is left")
	}
	if b.Exclude(r, 1); b.Other(r) || !b.Left(r) {
		t.Error("none is left that was not tried")
	}
}
