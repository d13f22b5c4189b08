package shim

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/test/ports"
)

// relay plays the plugin's process: it answers requests that carry its token
// and nobody else's.
type relay struct {
	*httptest.Server
	token string

	mu   sync.Mutex
	seen []seen
}

// seen is one request that came with the right token.
type seen struct {
	context url.Values
	header  http.Header
	body    string
}

// startRelay starts one that answers with serve, which finds the request's body read.
// When it has ended, its address is dead: nobody else gets the port before the test ends.
func startRelay(t *testing.T, token string, serve func(w http.ResponseWriter, s seen)) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", ports.Hold(t))
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{token: token}
	r.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		token, context, _ := strings.Cut(req.Header.Get("Proxy-Authorization"), "?")
		if token != r.token || len(req.Header.Values("Proxy-Authorization")) != 1 {
			w.Header().Set("X-Go-AI-Proxy-Unknown", "1")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		values, err := url.ParseQuery(context)
		body, readErr := io.ReadAll(req.Body)
		if err != nil || readErr != nil {
			t.Errorf("context %q: %v; body: %v", context, err, readErr)
		}
		s := seen{values, req.Header, string(body)}
		r.mu.Lock()
		r.seen = append(r.seen, s)
		r.mu.Unlock()
		serve(w, s)
	})}}
	r.Start()
	t.Cleanup(r.Close)
	return r
}

// requests are those seen so far.
func (r *relay) requests() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]seen(nil), r.seen...)
}

// access is what Go would set for this relay.
func (r *relay) access(suffix string) access {
	return access{Port: r.Listener.Addr().(*net.TCPAddr).Port, Header: r.token + suffix}
}

// records plays the socket over which a worker gets its records.
type records struct {
	t        *testing.T
	mu       sync.Mutex
	asked    []string
	greeted  []string
	conns    []net.Conn // those that are open
	accepted int
	answered int // questions
}

// startRecords answers each question with reply to its id; a reply that is no
// whole line is the last.
func startRecords(t *testing.T, g *gateway, reply func(id string) string) *records {
	t.Helper()
	listener, err := net.Listen("unix", g.recordSocket())
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	r := &records{t: t}
	t.Cleanup(func() {
		listener.Close()
		r.mu.Lock()
		for _, c := range r.conns {
			c.Close()
		}
		r.mu.Unlock()
		served.Wait()
	})
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns = append(r.conns, conn)
			r.accepted++
			r.mu.Unlock()
			served.Go(func() { r.converse(conn, reply) })
		}
	})
	return r
}

func (r *records) converse(conn net.Conn, reply func(string) string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	greeting, err := in.ReadString('\n')
	if err != nil {
		return
	}
	r.mu.Lock()
	r.greeted = append(r.greeted, greeting)
	r.mu.Unlock()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		r.mu.Lock()
		r.asked = append(r.asked, line)
		r.mu.Unlock()
		id, _, _ := strings.Cut(line, " ")
		answer := reply(id)
		if answer != "" {
			io.WriteString(conn, id+" "+answer)
		}
		r.mu.Lock()
		r.answered++
		r.mu.Unlock()
		if !strings.HasSuffix(answer, "\n") {
			return
		}
	}
}

// push sends a record that nobody asked for, to all workers. The first may be
// about to be accepted.
func (r *records) push(id, record string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for end := time.Now().Add(20 * time.Second); len(r.conns) == 0; {
		if time.Now().After(end) {
			r.t.Error("no worker is connected")
			return
		}
		r.mu.Unlock()
		time.Sleep(time.Millisecond)
		r.mu.Lock()
	}
	for _, c := range r.conns {
		if _, err := io.WriteString(c, id+" "+record+"\n"); err != nil {
			r.t.Error(err)
		}
	}
}

// hangUp closes the connections of all workers.
func (r *records) hangUp() {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		r.mu.Lock()
		n := len(r.conns)
		for _, c := range r.conns {
			c.Close()
		}
		r.mu.Unlock()
		if n > 0 {
			return
		}
	}
	r.t.Error("no worker is connected")
}

func (r *records) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.asked...)
}

// recordSocket is where the shim looks for the records of the relay that was
// named last.
func (g *gateway) recordSocket() string {
	return filepath.Join(g.dir, fmt.Sprintf("go-ai-proxy.%d.record.sock", g.port))
}

// onUnixSocket has r listen on its Unix socket too, and returns how many connections
// came there.
func (r *relay) onUnixSocket(t *testing.T, g *gateway) func() int {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(g.dir, fmt.Sprintf("go-ai-proxy.%d.relay.sock", g.port)))
	if err != nil {
		t.Fatal(err)
	}
	var came atomic.Int64
	s := &http.Server{Handler: r.Config.Handler, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateActive {
			came.Add(1)
		}
	}}
	go s.Serve(listener)
	t.Cleanup(func() { s.Close() })
	return func() int { return int(came.Load()) }
}

func TestRequestsTakeTheRelaysUnixSocket(t *testing.T) {
	g, r := start(t, says(200, `{"meta":{}}`))
	came := r.onUnixSocket(t, g)
	for range 3 {
		want(t, "body", g.post("/v1", "{}").body, "answer")
	}
	if n := came(); n == 0 {
		t.Errorf("none of 3 requests came on the Unix socket")
	}
	// The entry names the relay as it did with TCP.
	for _, e := range g.entries(3) {
		want(t, "tries", e.Tries, []map[string]any{{"ip": "127.0.0.1", "port": float64(g.port)}})
		want(t, "hostname", e.Hostname, "127.0.0.1")
	}
}

func TestRelayThatLeavesItsUnixSocketIsAskedForAgain(t *testing.T) {
	g, r := start(t, says(200, `{"meta":{}}`))
	socket := filepath.Join(g.dir, fmt.Sprintf("go-ai-proxy.%d.relay.sock", g.port))
	r.onUnixSocket(t, g)
	want(t, "body", g.post("/v1", "{}").body, "answer")
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	want(t, "status without the socket", g.post("/v1", "{}").StatusCode, 502)
	want(t, "body", g.post("/v1", "{}").body, "answer") // over TCP
	want(t, "calls of Go", len(g.calls()), 2)
	for _, e := range g.entries(3) {
		want(t, "tries", e.Tries, []map[string]any{{"ip": "127.0.0.1", "port": float64(g.port)}})
	}
}
