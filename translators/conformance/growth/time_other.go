//go:build !linux

package growth

import "time"

// threadTime is the clock's: the processor time of a thread is not told everywhere.
func threadTime() time.Duration { return time.Since(start) }
