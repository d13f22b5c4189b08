package engine

import (
	"syscall"
	"unsafe"
)

// read and write are the system calls on a non-blocking socket, which return at
// once. So the scheduler need not be told of them, as package syscall does: that
// wakes its watching thread whenever the process had been idle, which was a
// tenth of what an event of a slow stream costs.

func read(fd int, b []byte) (int, error) {
	return nonblocking(syscall.SYS_READ, fd, b)
}

func write(fd int, b []byte) (int, error) {
	return nonblocking(syscall.SYS_WRITE, fd, b)
}

func nonblocking(call uintptr, fd int, b []byte) (int, error) {
	for {
		n, _, err := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch err {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
