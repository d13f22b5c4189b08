// Package browser looks at the status page as a person does, in a headless Chromium.
// It is a module of its own: the program does not need what this needs.
package browser

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"go-ai-proxy/test/ports"
)

// RequireEnv makes a machine without Chromium a failure, as in CI.
const RequireEnv = "GO_AI_PROXY_REQUIRE_CHROMIUM"

// browser returns a context of a browser's tab, or skips the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv(RequireEnv) != "" {
			t.Fatal("there is no chromium, and", RequireEnv, "is set")
		}
		t.Skip("needs chromium (Debian: apt-get install chromium)")
	}
	// Without a sandbox: CI runs as root, and only our own page is opened.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WSURLReadTimeout(2*time.Minute)) // which it prints when it has started
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// program is the built program, once for all tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "go-ai-proxy")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// gateway is a running standalone with the mock.
type gateway struct {
	cmd *exec.Cmd
	url string
}

func serve(t *testing.T, status string) *gateway {
	t.Helper()
	return serveWith(t, status, "-mock", "-config", "../../kong.yml")
}

// serveWith starts standalone with these arguments.
func serveWith(t *testing.T, status string, args ...string) *gateway {
	t.Helper()
	g := &gateway{url: "http://" + ports.Hold(t)}
	g.cmd = exec.Command(program, append([]string{"standalone", "-listen", strings.TrimPrefix(g.url, "http://")}, args...)...)
	g.cmd.Env = append(os.Environ(), "GO_AI_PROXY_STATUS="+status, "OPENAI_AUTH_HEADER=Bearer sk-marked")
	var said bytes.Buffer
	g.cmd.Stderr = &said
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.stop() })
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if resp, err := http.Get("http://" + status + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				return g
			}
		}
		if time.Now().After(end) {
			t.Fatal("not ready: ", said.String())
		}
	}
}

func (g *gateway) stop() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
}

