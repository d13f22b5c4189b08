package plugin

// ballast is memory that is never touched, so that it has no pages. The
// collector runs when the heap has doubled; the relay's own is so small that it
// would run hundreds of times a second under load, for a fifth of the CPU. The
// price is at most as much garbage. NewRelay keeps it.
var ballast = make([]byte, 12<<20)
