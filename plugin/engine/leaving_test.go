package engine

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/wire"
)

// flood is a provider that sends an endless answer as fast as it is taken.
func flood(t *testing.T, begin <-chan bool) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				in := newSource(c)
				defer in.release()
				if _, err := in.head(1 << 10); err != nil {
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				<-begin
				for b := make([]byte, 64<<10); err == nil; {
					_, err = c.Write(b)
					runtime.Gosched() // it stands for another process
				}
			})
		}
	}()
	return "http://" + l.Addr().String()
}

// However fast providers send, and however many clients leave at once: their
// requests end at once, and nothing more is read of the answers. The machine may be
// busy with other tests, so the best of some rounds counts.
func TestClientsThatLeaveFastStreamsAreNoticedAtOnce(t *testing.T) {
	limit := 150 * time.Millisecond // it is 20 to 45 ms
	if race {
		limit = time.Second
	}
	best := time.Hour
	for range 8 {
		if best = min(best, leaveFastStreams(t)); best < limit {
			break
		}
	}
	t.Logf("all requests had ended after %v of work", best)
	if best > limit {
		t.Errorf("all requests had ended after %v of work, want %v", best, limit)
	}
}

// leaveFastStreams has two hundred clients leave streams that come as fast as they
// are read, and returns how much work is done until all have ended: in processor time,
// since all is busy meanwhile, and a machine that others use has less of it.
func leaveFastStreams(t *testing.T) time.Duration {
	const clients = 200
	begin := make(chan bool)
	url := flood(t, begin)
	client := newClient(t, nil, "")
	var open, told, ended atomic.Int32
	addr := serve(t, &Server{}, func(x *Exchange) {
		a, err := client.Do(x.Context(), outgoing(t, "GET", url))
		if err != nil {
			t.Error(err)
			return
		}
		defer a.Body.Close()
		context.AfterFunc(x.Context(), func() { told.Add(1) })
		open.Add(1)
		b := make([]byte, 32<<10)
		for err == nil {
			_, err = a.Body.Read(b)
		}
		wantTransport(t, err, wire.Reading, isTimeout(err))
		ended.Add(1)
	})
	var conns []net.Conn
	for range clients {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		send(t, c, get)
	}
	for end := time.Now().Add(20 * time.Second); open.Load() < clients; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d streams", open.Load())
		}
	}
	close(begin)
	time.Sleep(100 * time.Millisecond)
	left, used := time.Now(), processorTime()
	for _, c := range conns {
		c.Close()
	}
	for ; told.Load() < clients || ended.Load() < clients; time.Sleep(time.Millisecond) {
		if time.Since(left) > 20*time.Second {
			t.Fatalf("%d of %d contexts and %d requests have ended", told.Load(), clients, ended.Load())
		}
	}
	return processorTime() - used
}

// processorTime is how long this process has been on a processor.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// unending is a connection that always has more to read.
type unending struct {
	net.Conn
	text string
	read atomic.Int64 // bytes; it goes on from there
}

func (*unending) SetReadDeadline(time.Time) error { return nil }

func (e *unending) Read(p []byte) (n int, _ error) {
	for at := int(e.read.Load()); n < len(p); {
		n += copy(p[n:], e.text[(at+n)%len(e.text):])
	}
	e.read.Add(int64(n))
	return n, nil
}

// Where one processor is left, others run between any two parts of an endless
// answer: counted in bytes, so that the machine's speed makes no difference.
func TestAFastAnswerLeavesOthersTheirTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for name, b := range map[string]*body{
		"direct":  {framing: closing},
		"sized":   {framing: sized, left: 1 << 50},
		"chunked": {framing: chunked},
	} {
		e := &unending{text: "4\r\nabcd\r\n"}
		if b.src = newSource(e); name != "chunked" {
			e.text = strings.Repeat("x", 4<<10)
		}
		var over atomic.Bool
		ended := make(chan error, 1)
		go func() {
			var err error
			for p := make([]byte, 8<<10); err == nil && !over.Load(); {
				_, err = b.Read(p)
			}
			b.src.release()
			ended <- err
		}()
		const turns = 100
		for range turns {
			runtime.Gosched()
		}
		over.Store(true)
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, most := e.read.Load(), int64(2*turns*maxTurn); got > most {
			t.Errorf("%s: %d bytes were read in %d turns of another goroutine, want at most %d", name, got, turns, most)
		}
	}
}

// Whoever waits for the context of a request whose handler panicked is woken.
func TestTheContextEndsAfterAPanic(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan (<-chan struct{}), 1)
	s := &Server{Log: zerolog.Nop(), Handler: HandlerFunc(func(x *Exchange) {
		done <- x.Context().Done()
		panic("oops")
	})}
	go s.Serve(l)
	defer s.Close()
	c, _ := dialTest(t, l.Addr().String())
	send(t, c, get)
	select {
	case <-<-done:
	case <-time.After(20 * time.Second):
		t.Error("the context goes on")
	}
}

// A client that has broken the connection is gone, whatever it had sent before.
func TestAResetIsNoticedBehindRequestsSentInAdvance(t *testing.T) {
	entered := make(chan bool, 1)
	left := make(chan bool, 1)
	addr := serve(t, &Server{}, func(x *Exchange) {
		entered <- true
		select {
		case <-x.Context().Done():
			left <- true
		case <-time.After(20 * time.Second):
			left <- false
		}
		x.Abort()
	})
	c, _ := dialTest(t, addr)
	send(t, c, get+get)
	<-entered
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
	if !<-left {
		t.Error("the client's going was not noticed")
	}
}
