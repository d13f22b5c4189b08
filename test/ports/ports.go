// Package ports gives tests ports that nobody else gets. A listener that is opened on port
// 0 and closed leaves its port to whoever asks next, who may be another test: a server
// that is to start there does not, and an address that is to be dead answers.
//
// For an address where nobody listens and nobody is to, tests use [Dead].
package ports

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// test is a [testing.TB], as far as it is needed: programs that measure use this, too.
type test interface {
	Helper()
	Fatal(args ...any)
	Cleanup(f func())
}

// Dead is an address of loopback where nobody listens: connections are refused at once.
const Dead = "127.0.0.1:1"

// Hold returns an address of loopback, "127.0.0.1:port", that is refused until the test
// itself, or a program that it starts, listens there, and again when that has ended. It
// may listen and end as often as it likes; others who ask for any port do not get this one
// until the test ends.
func Hold(t test) string {
	t.Helper()
	addr, release, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return addr
}

// Take is Hold without a test; the caller must call release.
//
// A socket is bound and does not listen. Linux gives its port to nobody who asks for port 0
// and to no connection, but to a listener that names it and, as Go's, nginx's and Redis's
// do, has SO_REUSEADDR set. Elsewhere, the port is only one that was free a moment ago.
func Take() (addr string, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return "", nil, fmt.Errorf("ports: %w", err)
	}
	syscall.CloseOnExec(fd)
	release = func() { _ = syscall.Close(fd) }
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var at syscall.Sockaddr
	if err == nil {
		at, err = syscall.Getsockname(fd)
	}
	if err != nil {
		release()
		return "", nil, fmt.Errorf("ports: %w", err)
	}
	if runtime.GOOS != "linux" {
		release()
		release = func() {}
	}
	return fmt.Sprint("127.0.0.1:", at.(*syscall.SockaddrInet4).Port), release, nil
}

// Dir returns a folder for Unix sockets, which is removed when the test ends: their paths
// may be of 107 bytes only, and the names of testing's own folders grow with the test's.
func Dir(t test) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
