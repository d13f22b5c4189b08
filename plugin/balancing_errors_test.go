package plugin

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
)

// byUse are the algorithms that go by what targets have used or taken.
var byUse = map[string]string{
	"lowest-usage":      `"algorithm":"lowest-usage"`,
	"prompt tokens":     `"algorithm":"lowest-usage","tokens_count_strategy":"prompt-tokens"`,
	"completion tokens": `"algorithm":"lowest-usage","tokens_count_strategy":"completion-tokens"`,
	"cost":              `"algorithm":"lowest-usage","tokens_count_strategy":"cost"`,
	"lowest-latency":    `"algorithm":"lowest-latency","latency_strategy":"e2e"`,
	"latency per token": `"algorithm":"lowest-latency","latency_strategy":"tpot"`,
}

func priced(conf string) string {
	return strings.ReplaceAll(conf, `"options":{`, `"options":{"input_cost":1,"output_cost":2,`)
}

// TestTargetThatAnswersOnlyErrorsGetsOnlyItsShare: a revoked key is
// refused at once and uses nothing, which looks like the best target there is.
func TestTargetThatAnswersOnlyErrorsGetsOnlyItsShare(t *testing.T) {
	const n = 60
	for name, balancer := range byUse {
		for _, code := range []int{400, 401, 429, 503} {
			for _, weights := range [][]int{{100, 100}, {300, 100}, {100, 300}} {
				list, urls := several(t, status(code), answer)
				b := newBench(t, priced(weighted(balancer, []int{weights[1], weights[0]}, urls...)), answer)
				for range n {
					b.post(hello)
					<-b.records
				}
				turn := n * weights[0] / (weights[0] + weights[1])
				if got := calls(list); got[0] > turn || got[0] == 0 {
					t.Errorf("%s, status %d, weights %v: %d of %d went to the target that fails, round-robin %d", name, code, weights, got[0], n, turn)
				}
			}
		}
	}
}

// TestTargetThatCannotBeCalledGetsOnlyItsShare holds the same for what
// fails before a provider is asked.
func TestTargetThatCannotBeCalledGetsOnlyItsShare(t *testing.T) {
	list, urls := several(t, answer, answer)
	conf := targetsConf(`"algorithm":"lowest-usage"`, "", urls...)
	conf = strings.Replace(conf, `"provider":"openai","name":"m0"`, `"provider":"anthropic","name":"$(headers.x-missing)"`, 1)
	b := newBench(t, conf, answer)
	for range 40 {
		b.post(hello)
		<-b.records
	}
	if got := calls(list); got[1] < 20 {
		t.Errorf("calls %v", got)
	}
}

func TestBadRequestDoesNotCountAgainstTheTarget(t *testing.T) {
	lateness.Undisturbed(t, 50*time.Millisecond, func() string {
		var bad atomic.Int32
		fast := func(w http.ResponseWriter, r *http.Request) {
			if bad.Add(1)%5 == 0 {
				status(400)(w, r)
				return
			}
			answer(w, r)
		}
		list, urls := several(t, fast, used(7, 400*time.Millisecond))
		b := newBench(t, targetsConf(`"algorithm":"lowest-latency","latency_strategy":"e2e"`, "", urls...), answer)
		for range 40 {
			b.post(hello)
			<-b.records
		}
		if got := calls(list); got[0] < 36 {
			return fmt.Sprint("calls ", got)
		}
		return ""
	})
}

func TestTargetIsUsedAgainOnceItAnswers(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	list, urls := several(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			status(500)(w, r)
			return
		}
		answer(w, r)
	}, answer)
	b := newBench(t, targetsConf(`"algorithm":"lowest-usage"`, "", urls...), answer)
	for range 300 {
		b.post(hello)
		<-b.records
	}
	down.Store(false)
	before := calls(list)
	for range 300 {
		b.post(hello)
		<-b.records
	}
	if got := calls(list)[0] - before[0]; got < 100 {
		t.Errorf("%d of 300 after it had recovered", got)
	}
}

func TestUncountedUsageFallsBackToTokensWithOneWarning(t *testing.T) {
	for name, c := range map[string]struct {
		strategy, options, warning string
	}{
		"cost without prices":        {"cost", ``, "input_cost"},
		"cost without output prices": {"cost", `"input_cost":1,`, "output_cost"},
		"cost without input prices":  {"cost", `"output_cost":1,`, "input_cost"},
		"cost":                       {"cost", `"input_cost":1,"output_cost":1,`, ""},
		"llm-accuracy":               {"llm-accuracy", ``, "scores"},
		"total-tokens":               {"total-tokens", ``, ""},
	} {
		list, urls := several(t, used(1000, 0), used(10, 0))
		conf := targetsConf(fmt.Sprintf(`"algorithm":"lowest-usage","tokens_count_strategy":%q`, c.strategy), "", urls...)
		b := newBench(t, strings.ReplaceAll(conf, `"options":{`, `"options":{`+c.options), answer)
		for range 20 {
			b.post(hello)
			<-b.records
		}
		if got := calls(list); got[0] != 1 || got[1] != 19 {
			t.Errorf("%s: calls %v", name, got)
		}
		b.mu.Lock()
		logs := b.logs.String()
		b.mu.Unlock()
		if n := strings.Count(logs, "tokens_count_strategy"); n != strings.Count(logs, "\n") || n > 1 || (n == 1) != (c.warning != "") || !strings.Contains(logs, c.warning) {
			t.Errorf("%s: logs %s", name, logs)
		}
	}
}

func TestRetryAfterIsInWholeSecondsAndAtLeastOne(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", time.Second: "1", time.Second + 1: "2", 10 * time.Second: "10"} {
		if got := seconds(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	a := script(t, status(500))
	conf := targetsConf(`"retries":0,"max_fails":1,"fail_timeout":30000,"failover_criteria":["http_500","non_idempotent"]`, "", a.server.URL)
	b := newBench(t, conf, answer)
	began := time.Now()
	b.post(hello)
	<-b.records // it is counted after the answer
	resp, _ := b.post(hello)
	after, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	if passed := int(time.Since(began) / time.Second); resp.StatusCode != http.StatusServiceUnavailable || after > 30 || after < 29-passed {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}
