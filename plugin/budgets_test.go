package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/monitor"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/test/lateness"
)

// withBudgets is a configuration of a chat, with budgets.
func withBudgets(budgets ...string) string {
	lateness.Away(time.Hour)
	return strings.Replace(chatConf, "{", `{"budgets":[`+strings.Join(budgets, ",")+`],`, 1)
}

// usedOf is what is used of an instance's budget number i, by the one who has used most.
func usedOf(inst *Instance, i int) int64 { return inst.budgets[i].Use(time.Now()).Most }

// settled waits until f holds: a hold is settled after the answer's last byte.
func settled(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if f() {
			return
		}
	}
	t.Error(what)
}

func TestRequestBeyondABudgetIsRefusedInTheClientsFormat(t *testing.T) {
	for format, want := range map[string]string{
		"openai":    `{"error":{"message":"the budget of this header is used up: 9 of 15 tokens per 1h`,
		"anthropic": `{"type":"error","error":{"type":"rate_limit_error","message":"the budget of this header is used up: 9 of 15 tokens per 1h`,
	} {
		conf := strings.Replace(withBudgets(`{"per":"header","header":"X-Team","limit":{"tokens":15},"window":"1h"}`), "{", `{"llm_format":"`+format+`",`, 1)
		b := newBench(t, conf, answers)
		body := strings.Replace(hello, "{", `{"model":"gpt-4o","max_tokens":6,`, 1)
		path := map[string]string{"openai": "/chat", "anthropic": "/v1/messages"}[format]
		post := func(team string) (*http.Response, string) { return b.send("POST", path, asJSON, body, "X-Team", team) }
		resp, text := post("CANARY-TEAM")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("X-RateLimit-Limit-Hour") != "15" || resp.Header.Get("Retry-After") != "" {
			t.Fatalf("%s: %d %s %v", format, resp.StatusCode, text, resp.Header)
		}
		b.record()
		settled(t, "9 tokens are not counted", func() bool { return usedOf(b.instance, 0) == 9 })
		resp, text = post("CANARY-TEAM")
		if resp.StatusCode != http.StatusTooManyRequests || !strings.HasPrefix(text, want) {
			t.Errorf("%s: %d %s", format, resp.StatusCode, text)
		}
		for name, value := range map[string]string{"X-RateLimit-Limit-Hour": "15", "X-RateLimit-Remaining-Hour": "6", "RateLimit-Limit": "15", "RateLimit-Remaining": "6"} {
			if got := resp.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %s", format, name, got, value)
			}
		}
		if after := resp.Header.Get("Retry-After"); after == "" || after != resp.Header.Get("RateLimit-Reset") {
			t.Errorf("%s: Retry-After %q, RateLimit-Reset %q", format, after, resp.Header.Get("RateLimit-Reset"))
		}
		rec := b.record()
		if resp, text := post("another"); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: another team: %d %s", format, resp.StatusCode, text)
		}
		if n := len(b.upstreamBodies()); n != 2 {
			t.Errorf("%s: the provider saw %d requests", format, n)
		}
		if at(rec, "meta.outcome") != "refused" {
			t.Errorf("%s: %v", format, rec)
		}
		one, _ := at(rec, "meta.budgets").([]any)
		if len(one) != 1 || at(one[0], "budget") != "header X-Team: tokens per 1h" || at(one[0], "outcome") != "exceeded" || at(one[0], "used") != 9.0 || at(one[0], "limit") != 15.0 {
			t.Errorf("%s: the record has %v", format, one)
		}
		if text, _ := json.Marshal(rec); strings.Contains(string(text)+b.logs.String(), "CANARY-TEAM") {
			t.Errorf("%s: the record names who has the budget: %s", format, text)
		}
	}
}

func TestEachHasABudgetOfItsOwn(t *testing.T) {
	for per, c := range map[string]struct {
		more, need string
		set        func(k *wire.Context, who string)
	}{
		"consumer": {"", wire.NeedConsumer, func(k *wire.Context, who string) { k.Consumer.ID = who }},
		"group":    {"", wire.NeedGroups, func(k *wire.Context, who string) { k.Groups = []string{"all-have-room-" + who, who} }},
		"route":    {"", wire.NeedRoute, func(k *wire.Context, who string) { k.Route = who }},
	} {
		b := newBench(t, withBudgets(fmt.Sprintf(`{"per":%q,"limit":{"tokens":20},"window":"1d"%s}`, per, c.more)), answers)
		if !slices.Contains(b.instance.Need(), c.need) {
			t.Errorf("%s: Kong is not asked for %s: %v", per, c.need, b.instance.Need())
		}
		for _, step := range []struct {
			who    string
			status int
		}{{"one", 200}, {"one", 429}, {"two", 200}, {"two", 429}, {"", 200}, {"", 429}} {
			body := strings.Replace(hello, "{", `{"max_tokens":10,`, 1)
			status, rec := b.serve(b.instance, body, func(in *wire.Inbound) { c.set(&in.Kong, step.who) })
			if status != step.status {
				t.Errorf("%s %q: %d, want %d", per, step.who, status, step.status)
			}
			if rec.Outcome() == record.Pending {
				t.Errorf("%s: no end", per)
			}
		}
	}
}

