package server

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestHeapGrowsByTheSameWhateverIsInUse(t *testing.T) {
	for used, want := range map[uint64]int{1: most, 1 << 20: most, 6 << 20: 200, 12 << 20: 100, 24 << 20: 50, 48 << 20: least, 1 << 40: least} {
		if got := percentFor(used, mostGrowth); got != want {
			t.Errorf("%d MiB in use: %d %%, not %d", used>>20, got, want)
		}
	}
}

func TestHeapGrowsLessWhereGarbageComesSlowly(t *testing.T) {
	for name, c := range map[string]struct {
		growth uint64
		rested time.Duration
		want   uint64
	}{
		"under load it grows by the most":  {mostGrowth, 80 * time.Millisecond, mostGrowth},
		"at rest by the least":             {mostGrowth, 2 * time.Minute, leastGrowth},
		"between them by what comes":       {mostGrowth, 2 * pause, mostGrowth / 2},
		"when load begins by more at once": {leastGrowth, pause / 10, mostGrowth},
		"two collections in one moment":    {leastGrowth, 0, mostGrowth},
		"in balance it stays":              {6 << 20, pause, 6 << 20},
	} {
		if got := growthAfter(c.growth, c.rested); got != c.want {
			t.Errorf("%s: %d, not %d", name, got, c.want)
		}
	}
}

var inUse []byte

func TestCollectorFollowsWhatIsInUse(t *testing.T) {
	if os.Getenv("GOGC") != "" {
		t.Skip("the environment decides")
	}
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	c := newCollector()
	gogc := func() int {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return int(s[0].Value.Uint64())
	}
	// follows has it tuned after each collection, as many as it takes.
	follows := func(what string, fits func(percent int) bool) {
		for end := time.Now().Add(20 * time.Second); ; {
			runtime.GC()
			c.tune(time.Now())
			if got := gogc(); got == c.percent && fits(got) {
				return
			} else if time.Now().After(end) {
				t.Fatalf("%s: GOGC is %d", what, got)
			}
		}
	}
	inUse = make([]byte, 100<<20)
	follows("much is in use", func(percent int) bool { return percent == least })
	inUse = nil
	follows("little is in use", func(percent int) bool { return percent >= 100 })
}
