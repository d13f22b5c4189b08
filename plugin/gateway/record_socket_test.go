package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/ports"
)

// worker is one of Kong's workers at the records' socket.
type worker struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// connectWorker greets as worker 7, and waits to be known.
func connectWorker(t *testing.T, g *Gateway, socket, token string) *worker {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(c, "7 %s\n", token)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		g.workers.mu.Lock()
		known := g.workers.workers["7"] != nil
		g.workers.mu.Unlock()
		if known {
			return &worker{t, c, bufio.NewReader(c)}
		}
		if time.Now().After(end) {
			t.Fatal("the worker is not known")
		}
	}
}

func (w *worker) ask(id, how string) *logged {
	w.t.Helper()
	fmt.Fprintf(w, "%s %s\n", id, how)
	line, err := w.in.ReadString('\n')
	if err != nil {
		w.t.Fatal(err)
	}
	return recordIn(w.t, line, id)
}

// TestWorkerTellsOfRemovedPlugins: whoever wants to know is told, and questions after it
// are answered.
func TestWorkerTellsOfRemovedPlugins(t *testing.T) {
	g, a, socket := serving(t)
	removed := make(chan string, 1)
	g.workers.removed = func(plugin string) { removed <- plugin }
	w := connectWorker(t, g, socket, a.token)
	fmt.Fprintf(w, "removed 6e7c40f6-ce96-48e4-a366-d109c169e444\n")
	select {
	case id := <-removed:
		if id != "6e7c40f6-ce96-48e4-a366-d109c169e444" {
			t.Errorf("told of %q", id)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
	}
	rec := large(10)
	g.records.Add("small", rec)
	ended(g.records, "small", rec)
	if v := w.ask("small", "over"); len(v.Payload.Response) != 10 {
		t.Error("the next question is not answered")
	}
}

func TestWorkerAsksForLargeRecords(t *testing.T) {
	g, a, socket := serving(t)
	w := connectWorker(t, g, socket, a.token)
	for size, pushed := range map[int]bool{maxPushed / 2: true, maxPushed: false} {
		rec := large(size)
		g.records.Add("large", rec)
		ended(g.records, "large", rec)
		got := g.workers.push("7", "large", rec, false) != nil
		for end := time.Now().Add(20 * time.Second); pushed && !got && time.Now().Before(end); { // the last answer is still being written
			got = g.workers.push("7", "large", rec, false) != nil
		}
		if got != pushed {
			t.Errorf("%d bytes were pushed: %v", size, got)
		}
		if pushed {
			w.in.ReadString('\n')
		}
		if v := w.ask("large", "over"); len(v.Payload.Response) != size {
			t.Errorf("%d bytes did not come", size)
		}
	}
}

// A worker that stands still must not hold up the relay, and loses nothing.
func TestWorkerThatDoesNotReadMustAskAfterwards(t *testing.T) {
	g, a, socket := serving(t)
	w := connectWorker(t, g, socket, a.token)
	var asks []string
	total := 0
	machine := lateness.Start(t)
	began := time.Now()
	for ; total < 20 || len(asks) < 20; total++ {
		id := fmt.Sprint("r", total)
		rec := large(8 << 10)
		g.records.Add(id, rec)
		ended(g.records, id, rec)
		if g.workers.push("7", id, rec, false) == nil {
			asks = append(asks, id)
		}
		if total > 10_000 {
			t.Fatal("the socket holds more than 80 MB")
		}
	}
	if took := time.Since(began); took > machine.Within(time.Second) {
		t.Errorf("%d records took %v", total, took)
	}
	for range total - len(asks) {
		if _, err := w.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range asks {
		if w.ask(id, "over") == nil {
			t.Errorf("%s is lost", id)
		}
	}
}

func TestWorkersAreToldThatTheRelayLeaves(t *testing.T) {
	g, a, socket := serving(t)
	g.handover = time.Second
	machine := lateness.Start(t)
	began := time.Now()
	g.Leave()
	if g.Connected() || time.Since(began) > machine.Within(g.handover) {
		t.Error("nobody is there, and somebody is waited for")
	}
	w := connectWorker(t, g, socket, a.token)
	if line, err := w.in.ReadString('\n'); err != nil || line != "leaving \n" {
		t.Errorf("who comes late reads %q, %v", line, err)
	}
	began = time.Now()
	g.Leave()
	if line, err := w.in.ReadString('\n'); err != nil || line != "leaving \n" {
		t.Errorf("who is there reads %q, %v", line, err)
	}
	if !g.Connected() || time.Since(began) < g.handover {
		t.Error("who is there has no time to send what it has begun")
	}
	g.handover = time.Minute
	time.AfterFunc(50*time.Millisecond, func() { w.Close() })
	began = time.Now()
	g.Leave()
	if took := time.Since(began); took > machine.Within(10*time.Second) {
		t.Errorf("workers that are gone are waited for: %v", took)
	}
}

func TestRecordSocketClosesConnectionsWithoutAToken(t *testing.T) {
	_, a, socket := serving(t)
	for name, said := range map[string]string{
		"no token":                  "7\n",
		"a forged token":            "7 1.AAAAAAAAAAAAAAAAAAAAAAAA\nx over\n",
		"a line that does not end":  strings.Repeat("7", 1<<20),
		"silence":                   "",
		"half a line":               "7 " + a.token,
		"a question that is no end": "7 " + a.token + "\n" + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(greetingTime + 20*time.Second))
			began := time.Now()
			n, err := io.WriteString(c, said)
			if err == nil {
				_, err = io.Copy(io.Discard, c)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("still connected after %v, %d bytes", time.Since(began), n)
			}
			if n > 512<<10 && len(said) > n {
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
}

func TestRecordSocketClosesItsConnections(t *testing.T) {
	s := newRecordSocket(record.NewStore(), func(string) bool { return true }, zerolog.Nop())
	near, far := net.Pipe()
	s.add(far)
	s.close()
	if _, err := near.Write([]byte("x")); err == nil {
		t.Error("a connection is open")
	}
	if s.add(far) != nil {
		t.Error("a connection that was accepted meanwhile is served")
	}
}

func TestRequestedRecordSaysHowItsRequestEnded(t *testing.T) {
	for name, c := range map[string]struct {
		how     string
		settles time.Duration // after it is asked for
		outcome string
		took    time.Duration
	}{
		"the relay notices that the client has left": {"left", noticeTime - 1, "completed", noticeTime - 1},
		"and does not":             {"left", time.Hour, "client_aborted", noticeTime},
		"the relay is late to end": {"over", endTime - 1, "completed", endTime - 1},
		"and does not end":         {"over", time.Hour, "client_aborted", endTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newRecordSocket(record.NewStore(), nil, zerolog.Nop())
				rec := begun()
				rec.Update(func(d *record.Data) { d.Logging.Statistics = true })
				s.records.Add("x", rec)
				go func() {
					time.Sleep(c.settles)
					ended(s.records, "x", rec)
				}()
				began := time.Now()
				got := recordIn(t, string(s.answer("x", c.how)), "x")
				if got.Meta.Outcome != c.outcome || time.Since(began) != c.took {
					t.Errorf("%v after %v, want %s after %v", got, time.Since(began), c.outcome, c.took)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

// Sockets of processes that are gone are removed, and no others.
func TestSocketsOfEndedRelaysAreRemoved(t *testing.T) {
	for _, name := range []string{RecordSocket, RelaySocket} {
		dir := ports.Dir(t)
		stale, live := filepath.Join(dir, fmt.Sprintf(name, 2)), filepath.Join(dir, fmt.Sprintf(name, 3))
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		other, err := net.Listen("unix", live)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		own, err := listenIn(dir, name, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket of an ended relay: %v", err)
		}
		if _, err := os.Stat(live); err != nil {
			t.Errorf("the socket of another relay: %v", err)
		}
		if info, err := os.Stat(filepath.Join(dir, fmt.Sprintf(name, 1))); err != nil || info.Mode().Perm() != 0o666 {
			t.Errorf("the socket, which Kong's workers may use: %v, %v", info, err)
		}
	}
}

func TestSocketThatCannotBeMadeIsAnError(t *testing.T) {
	g, _, _ := serving(t)
	if _, err := g.ServeIn(filepath.Join(ports.Dir(t), "absent")); err == nil || !strings.HasPrefix(err.Error(), "socket for records: ") {
		t.Errorf("%v", err)
	}
}
