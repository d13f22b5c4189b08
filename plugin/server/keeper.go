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

// lifeline is the descriptor by which a child sees at once that its keeper has
// ended, as it may without a word: when Kong stops, nothing is to stay behind.
const lifeline = 3

// Keep runs this program again as a child, which calls serve, and waits for it.
//
// Kong's worker 0 kills the process that it started (SIGKILL, by the destructor
// of ngx.pipe) when it ends. After a reload that is while other old workers still
// have streams open, which go through this process. So what Kong starts and kills
// is the keeper: it takes no part in anything, and its end tells the child to let
// open requests finish. When ctx is done the keeper ends at once, too: Kong starts
// the next process when it has, not when the last stream is over. A child whose
// ctx is done tells its keeper, for the same reason. One that cannot start does
// not: its keeper waits until its last word has been passed on, and fails as well.
//
// The keeper copies the child's output, so that Kong, which reads until the end
// of the output, sees its end.
func Keep(ctx context.Context, serve func(context.Context) error) error {
	if keeper := os.Getenv(keptEnv); keeper != "" {
		return kept(ctx, keeper, serve)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	// Another signal must not end the keeper in another way than well while it ends: the
	// child answers its own with a SIGTERM, and who stops both may come second. Nobody
	// reads them. signal.Ignore would leave a moment in which a signal still ends it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	child := exec.Command(program, os.Args[1:]...)
	child.Env = append(os.Environ(), keptEnv+"="+strconv.Itoa(os.Getpid()))
	child.Stdout, child.Stderr = struct{ io.Writer }{os.Stdout}, struct{ io.Writer }{os.Stderr}
	// The child reads from a pipe whose other end closes with this process.
	life, alive, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	defer alive.Close()
	child.ExtraFiles = []*os.File{life} // lifeline in the child
	ctx, cancel := withParent(ctx, os.Getppid())
	defer cancel()
	err = child.Start()
	_ = life.Close()
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		_ = child.Process.Signal(syscall.SIGTERM) // it drains, without us
		return nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("the plugin server ended: %w", err)
	}
	return err
}

// kept serves as the child of a keeper of that process id.
func kept(ctx context.Context, keeper string, serve func(context.Context) error) error {
	id, err := strconv.Atoi(keeper)
	if err != nil {
		return fmt.Errorf("%s is for the program itself, which sets it to a process id: %w", keptEnv, err)
	}
	told := context.AfterFunc(ctx, func() {
		if os.Getppid() == id {
			_ = syscall.Kill(id, syscall.SIGTERM)
		}
	})
	defer told()
	ctx, cancel := withParent(ctx, id)
	defer cancel()
	go func() {
		_, _ = os.NewFile(lifeline, "keeper").Read(make([]byte, 1)) // it writes nothing
		cancel()
	}()
	return serve(ctx)
}
