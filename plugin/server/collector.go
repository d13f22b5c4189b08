package server

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// growth is how much garbage there may be before the collector runs, in bytes. Go lets
// the heap double. The relay's own is so small that under load it would be collected a
// hundred times a second, and with hundreds of streams their garbage would weigh as much
// as they do.
const growth = 12 << 20

// The limits of GOGC, in percent of what is in use. With most, the smallest heap that is
// collected has 16 MiB: Go's smallest is 4 MiB at 100. With least, a large heap is
// collected less often.
const (
	most  = 400
	least = 25
)

// TuneCollector makes the collector run when there are some 12 MiB of garbage, unless the
// environment (GOGC) says when. It is called where the process is set up; only the first
// call has an effect.
var TuneCollector = sync.OnceFunc(func() {
	if os.Getenv("GOGC") != "" {
		return
	}
	c := &collector{percent: most}
	debug.SetGCPercent(most)
	runtime.SetFinalizer(&cycle{c}, (*cycle).end)
})

// collector sets GOGC by what is in use.
type collector struct{ percent int }

// cycle is garbage that the next collection finds.
type cycle struct{ of *collector }

// end is called after a collection.
func (c *cycle) end() {
	c.of.tune()
	runtime.SetFinalizer(&cycle{c.of}, (*cycle).end)
}

// tune sets GOGC. Setting it stops the world for a moment, so a small change is none.
func (c *collector) tune() {
	used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}} // what GOGC is a share of
	metrics.Read(used)
	all := uint64(1)
	for i := range used {
		all += used[i].Value.Uint64()
	}
	wanted := percentFor(all)
	if wanted*4 < c.percent*3 || wanted*3 > c.percent*4 || wanted != c.percent && (wanted == most || wanted == least) {
		c.percent = wanted
		debug.SetGCPercent(wanted)
	}
}

// percentFor is the GOGC at which a heap of used bytes grows as it may.
func percentFor(used uint64) int { return int(min(max(growth*100/used, least), most)) }
