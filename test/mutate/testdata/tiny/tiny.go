// Package tiny has a condition that its test does not pin.
package tiny

const least = 0

// Fits says whether n is below limit, and no less than least.
func Fits(n, limit int) bool {
	if n < least {
		return false
	}
	return n < limit
}
