package server

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// The limits of growth, which is how much garbage there may be before the collector runs,
// in bytes. Go lets the heap double. The relay's own is so small that under load it would
// be collected a hundred times a second, and with hundreds of streams their garbage would
// weigh as much as they do.
const (
	mostGrowth  = 12 << 20
	leastGrowth = 4 << 20
)

// pause is how long the collector should rest, where the limits of growth allow it. With
// hundreds of slow streams garbage comes slowly, and collecting it once a second costs
// little: then memory counts for more.
const pause = 700 * time.Millisecond

// The limits of GOGC, in percent of what is in use. With most, the smallest heap that is
// collected has 16 MiB: Go's smallest is 4 MiB at 100. With least, a large heap is
// collected less often.
const (
	most  = 400
	least = 25
)

// TuneCollector makes the collector run when there are 4 to 12 MiB of garbage, more the
// faster it comes, unless the environment (GOGC) says when. It is called where the process
// is set up; only the first call has an effect.
var TuneCollector = sync.OnceFunc(func() {
	if os.Getenv("GOGC") != "" {
		return
	}
	c := newCollector()
	debug.SetGCPercent(c.percent)
	runtime.SetFinalizer(&cycle{c}, (*cycle).end)
})

// collector sets GOGC by what is in use and how fast garbage comes.
type collector struct {
	percent int       // GOGC
	growth  uint64    // bytes
	last    time.Time // when the collector last ran
}

func newCollector() *collector {
	return &collector{percent: most, growth: mostGrowth, last: time.Now()}
}

// cycle is garbage that the next collection finds.
type cycle struct{ of *collector }

// end is called after a collection.
func (c *cycle) end() {
	c.of.tune(time.Now())
	runtime.SetFinalizer(&cycle{c.of}, (*cycle).end)
}

// tune sets GOGC, after a collection. Setting it stops the world for a moment, so a small
// change is none.
func (c *collector) tune(now time.Time) {
	c.growth = growthAfter(c.growth, now.Sub(c.last))
	c.last = now
	used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}} // what GOGC is a share of
	metrics.Read(used)
	all := uint64(1)
	for i := range used {
		all += used[i].Value.Uint64()
	}
	wanted := percentFor(all, c.growth)
	if wanted*4 < c.percent*3 || wanted*3 > c.percent*4 || wanted != c.percent && (wanted == most || wanted == least) {
		c.percent = wanted
		debug.SetGCPercent(wanted)
	}
}

// growthAfter is the next growth, when the heap has grown by growth in that time.
func growthAfter(growth uint64, rested time.Duration) uint64 {
	perPause := float64(growth) * float64(pause) / float64(max(rested, time.Millisecond))
	return uint64(min(max(perPause, leastGrowth), mostGrowth))
}

// percentFor is the GOGC at which a heap of used bytes grows by growth.
func percentFor(used, growth uint64) int { return int(min(max(growth*100/used, least), most)) }
