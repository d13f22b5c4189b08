package plugin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
)

// hedged is a configuration of targets in order, hedged after a time.
func hedged(after, more string, urls ...string) string {
	return strings.Replace(targetsConf(`"algorithm":"priority","hedge":{"after":"`+after+`","budget":"100%"}`+more, "", urls...), `{"route_type"`, `{"weight":200,"route_type"`, 1)
}

// hangs does not answer until the relay hangs up, and tells when that was.
func hangs(gone chan<- time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		gone <- time.Now()
	}
}

// beginsAndHangs is the same after a stream's head, which is no content.
func beginsAndHangs(gone chan<- time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, chunk(""))
		hangs(gone)(w, r)
	}
}

// await returns when it is so, and after 20 s in any case.
func await(is func() bool) {
	for end := time.Now().Add(20 * time.Second); !is() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// onceAsked answers as h does, once other has been asked, too.
func onceAsked(other *scripted, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		await(func() bool { return other.calls.Load() > 0 || r.Context().Err() != nil })
		h(w, r)
	}
}

func TestSecondTargetAnswersWhenTheFirstBringsNoContent(t *testing.T) {
	for _, c := range []struct {
		name   string
		first  func(chan<- time.Time) http.HandlerFunc
		second http.HandlerFunc
		body   string
		want   string
	}{
		{"whole", hangs, answer, hello, `"hi"`},
		{"stream", hangs, streamed, helloStream, "[DONE]"},
		{"stream that has begun without content", beginsAndHangs, streamed, helloStream, "[DONE]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			gone := make(chan time.Time, 1)
			one := script(t, c.first(gone))
			two := script(t, onceAsked(one, c.second))
			b := newBench(t, priced(hedged("60ms", "", one.server.URL, two.server.URL)), answer)
			machine := lateness.Start(t)
			began := time.Now()
			resp, text := b.post(c.body)
			took := time.Since(began)
			if resp.StatusCode != 200 || strings.Count(text, c.want) != 1 || took < 60*time.Millisecond || took > 15*time.Second {
				t.Fatalf("%d after %v: %s", resp.StatusCode, took, text)
			}
			if late := (<-gone).Sub(began) - took; late > machine.Within(50*time.Millisecond) {
				t.Errorf("the first one was cancelled %v after the answer", late)
			}
			rec := b.record()
			if at(rec, "meta.outcome") != "completed" || at(rec, "meta.request_model") != "m1" || at(rec, "usage.prompt_tokens") != 7.0 {
				t.Errorf("record %v", rec)
			}
			if at(rec, "tried_targets.0.model") != "m0" || at(rec, "tried_targets.0.outcome") != "cancelled" || at(rec, "tried_targets.1.model") != "m1" || at(rec, "tried_targets.1.outcome") != "ok" || at(rec, "tried_targets.2") != nil {
				t.Errorf("tried %v", rec["tried_targets"])
			}
			h := rec["hedge"]
			if after, _ := at(h, "after").(float64); after < 60 || at(h, "winner") != "openai/m1" || at(h, "cancelled") != "openai/m0" || at(h, "prompt_tokens").(float64) < 1 || at(h, "estimated") != true || at(h, "cost").(float64) <= 0 {
				t.Errorf("hedge %v", h)
			}
			nothingUnderWay(t, b)
		})
	}
}

func nothingUnderWay(t *testing.T, b *bench) {
	t.Helper()
	for i := range b.instance.targets {
		if n := b.instance.balancer.Health(i, time.Now()).InFlight; n != 0 {
			t.Errorf("%d attempts at target %d are counted as under way", n, i)
		}
	}
}

func TestFirstTargetMayStillWin(t *testing.T) {
	gone := make(chan time.Time, 1)
	two := script(t, hangs(gone))
	one := script(t, onceAsked(two, streamed))
	b := newBench(t, hedged("30ms", "", one.server.URL, two.server.URL), answer)
	if resp, text := b.post(helloStream); resp.StatusCode != 200 || strings.Count(text, "[DONE]") != 1 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	<-gone
	rec := b.record()
	if at(rec, "hedge.winner") != "openai/m0" || at(rec, "tried_targets.0.model") != "m1" || at(rec, "tried_targets.0.outcome") != "cancelled" || at(rec, "tried_targets.1.model") != "m0" || at(rec, "meta.request_model") != "m0" {
		t.Errorf("record %v", rec)
	}
	nothingUnderWay(t, b)
}

func TestWhatIsFastIsNotHedged(t *testing.T) {
	one, two := script(t, streamed), script(t, streamed)
	b := newBench(t, hedged("20s", "", one.server.URL, two.server.URL), answer)
	for _, body := range []string{hello, helloStream} {
		b.post(body)
		if rec := b.record(); at(rec, "meta.outcome") != "completed" || rec["hedge"] != nil || at(rec, "meta.request_model") != "m0" || at(rec, "tried_targets.1") != nil {
			t.Errorf("record %v", rec)
		}
	}
	if two.calls.Load() != 0 {
		t.Error("the second one was asked")
	}
}

