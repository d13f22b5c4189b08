package plugin

// ballast is memory that is never touched, so it occupies no pages. The collector
// runs when the heap has doubled. The relay's own heap is so small that under load
// it would run hundreds of times a second, for a fifth of the CPU. The price is at
// most as much garbage as ballast is large. NewRelay keeps it alive.
var ballast = make([]byte, 12<<20)
