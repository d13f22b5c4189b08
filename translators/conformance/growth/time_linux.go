package growth

import (
	"syscall"
	"time"
	"unsafe"
)

// threadTime is the processor time of this thread.
func threadTime() time.Duration {
	const threadClock = 3 // CLOCK_THREAD_CPUTIME_ID
	var now syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&now)), 0); errno != 0 {
		return time.Since(start)
	}
	return time.Duration(now.Nano())
}
