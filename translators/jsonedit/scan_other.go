//go:build !amd64 && !arm64

package jsonedit

// vectors: there is a skipBlocks for amd64 and arm64 only.
const vectors = false

func skipBlocks(*byte, int, uint32) (skipped int, next, slashes, wide uint32) { return }

func findPair(*byte, int, byte, byte, int) int { return 0 }
