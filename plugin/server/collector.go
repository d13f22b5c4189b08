package server

import (
	"os"
	"runtime"
	"runtime/debug"
)

// ballast is memory that is never touched, so it occupies no pages. The relay's own
// heap is so small that under load the collector would run hundreds of times a
// second, for a fifth of the CPU. With it, an idle relay's heap grows by some 10 MiB
// before the collector runs, and that of one with hundreds of streams by 13.
var ballast = make([]byte, 40<<20)

// heapGrowth is by how much the heap grows before the collector runs again, in percent
// of what is in use with the ballast. Go's 100 would have the garbage of hundreds of
// streams weigh as much as they do.
const heapGrowth = 25

// TuneCollector makes the collector run less often: it keeps the ballast alive and sets
// the growth, unless the environment (GOGC) says what that should be. It is called once,
// where the process is set up.
func TuneCollector() {
	runtime.KeepAlive(&ballast)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}
