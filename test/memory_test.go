package test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go-ai-proxy/translators/mock"
)

// A stream that waits costs little, whatever the provider's format. It is the
// process's resident memory that counts, garbage included; about 64 KiB of each
// stream are in use with net/http on both sides (four goroutines, four buffers).
func TestIdleStreamUsesLittleMemory(t *testing.T) {
	if testing.Short() || strings.Contains(fmt.Sprint(buildFlags), "-race") {
		t.Skip("the race detector has memory of its own")
	}
	const streams, ceiling = 500, 112 << 10
	for _, c := range []struct{ name, path, config string }{
		{"the client's format", "/v1/chat/completions", "openai"},
		{"translated", "/v1/messages", "anthropic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var arrived sync.WaitGroup
			end := make(chan struct{})
			up := newUpstream(t, answer{handler: func(w http.ResponseWriter, r *http.Request) {
				_, contentType, events := eventsOf(r, "text")
				w.Header().Set("Content-Type", contentType)
				w.WriteHeader(http.StatusOK)
				for _, e := range events[:len(events)/2] {
					_, _ = w.Write(e)
					_ = http.NewResponseController(w).Flush()
					time.Sleep(20 * time.Millisecond)
				}
				arrived.Done()
				<-end
			}})
			s := spoken{name: c.config, options: obj{"upstream_url": up.URL + c.path, "anthropic_version": "2023-06-01"}}
			g := start(t, nil, "-config", writeConfig(t, declare(on("/chat", s.target()))))
			open := func(n int) (bodies []io.Closer) {
				arrived.Add(n)
				var mu sync.Mutex
				var asking sync.WaitGroup
				for range n {
					asking.Go(func() {
						resp, err := client.Post(g.url+"/chat", "application/json", strings.NewReader(streamedAsk(mock.Plain.Request)))
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						bodies = append(bodies, resp.Body)
						mu.Unlock()
					})
				}
				asking.Wait()
				arrived.Wait()
				return bodies
			}
			bodies := open(20) // what the process needs for itself
			before := resident(t, g.cmd.Process.Pid)
			bodies = append(bodies, open(streams)...)
			time.Sleep(200 * time.Millisecond)
			each := (resident(t, g.cmd.Process.Pid) - before) / streams
			t.Logf("%d bytes per idle stream", each)
			if each > ceiling {
				t.Errorf("%d bytes per idle stream, the ceiling is %d", each, ceiling)
			}
			for _, b := range bodies {
				b.Close()
			}
			close(end)
			client.CloseIdleConnections()
		})
	}
}

// resident is a process's resident memory in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var kilobytes int
		if n, _ := fmt.Sscanf(lines.Text(), "VmRSS: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
