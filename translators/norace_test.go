//go:build !race

package translators

const raceEnabled = false
