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
