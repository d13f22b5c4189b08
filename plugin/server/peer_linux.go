package server

import (
	"net"
	"syscall"
)

// peerProcess returns the id of the process that connected, 0 if it is not
// known (another process namespace, no Unix socket).
func peerProcess(nc net.Conn) int {
	unix, ok := nc.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		if peer, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	return pid
}
