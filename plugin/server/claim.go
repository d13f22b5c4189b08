package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// claimTime is how long Claim waits for a server that is about to end: twice
// the time in which a process and its keeper notice that they are to, and more.
const claimTime = 4 * parentInterval

// Claim makes sure that the socket at path may be taken with [Listen]: that no
// process listens on it, or only a server that is about to end, or the previous
// server of the same Kong, which a reload leaves to its old workers. Another server
// is an error that names its process, since its Kong would lose it.
func Claim(ctx context.Context, path string) error {
	for end := time.Now().Add(claimTime); ; {
		pid, used, err := holder(path)
		switch {
		case err != nil:
			return fmt.Errorf("socket %s: %w", path, err)
		case !used, succeeds(pid), leaves(pid):
			return nil
		case !time.Now().Before(end):
			by := "a process that cannot be seen from here"
			if pid != 0 {
				by = fmt.Sprintf("process %d", pid)
			}
			return fmt.Errorf("socket %s: in use by %s, which serves another Kong or was started by hand: end it, or choose another -kong-prefix", path, by)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("socket %s: %w", path, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// holder finds out whether a process listens on the socket at path, and its
// id, 0 if it is not known.
func holder(path string) (pid int, used bool, err error) {
	nc, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		defer nc.Close()
		return peerProcess(nc), true, nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return 0, false, nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, os.ErrDeadlineExceeded): // too many connections are waiting
		return 0, true, nil
	}
	return 0, false, err
}

// outliveTime is how long a server that is to end waits for its successor.
const outliveTime = 5 * time.Second

// Outlive returns a context that is done when ctx is and nobody needs a server at
// path any more: another has taken the socket, or there are no clients. At a
// reload Kong ends the old server when the old worker 0 has nothing to do, which
// may be before it has started the new one.
func Outlive(ctx context.Context, path string, clients func() bool) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ours, err := os.Stat(path)
	context.AfterFunc(ctx, func() {
		defer cancel()
		for end := time.Now().Add(outliveTime); err == nil && out.Err() == nil && time.Now().Before(end) && clients(); {
			if now, err := os.Stat(path); err != nil || !os.SameFile(ours, now) {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return out, cancel
}