func TestFailuresOfHedgedRequests(t *testing.T) {
	const over = `,"failover_criteria":["http_500","non_idempotent"]`
	for _, c := range []struct {
		name                 string
		waits                string // what the first waits for: the hedge to be "asked", or to have "ended"
		first, second, third http.HandlerFunc
		more                 string
		status               int
		model                string
		tried                int
	}{
		{"the first fails at once", "", status(400), answer, answer, "", 400, "m0", 1},
		{"the first fails at once and is replaced", "", status(500), answer, answer, over, 200, "m1", 2},
		{"the first fails later, the hedge answers", "asked", status(500), used(7, 100*time.Millisecond), answer, "", 200, "m1", 2},
		{"the hedge fails, the first answers", "ended", answer, status(500), answer, "", 200, "m0", 2},
		{"both fail", "ended", status(500), status(503), answer, "", 500, "m0", 2},
		{"both fail and are replaced", "ended", status(500), status(503), answer, over, 200, "m2", 3},
		{"all fail", "ended", status(500), status(503), status(500), over + `,"retries":2`, 500, "m2", 3},
	} {
		for _, stream := range []bool{false, true} {
			var b *bench
			body, after := hello, "30ms"
			if c.waits == "" {
				after = "20s"
			}
			two, three := script(t, c.second), script(t, c.third)
			one := script(t, func(w http.ResponseWriter, r *http.Request) {
				await(func() bool { return c.waits == "" || two.calls.Load() > 0 })
				if c.waits == "ended" {
					await(func() bool { return b.instance.balancer.Health(1, time.Now()).InFlight == 0 })
					time.Sleep(20 * time.Millisecond) // for the relay to have taken notice, too
				}
				c.first(w, r)
			})
			conf := hedged(after, c.more, one.server.URL, two.server.URL, three.server.URL)
			conf = strings.Replace(conf, `,{"route_type"`, `,{"weight":150,"route_type"`, 1)
			if stream {
				body = helloStream
			}
			b = newBench(t, conf, answer)
			resp, text := b.post(body)
			rec := b.record()
			tried, _ := rec["tried_targets"].([]any)
			if resp.StatusCode != c.status || at(rec, "meta.request_model") != c.model || len(tried) != c.tried {
				t.Errorf("%s, stream %v: %d %s %v", c.name, stream, resp.StatusCode, text, rec)
			}
			nothingUnderWay(t, b)
		}
	}
}

func TestClientThatLeavesEndsBothAttempts(t *testing.T) {
	gone := make(chan time.Time, 2)
	one, two := script(t, hangs(gone)), script(t, beginsAndHangs(gone))
	b := newBench(t, hedged("20ms", "", one.server.URL, two.server.URL), answer)
	machine := lateness.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "POST", b.front.URL+"/chat", strings.NewReader(helloStream))
	req.Header.Set("Content-Type", "application/json")
	var left time.Time
	go func() {
		await(func() bool { return one.calls.Load() > 0 && two.calls.Load() > 0 })
		left = time.Now()
		cancel()
	}()
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
	for range 2 {
		if late := (<-gone).Sub(left); late > machine.Within(50*time.Millisecond) {
			t.Errorf("cancelled %v after the client left", late)
		}
	}
	if rec := b.record(); at(rec, "meta.outcome") != "client_aborted" {
		t.Errorf("record %v", rec)
	}
	nothingUnderWay(t, b)
}

// What has an effect at the provider, or is not there to be sent twice, is not hedged.
func TestRequestsWithEffectsAreNotHedged(t *testing.T) {
	for _, c := range []struct {
		name, route, more, path, contentType, body string
		hedged                                     bool
	}{
		{"chat with tools", "llm/v1/chat", "", "/chat/completions", asJSON, `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}]}`, true},
		{"embeddings", "llm/v1/embeddings", "", "/embeddings", asJSON, `{"input":"x"}`, true},
		{"a response", "llm/v1/responses", "", "/responses", asJSON, `{"input":"x"}`, true},
		{"a response in the background", "llm/v1/responses", "", "/responses", asJSON, `{"input":"x","background":true}`, false},
		{"a response to another", "llm/v1/responses", "", "/responses", asJSON, `{"input":"x","previous_response_id":"r"}`, false},
		{"a batch", "llm/v1/batches", "", "/batches", asJSON, `{"input_file_id":"f","endpoint":"/v1/chat/completions"}`, false},
		{"a file", "llm/v1/files", "", "/files", formType, formOf("purpose=batch", "file@={}"), false},
		{"an image", "image/v1/images/generations", "", "/images/generations", asJSON, `{"prompt":"x"}`, false},
		{"an image, where it is allowed", "image/v1/images/generations", `,"images":true`, "/images/generations", asJSON, `{"prompt":"x"}`, true},
		{"speech", "audio/v1/audio/speech", "", "/audio/speech", asJSON, `{"input":"x","voice":"v"}`, false},
	} {
		slow := func(w http.ResponseWriter, r *http.Request) {
			wait := 150 * time.Millisecond
			if c.hedged {
				wait = 20 * time.Second
			}
			select {
			case <-r.Context().Done():
			case <-time.After(wait):
				answer(w, r)
			}
		}
		one, two := script(t, slow), script(t, answer)
		conf := strings.ReplaceAll(hedged("20ms", "", one.server.URL, two.server.URL), "llm/v1/chat", c.route)
		b := newBench(t, strings.Replace(conf, `"100%"`, `"100%"`+c.more, 1), answer)
		b.send("POST", c.path, c.contentType, c.body)
		rec := b.record()
		if got := two.calls.Load() > 0; got != c.hedged || (rec["hedge"] != nil) != c.hedged {
			t.Errorf("%s: hedged %v, record %v", c.name, got, rec)
		}
	}
}

