package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go-ai-proxy/plugin/lines/linestest"
	"go-ai-proxy/test/lateness"
)

// until waits for something to become true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after twenty seconds: %s", what)
		}
	}
}

// rewrite puts another configuration in a file and tells the program.
func rewrite(t *testing.T, g *gateway, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := client.Post(url, "application/json", strings.NewReader(chatBody))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestSIGHUPReloadsTheConfiguration(t *testing.T) {
	release := make(chan struct{})
	slow := newUpstream(t, answer{handler: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: "+deltaOne+"\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	}})
	up := newUpstream(t, answer{})
	file := writeConfig(t, declare(on("/old", chat("model.options.upstream_url", slow.URL))))
	g := start(t, nil, "-config", file)
	patient := &http.Client{Transport: client.Transport} // the stream is open until the test ends
	stream, err := patient.Post(g.url+"/old", "application/json", strings.NewReader(streamBody))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()

	next, err := os.ReadFile(writeConfig(t, declare(on("/new", chat("model.options.upstream_url", up.URL)))))
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, g, file, string(next))
	until(t, "the new route is served", func() bool { return status(t, g.url+"/new") == 200 })
	if got := status(t, g.url+"/old"); got != 404 {
		t.Errorf("the old route answers %d", got)
	}
	until(t, "it tells what is served now", func() bool {
		got := g.stderr.String()
		return strings.Count(got, " on "+g.url+"\n") == 2 && strings.Contains(got, "  /new  ")
	})

	for text, why := range map[string]string{
		"services: [":        "did not find expected node content",
		"services: []":       "there is no route",
		string(next[:0]):     "the file is empty",
		"plugins: [{id: 5}]": "plugins[1].name: required field missing",
		strings.Replace(string(next), `"provider":"openai"`, `"provider":"opnai"`, 1):            "config.model.provider: expected one of",
		strings.Replace(string(next), `"header_value":"`, `"header_value":"{vault://env/no}`, 1): "a reference to a vault must be the whole of a value",
	} {
		rewrite(t, g, file, text)
		until(t, "it says "+why, func() bool { return strings.Contains(g.stderr.String(), why) })
		if got := status(t, g.url+"/new"); got != 200 {
			t.Errorf("after %q: %d", text, got)
		}
	}
	if got := strings.Count(g.stderr.String(), "configuration not read again: what was served before goes on"); got != 6 {
		t.Errorf("that nothing has changed is said %d times", got)
	}

	close(release)
	body, err := io.ReadAll(stream.Body)
	if err != nil || !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
		t.Errorf("the stream of before ended with %v: %s", err, body)
	}
}

// A program that stood still for longer than it waits for open requests breaks them off.
func TestOpenRequestsAreFinishedAndLoggedOnEverySignal(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGQUIT": syscall.SIGQUIT, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			lateness.Undisturbed(t, 500*time.Millisecond, func() string { return finishedOn(t, sig) })
		})
	}
}

// finishedOn sends the program a signal while it serves, and says which requests it has
// not finished or not logged.
func finishedOn(t *testing.T, sig syscall.Signal) string {
	const n = 20
	var arrived sync.WaitGroup
	arrived.Add(n)
	up := newUpstream(t, answer{handler: func(w http.ResponseWriter, _ *http.Request) {
		arrived.Done()
		time.Sleep(300 * time.Millisecond)
		(&answer{}).write(w)
	}})
	g := start(t, nil, "-config", writeConfig(t, declare(on("/chat", chat("model.options.upstream_url", up.URL)))))
	var asking sync.WaitGroup
	wrong := make(chan string, n)
	for range n {
		asking.Go(func() {
			resp, err := client.Post(g.url+"/chat", "application/json", strings.NewReader(chatBody))
			if err != nil {
				wrong <- err.Error()
				return
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				wrong <- resp.Status
			}
		})
	}
	arrived.Wait()
	if err := g.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	g.stop(t)
	asking.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case len(wrong) > 0:
		return fmt.Sprintf("%d of %d requests: %s", len(wrong), n, <-wrong)
	case len(g.entries) != n:
		return fmt.Sprintf("%d log entries of %d requests", len(g.entries), n)
	}
	return ""
}

func TestUnreadLogBlocksNeitherRequestsNorShutdown(t *testing.T) {
	config := chat("logging", obj{"log_payloads": true}, "max_request_body_size", 4<<20)
	up := newUpstream(t, answer{handler: func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		(&answer{}).write(w)
	}})
	cmd := command(context.Background(), nil, "standalone", "-listen", "127.0.0.1:0", "-config",
		writeConfig(t, declare(on("/chat", with(config, "model.options.upstream_url", up.URL)))))
	unread, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	stderr := &linestest.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = stdout.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	url := ""
	until(t, "it serves", func() bool {
		_, after, _ := strings.Cut(stderr.String(), " on ")
		url, _, _ = strings.Cut(after, "\n")
		return strings.Contains(after, "\n")
	})
	body := bytes.Replace([]byte(chatBody), []byte("What is 1 + 1?"), bytes.Repeat([]byte("x"), 1<<20), 1)
	const n = 16
	machine := lateness.Start(t)
	for i := range n {
		began := time.Now()
		resp, err := client.Post(url+"/chat", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if d := time.Since(began); resp.StatusCode != 200 || d > machine.Within(3*time.Second) {
			t.Errorf("request %d: %s after %s", i, resp.Status, d)
		}
	}
	const said = "nobody reads standard output: log entries are dropped"
	until(t, "it says that entries are dropped", func() bool { return strings.Contains(stderr.String(), said) })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
	dropped := 0
	_, after, _ := strings.Cut(stderr.String(), `"entries":`)
	if _, err := fmt.Sscan(strings.SplitN(after, ",", 2)[0], &dropped); err != nil || dropped < n/2 || dropped > n {
		t.Errorf("%d entries of %d dropped, %v: %s", dropped, n, err, stderr.String())
	}
	if strings.Count(stderr.String(), said) != 1 {
		t.Errorf("it says %s", stderr.String())
	}
}
