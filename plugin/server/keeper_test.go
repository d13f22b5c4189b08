package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// keeperTestProcess is the keeper of the tests below and, started by it, the
// server, which drains until it is told that it is enough, and then leaves a file.
func keeperTestProcess(file string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := Keep(ctx, func(ctx context.Context) error { return keptTestProcess(ctx, file) })
	if err != nil {
		fmt.Println(err)
		stop()
		os.Exit(1)
	}
	if os.Getenv(keptEnv) == "" {
		stop()
		time.Sleep(100 * time.Millisecond) // the child's own SIGTERM arrives meanwhile
	}
}

func keptTestProcess(ctx context.Context, file string) error {
	if file == "fails" {
		return errors.New("what the server could not do")
	}
	if file == "crashes" {
		os.Exit(3)
	}
	_ = os.WriteFile(file+".pid", []byte(strconv.Itoa(os.Getpid())), 0o600) // the test sees that it is missing
	fmt.Println("serving")
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Second):
		return nil
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		fmt.Println("draining, and saying so to nobody")
		if _, err := os.Stat(file + ".enough"); err == nil {
			break
		}
	}
	_ = os.WriteFile(file, []byte("drained"), 0o600) // the test sees that it is missing
	return nil
}

// keep starts a keeper and waits until the server behind it serves.
func keep(t *testing.T) (keeper *exec.Cmd, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "drained")
	keeper = exec.Command(os.Args[0], "keeper-test", file)
	out, err := keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keeper.Process.Kill() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "serving\n" {
		t.Fatalf("the server said %q: %v", line, err)
	}
	return keeper, file
}

// drained tells the server that it is enough, and waits for its file.
func drained(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file+".enough", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			return
		}
	}
	t.Error("the server did not drain")
}

func TestKeeperEndsWhenItsServerIsToldTo(t *testing.T) {
	keeper, file := keep(t)
	b, err := os.ReadFile(file + ".pid")
	if err != nil {
		t.Fatal(err)
	}
	server, err := strconv.Atoi(string(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(server, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := keeper.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the keeper waited for the server to drain")
	}
	drained(t, file)
}

func TestServerDrainsWhenItsKeeperIsKilled(t *testing.T) {
	keeper, file := keep(t)
	if err := keeper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = keeper.Wait() // killed
	if _, err := os.Stat(file); err == nil {
		t.Error("the server ended before its keeper did")
	}
	drained(t, file)
}

func TestKeeperDoesNotWaitForTheServerToDrain(t *testing.T) {
	keeper, file := keep(t)
	if err := keeper.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := keeper.Wait(); err != nil {
		t.Errorf("the keeper ended with %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the keeper ended after the server")
	}
	drained(t, file)
}

func TestKeeperEndsWithAServerThatCannotStart(t *testing.T) {
	for how, want := range map[string]string{
		"fails":   "what the server could not do\nthe plugin server ended: exit status 1\n",
		"crashes": "the plugin server ended: exit status 3\n",
	} {
		out, err := exec.Command(os.Args[0], "keeper-test", how).Output()
		if err == nil || string(out) != want {
			t.Errorf("%s: %v, %q", how, err, out)
		}
	}
}

// Kong's worker may be killed before the keeper has started its child, or the
// keeper before the child looks who started it.
func TestServerEndsWhoseKeeperIsGoneBeforeItStarts(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "drained")
	server := exec.Command(os.Args[0], "keeper-test", file)
	server.Env = append(os.Environ(), keptEnv+"="+strconv.Itoa(gone.Process.Pid))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	drained(t, file)
}
