package plugin

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/gateway"
	"go-ai-proxy/plugin/wire"
)

// Aborted requests leave no goroutine, no connection and little memory, in
// whatever phase their clients left.
func TestAbortedRequestsLeaveNothingBehind(t *testing.T) {
	const requests, atOnce = 2000, 50
	phases := []string{"", "header", "event"}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		phase := r.Header.Get("X-Phase")
		if phase != "" {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		if phase == "event" {
			event(w, chunk("he"))
		}
		<-r.Context().Done()
	}))
	defer up.Close()
	relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	g, err := gateway.New(relay, zerolog.Nop(), enginetest.Kind)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Drain()
	access, err := g.Open([]byte(strings.ReplaceAll(chatConf, "$UP", up.URL)))
	if err != nil {
		t.Fatal(err)
	}
	host, port := g.Addr()
	abort := func(i int) {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		req, _ := http.NewRequest("POST", "http://relay/chat", strings.NewReader(helloStream))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Phase", phases[i%len(phases)])
		req.Header.Set("Proxy-Authorization", access.Header(&wire.Context{Shim: true, RequestID: string(rune('a'+i%26)) + time.Now().String()}))
		if err := req.Write(conn); err != nil {
			t.Error(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Duration(i%20) * time.Millisecond))
		_, _ = io.Copy(io.Discard, conn)
	}
	abort(0)
	before, heapBefore := settledState(0)
	work := make(chan int)
	var clients sync.WaitGroup
	for range atOnce {
		clients.Go(func() {
			for i := range work {
				abort(i)
			}
		})
	}
	for i := range requests {
		work <- i
	}
	close(work)
	clients.Wait()
	time.Sleep(100 * time.Millisecond)
	relay.Close() // connections that were dialed for who had left wait in the pool
	after, heapAfter := settledState(before + 5)
	t.Logf("goroutines %d, then %d; heap %d KiB, then %d KiB", before, after, heapBefore>>10, heapAfter>>10)
	if after > before+5 {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines are left:\n%s", after-before, buf[:runtime.Stack(buf, true)])
	}
	// A record waits a minute for Kong to ask for it.
	if each := (int64(heapAfter) - int64(heapBefore)) / requests; each > 4<<10 {
		t.Errorf("%d bytes are left of each request", each)
	}
}

// settledState waits until there are no more than n goroutines, and returns
// how many there are, and the heap.
func settledState(n int) (goroutines int, heap uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if n == 0 {
		time.Sleep(100 * time.Millisecond)
	}
	for runtime.NumGoroutine() > n && n > 0 && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}
