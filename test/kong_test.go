package test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	protocol "github.com/Kong/go-pdk/server/kong_plugin_protocol"

	"go-ai-proxy/test/kong"
	"go-ai-proxy/test/ports"
)

// post sends a JSON body and returns the answer, read.
func post(t *testing.T, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(out)
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

const kongAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2024","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`

// upstreamFor answers as OpenAI does, and shows what it was sent.
func upstreamFor(t *testing.T, seen chan<- *http.Request) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		seen <- r
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, kongAnswer)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func config(t *testing.T, upstream, name string) map[string]any {
	return object(t, `{"route_type":"llm/v1/chat","auth":{"header_name":"Authorization","header_value":"Bearer k"},"logging":{"log_statistics":true},
		"model":{"provider":"openai","name":"`+name+`","options":{"upstream_url":"`+upstream+`/v1/chat/completions"}}}`)
}

// TestKongSendsARequestThroughThePlugin is the way of a request as Kong takes
// it: schema, instance, access event with one write of calls, the relay.
func TestKongSendsARequestThroughThePlugin(t *testing.T) {
	seen := make(chan *http.Request, 4)
	host := kong.Start(t, binary, ports.Dir(t))
	if host.Startup > 100*time.Millisecond && !testing.Short() {
		t.Logf("the plugin server took %v to come up", host.Startup)
	}
	requests := make(chan *kong.Request, 4)
	host.OnRequest = func(r *kong.Request) { requests <- r }
	front := httptest.NewServer(host.Handler(
		kong.Route{Path: "/chat", Config: config(t, upstreamFor(t, seen), "gpt-4o")},
		kong.Route{Path: "~/models/(?<model>[^/]+)/chat$", Config: config(t, upstreamFor(t, seen), "$(uri_captures.model)")},
	))
	defer front.Close()
	const body = `{"messages":[{"role":"user","content":"hi"}]}`

	resp, text := post(t, front.URL+"/chat", body, "Proxy-Authorization", "1.forged", "X-Consumer-Username", "eve")
	if resp.StatusCode != 200 || text != kongAnswer || resp.Header.Get("X-Kong-LLM-Model") != "openai/gpt-4o" {
		t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, text)
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "X-Go-Ai-Proxy") {
			t.Errorf("%s reached the client", name)
		}
	}
	if up := <-seen; up.Header.Get("Authorization") != "Bearer k" || up.Header.Get("X-Consumer-Username") != "" || up.Header.Get("Proxy-Authorization") != "" {
		t.Errorf("upstream headers %v", up.Header)
	}
	access := (<-requests).Events[0]
	if access.Trips != 1 {
		t.Errorf("the access event took %d round trips", access.Trips)
	}

	resp, text = post(t, front.URL+"/models/gpt-x/chat", body)
	if resp.StatusCode != 200 || resp.Header.Get("X-Kong-LLM-Model") != "openai/gpt-x" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, text)
	}
}

// A rule about paths must see what the client sent, with the shim and without:
// Kong's get_path is normalised already, and decoded in part.
func TestRelayIsToldTheClientsPathAsItCame(t *testing.T) {
	host := kong.Start(t, binary, ports.Dir(t))
	requests := make(chan *kong.Request, 1)
	host.OnRequest = func(r *kong.Request) { requests <- r }
	conf := config(t, upstreamFor(t, make(chan *http.Request, 16)), "gpt-4o")
	conf["route_type"] = "preserve"
	front := httptest.NewServer(host.Handler(kong.Route{Path: "/t", Config: conf}))
	defer front.Close()
	for _, sent := range []string{"/t/%61dmin", "/t//admin", "/t/./admin", "/t/x/../admin", "/t/a%2Fb%20c", "/t?q=%61"} {
		resp, err := http.Post(front.URL+sent, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		var shown string
		for _, call := range (<-requests).Events[0].Calls {
			if kv, ok := call.Args.(*protocol.KV); ok && kv.K == "Proxy-Authorization" {
				shown = kv.V.GetStringValue()
			}
		}
		_, query, _ := strings.Cut(shown, "?")
		told, err := url.ParseQuery(query)
		want, _, _ := strings.Cut(sent, "?")
		if got := told.Get("path"); err != nil || got != want {
			t.Errorf("%s: the relay is told %q (%v)", sent, got, err)
		}
	}
}

// TestLogPhaseWritesTheEntryWithoutTheShim holds the way for a Kong that has
// the plugin and not the Lua shim.
func TestLogPhaseWritesTheEntryWithoutTheShim(t *testing.T) {
	seen := make(chan *http.Request, 4)
	host := kong.Start(t, binary, ports.Dir(t), "GO_AI_PROXY_LOG_PHASE=on")
	front := httptest.NewServer(host.Handler(kong.Route{Path: "/chat", PluginID: "p1", Config: config(t, upstreamFor(t, seen), "gpt-4o")}))
	defer front.Close()
	if resp, text := post(t, front.URL+"/chat", `{"messages":[{"role":"user","content":"hi"}]}`); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	host.Wait()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		for line := range strings.Lines(host.Output()) {
			if strings.Contains(line, `"ai":`) {
				entry := object(t, line)
				if at(entry, "ai.proxy.usage.prompt_tokens") != 7.0 || at(entry, "request") == nil {
					t.Errorf("entry %s", line)
				}
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no log entry with ai in\n%s", host.Output())
		}
	}
}

// TestBrokenConfigurationIsNamedToEveryClient holds that Kong's placeholder
// service is never called for a configuration that cannot work.
func TestBrokenConfigurationIsNamedToEveryClient(t *testing.T) {
	host := kong.Start(t, binary, ports.Dir(t))
	conf := object(t, `{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"x","options":{"upstream_url":"http://$(headers.x"}}}`)
	front := httptest.NewServer(host.Handler(kong.Route{Path: "/chat", Config: conf}))
	defer front.Close()
	for range 2 {
		if resp, text := post(t, front.URL+"/chat", `{"messages":[{}]}`); resp.StatusCode != 500 || !strings.Contains(text, "upstream_url") {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
	}
	refusals := func() int { return strings.Count(host.Output(), "configuration refused") }
	for end := time.Now().Add(20 * time.Second); refusals() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // nobody waits for the log
	}
	if n := refusals(); n != 1 {
		t.Errorf("the refusal was logged %d times:\n%s", n, host.Output())
	}
}
