//go:build race

package test

// With -race the program under test is built with it, too.
func init() { buildFlags = append(buildFlags, "-race") }
