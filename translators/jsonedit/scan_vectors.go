//go:build amd64 || arm64

package jsonedit

// skipBlocks passes over the blocks at p, of the n bytes that are there, up to the
// first one that a closer look must be taken at: where the string ends, or which has
// a control character or an escape other than \" \\ \b \f \n \r \t. Its results are
// the number of bytes passed, carry for what follows (see scanBlocks), and whether
// there was a backslash or a byte that is not ASCII in them (0: none).
//
//go:noescape
func skipBlocks(p *byte, n int, carry uint32) (skipped int, next, slashes, wide uint32)

// findPair returns the first i at which p[i] is first and p[i+gap] is last, of the
// n places from p on. Without one it returns the number of places it has looked at:
// n, but for less than 32 at the end.
//
//go:noescape
func findPair(p *byte, n int, first, last byte, gap int) int
