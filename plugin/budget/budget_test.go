package budget

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/leaks"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/jsonedit"
)

func TestMain(m *testing.M) {
	patience, parting = 5*time.Second, 20*time.Second
	leaks.VerifyTestMain(m)
}

// daily is a budget of limit tokens a day that s counts.
func daily(s *Store, limit int64, more ...func(b *Budget)) *Budget {
	lateness.Away(24 * time.Hour)
	b := &Budget{Plugin: "p", Per: "consumer", Limit: limit, Window: 24 * time.Hour, What: All, OnExceeded: Refuse}
	for _, change := range more {
		change(b)
	}
	s.Open(b)
	return b
}

func ask(b *Budget, who string, amount int64) []Ask {
	return []Ask{{Budget: b, Identity: who, Amount: amount}}
}

// take reserves and settles at once; it says whether the request was served.
func take(t *testing.T, s *Store, b *Budget, who string, estimate, used int64) (State, bool) {
	t.Helper()
	hold, states, over, down := s.Reserve(ask(b, who, estimate))
	if down {
		t.Fatal("Redis does not answer")
	}
	hold.Settle(func(*Budget) int64 { return used })
	return states[0], over < 0
}

func TestEstimateIsReplacedByWhatWasUsed(t *testing.T) {
	s := &Store{}
	b := daily(s, 100)
	for i, c := range []struct {
		estimate, used, before int64
		served                 bool
	}{
		{90, 20, 90, true},  // 20 are used
		{80, 30, 100, true}, // 50
		{51, 0, 50, false},
		{50, 90, 100, true}, // 140: more than was estimated
		{1, 0, 140, false},
		{0, 0, 140, false},
	} {
		st, served := take(t, s, b, "ada", c.estimate, c.used)
		if served != c.served || st.Used != c.before {
			t.Errorf("request %d: served %v, %d used", i, served, st.Used)
		}
	}
	if _, served := take(t, s, b, "bob", 100, 100); !served {
		t.Error("another consumer has the same budget")
	}
	if u := b.Use(time.Now()); u.Counters != 2 || u.Most != 140 || u.Exceeded != 3 {
		t.Errorf("%+v", u)
	}
}

func TestAllBudgetsOfARequestAreReservedOrNone(t *testing.T) {
	s := &Store{}
	wide, narrow := daily(s, 1000), daily(s, 10, func(b *Budget) { b.Per = "model" })
	asks := []Ask{{Budget: wide, Identity: "ada", Amount: 11}, {Budget: narrow, Identity: "m", Amount: 11}}
	hold, states, over, _ := s.Reserve(asks)
	if hold != nil || over != 1 || states[0].Outcome != Uncalled || states[1].Outcome != Exceeded {
		t.Errorf("%v over %d: %+v", hold, over, states)
	}
	if u := wide.Use(time.Now()); u.Most != 0 {
		t.Errorf("%d are held of a refused request", u.Most)
	}
}

func TestWarningBudgetServesAndWhatIsUncheckedToo(t *testing.T) {
	s := &Store{}
	b := daily(s, 10, func(b *Budget) { b.OnExceeded = Warn })
	if st, served := take(t, s, b, "a", 11, 11); !served || st.Outcome != Warned {
		t.Errorf("%+v", st)
	}
	strict := daily(s, 10, func(b *Budget) { b.Per = "route" })
	take(t, s, strict, "r", 1, 20)
	asks := ask(strict, "r", 0)
	asks[0].Unchecked = true
	if hold, states, over, _ := s.Reserve(asks); hold == nil || over >= 0 || states[0].Outcome != Admitted {
		t.Errorf("%+v", states)
	}
}

func TestBudgetBeginsAnewWithItsWindow(t *testing.T) {
	s := &Store{}
	b := daily(s, 10)
	now := time.Date(2026, 3, 4, 23, 59, 59, 0, time.UTC)
	at := func(now time.Time, amount int64) (part, State, int) {
		parts, states := []part{{budget: b, key: b.key("a"), amount: amount}}, make([]State, 1)
		b.group.counters[parts[0].key] = cmpCounter(b.group.counters[parts[0].key])
		over := s.reserve(ask(b, "a", amount), parts, states, now)
		return parts[0], states[0], over
	}
	first, st, over := at(now, 8)
	if over >= 0 || st.Reset != time.Second {
		t.Errorf("%+v", st)
	}
	if _, _, over = at(now, 8); over != 0 {
		t.Error("the budget is exceeded unnoticed")
	}
	if _, st, over = at(now.Add(time.Second), 8); over >= 0 || st.Used != 8 || st.Reset != 24*time.Hour {
		t.Errorf("at midnight: %+v", st)
	}
	s.change(&first, -8) // of the day before
	if _, st, _ = at(now.Add(2*time.Second), 1); st.Used != 9 {
		t.Errorf("a settlement of yesterday changes today: %+v", st)
	}
}

