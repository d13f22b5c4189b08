package engine

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/plugin/wire"
)

// fault is a provider that sends the first bytes of an answer and then fails.
type fault struct {
	answer string
	how    string // "cuts", "stalls" or "resets"
}

// serve answers one connection; the request's path says after how many bytes
// it fails.
func (f fault) serve(c net.Conn, stop <-chan bool) {
	defer c.Close()
	in := newSource(c)
	defer in.release()
	head, err := in.head(1 << 10)
	if err != nil {
		return
	}
	var at int
	if _, err := fmt.Sscanf(head, "POST /%d", &at); err != nil {
		panic(head)
	}
	if _, err := io.WriteString(c, f.answer[:at]); err != nil {
		return
	}
	switch f.how {
	case "stalls":
		<-stop
	case "resets":
		time.Sleep(time.Millisecond) // for the bytes to be read before
		_ = c.(*net.TCPConn).SetLinger(0)
	}
}

// Whatever happens to an answer at whichever byte: it is an error, of the right
// kind, within its time, or it is whole.
func TestAnAnswerThatFailsAtAnyByteIsNoAnswer(t *testing.T) {
	const stall, patience = 200 * time.Millisecond, 20 * time.Second // the latter for a busy machine
	for _, answer := range []string{
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=1\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
	} {
		for _, how := range []string{"cuts", "stalls", "resets"} {
			t.Run(how, func(t *testing.T) {
				f := fault{answer, how}
				wait := patience // what a provider ends is not to wait for the time
				if how == "stalls" {
					wait = stall
				}
				stop := make(chan bool)
				defer close(stop)
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				go func() {
					for {
						c, err := l.Accept()
						if err != nil {
							return
						}
						go f.serve(c, stop)
					}
				}()
				client := newClient(t, nil, "")
				var all sync.WaitGroup
				for at := range answer {
					all.Go(func() {
						out := outgoing(t, "POST", fmt.Sprintf("http://%s/%d", l.Addr(), at), "x")
						out.Timeouts.Read = wait
						start := time.Now()
						a, err := client.Do(context.Background(), out)
						phase := wire.Sent
						if err == nil {
							phase = wire.Reading
							_, err = io.ReadAll(a.Body)
							a.Body.Close()
						}
						wantTransport(t, err, phase, how == "stalls")
						if phase == wire.Reading && how == "cuts" && !errors.Is(err, io.ErrUnexpectedEOF) {
							t.Errorf("cut after %d bytes: %v", at, err)
						}
						if d := time.Since(start); d > patience {
							t.Errorf("%s after %d bytes: took %v", how, at, d)
						}
					})
				}
				all.Wait()
			})
		}
	}
}

func openFiles(t testing.TB) int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	return len(files)
}

// A gateway of a server and a client, whose clients leave in every phase.
func TestTenThousandAbortedRequestsLeaveNothingBehind(t *testing.T) {
	total := 10_000
	if testing.Short() {
		total = 1_000
	}
	release := make(chan bool)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/silent":
			select {
			case <-r.Context().Done():
			case <-release:
			}
		case "/stream":
			for range 1000 {
				if _, err := io.WriteString(w, "data: x\n\n"); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-release:
					return
				case <-time.After(time.Millisecond):
				}
			}
		}
	}))
	defer up.Close()
	defer close(release)
	client := newClient(t, nil, "")
	var open atomic.Int32
	handler := func(x *Exchange) {
		open.Add(1)
		defer open.Add(-1)
		out := outgoing(t, "POST", up.URL+x.Path)
		if x.Body() != nil {
			out.Stream, out.Length = x.Body(), x.ContentLength
		}
		out.Timeouts.Read = 5 * time.Second
		a, err := client.Do(x.Context(), out)
		if err != nil {
			x.Abort()
			return
		}
		defer a.Body.Close()
		_ = x.Start(a.Status, a.Header, -1)
		b := make([]byte, 1<<10)
		for {
			n, err := a.Body.Read(b)
			if x.Write(b[:n]) != nil || x.Flush() != nil || err != nil {
				return
			}
		}
	}
	addr := serve(t, &Server{}, handler)
	before, goroutines := openFiles(t), runtime.NumGoroutine()
	requests := []string{
		"POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
		"POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\nhi", "POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "POST /silent HT",
	}
	var next atomic.Int32
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for n := int(next.Add(1)); n <= total; n = int(next.Add(1)) {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(c, requests[n%len(requests)])
				if n%3 > 0 {
					time.Sleep(time.Duration(n%7) * 500 * time.Microsecond)
				}
				if n%2 == 0 {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
		})
	}
	workers.Wait()
	for end := time.Now().Add(20 * time.Second); open.Load() > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if n := open.Load(); n > 0 {
		t.Fatalf("%d requests are still served", n)
	}
	client.Close()
	up.CloseClientConnections()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		files, left := openFiles(t), runtime.NumGoroutine()
		if files <= before+5 && left <= goroutines+5 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d files and %d goroutines, there were %d and %d", files, left, before, goroutines)
		}
	}
}

