package gateway

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The names of the Unix sockets in Kong's prefix, with the port of the relay: after a
// reload of Kong two processes serve, and each is asked for its own.
const (
	// RecordSocket is where the shim gets records.
	RecordSocket = "go-ai-proxy.%d.record.sock"
	// RelaySocket is where Kong sends requests, if it has the shim. It is the same as
	// the relay's port, but costs either side half of what TCP does.
	RelaySocket = "go-ai-proxy.%d.relay.sock"
)

// listenIn listens on a socket in dir.
func listenIn(dir, name string, port int) (net.Listener, error) {
	path := filepath.Join(dir, fmt.Sprintf(name, port))
	removeStale(dir, name)
	_ = os.Remove(path) // of a process that is gone
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	// Kong's workers may run as another user than its master. The token keeps
	// others out.
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// removeStale removes the sockets of processes that were killed.
func removeStale(dir, name string) {
	paths, _ := filepath.Glob(filepath.Join(dir, strings.Replace(name, "%d", "*", 1))) // the pattern is right
	for _, path := range paths {
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(path)
		}
	}
}

// longQueue is how many connections must be able to wait until they are accepted for
// the relay to have a Unix socket. There nginx does not wait when the queue is full, as
// it does with TCP: the request fails.
const longQueue = 1024

// queues reports whether they are.
func queues() bool {
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return err == nil && n >= longQueue
}