func cmpCounter(c *counter) *counter {
	if c == nil {
		return &counter{window: -1}
	}
	return c
}

func TestConfigurationWithAnotherLimitGoesOnCounting(t *testing.T) {
	s := &Store{}
	take(t, s, daily(s, 100), "a", 80, 80)
	if st, served := take(t, s, daily(s, 70), "a", 1, 1); served || st.Used != 80 {
		t.Errorf("%+v", st)
	}
	if st, served := take(t, s, daily(s, 70, func(b *Budget) { b.Plugin = "q" }), "a", 1, 1); !served || st.Used != 1 {
		t.Errorf("another plugin: %+v", st)
	}
}

// TestConcurrentClientsExceedABudgetByTheirEstimatesErrorOnly: with 64 at a time, what
// is used is at most the limit, and what the requests under way use beyond their
// estimates.
func TestConcurrentClientsExceedABudgetByTheirEstimatesErrorOnly(t *testing.T) {
	for name, c := range map[string]struct{ estimate, used int64 }{"right": {100, 100}, "too high": {150, 100}, "too low": {100, 130}} {
		s := &Store{}
		overshoot(t, name, c.estimate, c.used, s)
	}
}

// overshoot has 64 clients use up a budget at the nodes.
func overshoot(t *testing.T, name string, estimate, used int64, nodes ...*Store) {
	t.Helper()
	const clients, limit = 64, 50_000
	var total, served atomic.Int64
	var wg sync.WaitGroup
	for i := range clients {
		s := nodes[i%len(nodes)]
		b := daily(s, limit, func(b *Budget) { b.Plugin = name })
		wg.Go(func() {
			for range 50 {
				hold, _, over, down := s.Reserve(ask(b, "a", estimate))
				if down {
					t.Error("Redis does not answer")
				}
				if over >= 0 {
					time.Sleep(time.Millisecond)
					continue
				}
				time.Sleep(time.Millisecond)
				total.Add(used)
				served.Add(1)
				hold.Settle(func(*Budget) int64 { return used })
			}
		})
	}
	wg.Wait()
	most := int64(limit + clients*max(used-estimate, 0))
	if len(nodes) > 1 { // what a client has just settled may be on its way when it asks again
		most += clients * max(used-estimate, 0)
	}
	if total.Load() > most || total.Load() < limit-clients*estimate {
		t.Errorf("%s: %d used of %d, want at most %d", name, total.Load(), limit, most)
	}
	t.Logf("%s: %d nodes, 64 clients: %d used of %d, at most %d", name, len(nodes), total.Load(), limit, most)
}

func TestThoseBeyondTheBoundShareACounter(t *testing.T) {
	s := &Store{}
	b := daily(s, 10)
	for i := range maxCounters {
		b.group.counters[fmt.Sprint(i)] = &counter{window: time.Now().UnixMilli() / b.group.size, used: 1}
	}
	if _, served := take(t, s, b, "new", 10, 10); !served {
		t.Error("the first is refused")
	}
	if st, served := take(t, s, b, "newer", 1, 1); served || st.Used != 10 {
		t.Errorf("%+v", st)
	}
	if n := len(b.group.counters); n != maxCounters+1 {
		t.Errorf("%d counters", n)
	}
	for _, c := range b.group.counters {
		c.window -= 2
	}
	s.swept = time.Time{}
	take(t, s, b, "newest", 1, 1)
	if n := len(b.group.counters); n != 1 {
		t.Errorf("%d counters after their windows", n)
	}
}

func TestKeysShowNobody(t *testing.T) {
	s := &Store{}
	if key := daily(s, 1).key("CANARY"); strings.Contains(key, "CANARY") || !strings.HasPrefix(key, "go-ai-proxy:budget:") {
		t.Error(key)
	}
}

func TestWindowsAreReadAndWritten(t *testing.T) {
	for s, want := range map[string]time.Duration{"1m": time.Minute, "90m": 90 * time.Minute, "12h": 12 * time.Hour, "1d": 24 * time.Hour, "30d": 720 * time.Hour,
		"": 0, "m": 0, "0m": 0, "31d": 0, "-1h": 0, "1.5h": 0, "1w": 0, "1048577m": 0, "99999999999999999999m": 0, "1 h": 0} {
		got, err := ParseWindow(s)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v %v", s, got, err)
		}
	}
	for want, d := range map[string]time.Duration{"1m": time.Minute, "90m": 90 * time.Minute, "12h": 12 * time.Hour, "1d": 24 * time.Hour, "30d": 720 * time.Hour} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}

