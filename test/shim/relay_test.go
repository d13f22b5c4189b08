package shim

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
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
func startRelay(t *testing.T, token string, serve func(w http.ResponseWriter, s seen)) *relay {
	t.Helper()
	r := &relay{token: token}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
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
	}))
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

// records plays the socket that the log phase asks.
type records struct {
	mu    sync.Mutex
	asked []string
}

// startRecords answers each line with reply, after which it hangs up.
func startRecords(t *testing.T, g *gateway, reply func(line string) string) *records {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(g.dir, fmt.Sprintf("go-ai-proxy.%d.record.sock", g.port)))
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(func() { listener.Close(); served.Wait() })
	r := &records{}
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(5 * time.Second))
				line, err := bufio.NewReader(conn).ReadString('\n')
				if err != nil {
					return
				}
				r.mu.Lock()
				r.asked = append(r.asked, line)
				r.mu.Unlock()
				io.WriteString(conn, reply(strings.TrimSuffix(line, "\n")))
			})
		}
	})
	return r
}

func (r *records) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.asked...)
}