// The budget bounds the share of requests that are sent twice.
func TestHedgesStayWithinTheirBudget(t *testing.T) {
	var n atomic.Int32
	slow := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond) // long enough for a hedge, on a busy machine, too
		answer(w, r)
	}
	one, two := script(t, slow), script(t, func(w http.ResponseWriter, r *http.Request) { n.Add(1); answer(w, r) })
	b := newBench(t, strings.Replace(hedged("5ms", "", one.server.URL, two.server.URL), "100%", "10%", 1), answer)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				b.post(hello)
				<-b.records
			}
		})
	}
	wg.Wait()
	if got := n.Load(); got > 10 || got < 4 {
		t.Errorf("%d of 100 were sent twice", got)
	}
}

// By percentile, a target is compared with itself: nothing is hedged until enough is
// known.
func TestHedgeByPercentileLearnsFromTheTarget(t *testing.T) {
	var late atomic.Bool
	one := script(t, func(w http.ResponseWriter, r *http.Request) {
		if late.Load() {
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Second):
			}
		}
		streamed(w, r)
	})
	two := script(t, streamed)
	b := newBench(t, hedged("p95", "", one.server.URL, two.server.URL), answer)
	for i := range 30 {
		b.post(helloStream)
		if rec := b.record(); rec["hedge"] != nil && i < 20 {
			t.Fatalf("record %v", rec)
		}
	}
	late.Store(true)
	machine := lateness.Start(t)
	began := time.Now()
	b.post(helloStream)
	if rec := b.record(); at(rec, "hedge.winner") != "openai/m1" || time.Since(began) > machine.Within(5*time.Second) {
		t.Errorf("after %v: record %v", time.Since(began), rec)
	}
}

// TestHedgingShortensTheTail measures what docs/hedging.md says: two targets,
// where every twentieth stream begins late, with and without hedging.
func TestHedgingShortensTheTail(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("it measures")
	}
	const n, usual, late = 400, 5 * time.Millisecond, 300 * time.Millisecond
	run := func(hedge string) (firsts []time.Duration, hedged int, prompt, extra float64) {
		var urls []string
		var turn atomic.Int32
		for range 2 {
			urls = append(urls, script(t, func(w http.ResponseWriter, r *http.Request) {
				wait := usual
				if turn.Add(1)%20 == 0 {
					wait = late
				}
				select {
				case <-r.Context().Done():
				case <-time.After(wait):
					streamed(w, r)
				}
			}).server.URL)
		}
		b := newBench(t, targetsConf(`"algorithm":"round-robin"`+hedge, "", urls...), answer)
		for range n {
			b.post(helloStream)
			rec := b.record()
			firsts = append(firsts, time.Duration(at(rec, "usage.time_to_first_token").(float64))*time.Millisecond)
			prompt += at(rec, "usage.prompt_tokens").(float64)
			if rec["hedge"] != nil {
				hedged++
				extra += at(rec, "hedge.prompt_tokens").(float64)
			}
		}
		slices.Sort(firsts)
		return firsts, hedged, prompt, extra
	}
	// Counted, and compared with one another: a busy machine makes some of either late.
	long := func(list []time.Duration) (n int) {
		for _, d := range list {
			if d >= late {
				n++
			}
		}
		return n
	}
	p := func(list []time.Duration, percent int) time.Duration { return list[len(list)*percent/100] }
	lateness.Undisturbed(t, 10*usual, func() string {
		without, _, _, _ := run("")
		with, hedged, prompt, extra := run(`,"hedge":{"after":"p90","budget":"10%"}`)
		t.Logf("time to the first token, p50 / p95 / p99: without %v / %v / %v, with %v / %v / %v; %d of %d sent twice, %.1f %% more prompt tokens",
			p(without, 50), p(without, 95), p(without, 99), p(with, 50), p(with, 95), p(with, 99), hedged, n, 100*extra/prompt)
		if long(without) < n/20 || long(with) > long(without)/2 || hedged > n/10 {
			return fmt.Sprintf("late without hedges %d, with them %d, %d hedged", long(without), long(with), hedged)
		}
		return ""
	})
}
