//go:build unix && (!linux || race || norawsyscall)

package engine

import "syscall"

func recvNow(fd int, b []byte) (int, error) {
	return uninterrupted(func() (int, error) { return syscall.Read(fd, b) })
}

func sendNow(fd int, b []byte) (int, error) {
	return uninterrupted(func() (int, error) { return syscall.Write(fd, b) })
}

func peekNow(fd int) (int, error) {
	return uninterrupted(func() (int, error) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK)
		return n, err
	})
}

func uninterrupted(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}