// An idle stream, with TLS towards the provider, costs little memory.
func TestAnIdleStreamIsSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory")
	}
	if race {
		t.Skip("the race detector has its own memory")
	}
	const streams = 400
	const budget = 32 << 10
	addr, waiting := streamingGateway(t)
	conns := make([]net.Conn, 0, streams)
	open := func(n int) {
		for range n {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
		}
		for end := time.Now().Add(30 * time.Second); int(waiting.Load()) < len(conns); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d of %d streams", waiting.Load(), len(conns))
			}
		}
	}
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	open(20) // caches, pools
	before := settled(inUse)
	open(streams)
	per := (settled(inUse) - before) / streams
	t.Logf("%d bytes per idle stream", per)
	if per > budget {
		t.Errorf("%d bytes per idle stream, the budget is %d", per, budget)
	}
}

// settled measures until it grows no smaller: goroutines that have still to come to
// rest hold more.
func settled[T int | int64](measure func() T) T {
	least := measure()
	for same, end := 0, time.Now().Add(10*time.Second); same < 3 && time.Now().Before(end); same++ {
		time.Sleep(20 * time.Millisecond)
		if now := measure(); now < least-least/200 {
			least, same = now, -1
		}
	}
	return least
}

func inUse() int {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// streamingGateway passes on streams of a TLS provider in a process of its own.
// waiting is how many wait for what will not come.
func streamingGateway(t *testing.T) (addr string, waiting *atomic.Int32) {
	provider := exec.Command(os.Args[0])
	provider.Env = append(os.Environ(), providerEnv+"=1")
	provider.Stderr = os.Stderr
	ends, err := provider.StdinPipe() // it ends with us
	if err != nil {
		t.Fatal(err)
	}
	said, err := provider.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := provider.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ends.Close()
		if err := provider.Wait(); err != nil {
			t.Error(err)
		}
	})
	r := bufio.NewReader(said)
	at, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := r.ReadBytes('!')
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	client := newClient(t, &tls.Config{RootCAs: roots}, "")
	waiting = &atomic.Int32{}
	addr = serve(t, &Server{}, func(x *Exchange) {
		_, _ = io.ReadAll(x.Body())
		a, err := client.Do(x.Context(), outgoing(t, "POST", "https://"+strings.TrimSpace(at), "hi"))
		if err != nil {
			t.Error(err)
			x.Abort()
			return
		}
		defer a.Body.Close()
		_ = x.Start(200, a.Header, -1)
		b := make([]byte, 4<<10) // the relay's reader of frames has as much
		for total := 0; ; {
			n, err := a.Body.Read(b)
			if x.Write(b[:n]) != nil || x.Flush() != nil || err != nil {
				return
			}
			if total += n; total == events*eventSize {
				waiting.Add(1)
			}
		}
	})
	return addr, waiting
}

const (
	providerEnv = "GO_AI_PROXY_TEST_PROVIDER"
	events      = 3
	eventSize   = 200
)

// provide is the provider's process: it prints its address and certificate and
// serves until its input ends.
func provide() {
	cert := httptest.NewTLSServer(nil)
	config := &tls.Config{Certificates: cert.TLS.Certificates}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate().Raw})
	cert.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n%s!", l.Addr(), certificate)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 512)
				for seen := ""; !strings.HasSuffix(seen, "hi"); {
					n, err := c.Read(b)
					if err != nil {
						c.Close()
						return
					}
					seen += string(b[:n])
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
				for range events {
					_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", eventSize, strings.Repeat("x", eventSize))
					time.Sleep(time.Millisecond)
				}
			}()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}
