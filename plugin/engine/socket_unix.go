//go:build unix

package engine

import (
	"io"
	"net"
	"os"
	"syscall"
)

// rawConn returns the socket of a plain TCP or Unix connection, or nil.
func rawConn(conn net.Conn) syscall.RawConn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// readReady reads what has arrived into a new buffer. It returns false, which means wait,
// if there is nothing.
func (s *source) readReady(fd uintptr) bool {
	b := takeBuffer()
	n, err := recvNow(int(fd), b)
	if n > 0 {
		s.buf, s.r, s.w = b, 0, n
		return true
	}
	giveBuffer(b)
	switch err {
	case syscall.EAGAIN:
		return false
	case nil:
		s.err = io.EOF
	default:
		s.err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
	}
	return true
}

// writeReady writes the buffer's content. It returns false, which means wait, if the
// socket accepts no more.
func (o *output) writeReady(fd uintptr) bool {
	for len(o.rest) > 0 {
		n, err := sendNow(int(fd), o.rest)
		if err == syscall.EAGAIN {
			return false
		}
		if err != nil {
			o.err = &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", err)}
			return true
		}
		o.rest = o.rest[n:]
		o.sent += int64(n)
	}
	return true
}

// glance is what peek finds at a socket.
type glance int

const (
	quiet  glance = iota // open, and nothing to read
	speaks               // open, with something to read
	ended                // closed or reset by the peer
)

// peek checks whether there is something to read, without reading it.
func peek(fd uintptr) glance {
	n, err := peekNow(int(fd))
	switch {
	case err == syscall.EAGAIN:
		return quiet
	case err == nil && n > 0:
		return speaks
	}
	return ended
}
