//go:build race

package jsonedit_test

const raceEnabled = true
