//go:build !race && !norawsyscall

package engine

import (
	"syscall"
	"unsafe"
)

// recvNow, sendNow and peekNow are system calls on a non-blocking socket. They return
// at once, so the scheduler need not be informed as package syscall does. That would
// wake the monitoring thread whenever the process had been idle: a tenth of the cost of
// an event of a slow stream. recvfrom and sendto check less than read and write, which
// work on all files.
//
// The race detector needs package syscall to see the order of events. With it, and with
// the build tag norawsyscall, the calls of nonblock_unix.go are used.

func recvNow(fd int, b []byte) (int, error) {
	return nonblocking(syscall.SYS_RECVFROM, fd, b, 0)
}

func sendNow(fd int, b []byte) (int, error) {
	return nonblocking(syscall.SYS_SENDTO, fd, b, syscall.MSG_NOSIGNAL)
}

// peekNow reads a byte without removing it from the socket. n is 0 at the end.
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