func TestCostsAreCountedInBillionths(t *testing.T) {
	for money, want := range map[float64]int64{0: 0, -1: 0, 1: 1e9, 0.0000000001: 1, 1.5: 1.5e9, 1e300: MaxLimit} {
		if got := Cost(money); got != want {
			t.Errorf("%v: %d", money, got)
		}
	}
}

func TestHeadersHaveTheNamesOfKongsRateLimits(t *testing.T) {
	s := &Store{}
	state := func(per string, limit, used int64, window, reset time.Duration, cost bool) State {
		return State{Budget: daily(s, limit, func(b *Budget) { b.Per, b.Window, b.Cost = per, window, cost }), Used: used, Reset: reset}
	}
	h := http.Header{}
	SetHeaders(h, nil)
	if len(h) != 0 {
		t.Errorf("without budgets: %v", h)
	}
	SetHeaders(h, []State{
		state("consumer", 1000, 250, time.Hour, 90*time.Second, false),
		state("model", 100, 95, time.Hour, 90*time.Second, false),
		state("route", 5e9, 2.5e9, 30*24*time.Hour, time.Hour, true),
		state("group", 10, 20, 2*time.Hour, 1500*time.Millisecond, false),
	})
	want := map[string]string{
		"X-RateLimit-Limit-Hour": "100", "X-RateLimit-Remaining-Hour": "5", "X-RateLimit-Limit-Month": "5", "X-RateLimit-Remaining-Month": "2.5",
		"X-RateLimit-Limit-7200": "10", "X-RateLimit-Remaining-7200": "0", "RateLimit-Limit": "10", "RateLimit-Remaining": "0", "RateLimit-Reset": "2",
	}
	for name, value := range want {
		if h.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, h.Get(name), value)
		}
	}
	if len(h) != len(want) {
		t.Errorf("%v", h)
	}
}

// TestHeadersTellSmallCosts: a budget below one unit of the currency is not said to be 0.
func TestHeadersTellSmallCosts(t *testing.T) {
	s := &Store{}
	for _, c := range []struct {
		limit, used                            float64
		inLimit, inRemaining, limit6, remains6 string
	}{
		{0.5, 0.1234567, "0.5", "0.376543", "500000", "376543"},
		{0.00001, 0.000009, "0.00001", "0.000001", "10", "1"},
		{25, 0, "25", "25", "25000000", "25000000"},
		{2, 3, "2", "0", "2000000", "0"},
		{0.3, 0.1, "0.3", "0.2", "300000", "200000"},
	} {
		h := http.Header{}
		SetHeaders(h, []State{{Budget: daily(s, Cost(c.limit), func(b *Budget) { b.Cost = true }), Used: Cost(c.used), Reset: time.Second}})
		for name, want := range map[string]string{
			"X-RateLimit-Limit-Day": c.inLimit, "X-RateLimit-Remaining-Day": c.inRemaining, "RateLimit-Limit": c.limit6, "RateLimit-Remaining": c.remains6,
		} {
			if h.Get(name) != want {
				t.Errorf("%v of %v are used, %s: %q, want %q", c.used, c.limit, name, h.Get(name), want)
			}
		}
	}
}

func members(t testing.TB, body string) []jsonedit.Member {
	m, ok := jsonedit.Outline([]byte(body), nil)
	if !ok {
		t.Skip("no object")
	}
	return m
}

func TestLimitOfTheOutputIsFoundInEveryFormat(t *testing.T) {
	for body, want := range map[string]int{
		`{"max_tokens":7}`:                           7,
		`{"max_completion_tokens":8,"max_tokens":7}`: 8,
		`{"max_output_tokens":9}`:                    9,
		`{"generationConfig":{"maxOutputTokens":3}}`: 3,
		`{"inferenceConfig":{"maxTokens":4}}`:        4,
		`{"parameters":{"max_new_tokens":5}}`:        5,
		`{"messages":[{"max_tokens":5}]}`:            0,
		`{"max_tokens":"5"}`:                         0,
		`{"max_tokens":-5}`:                          0,
		`{"max_tokens":null}`:                        0,
		`{"max_tokens":99999999999}`:                 maxOutput,
		`{}`:                                         0,
	} {
		if got := OutputLimit(members(t, body)); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
}

func FuzzOutputLimit(f *testing.F) {
	f.Add(`{"max_tokens":7,"generationConfig":{"maxOutputTokens":3}}`)
	f.Fuzz(func(t *testing.T, body string) {
		defer workload.Linear(t, len(body))()
		if n := OutputLimit(members(t, body)); n < 0 || n > maxOutput {
			t.Error(n)
		}
	})
}

func BenchmarkReserve(b *testing.B) {
	s := &Store{}
	of := daily(s, MaxLimit)
	b.ReportAllocs()
	for b.Loop() {
		hold, _, _, _ := s.Reserve(ask(of, "a", 1000))
		hold.Settle(func(*Budget) int64 { return 900 })
	}
}
