package server

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// peerProcess returns the id of the process that connected, or that listens
// where this one has connected to; 0 if it is not known (another process
// namespace, no Unix socket).
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

// succeeds tells whether this process is started to follow the server of that
// process id: Kong's master starts new workers at a reload, and the new worker 0
// its own server while the old one lives. Each server has a keeper, whose parent
// is the worker and its parent the master.
func succeeds(pid int) bool {
	theirs, ours := parentOf(parentOf(pid)), parentOf(os.Getppid())
	master := parentOf(ours)
	return master > 0 && theirs != ours && parentOf(theirs) == master
}

// leaves tells whether the server of that process id is about to end: its keeper
// is gone, which runs the same program as the same user.
func leaves(pid int) bool {
	program, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return false
	}
	parent, err := os.Stat(fmt.Sprintf("/proc/%d/exe", parentOf(pid)))
	return err != nil || !os.SameFile(program, parent)
}

// parentOf returns the id of a process's parent, 0 if there is none or it
// cannot be told.
func parentOf(pid int) int {
	if pid <= 0 {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// pid (name) state parent …; the name may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return parent
}
