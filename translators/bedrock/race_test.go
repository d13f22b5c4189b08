//go:build race

package bedrock

// raceEnabled: the detector makes sync.Pool forget, so that allocations say nothing.
const raceEnabled = true
