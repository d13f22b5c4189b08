package monitor

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/promptcache"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/test/ports"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// fixed is a Source of constant targets.
type fixed []Target

func (f fixed) Targets() []Target   { return append([]Target(nil), f...) }
func (f fixed) Configurations() int { return len(f) }
func (fixed) IdleConnections() int  { return 5 }
func (fixed) Budgets() []Budget     { return nil }

var two = fixed{
	{Plugin: "p", RouteType: "llm/v1/chat", Target: "fast", Provider: "openai", Model: "gpt-4o", Available: true, InFlight: 3, Latency: 250},
	{Plugin: "p", RouteType: "llm/v1/chat", Target: "anthropic/claude-sonnet-4-5", Provider: "anthropic", Model: "claude-sonnet-4-5", ClosedFor: 5000},
}

func price(f float64) *float64 { return &f }

// streamed is the record of a stream that the second target answered after the first
// had failed.
func streamed() *record.Data {
	return &record.Data{
		PluginID: "p", Route: "chat", Status: 200, Outcome: record.Completed, Mode: record.Stream, Started: time.Now(),
		Label:   record.Label{Operation: "chat", Provider: "anthropic", Model: "claude-sonnet-4-5", Target: "anthropic/claude-sonnet-4-5"},
		Tried:   []record.Tried{{Provider: "openai", Target: "fast", Outcome: "http_503"}, {Provider: "anthropic", Target: "anthropic/claude-sonnet-4-5", Outcome: "ok"}},
		Options: &target.Options{Prices: target.Prices{InputCost: price(3), OutputCost: price(15)}},
		Latency: 2 * time.Second, First: 500 * time.Millisecond, Own: 200 * time.Microsecond,
		Usage:   chat.Usage{Prompt: 1000, Completion: 31, Cached: 600, Reasoning: 7},
		Request: []byte("a marked prompt"), Message: "a message that quotes sk-marked",
	}
}

func begun() (*Monitor, *Listener) {
	m := New(two, "1.2.3", map[string]func() uint64{"go_ai_proxy_records_dropped_total": func() uint64 { return 4 }})
	l, err := Listen(m, "127.0.0.1:0", func(string) string { return "" }, zerolog.Nop())
	if err != nil {
		panic(err)
	}
	return m, l
}

