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
		if got := percentFor(used); got != want {
			t.Errorf("%d MiB in use: %d %%, not %d", used>>20, got, want)
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
	c := &collector{percent: 100}
	gogc := func() int {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return int(s[0].Value.Uint64())
	}
	// follows has it tuned after each collection, as many as it takes.
	follows := func(what string, fits func(percent int) bool) {
		for end := time.Now().Add(20 * time.Second); ; {
			runtime.GC()
			c.tune()
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
