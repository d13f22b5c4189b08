package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
)

// keptEnv marks the process that a keeper started, with the keeper's id.
const keptEnv = "GO_AI_PROXY_KEPT"

// Keep runs this program again as a child and waits for it; kept is true in the
// child, where it returns at once.
//
// Kong's worker 0 kills the process that it started (SIGKILL, by the destructor
// of ngx.pipe) when it ends. After a reload that is while other old workers still
// have streams open, which go through this process. So what Kong starts and kills
// is the keeper: it takes no part in anything, and its end tells the child to let
// open requests finish. On SIGTERM the keeper ends at once, too: Kong starts the
// next process when it has, not when the last stream is over. A child that is
// told to end tells its keeper, for the same reason.
//
// The keeper copies the child's output, so that Kong, which reads until the end
// of the output, sees its end.
func Keep(ctx context.Context) (kept bool, err error) {
	if keeper := os.Getenv(keptEnv); keeper != "" {
		context.AfterFunc(ctx, func() {
			if parent := os.Getppid(); strconv.Itoa(parent) == keeper {
				_ = syscall.Kill(parent, syscall.SIGTERM)
			}
		})
		return true, nil
	}
	program, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("keeper: %w", err)
	}
	child := exec.Command(program, os.Args[1:]...)
	child.Env = append(os.Environ(), keptEnv+"="+strconv.Itoa(os.Getpid()))
	child.Stdout, child.Stderr = struct{ io.Writer }{os.Stdout}, struct{ io.Writer }{os.Stderr}
	ctx, cancel := WithParent(ctx)
	defer cancel()
	if err := child.Start(); err != nil {
		return false, fmt.Errorf("keeper: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	// The child answers its SIGTERM with one of its own, which must not end the
	// keeper in another way than well while it ends.
	signal.Ignore(syscall.SIGTERM)
	if ctx.Err() != nil {
		_ = child.Process.Signal(syscall.SIGTERM) // it drains, without us
		return false, nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("the plugin server ended: %w", err)
	}
	return false, err
}
