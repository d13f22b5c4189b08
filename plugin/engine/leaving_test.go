package engine

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
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
				}
			})
		}
	}()
	return "http://" + l.Addr().String()
}

// However fast providers send, and however many clients leave at once: their
// requests end at once, and nothing more is read of the answers.
func TestClientsThatLeaveFastStreamsAreNoticedAtOnce(t *testing.T) {
	const clients = 200
	begin := make(chan bool)
	url := flood(t, begin)
	client := newClient(t, nil, "")
	var open atomic.Int32
	var mu sync.Mutex
	var told, ended int
	addr := serve(t, &Server{}, func(x *Exchange) {
		a, err := client.Do(x.Context(), outgoing(t, "GET", url))
		if err != nil {
			t.Error(err)
			return
		}
		defer a.Body.Close()
		context.AfterFunc(x.Context(), func() {
			mu.Lock()
			told++
			mu.Unlock()
		})
		open.Add(1)
		b := make([]byte, 32<<10)
		for err == nil {
			_, err = a.Body.Read(b)
		}
		wantTransport(t, err, wire.Reading, isTimeout(err))
		mu.Lock()
		ended++
		mu.Unlock()
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
	left := time.Now()
	for _, c := range conns {
		c.Close()
	}
	const limit = 5 * time.Second // it is some 0.4 s, and was 15 s or never
	for ; ; time.Sleep(time.Millisecond) {
		mu.Lock()
		n, last := ended, told
		mu.Unlock()
		if n == clients && last == clients {
			break
		}
		if time.Since(left) > limit {
			t.Fatalf("after %v %d of %d contexts and %d requests have ended", limit, last, clients, n)
		}
	}
	t.Logf("%d requests had ended %v after their clients left", clients, time.Since(left))
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
	case <-time.After(5 * time.Second):
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
		case <-time.After(5 * time.Second):
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
