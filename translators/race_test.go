//go:build race

package translators

const raceEnabled = true
