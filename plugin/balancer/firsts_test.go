package balancer

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func TestPercentilesAreThoseOfTheTimesWithinTheirError(t *testing.T) {
	b := twoTargets(t)
	if got := b.FirstContent(0, true, 95); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range leastFirsts {
		if got := b.FirstContent(0, true, 95); got != 0 {
			t.Fatalf("of %d: %v", i, got)
		}
		b.Began(0, true, time.Duration(i+1)*10*time.Millisecond)
	}
	for n, want := range map[int]time.Duration{1: 10 * time.Millisecond, 50: 100 * time.Millisecond, 90: 180 * time.Millisecond, 95: 190 * time.Millisecond} {
		if got := b.FirstContent(0, true, n); got < want || got > want*110/100 {
			t.Errorf("p%d: %v, want %v", n, got, want)
		}
	}
	if b.FirstContent(0, false, 95) != 0 || b.FirstContent(1, true, 95) != 0 {
		t.Error("whole answers and other targets have times of their own")
	}
	b.Began(0, true, 0)
	b.Began(0, true, 1000*time.Hour)
}

func TestOldTimesFade(t *testing.T) {
	b := twoTargets(t)
	for range 3 * fadeAfter {
		b.Began(0, false, 10*time.Millisecond)
	}
	for range fadeAfter {
		b.Began(0, false, time.Second)
	}
	if got := b.FirstContent(0, false, 50); got < time.Second || got > 1100*time.Millisecond {
		t.Errorf("the median is %v", got)
	}
}

func TestTimesMayComeFromManyGoroutines(t *testing.T) {
	b := twoTargets(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				b.Began(0, true, 100*time.Millisecond+rand.N(10*time.Millisecond))
				b.FirstContent(0, true, 95)
			}
		})
	}
	wg.Wait()
	if got := b.FirstContent(0, true, 95); got < 100*time.Millisecond || got > 125*time.Millisecond {
		t.Errorf("%v", got)
	}
}

func TestCloneSharesNothingThatIsChanged(t *testing.T) {
	b := twoTargets(t)
	r := &Request{Now: time.Now(), Candidates: []int{0, 1}}
	b.Exclude(r, 0)
	c := r.Clone()
	b.Exclude(&c, 1)
	if !b.Other(r) || b.Other(&c) {
		t.Error("what one has tried the other has, too")
	}
	if i, ok := b.Pick(r); i != 1 || !ok {
		t.Errorf("%d %v", i, ok)
	}
}
