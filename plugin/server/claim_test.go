package server

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/ports"
)

// claimTestProcess is, as in Kong, a keeper and, kept by it, a server that
// takes the socket if it may.
func claimTestProcess(socket string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := Keep(ctx, func(ctx context.Context) error {
		if err := Claim(ctx, socket); err != nil {
			return err
		}
		l, err := Listen(socket)
		if err != nil {
			return err
		}
		defer l.Close()
		fmt.Println("serving as process", os.Getpid())
		<-ctx.Done()
		leaving, _ := time.ParseDuration(os.Getenv("CLAIM_TEST_LEAVING"))
		time.Sleep(leaving)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		stop()
		os.Exit(1)
	}
}

// claimant starts a keeper and returns what its server says first.
func claimant(t *testing.T, socket string, command ...string) (process *exec.Cmd, said string) {
	t.Helper()
	command = append(command, os.Args[0], "claim-test", socket)
	process = exec.Command(command[0], command[1:]...)
	// A worker of Kong's, which the test ends together with its keeper.
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-process.Process.Pid, syscall.SIGTERM)
		_ = process.Wait() // told to end
	})
	said, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return process, strings.TrimSpace(said)
}

// worker is a shell that starts a command and waits for it, as a worker of
// Kong's does. The test is their master.
var worker = []string{"sh", "-c", `"$@" & wait $!`, "worker"}

func TestSecondServerLeavesTheSocketToTheFirst(t *testing.T) {
	for name, by := range map[string][]string{"of Kong's": worker, "by hand": nil} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(ports.Dir(t), "a.socket")
			_, first := claimant(t, socket, by...)
			pid, ok := strings.CutPrefix(first, "serving as ")
			if !ok {
				t.Fatal(first)
			}
			_, second := claimant(t, socket)
			if !strings.HasPrefix(second, "socket "+socket+": in use by "+pid+", ") {
				t.Errorf("the second says %q, want the first's %s", second, pid)
			}
			holds(t, socket, pid)
		})
	}
}

// holds checks that the socket is that of "process N".
func holds(t *testing.T, socket, process string) {
	t.Helper()
	pid, used, err := holder(socket)
	if err != nil || !used || fmt.Sprint("process ", pid) != process {
		t.Errorf("process %d holds the socket (%v, %v), want %s", pid, used, err, process)
	}
}

func TestNextWorkersServerTakesTheSocket(t *testing.T) {
	socket := filepath.Join(ports.Dir(t), "a.socket")
	_, first := claimant(t, socket, worker...)
	machine := lateness.Start(t)
	began := time.Now()
	_, second := claimant(t, socket, worker...)
	pid, ok := strings.CutPrefix(second, "serving as ")
	if !ok || second == first {
		t.Fatalf("%s, then %s", first, second)
	}
	if d := time.Since(began); d > machine.Within(claimTime) {
		t.Errorf("it took %s", d)
	}
	holds(t, socket, pid)
}

func TestServerWaitsForOneThatIsAboutToEnd(t *testing.T) {
	socket := filepath.Join(ports.Dir(t), "a.socket")
	first, _ := claimant(t, socket)
	if err := first.Process.Kill(); err != nil { // its server notices in half a second
		t.Fatal(err)
	}
	_, second := claimant(t, socket)
	pid, ok := strings.CutPrefix(second, "serving as ")
	if !ok {
		t.Fatal(second)
	}
	holds(t, socket, pid)
}

func TestSocketWithoutAServerIsFree(t *testing.T) {
	dir := ports.Dir(t)
	plain, stale := filepath.Join(dir, "plain"), filepath.Join(dir, "stale")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := must(net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"}))
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for _, path := range []string{plain, stale, filepath.Join(dir, "missing")} {
		if err := Claim(t.Context(), path); err != nil {
			t.Error(err)
		}
	}
}

func TestClaimEndsWithItsContext(t *testing.T) {
	socket := filepath.Join(ports.Dir(t), "a.socket")
	claimant(t, socket)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	machine := lateness.Start(t)
	began := time.Now()
	if err := Claim(ctx, socket); err == nil || time.Since(began) > machine.Within(claimTime/2) {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestEndingServerStaysUntilAnotherHasItsSocket(t *testing.T) {
	for name, c := range map[string]struct {
		successor, clients bool
		path               string
		stays              bool
	}{
		"with clients":            {false, true, "a", true},
		"without clients":         {false, false, "a", false},
		"another has the socket":  {true, true, "a", false},
		"the socket is not there": {false, true, "missing", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := ports.Dir(t)
			l := must(Listen(filepath.Join(dir, "a")))
			defer l.Close()
			told, tell := context.WithCancel(t.Context())
			ctx, cancel := Outlive(told, filepath.Join(dir, c.path), func() bool { return c.clients })
			defer cancel()
			if c.successor {
				next := must(Listen(filepath.Join(dir, "a")))
				defer next.Close()
			}
			if ctx.Err() != nil {
				t.Fatal("it was not told to end")
			}
			tell()
			wait := 20 * time.Second
			if c.stays {
				wait = 200 * time.Millisecond
			}
			select {
			case <-ctx.Done():
				if c.stays {
					t.Error("it ends")
				}
			case <-time.After(wait):
				if !c.stays {
					t.Error("it stays")
				}
			}
		})
	}
}

// A server whose keeper is gone leaves; it is not waited for.
func TestSocketOfALeavingServerIsTaken(t *testing.T) {
	t.Setenv("CLAIM_TEST_LEAVING", "5s")
	socket := filepath.Join(ports.Dir(t), "a.socket")
	first, said := claimant(t, socket)
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	holds(t, socket, strings.TrimPrefix(said, "serving as "))
	_, second := claimant(t, socket)
	pid, ok := strings.CutPrefix(second, "serving as ")
	if !ok {
		t.Fatal(second)
	}
	holds(t, socket, pid)
}

func TestInstancesLiveUntilTheServerHasLeft(t *testing.T) {
	var order []string
	r := serve(t, &Server{
		New:   always(plugin{closed: func() { order = append(order, "closed") }}),
		Leave: func() { order = append(order, "left") },
	})
	access(r, conf)
	if !r.Connected() {
		t.Error("the worker is not seen")
	}
	r.stop()
	if got := strings.Join(order, " "); got != "left closed" {
		t.Errorf("%s", got)
	}
	if r.Connected() {
		t.Error("there is nobody")
	}
}

func TestSocketIsRemovedByTheServerThatHasIt(t *testing.T) {
	path := filepath.Join(ports.Dir(t), "a.socket")
	first := must(Listen(path))
	second := must(Listen(path))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if nc, err := net.Dial("unix", path); err != nil {
		t.Errorf("the first has taken the second's socket with it: %v", err)
	} else {
		_ = nc.Close()
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if left := must(os.ReadDir(filepath.Dir(path))); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Servers of which each takes the socket from the one before and ends at once
// never leave a moment in which the last one cannot be reached.
func TestServersThatFollowEachOtherLoseNoSocket(t *testing.T) {
	path := filepath.Join(ports.Dir(t), "a.socket")
	last := must(Listen(path))
	for range 200 {
		next := make(chan net.Listener)
		go func() { next <- must(Listen(path)) }()
		closed, before := make(chan error), last
		go func() { closed <- before.Close() }()
		last = <-next
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		nc, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.Close()
	}
	_ = last.Close()
}
