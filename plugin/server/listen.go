package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// Listen binds the Unix socket path for the user of this process, as Kong's
// workers start the plugin server as themselves; use os.Chmod on path where
// it is run as another user. Whatever is at path is replaced in one step, so
// that there is no moment without a socket. Close removes the file, unless it
// is another server's by then: after a reload of Kong it is the next one's.
func Listen(path string) (net.Listener, error) {
	dir := filepath.Dir(path)
	// The length of a socket's path is limited to 107 bytes: the name it is
	// bound by is kept shorter than the final one.
	temporary := filepath.Join(dir, fmt.Sprintf(".%d", os.Getpid()))
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	listener.SetUnlinkOnClose(false)
	l := &socket{UnixListener: listener, path: path}
	if err = os.Chmod(temporary, 0o600); err == nil {
		l.file, err = os.Lstat(temporary)
	}
	if err == nil {
		err = locked(dir, func() error { return os.Rename(temporary, path) })
	}
	if err != nil {
		_ = listener.Close()
		_ = os.Remove(temporary)
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return l, nil
}

// socket is a listener that removes its file.
type socket struct {
	*net.UnixListener
	path string
	file os.FileInfo // what Listen has put there
}

// Close implements net.Listener.
func (l *socket) Close() error {
	_ = locked(filepath.Dir(l.path), func() error { // a file that stays is replaced by the next server
		now, err := os.Lstat(l.path)
		if err != nil || !os.SameFile(now, l.file) {
			return err
		}
		return os.Remove(l.path)
	})
	return l.UnixListener.Close()
}

// locked calls f while no other server puts its socket into dir, or looks whose
// is there. The lock is on the folder itself, so that it leaves no file.
func locked(dir string, f func() error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() // ends the lock
	for err = syscall.EINTR; err == syscall.EINTR; {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	return f()
}
