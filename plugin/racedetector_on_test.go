//go:build race

package plugin

// raceEnabled: the detector makes sync.Pool forget, so that allocations say nothing.
const raceEnabled = true
