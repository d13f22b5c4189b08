//go:build !race && !norawsyscall

package engine

import (
	"syscall"
	"unsafe"
)

// recvNow, sendNow and peekNow are the system calls on a non-blocking socket,
// which return at once. So the scheduler need not be told of them, as package
// syscall does: that wakes its watching thread whenever the process had been
// idle, which was a tenth of what an event of a slow stream costs. And they are
// the socket's own calls: those of files, read and write, look at more.
//
// The race detector learns from package syscall what happens before what, so with
// it the calls are those of nonblock_unix.go. With the build tag norawsyscall
// they are, too.

func recvNow(fd int, b []byte) (int, error) {
	return nonblocking(syscall.SYS_RECVFROM, fd, b, 0)
}

func sendNow(fd int, b []byte) (int, error) {
	return nonblocking(syscall.SYS_SENDTO, fd, b, syscall.MSG_NOSIGNAL)
}

// peekNow receives a byte, or none at the end, and leaves it there.
func peekNow(fd int) (int, error) {
	var b [1]byte
	return nonblocking(syscall.SYS_RECVFROM, fd, b[:], syscall.MSG_PEEK)
}

func nonblocking(call uintptr, fd int, b []byte, flags uintptr) (int, error) {
	for {
		n, _, err := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
		switch err {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
