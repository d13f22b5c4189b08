package plugin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/monitor"
)

// Answers that fail, or are replaced, after the provider has counted something.
const (
	claudeOverloads = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[],\"usage\":{\"input_tokens\":40,\"output_tokens\":1}}}\n\n" +
		"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"
	claudeSays  = `{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":30,"output_tokens":4}}`
	withoutText = `{"id":"c","object":"x","model":"m","usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}}`
)

// TestUsageOfAReplacedAnswerIsBesideTheRequests: what a provider counted before it
// failed is in tried_targets, and not in the usage of the answer that the client got.
// Budgets and metrics have both.
func TestUsageOfAReplacedAnswerIsBesideTheRequests(t *testing.T) {
	stream := func(body string) http.HandlerFunc { return replying(200, "text/event-stream", body) }
	filtered := replying(200, asJSON, filteredJSON)
	const none = "-"
	for _, c := range []struct {
		name, providers string
		body            string
		answers         []http.HandlerFunc
		status          int
		usage           [2]float64 // of the record
		tried           []string   // prompt+completion of each attempt that is beside it; "-" for none
	}{
		{"a stream that fails after its start", "anthropic,openai", helloStream, []http.HandlerFunc{stream(claudeOverloads), streamed}, 200, [2]float64{7, 2}, []string{"40+0", none}},
		{"an answer without content", "openai,openai", hello, []http.HandlerFunc{replying(200, asJSON, withoutText), answer}, 200, [2]float64{7, 2}, []string{"20+3", none}},
		{"an answer that is withheld", "openai,anthropic", hello, []http.HandlerFunc{filtered, replying(200, asJSON, claudeSays)}, 200, [2]float64{30, 4}, []string{"9+0", none}},
		{"two that fail", "openai,anthropic,openai", helloStream, []http.HandlerFunc{stream(claudeOverloads), stream(claudeOverloads), streamed}, 200, [2]float64{7, 2}, []string{none, "40+0", none}},
		{"an error without usage", "openai,openai", hello, []http.HandlerFunc{status(500), answer}, 200, [2]float64{7, 2}, []string{none, none}},
		{"the withheld answer is given after all", "openai,openai", hello, []http.HandlerFunc{filtered, status(500)}, 200, [2]float64{9, 0}, []string{none, none}},
		{"an error is given, not the answer without content", "openai,openai", hello, []http.HandlerFunc{replying(200, asJSON, withoutText), status(500)}, 500, [2]float64{0, 0}, []string{"20+3", none}},
		{"the last one fails", "openai,anthropic", helloStream, []http.HandlerFunc{status(500), stream(claudeOverloads)}, 200, [2]float64{40, 0}, []string{none, none}},
		{"the only one fails", "anthropic", helloStream, []http.HandlerFunc{stream(claudeOverloads)}, 200, [2]float64{40, 0}, []string{none}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, urls := several(t, c.answers...)
			conf := inOrder(`"error","overloaded","content_filter","http_500","non_idempotent"`, "", strings.Split(c.providers, ","), urls...)
			conf = strings.Replace(priced(conf), "{", `{"budgets":[{"per":"route","limit":{"tokens":1000000},"window":"30d"},{"per":"route","limit":{"cost":1},"window":"30d"},{"per":"model","limit":{"tokens":1000000},"window":"30d"}],`, 1)
			b := newBench(t, conf, answer)
			b.relay.seen = monitor.New(b.relay, "", nil)
			if resp, text := b.post(c.body); resp.StatusCode != c.status {
				t.Errorf("%d %s", resp.StatusCode, text)
			}
			rec := b.record()
			if got := [2]float64{at(rec, "usage.prompt_tokens").(float64), at(rec, "usage.completion_tokens").(float64)}; got != c.usage {
				t.Errorf("usage %v, want %v", got, c.usage)
			}
			prompt, output, most := c.usage[0], c.usage[1], c.usage[0]+c.usage[1]
			tried, _ := rec["tried_targets"].([]any)
			if len(tried) != len(c.tried) {
				t.Fatalf("tried %v", tried)
			}
			replaced := 0.0
			for i, want := range c.tried {
				if want == none {
					if at(tried[i], "prompt_tokens") != nil || at(tried[i], "cost") != nil {
						t.Errorf("attempt %d: %v", i, tried[i])
					}
					continue
				}
				var in, out float64
				fmt.Sscanf(want, "%g+%g", &in, &out)
				if at(tried[i], "prompt_tokens") != in || at(tried[i], "completion_tokens") != out || at(tried[i], "cost") != (in+2*out)/1e6 {
					t.Errorf("attempt %d: %v, want %s", i, tried[i], want)
				}
				prompt, output, most, replaced = prompt+in, output+out, max(most, in+out), replaced+in+out
			}
			settled(t, "the budgets do not have all of it", func() bool {
				return usedOf(b.instance, 0) == int64(prompt+output) && usedOf(b.instance, 1) == int64(1000*(prompt+2*output)) && usedOf(b.instance, 2) == int64(most)
			})
			if t.Failed() {
				t.Logf("budgets have %d tokens, %d cost, %d of a model", usedOf(b.instance, 0), usedOf(b.instance, 1), usedOf(b.instance, 2))
			}
			if got := counted(t, b, "go_ai_proxy_replaced_tokens_total"); got != replaced {
				t.Errorf("the metric has %v, want %v", got, replaced)
			}
			if got := counted(t, b, "go_ai_proxy_cost_total") + counted(t, b, "go_ai_proxy_replaced_cost_total"); fmt.Sprintf("%.9f", got) != fmt.Sprintf("%.9f", (prompt+2*output)/1e6) {
				t.Errorf("the metrics have a cost of %v", got)
			}
		})
	}
}