// settled waits until the status page knows of n requests that are over.
func settled(t *testing.T, status string, n int) {
	t.Helper()
	var state struct{ Requests []any }
	for end := time.Now().Add(30 * time.Second); len(state.Requests) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d requests are over, want %d", len(state.Requests), n)
		}
		resp, err := http.Get("http://" + status + "/state")
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(resp.Body).Decode(&state)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// post sends a request that is repeated exactly by the next one of the same user.
func (g *gateway) post(t *testing.T, path, user string) {
	t.Helper()
	resp, err := http.Post(g.url+path, "application/json", strings.NewReader(`{"messages":[{"role":"user","content":"a marked prompt"}],"temperature":0,"user":"`+user+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // who leaves before the end is no reason to keep an answer
	resp.Body.Close()
	if resp.StatusCode != 200 && resp.StatusCode != 429 {
		t.Fatal(path, resp.Status)
	}
}

// ask sends a chat request with a marked prompt.
func (g *gateway) ask(t *testing.T) {
	t.Helper()
	resp, err := http.Post(g.url+"/openai/chat", "application/json", strings.NewReader(`{"messages":[{"role":"user","content":"a marked prompt"}],"stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// problems collects what the page's scripts throw and what the browser blocks.
func problems(ctx context.Context) *[]string {
	var found []string
	chromedp.ListenTarget(ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			found = append(found, e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				found = append(found, fmt.Sprint(e.Type))
			}
		}
	})
	return &found
}

// atLeast waits until a script's result is at least n.
func atLeast(t *testing.T, ctx context.Context, script string, n int) {
	t.Helper()
	var got int
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := chromedp.Run(ctx, chromedp.Evaluate(script, &got)); err != nil {
			t.Fatal(err)
		}
		if got >= n {
			return
		}
	}
	t.Fatalf("%s is %d, want %d", script, got, n)
}

const (
	rows  = `document.querySelectorAll("#requests tr").length`
	cards = `document.querySelectorAll("#targets li h3").length`
	bars  = `document.querySelectorAll("#targets svg rect").length`
)

func text(t *testing.T, ctx context.Context, script string) (s string) {
	t.Helper()
	if err := chromedp.Run(ctx, chromedp.Evaluate(script, &s)); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPageFollowsTheGateway: it renders, moves while requests come, says when the
// process is gone, comes back with the next one, and shows no key and no prompt.
func TestPageFollowsTheGateway(t *testing.T) {
	ctx := browser(t)
	found := problems(ctx)
	status := ports.Hold(t)
	g := serve(t, status)
	if err := chromedp.Run(ctx, chromedp.Navigate("http://"+status+"/")); err != nil {
		t.Fatal(err)
	}
	atLeast(t, ctx, cards, 3)
	g.ask(t)
	atLeast(t, ctx, rows, 1)
	atLeast(t, ctx, bars, 1)
	for range 4 {
		g.ask(t)
	}
	atLeast(t, ctx, rows, 5)
	if html := text(t, ctx, `document.documentElement.outerHTML`); strings.Contains(html, "marked") {
		t.Error("the page shows a key or a prompt")
	}
	before := text(t, ctx, `document.getElementById("about").textContent`)
	g.stop()
	atLeast(t, ctx, `document.getElementById("about").classList.contains("gone") ? 1 : 0`, 1)
	serve(t, status)
	atLeast(t, ctx, `document.getElementById("about").classList.contains("gone") ? 0 : 1`, 1)
	if after := text(t, ctx, `document.getElementById("about").textContent`); after == before || !strings.Contains(after, "process ") {
		t.Errorf("after a restart the page says %q, as before", after)
	}
	if len(*found) > 0 {
		t.Errorf("the page's console: %q", *found)
	}
}

// special configures everything that goes beyond calling a target. SLOW, BUSY and GOOD
// are places of the provider.
const special = `
_format_version: "3.0"
services:
- name: ai
  url: http://localhost:32000
  routes:
  - name: hedged
    paths: [/hedged]
    plugins:
    - name: go-ai-proxy
      config:
        balancer: {algorithm: priority, hedge: {after: 10ms, budget: 100%}}
        targets: [TARGET(SLOW), TARGET(GOOD)]
  - name: replaced
    paths: [/replaced]
    plugins:
    - name: go-ai-proxy
      config:
        balancer: {algorithm: priority, failover_criteria: [overloaded]}
        targets: [TARGET(BUSY), TARGET(GOOD)]
  - name: kept
    paths: [/kept]
    plugins:
    - name: go-ai-proxy
      config:
        response_cache: {ttl: 60, per: []}
        budgets: [{per: route, limit: {tokens: 5000}, window: 30d}]
        targets: [TARGET(GOOD)]
  - name: talk
    paths: [/talk]
    plugins:
    - name: go-ai-proxy
      config:
        balancer: {algorithm: affinity, healthchecks: {active: {interval: 100, path: /health}}}
        targets: [TARGET(GOOD), TARGET(ALSO)]
`

// provider answers as the path of a target says.
func provider(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/slow"):
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Second):
			}
		case strings.HasPrefix(r.URL.Path, "/busy"):
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":{"message":"The server is overloaded","type":"overloaded_error","code":"overloaded"}}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],`+
			`"usage":{"prompt_tokens":2000,"completion_tokens":100,"total_tokens":2100,"prompt_tokens_details":{"cached_tokens":1500}}}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestPageShowsWhatTheGatewayDid: hedges, replaced calls, conversations, kept answers,
// budgets and health checks.
func TestPageShowsWhatTheGatewayDid(t *testing.T) {
	ctx := browser(t)
	found := problems(ctx)
	at := provider(t)
	config := regexp.MustCompile(`TARGET\((\w+)\)`).ReplaceAllStringFunc(special, func(s string) string {
		name := strings.ToLower(s[len("TARGET(") : len(s)-1])
		weight := map[string]string{"slow": "200", "busy": "200"}[name]
		return `{route_type: llm/v1/chat, weight: ` + cmp.Or(weight, "100") + `, model: {provider: openai, name: ` + name + `, options: {input_cost: 1, output_cost: 2, upstream_url: "` + at + "/" + name + `/v1/chat/completions"}}}`
	})
	file := filepath.Join(t.TempDir(), "kong.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	status := ports.Hold(t)
	g := serveWith(t, status, "-config", file)
	for i, path := range []string{"/hedged", "/replaced", "/talk", "/kept", "/kept"} {
		g.post(t, path, "u")
		settled(t, status, i+1) // an answer is kept when the client has it
	}
	if err := chromedp.Run(ctx, chromedp.Navigate("http://"+status+"/")); err != nil {
		t.Fatal(err)
	}
	atLeast(t, ctx, rows, 5)
	atLeast(t, ctx, `document.querySelectorAll("#totals tr").length`, 4)
	atLeast(t, ctx, `document.body.textContent.includes("health checks: ") ? 1 : 0`, 1)
	wanted := []string{
		"1, of which the second target answered 1", "hedged: the second target answered", // hedging
		"overloaded 1", "openai/busy (http_503: overloaded)", // failover by reason
		"100.0 %", "home 1", // affinity
		"75.0 % of 2,000 tokens",            // what providers had cached
		"hit 1, miss 1", "kept answer: hit", // the response cache
		"2,100 tokens saved, cost 0.0022",
		"route: tokens per 30d", "42.0 %", // the budget
	}
	lacks := func(s string) func(string) bool { return func(want string) bool { return !strings.Contains(s, want) } }
	shown := text(t, ctx, `document.body.innerText`)
	for end := time.Now().Add(30 * time.Second); slices.ContainsFunc(wanted, lacks(shown)) && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		shown = text(t, ctx, `document.body.innerText`) // budgets are settled when the request is over
	}
	for _, want := range wanted {
		if lacks(shown)(want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(shown)
	}
	if strings.Contains(shown, "marked") || len(*found) > 0 {
		t.Errorf("a prompt is shown, or the console says %q", *found)
	}
	if weak := text(t, ctx, contrast); weak != "" {
		t.Errorf("too little contrast: %s", weak)
	}
	save(t, ctx, "special")
}

// TestPageFitsASmallScreen: nothing is cut off at 360 pixels; the table scrolls within
// its own box.
func TestPageFitsASmallScreen(t *testing.T) {
	ctx := browser(t)
	status := ports.Hold(t)
	g := serve(t, status)
	g.ask(t)
	if err := chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(360, 740, 2, true), chromedp.Navigate("http://"+status+"/")); err != nil {
		t.Fatal(err)
	}
	atLeast(t, ctx, rows, 1)
	var width int
	if err := chromedp.Run(ctx, chromedp.Evaluate(`document.documentElement.scrollWidth`, &width)); err != nil {
		t.Fatal(err)
	}
	if width > 360 {
		t.Errorf("the page is %d pixels wide", width)
	}
	save(t, ctx, "small")
}

// TestPageCanBeReadByAll: text has enough contrast in both colour schemes (WCAG AA),
// charts have names, the table has headings, and the scrolling part can be reached by
// keyboard.
func TestPageCanBeReadByAll(t *testing.T) {
	ctx := browser(t)
	status := ports.Hold(t)
	g := serve(t, status)
	g.ask(t)
	for _, scheme := range []string{"light", "dark"} {
		media := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}})
		if err := chromedp.Run(ctx, media, chromedp.Navigate("http://"+status+"/")); err != nil {
			t.Fatal(err)
		}
		atLeast(t, ctx, rows, 1)
		if weak := text(t, ctx, contrast); weak != "" {
			t.Errorf("%s: too little contrast: %s", scheme, weak)
		}
		save(t, ctx, scheme)
	}
	for script, want := range map[string]string{
		`document.documentElement.lang`: "en",
		`document.title ? "yes" : ""`:   "yes",
		`[...document.querySelectorAll("svg")].every(s => s.getAttribute("role") === "img" && s.getAttribute("aria-label")) ? "yes" : ""`: "yes",
		`[...document.querySelectorAll("th")].every(h => h.scope === "col") ? "yes" : ""`:                                                 "yes",
		`document.querySelector(".scroll").tabIndex === 0 ? "yes" : ""`:                                                                   "yes",
		`document.getElementById("about").getAttribute("role")`:                                                                           "status",
	} {
		if got := text(t, ctx, script); got != want {
			t.Errorf("%s is %q", script, got)
		}
	}
}

// contrast is a script that names the texts whose contrast with the ground is below
// 4.5 to 1. https://www.w3.org/TR/WCAG22/#contrast-minimum
const contrast = `(() => {
  const parse = (c) => (c.match(/[\d.]+/g) || []).map(Number);
  const light = (c) => c.slice(0, 3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 })
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c } return [255, 255, 255] };
  const weak = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) weak.add(e.tagName + "." + e.className + " " + ((a + .05) / (b + .05)).toFixed(2));
  }
  return [...weak].join(", ");
})()`

// save keeps a picture if SCREENSHOTS names a folder.
func save(t *testing.T, ctx context.Context, name string) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