// TestBudgetIsSettledByWhatWasUsed however a request ends.
func TestBudgetIsSettledByWhatWasUsed(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		answer http.HandlerFunc
		want   int64
	}{
		"whole":    {hello, answers, 9},
		"streamed": {helloStream, streamed, 9},
		"an error": {hello, status(500), 0},
		"no answer": {hello, func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, 0},
		"refused by us": {`{"messages":[{"role":"user","content":"hello"}],"model":"another"}`, answers, 0},
		"cut": {helloStream, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			event(w, chunk("twelve bytes"))
			panic(http.ErrAbortHandler)
		}, 4 + 3}, // estimates: 2 words, 12 bytes
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, withBudgets(`{"per":"model","limit":{"tokens":100000},"window":"1d"}`, `{"per":"model","limit":{"tokens":100000},"window":"1d","what":"input"}`,
				`{"per":"model","limit":{"tokens":100000},"window":"1d","what":"output"}`), c.answer)
			b.post(c.body)
			d := (<-b.records).Data()
			settled(t, "held for ever", func() bool { return usedOf(b.instance, 0) == int64(d.Usage.TotalTokens()) })
			if got := usedOf(b.instance, 0); got != c.want {
				t.Errorf("%d are used, want %d", got, c.want)
			}
			if in, out := usedOf(b.instance, 1), usedOf(b.instance, 2); in+out != c.want || in != int64(d.Usage.Prompt) {
				t.Errorf("%d in, %d out", in, out)
			}
		})
	}
}

func TestBudgetIsSettledWhenTheClientLeaves(t *testing.T) {
	began := make(chan struct{})
	b := newBench(t, withBudgets(`{"per":"route","limit":{"tokens":100000},"window":"1d"}`), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, chunk("twelve bytes"))
		close(began)
		<-r.Context().Done()
	})
	ctx, leave := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, b.front.URL+"/chat", strings.NewReader(helloStream))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	<-began
	_, _ = io.ReadFull(resp.Body, make([]byte, 10))
	leave()
	resp.Body.Close()
	if d := (<-b.records).Data(); d.Outcome != record.Aborted {
		t.Errorf("%s", d.Outcome)
	}
	settled(t, "held for ever", func() bool { return usedOf(b.instance, 0) == 7 })
}

