package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/monitor"
	"go-ai-proxy/test/ports"
)

func fetch(url string) (int, string) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// TestStatusShowsWhatIsServed: metrics, targets and page of the program itself, and no
// key and no prompt in any of them.
func TestStatusShowsWhatIsServed(t *testing.T) {
	addr := ports.Hold(t)
	g := start(t, []string{monitor.AddrEnv + "=" + addr, "OPENAI_AUTH_HEADER=Bearer sk-marked"}, "-mock", "-config", "../kong.yml")
	for range 3 {
		if resp, body := post(t, g.url+"/openai/chat", `{"messages":[{"role":"user","content":"a marked prompt"}],"stream":true}`); resp.StatusCode != 200 {
			t.Fatal(resp.StatusCode, body)
		}
	}
	base := "http://" + addr
	// A connection is kept a moment after its answer, so that the next request may have
	// made another. net/http does not say how many it keeps.
	idle := regexp.MustCompile(`go_ai_proxy_upstream_connections_idle [1-3]\n`)
	if os.Getenv(engine.KindEnv) == string(engine.NetHTTP) {
		idle = regexp.MustCompile(`go_ai_proxy_upstream_connections_idle 0\n`)
	}
	wanted := []string{
		`go_ai_proxy_requests_total{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini",outcome="completed",route="openai-chat",status="200",target="openai/gpt-4o-mini"} 3`,
		`gen_ai_server_time_to_first_token_seconds_count`,
		`go_ai_proxy_gateway_duration_seconds_count`,
		`go_ai_proxy_requests_open 0`,
		`go_ai_proxy_streams_open 0`,
	}
	var metrics string
	lacks := func(want string) bool { return !strings.Contains(metrics, want) }
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, metrics = fetch(base + "/metrics"); !slices.ContainsFunc(wanted, lacks) && idle.MatchString(metrics) {
			break
		}
	}
	if !idle.MatchString(metrics) {
		t.Errorf("metrics lack %s", idle)
	}
	for _, want := range wanted {
		if lacks(want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if status, text := fetch(base + "/readyz"); status != 200 {
		t.Error(status, text)
	}
	shown := metrics
	for _, path := range []string{"/targets", "/state", "/", "/status.js", "/status.css"} {
		status, text := fetch(base + path)
		if status != 200 || text == "" {
			t.Errorf("%s: %d", path, status)
		}
		shown += text
	}
	if !strings.Contains(shown, `"target": "openai/gpt-4o-mini"`) || strings.Contains(shown, "marked") {
		t.Error("the status lacks a target, or shows a key or a prompt")
	}
}

// TestStatusBeyondThisHostMustBeMeant: the program does not start otherwise.
func TestStatusBeyondThisHostMustBeMeant(t *testing.T) {
	out, err := command(t.Context(), []string{monitor.AddrEnv + "=0.0.0.0:0"}, "standalone", "-mock").CombinedOutput()
	if err == nil || !strings.Contains(string(out), monitor.PublicEnv+"=on") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestStatusDoesNotKeepTheProgramFromStarting when its address is in use.
func TestStatusDoesNotKeepTheProgramFromStarting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := start(t, []string{monitor.AddrEnv + "=" + l.Addr().String()}, "-mock")
	if status, text := fetch(g.url + "/"); status != 404 {
		t.Error(status, text)
	}
	until(t, "stderr says it", func() bool {
		text := g.stderr.String()
		return strings.Contains(text, fmt.Sprintf("%q", l.Addr().String())) && strings.Contains(text, "another process uses it")
	})
}
