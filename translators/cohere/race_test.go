//go:build race

package cohere

// raceEnabled: the detector makes sync.Pool forget, so that allocations say nothing.
const raceEnabled = true
