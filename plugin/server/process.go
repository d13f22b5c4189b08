package server

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// withParent returns a context that is done, too, when the process that
// started this one, of which parent is the id, has ended; at once where it has
// ended before this one could look. Kong's worker 0 starts the plugin server; if
// the worker is killed nobody stops it. (Linux can send a signal instead, but
// binds that to the thread that asked for it.) Since the worker was the reader
// of this process's output, a broken pipe no longer ends the process.
func withParent(ctx context.Context, parent int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signal.Ignore(syscall.SIGPIPE)
	if os.Getppid() != parent {
		cancel()
		return ctx, cancel
	}
	go func() {
		ticker := time.NewTicker(parentInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if os.Getppid() != parent {
					cancel()
					return
				}
			}
		}
	}()
	return ctx, cancel
}

// parentInterval is how often a process looks whether its parent is there.
const parentInterval = 500 * time.Millisecond