func TestCostsCountAgainstBudgets(t *testing.T) {
	conf := strings.Replace(withBudgets(`{"per":"route","limit":{"cost":0.001},"window":"1d"}`, `{"per":"route","limit":{"cost":0.001},"window":"1d","what":"output"}`),
		`/chat/completions"`, `/chat/completions","input_cost":1,"output_cost":100`, 1)
	b := newBench(t, conf, answers)
	b.post(strings.Replace(hello, "{", `{"max_tokens":5,`, 1))
	settled(t, "not settled", func() bool {
		return usedOf(b.instance, 0) == budget.Cost(207e-6) && usedOf(b.instance, 1) == budget.Cost(200e-6)
	})
	if resp, text := b.post(strings.Replace(hello, "{", `{"max_tokens":10,`, 1)); resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(text, "0.000207 of 0.001 cost per 1d") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func TestTargetOverItsBudgetIsLeftOutOfThePick(t *testing.T) {
	b := newBench(t, targetsConf(`"algorithm":"round-robin"`, `"budgets":[{"per":"model","limit":{"tokens":25},"window":"1d","on_exceeded":"next_target"}],`, "$UP/a", "$UP/b"), answers)
	body := strings.Replace(hello, "{", `{"max_tokens":10,`, 1)
	var models []any
	for range 5 {
		resp, _ := b.post(body)
		rec := b.record()
		settled(t, "held for ever", func() bool { u := b.instance.budgets[0].Use(time.Now()); return u.Most%9 == 0 })
		if resp.StatusCode == http.StatusOK {
			models = append(models, at(rec, "meta.request_model"))
		} else {
			models = append(models, resp.StatusCode)
		}
	}
	// 9 are used by each request, more are needed: there is room for two at each target.
	slices.SortFunc(models[:4], func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	if want := "[m0 m0 m1 m1 429]"; fmt.Sprint(models) != want {
		t.Errorf("answered by %v", models)
	}
	for i := range b.instance.targets {
		if n := b.instance.balancer.Health(i, time.Now()).InFlight; n != 0 {
			t.Errorf("target %d has %d requests in flight", i, n)
		}
	}
}

func TestWarningOfABudgetIsRecorded(t *testing.T) {
	b := newBench(t, withBudgets(`{"per":"route","limit":{"tokens":1},"window":"1d","on_exceeded":"warn"}`), answers)
	if resp, text := b.post(hello); resp.StatusCode != http.StatusOK || resp.Header.Get("X-RateLimit-Remaining-Day") != "0" {
		t.Errorf("%d %s %v", resp.StatusCode, text, resp.Header)
	}
	one, _ := at(b.record(), "meta.budgets").([]any)
	if len(one) != 1 || at(one[0], "outcome") != "warned" {
		t.Errorf("%v", one)
	}
}

func TestWithoutBudgetsNothingIsSaidOfThem(t *testing.T) {
	b := newBench(t, chatConf, answers)
	resp, _ := b.post(hello)
	for name := range resp.Header {
		if strings.Contains(strings.ToLower(name), "ratelimit") {
			t.Errorf("%s is sent", name)
		}
	}
	if rec := b.record(); at(rec, "meta.budgets") != nil {
		t.Errorf("%v", rec)
	}
}

func TestBudgetsAreShown(t *testing.T) {
	b := newBench(t, withBudgets(`{"per":"route","limit":{"tokens":15},"window":"1d"}`), answers)
	b.relay.seen = monitor.New(b.relay, "", nil)
	body := strings.Replace(hello, "{", `{"max_tokens":6,`, 1)
	for range 2 {
		b.post(body)
		<-b.records
		settled(t, "not settled", func() bool { return usedOf(b.instance, 0) == 9 })
	}
	families, err := b.relay.seen.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if m := f.GetMetric()[0]; strings.HasPrefix(f.GetName(), "go_ai_proxy_budget_") {
			got[strings.TrimPrefix(f.GetName(), "go_ai_proxy_budget_")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	if want := "map[counters:1 exceeded_total:1 limit:15 used:9 warned_total:0]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestBudgetsThatMakeNoSenseAreRefusedOrNamed(t *testing.T) {
	conf := func(more string) string {
		return `{"budgets":[{` + more + `}],"route_type":"llm/v1/chat","model":{"provider":"openai","name":"m"}}`
	}
	for more, want := range map[string]string{
		`"per":"header","limit":{"tokens":1},"window":"1h"`:                            "config.budgets[1].header: must be",
		`"per":"route","limit":{"tokens":1},"window":"31d"`:                            "config.budgets[1].window: must be",
		`"per":"route","limit":{"tokens":1,"cost":1},"window":"1h"`:                    "config.budgets[1].limit: must have",
		`"per":"route","limit":{},"window":"1h"`:                                       "config.budgets[1].limit: must have",
		`"per":"route","limit":{"cost":1e9},"window":"1h"`:                             "config.budgets[1].limit: must be",
		`"per":"route","limit":{"tokens":1},"window":"1h","on_exceeded":"next_target"`: "config.budgets[1].on_exceeded: next_target",
	} {
		relay := newBench(t, chatConf, answers).relay
		if _, err := relay.NewInstance([]byte(conf(more))); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s…", more, err, want)
		}
	}
	for more, want := range map[string]string{
		`"per":"route","limit":{"tokens":1},"window":"1h"`:                                                    "",
		`"per":"route","header":"X","limit":{"tokens":1},"window":"1h"`:                                       "config.budgets[1].header",
		`"per":"route","limit":{"cost":1},"window":"1h"`:                                                      "config.budgets[1].limit.cost",
		`"per":"model","limit":{"tokens":1},"window":"1h","on_exceeded":"next_target"`:                        "config.budgets[1].on_exceeded",
		`"per":"model","limit":{"tokens":1},"window":"1h","on_exceeded":"warn","on_redis_failure":"refuse"`:   "config.budgets[1].on_redis_failure",
		`"per":"route","limit":{"tokens":1},"window":"1h"},{"per":"route","limit":{"tokens":2},"window":"1h"`: "config.budgets[2]",
	} {
		if got := strings.Join(loggedWarnings(t, conf(more)), " "); got != want {
			t.Errorf("%s: warned of %q, want %q", more, got, want)
		}
	}
}

// TestNothingStaysReservedAmongFailingTargets: whatever becomes of requests and
// attempts, what the budgets have in the end is what the records have.
func TestNothingStaysReservedAmongFailingTargets(t *testing.T) {
	t.Parallel()
	total := 1000
	if testing.Short() || raceEnabled {
		total = 300
	}
	var inst *Instance
	records := amongFailingTargets(t, total, `"max_fails":20,"fail_timeout":20`, func(conf string) string {
		return strings.Replace(conf, "{", `{"budgets":[{"per":"route","limit":{"tokens":1000000000},"window":"30d"},
			{"per":"header","header":"X-Team","limit":{"tokens":1000000000},"window":"30d","what":"input"},{"per":"consumer","limit":{"tokens":1000000000},"window":"30d","what":"output"}],`, 1)
	}, func(of *Instance) { inst = of })
	sum := [3]float64{}
	for _, rec := range records {
		for i, member := range []string{"total_tokens", "prompt_tokens", "completion_tokens"} {
			n, _ := at(rec, "usage."+member).(float64)
			sum[i] += n
		}
	}
	for i, want := range sum {
		if got := usedOf(inst, i); got != int64(want) || want == 0 {
			t.Errorf("budget %d has %d used, the records %v", i, got, want)
		}
	}
}