// counted is the sum of a counter over its labels, once its request has been observed.
func counted(t *testing.T, b *bench, name string) (sum float64) {
	t.Helper()
	families, err := b.relay.seen.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// TestHedgedRequestIsSettledByBoth: the one that lost is charged
// what it is estimated to have used, or what it told before it failed.
func TestHedgedRequestIsSettledByBoth(t *testing.T) {
	after := func(other <-chan struct{}, h http.HandlerFunc) http.HandlerFunc { // answers when the other one has been asked
		return func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-other:
				h(w, r)
			}
		}
	}
	fails := replying(200, asJSON, withoutText)
	const estimate = 2 // of hello's words
	gone := make(chan time.Time, 10)
	for _, c := range []struct {
		name          string
		first, second http.HandlerFunc // the first one begins when the second has been asked
		meanwhile     bool             // the second answers when the first one has ended
		want          [2]int64         // of budgets per model: the first's, the second's
	}{
		{"the first is overtaken", hangs(gone), answer, false, [2]int64{estimate, 9}},
		{"the first fails meanwhile", fails, answer, true, [2]int64{23, 9}},
		{"the first wins", answer, hangs(gone), false, [2]int64{9, estimate}},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := make(chan struct{})
			var b *bench
			one := script(t, after(asked, c.first))
			two := script(t, func(w http.ResponseWriter, r *http.Request) {
				close(asked)
				for c.meanwhile && r.Context().Err() == nil && b.instance.balancer.Health(0, time.Now()).InFlight > 0 {
					time.Sleep(time.Millisecond)
				}
				c.second(w, r)
			})
			conf := priced(hedged("50ms", `,"failover_criteria":["error","non_idempotent"]`, one.server.URL, two.server.URL))
			b = newBench(t, strings.Replace(conf, "{", `{"budgets":[{"per":"model","limit":{"tokens":1000000},"window":"30d"},{"per":"route","limit":{"tokens":1000000},"window":"30d"}],`, 1), answer)
			if resp, text := b.post(hello); resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			rec := b.record()
			settled(t, "not settled", func() bool { return usedOf(b.instance, 1) == c.want[0]+c.want[1] })
			if got := usedOf(b.instance, 0); got != max(c.want[0], c.want[1]) || at(rec, "usage.total_tokens") != 9.0 {
				t.Errorf("%d of a model, %d in all, want %v: %v", got, usedOf(b.instance, 1), c.want, rec)
			}
		})
	}
}
