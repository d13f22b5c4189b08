// Package tiny has a condition that its test does not pin.
package tiny

// Fits says whether n is below limit.
func Fits(n, limit int) bool {
	if n < 0 {
		return false
	}
	return n < limit
}