// get asks the listener without a network.
func get(t *testing.T, l *Listener, path string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9542"+path, nil)
	w := httptest.NewRecorder()
	l.server.Handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestMetricsSayWhatARequestWas(t *testing.T) {
	m, l := begun()
	m.Begin()
	m.Begin()
	m.BeginStream()
	m.BeginStream()
	m.EndStream()
	m.Settle(streamed())
	status, text := get(t, l, "/metrics")
	if status != 200 {
		t.Fatal(status)
	}
	labels := `gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",gen_ai_request_model="claude-sonnet-4-5",`
	for _, want := range []string{
		`go_ai_proxy_requests_total{` + labels + `outcome="completed",route="chat",status="200",target="anthropic/claude-sonnet-4-5"} 1`,
		`go_ai_proxy_tokens_total{` + labels[:len(labels)-1] + `,gen_ai_token_type="input",route="chat",target="anthropic/claude-sonnet-4-5"} 1000`,
		`gen_ai_token_type="output",route="chat",target="anthropic/claude-sonnet-4-5"} 31`,
		`gen_ai_token_type="cached",route="chat",target="anthropic/claude-sonnet-4-5"} 600`,
		`gen_ai_token_type="reasoning",route="chat",target="anthropic/claude-sonnet-4-5"} 7`,
		`go_ai_proxy_cost_total{` + labels + `route="chat",target="anthropic/claude-sonnet-4-5"} 0.003465`,
		`gen_ai_client_operation_duration_seconds_sum{` + labels + `route="chat",target="anthropic/claude-sonnet-4-5"} 2`,
		`gen_ai_server_time_to_first_token_seconds_sum{` + labels + `route="chat",target="anthropic/claude-sonnet-4-5"} 0.5`,
		`gen_ai_server_time_per_output_token_seconds_sum{` + labels + `route="chat",target="anthropic/claude-sonnet-4-5"} 0.05`,
		`go_ai_proxy_gateway_duration_seconds_sum{` + labels + `route="chat",target="anthropic/claude-sonnet-4-5"} 0.0002`,
		`go_ai_proxy_attempts_total{gen_ai_provider_name="openai",outcome="http_503",route="chat",target="fast"} 1`,
		`go_ai_proxy_attempts_total{gen_ai_provider_name="anthropic",outcome="ok",route="chat",target="anthropic/claude-sonnet-4-5"} 1`,
		`go_ai_proxy_failovers_total{gen_ai_provider_name="openai",outcome="http_503",route="chat",target="fast"} 1`,
		`go_ai_proxy_target_available{gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o",plugin="p",route_type="llm/v1/chat",target="fast"} 1`,
		`go_ai_proxy_target_available{gen_ai_provider_name="anthropic",gen_ai_request_model="claude-sonnet-4-5",plugin="p",route_type="llm/v1/chat",target="anthropic/claude-sonnet-4-5"} 0`,
		`target="fast"} 0.25`,
		"go_ai_proxy_requests_open 1\n",
		"go_ai_proxy_streams_open 1\n",
		"go_ai_proxy_upstream_connections_idle 5\n",
		"go_ai_proxy_records_dropped_total 4\n",
		"go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestMetricsAreNamedAsPrometheusWantsThem runs Prometheus's own linter.
func TestMetricsAreNamedAsPrometheusWantsThem(t *testing.T) {
	m, _ := begun()
	m.Begin()
	m.Settle(streamed())
	problems, err := testutil.GatherAndLint(m.Metrics())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		// OpenTelemetry's name for it, which has no unit "tokens" at its end.
		if p.Metric != "gen_ai_client_token_usage" {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestModelsThatClientsChooseMakeNoSeries: an attacker must not fill the memory.
func TestModelsThatClientsChooseMakeNoSeries(t *testing.T) {
	m, l := begun()
	for i := range 1000 {
		d := streamed()
		d.Model = fmt.Sprintf("invented-%d", i)
		d.Label.Model = ""
		m.Settle(d)
	}
	if _, text := get(t, l, "/metrics"); strings.Contains(text, "invented") || !strings.Contains(text, `gen_ai_request_model="other"`) {
		t.Error("a client's model is a label")
	}
	if n := len(m.metrics.series); n != 1 {
		t.Errorf("%d series", n)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	m, l := begun()
	for i := range 2 * maxSeries {
		d := streamed()
		d.Route = fmt.Sprintf("route-%d", i)
		m.Settle(d)
	}
	if n := len(m.metrics.series); n > maxSeries+10 {
		t.Errorf("%d series", n)
	}
	if n := len(m.metrics.tries); n > maxSeries+10 {
		t.Errorf("%d series of attempts", n)
	}
	if _, text := get(t, l, "/metrics"); !strings.Contains(text, fmt.Sprintf(`route="other",status="200",target="other"} %d`, maxSeries)) {
		t.Error("what came too late is not counted as other")
	}
}

func TestStateHasTheLastRequestsTheNewestFirst(t *testing.T) {
	m, l := begun()
	for i := range lastRequests + 7 {
		d := streamed()
		d.Status = 200 + i
		m.Settle(d)
	}
	_, text := get(t, l, "/state")
	var s struct {
		Version  string
		Requests []struct {
			Status int
			Tried  []struct{ Target, Outcome string }
			Cost   float64
		}
		Targets []struct {
			Target    string
			LastError string `json:"last_error"`
			Minutes   []struct{ Requests, Errors int }
		}
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Requests) != lastRequests || s.Requests[0].Status != 200+lastRequests+6 || s.Requests[lastRequests-1].Status != 207 {
		t.Errorf("%d requests, from %+v to %+v", len(s.Requests), s.Requests[0], s.Requests[len(s.Requests)-1])
	}
	if r := s.Requests[0]; len(r.Tried) != 2 || r.Tried[0].Outcome != "http_503" || r.Cost != 0.003465 {
		t.Errorf("the newest is %+v", r)
	}
	if s.Version != "1.2.3" || len(s.Targets) != 2 || s.Targets[0].LastError != "http_503" || s.Targets[1].LastError != "" {
		t.Errorf("%+v", s)
	}
	calls, errors := 0, 0
	for _, m := range s.Targets[0].Minutes {
		calls, errors = calls+m.Requests, errors+m.Errors
	}
	if calls != lastRequests+7 || errors != calls {
		t.Errorf("the first target has %d calls, %d errors", calls, errors)
	}
}

// TestPageShowsWhatFailoverHedgingAndCachesDid: sums since the start by route, and what
// was special about each of the last requests.
func TestPageShowsWhatFailoverHedgingAndCachesDid(t *testing.T) {
	m, l := begun()
	all := streamed()
	all.Tried[0].Failover, all.Tried[0].Spent = "overloaded", &record.Spent{Usage: chat.Usage{Prompt: 40}, Cost: 0.25}
	all.Hedge = &record.Hedge{First: "fast", Target: "slow", Won: true, Prompt: 30, Completion: 2, Cost: 0.5}
	all.Affinity, all.PromptCache = record.Affinity{Key: "user", Placement: "busy"}, promptcache.Done{State: promptcache.Added}
	kept := streamed()
	kept.Tried, kept.ResponseCache, kept.Saved, kept.Usage = nil, "hit", &record.Saved{Usage: chat.Usage{Prompt: 10, Completion: 5}, Cost: 0.125}, chat.Usage{}
	other := streamed()
	other.Route, other.Tried = "plain", other.Tried[1:]
	for _, d := range []*record.Data{all, all, kept, other} {
		m.Settle(d)
	}
	state := m.state(time.Now())
	want := []totals{{
		Route: "chat", Failovers: counts{"overloaded": 2}, Replaced: used{80, 0.5},
		Hedged: counts{"hedge": 2}, Cancelled: used{64, 1}, Affinity: counts{"busy": 2},
		Prompts: counts{"added": 2}, Answers: counts{"hit": 1}, Saved: used{15, 0.125},
	}}
	if !reflect.DeepEqual(state.Totals, want) {
		t.Errorf("%+v", state.Totals)
	}
	var notes, reasons []string
	for _, r := range state.Requests {
		if r.Route == "chat" {
			notes = append(notes, r.Hedged+"/"+r.Placement+"/"+r.Answer)
		}
		for _, one := range r.Tried {
			if one.Reason != "" {
				reasons = append(reasons, one.Reason)
			}
		}
	}
	slices.Sort(notes)
	if !slices.Equal(notes, []string{"//hit", "hedge/busy/", "hedge/busy/"}) || !slices.Equal(reasons, []string{"overloaded", "overloaded"}) {
		t.Errorf("%q, replaced because of %q", notes, reasons)
	}
	prompt, cached := 0, 0
	for _, minute := range state.Targets[1].Minutes {
		prompt, cached = prompt+minute.Prompt, cached+minute.Cached
	}
	if prompt != 3000 || cached != 1800 {
		t.Errorf("%d of %d tokens are cached", cached, prompt)
	}
	if _, text := get(t, l, "/state"); !strings.Contains(text, `"totals": [`) {
		t.Error("the page is not told")
	}
	if idle, _ := begun(); len(idle.state(time.Now()).Totals) != 0 {
		t.Error("there are totals before anything was done")
	}
}

// TestAMinuteIsForgottenAfterAnHour: the place of a minute is used again.
func TestAMinuteIsForgottenAfterAnHour(t *testing.T) {
	var b boards
	at := func(minute int) *record.Data {
		d := streamed()
		d.Started = time.Unix(int64(60*minute), 0)
		return d
	}
	key := targetKey{"p", "anthropic/claude-sonnet-4-5"}
	for _, minute := range []int{100, 101, 159, 160} {
		b.add(at(minute))
	}
	list, _, _ := b.hour(key, time.Unix(60*160, 0))
	var seen []int64
	for _, m := range list {
		if m.Requests != 1 || m.FirstSum != 500 || m.Firsts != 1 {
			t.Errorf("%+v", m)
		}
		seen = append(seen, m.At/60)
	}
	if fmt.Sprint(seen) != "[101 159 160]" {
		t.Errorf("the hour has the minutes %v", seen)
	}
}

// TestNothingShownHoldsAPromptOrAMessage: messages may quote what a provider said.
func TestNothingShownHoldsAPromptOrAMessage(t *testing.T) {
	m, l := begun()
	m.Settle(streamed())
	for _, path := range []string{"/metrics", "/targets", "/state"} {
		if _, text := get(t, l, path); strings.Contains(text, "marked") {
			t.Errorf("%s has it: %s", path, text)
		}
	}
}

func TestStatusIsForThisHostOnly(t *testing.T) {
	m := New(two, "", nil)
	for addr, ok := range map[string]bool{
		"127.0.0.1:0": true, "[::1]:0": true, "localhost:0": true,
		"0.0.0.0:9542": false, ":9542": false, "10.0.0.1:9542": false, "example.com:80": false, "9542": false,
	} {
		_, err := Listen(m, addr, func(string) string { return "" }, zerolog.Nop())
		if (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
	public := func(name string) string { return map[string]string{PublicEnv: "on"}[name] }
	if _, err := Listen(m, "0.0.0.0:9542", public, zerolog.Nop()); err != nil {
		t.Error(err)
	}
	_, l := begun()
	r := httptest.NewRequest(http.MethodGet, "http://attacker.example:9542/state", nil)
	w := httptest.NewRecorder()
	if l.server.Handler.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("a name that was bound to this host gets %d", w.Code)
	}
}

func TestReadinessNeedsAConfiguration(t *testing.T) {
	for n, want := range map[int]int{0: 503, 2: 200} {
		l, err := Listen(New(two[:n], "", nil), "127.0.0.1:0", func(string) string { return "" }, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		if status, text := get(t, l, "/readyz"); status != want {
			t.Errorf("%d configurations: %d %s", n, status, text)
		}
		if status, _ := get(t, l, "/healthz"); status != 200 {
			t.Errorf("health is %d", status)
		}
	}
}

func TestProfilesAreServedOnRequestOnly(t *testing.T) {
	_, l := begun()
	if status, _ := get(t, l, "/debug/pprof/cmdline"); status != 404 {
		t.Errorf("off: %d", status)
	}
	on, err := Listen(New(two, "", nil), "127.0.0.1:0", func(name string) string { return map[string]string{PprofEnv: "on"}[name] }, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, on, "/debug/pprof/cmdline"); status != 200 {
		t.Errorf("on: %d", status)
	}
}

func TestProfilesHaveTheWaitsForLocks(t *testing.T) {
	before := runtime.SetMutexProfileFraction(0)
	defer runtime.SetMutexProfileFraction(before)
	if _, err := Listen(New(two, "", nil), "127.0.0.1:0", func(name string) string { return map[string]string{PprofEnv: "on"}[name] }, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	if n := runtime.SetMutexProfileFraction(-1); n == 0 {
		t.Error("no wait for a lock is sampled")
	}
}

// TestEventsFollowTheRequests reads the page's stream.
func TestEventsFollowTheRequests(t *testing.T) {
	m, l := begun()
	s := httptest.NewServer(l.server.Handler)
	defer s.Close()
	resp, err := http.Get(s.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	event := func() (n int) {
		b := make([]byte, 0, 64<<10)
		for !strings.Contains(string(b), "\n\n") {
			part := make([]byte, 4096)
			n, err := resp.Body.Read(part)
			if b = append(b, part[:n]...); err != nil && err != io.EOF {
				t.Fatal(err)
			}
		}
		var got struct{ Requests []any }
		if err := json.Unmarshal([]byte(strings.TrimPrefix(strings.TrimSpace(string(b)), "data: ")), &got); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		return len(got.Requests)
	}
	if n := event(); n != 0 {
		t.Errorf("at first %d requests", n)
	}
	if _, text := get(t, l, "/state"); !strings.Contains(text, `"requests": []`) {
		t.Errorf("the page needs a list: %s", text)
	}
	m.Settle(streamed())
	if n := event(); n != 1 {
		t.Errorf("after a request: %d", n)
	}
}

// TestTheAddressIsTakenWhenItBecomesFree: as when Kong starts a new process while the
// old one still serves.
func TestTheAddressIsTakenWhenItBecomesFree(t *testing.T) {
	addr := ports.Hold(t)
	open := func(version string) *Listener {
		l, err := Listen(New(two, version, nil), addr, func(string) string { return "" }, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	first, second := open("the first"), open("the second")
	first.Start()
	for end := time.Now().Add(20 * time.Second); first.Addr() == ""; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the first does not listen")
		}
	}
	second.Start()
	defer second.Close()
	first.Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://" + addr + "/state")
		if err == nil {
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if strings.Contains(string(b), "the second") {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatal("the second does not serve", err)
		}
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	m, l := begun()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 200 {
				m.Begin()
				d := streamed()
				d.Status = 200 + i%3
				m.Settle(d)
			}
		})
		all.Go(func() {
			for range 20 {
				get(t, l, "/state")
			}
		})
	}
	all.Wait()
	if _, text := get(t, l, "/metrics"); !strings.Contains(text, "go_ai_proxy_requests_open 0\n") {
		t.Error("requests are left open")
	}
}

// TestAccountingAllocatesNothing: what every request pays.
func TestAccountingAllocatesNothing(t *testing.T) {
	m, _ := begun()
	d := streamed()
	m.Settle(d)
	for range 40 * lastRequests {
		m.Settle(d) // each place of the list has room for the tried targets then
	}
	if n := testing.AllocsPerRun(200, func() { m.Begin(); m.Settle(d) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAccounting(b *testing.B) {
	m, _ := begun()
	d := streamed()
	d.Tried = d.Tried[1:]
	b.ReportAllocs()
	for b.Loop() {
		m.Begin()
		m.Settle(d)
	}
}

// BenchmarkScrape is of about 10,000 series.
func BenchmarkScrape(b *testing.B) {
	m, l := begun()
	for i := range 100 {
		d := streamed()
		d.Route = fmt.Sprintf("route-%d", i)
		m.Settle(d)
	}
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/metrics", nil)
	w := httptest.NewRecorder()
	l.server.Handler.ServeHTTP(w, r)
	series := 0
	for line := range strings.Lines(w.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	for b.Loop() {
		l.server.Handler.ServeHTTP(nowhere{http.Header{}}, r)
	}
	b.ReportMetric(float64(series), "series")
}

// nowhere is a client that keeps nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}
