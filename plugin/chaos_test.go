package plugin

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
)

// chaos are targets that each fail in a way of their own, and what they saw.
type chaos struct {
	mu    sync.Mutex
	homes map[string]int        // by attempt, the port of its target
	ports map[int]*atomic.Int32 // how many attempts a target saw
	last  atomic.Int32          // attempts so far: each has a name that its answer shows
}

// serve starts a target that answers as h does. h gets the attempt's id, which
// goes into the answer's text, and whether a stream was asked for.
func (c *chaos) serve(t *testing.T, h func(w http.ResponseWriter, r *http.Request, id int, stream bool)) string {
	s := httptest.NewUnstartedServer(nil)
	seen := &atomic.Int32{}
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			status(200+300*rand.IntN(2))(w, r)
			return
		}
		seen.Add(1)
		body, _ := io.ReadAll(r.Body)
		id := int(c.last.Add(1))
		c.mu.Lock()
		c.homes[fmt.Sprintf("attempt-%d", id)] = s.Listener.Addr().(*net.TCPAddr).Port
		c.mu.Unlock()
		h(w, r, id, strings.Contains(string(body), `"stream":true`))
	})
	s.Start()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	c.mu.Lock()
	c.ports[s.Listener.Addr().(*net.TCPAddr).Port] = seen
	c.mu.Unlock()
	return s.URL
}

// well answers as a healthy target does.
func well(w http.ResponseWriter, _ *http.Request, id int, stream bool) {
	text := fmt.Sprintf("[attempt-%d]", id)
	if !stream {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, strings.Replace(answerJSON, `"hi"`, `"`+text+`"`, 1))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range []string{chunk(text), chunk("more"), finishChunk, usageChunk, "[DONE]"} {
		event(w, d)
	}
}

// dies breaks off in the middle of its answer: of streams, some when all is
// said and counted, and only the end is missing.
func dies(w http.ResponseWriter, r *http.Request, id int, stream bool) {
	if stream {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, chunk(fmt.Sprintf("[attempt-%d]", id)))
		if id%2 == 0 {
			event(w, finishChunk)
			event(w, usageChunk)
		}
	} else {
		w.Header().Set("Content-Length", "500")
		io.WriteString(w, `{"id":"half`)
	}
	panic(http.ErrAbortHandler)
}

// got is what a client got.
type got struct {
	status   int
	attempts []string // whose text is in the answer
	complete bool
	refusal  bool // an error that says what is wrong
}

func (c *chaos) request(t *testing.T, client *http.Client, url string, n int) got {
	stream := n%2 == 0
	body := fmt.Sprintf(`{"messages":[{"role":"user","content":"hello"}],"stream":%v}`, stream)
	req, err := http.NewRequest(http.MethodPost, fmt.Sprint(url, "/", n), strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return got{}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Session-Id", fmt.Sprint(n%40))
	resp, err := client.Do(req)
	if err != nil {
		t.Errorf("request %d has no answer: %v", n, err)
		return got{}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("request %d: the answer broke off: %v", n, err)
	}
	text := string(answer)
	g := got{status: resp.StatusCode, attempts: regexp.MustCompile(`attempt-\d+`).FindAllString(text, -1)}
	g.complete = resp.StatusCode == 200 && (strings.Count(text, "[DONE]") == 1 || !stream && json.Valid(answer))
	g.refusal = strings.Contains(text, `"error"`) && strings.Contains(text, `"message"`)
	return g
}

// TestNoRequestIsLostOrRepeatedAmongFailingTargets sends a load through targets
// that refuse, hang, ask to be left alone, fail now and then, and break off,
// and compares what clients, records, the balancer and the targets counted.
func TestNoRequestIsLostOrRepeatedAmongFailingTargets(t *testing.T) {
	t.Parallel()
	total := 3000
	if testing.Short() || raceEnabled {
		total = 500
	}
	t.Run("each attempt as it comes", func(t *testing.T) { amongFailingTargets(t, total, `"max_fails":0`) })
	t.Run("targets closed off and probed", func(t *testing.T) { amongFailingTargets(t, total, `"max_fails":20,"fail_timeout":20`) })
	t.Run("conversations with a target of their own", func(t *testing.T) {
		amongFailingTargets(t, total, `"max_fails":20,"fail_timeout":20`, func(conf string) string {
			return strings.NewReplacer("round-robin", "affinity", `"balancer"`, `"cache":{"auto":true,"min_tokens":1},"balancer"`).Replace(conf)
		})
	})
	t.Run("targets that are checked", func(t *testing.T) {
		chaosOf(t, total, []misbehaving{overloaded}, `"max_fails":20,"fail_timeout":20`, func(conf string) string {
			return strings.Replace(conf, `"retries":4`, `"retries":4,"healthchecks":{"active":{"interval":100,"path":"/health","failures":1}}`, 1)
		})
	})
	t.Run("requests sent twice", func(t *testing.T) {
		chaosOf(t, total, []misbehaving{neverBegins, well, overloaded}, `"max_fails":20,"fail_timeout":20`, func(conf string) string {
			return strings.Replace(conf, `"retries":4`, `"retries":4,"hedge":{"after":"5ms","budget":"50%"}`, 1)
		})
	})
	t.Run("failures told by their reason", func(t *testing.T) {
		chaosOf(t, total, []misbehaving{overloaded, revoked, neverBegins}, `"max_fails":20,"fail_timeout":20`, func(conf string) string {
			return strings.NewReplacer(`"retries":4`, `"retries":6,"first_token_timeout":30`, `"http_429"`, `"http_429","overloaded","auth","slow_start"`).Replace(conf)
		})
	})
}

// misbehaving is how a target answers; see serve.
type misbehaving = func(w http.ResponseWriter, r *http.Request, id int, stream bool)

// overloaded says so: in a stream as its first event, every other time.
func overloaded(w http.ResponseWriter, r *http.Request, id int, stream bool) {
	const text = `{"error":{"type":"overloaded_error","message":"Overloaded"}}`
	if stream && id%2 == 0 {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, text)
		return
	}
	w.WriteHeader(529)
	io.WriteString(w, text)
}

// revoked refuses the key, and accepts it again now and then.
func revoked(w http.ResponseWriter, r *http.Request, id int, stream bool) {
	if id%5 == 0 {
		well(w, r, id, stream)
		return
	}
	w.WriteHeader(http.StatusUnauthorized)
	io.WriteString(w, `{"error":{"code":"invalid_api_key","message":"no"}}`)
}

// neverBegins sends a stream's head and nothing more, until it is given up.
func neverBegins(w http.ResponseWriter, r *http.Request, id int, stream bool) {
	if !stream {
		well(w, r, id, stream)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	event(w, chunk(""))
	select {
	case <-r.Context().Done():
	case <-time.After(5 * time.Second):
	}
}

// amongFailingTargets returns the records. with are functions that change the
// configuration, or take the instance.
func amongFailingTargets(t *testing.T, total int, breaker string, with ...any) map[string]map[string]any {
	return chaosOf(t, total, nil, breaker, with...)
}

// chaosOf is amongFailingTargets with more targets.
func chaosOf(t *testing.T, total int, more []misbehaving, breaker string, with ...any) map[string]map[string]any {
	c := &chaos{homes: map[string]int{}, ports: map[int]*atomic.Int32{}}
	var turn atomic.Int32
	urls := []string{
		"http://127.0.0.1:1", // nobody listens there; a port that was free may be another's soon
		c.serve(t, func(_ http.ResponseWriter, r *http.Request, _ int, _ bool) {
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		}),
		c.serve(t, func(w http.ResponseWriter, r *http.Request, id int, stream bool) {
			if id%4 == 0 {
				well(w, r, id, stream)
				return
			}
			w.Header().Set("Retry-After", "0.05")
			status(429)(w, r)
		}),
		c.serve(t, func(w http.ResponseWriter, r *http.Request, id int, stream bool) {
			if turn.Add(1)%3 == 0 {
				status(500)(w, r)
				return
			}
			well(w, r, id, stream)
		}),
		c.serve(t, dies),
	}
	for _, h := range more {
		urls = append(urls, c.serve(t, h))
	}
	relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	relay.CheckHealth()
	conf := targetsConf(`"algorithm":"round-robin","retries":4,"read_timeout":50,
		"failover_criteria":["error","timeout","http_500","http_429","non_idempotent"],`+breaker, "", urls...)
	for _, f := range with {
		if change, ok := f.(func(string) string); ok {
			conf = change(conf)
		}
	}
	inst, err := relay.NewInstance([]byte(conf))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range with {
		if take, ok := f.(func(*Instance)); ok {
			take(inst)
		}
	}
	var mu sync.Mutex
	records := map[string]map[string]any{} // by the request's path
	front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		in := x.Inbound()
		rec := relay.Serve(x.Context(), inst, &in, x, nil)
		var v map[string]any
		if err := json.Unmarshal(rec.Append(nil), &v); err != nil {
			t.Errorf("record: %v", err)
		}
		mu.Lock()
		if records[x.Path] != nil {
			t.Errorf("two records of %s", x.Path)
		}
		records[x.Path] = v
		mu.Unlock()
	}))
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 64, MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second}
	results := make([]got, total)
	began := time.Now()
	var wg sync.WaitGroup
	var next atomic.Int32
	for range 64 {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < total; n = int(next.Add(1)) - 1 {
				results[n] = c.request(t, client, front.URL, n)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	client.CloseIdleConnections()
	front.Close()
	defer relay.Close()
	defer inst.Close()

	complete := c.judge(t, results, records)
	attempts, unseen := map[int]int{}, map[int]int{}
	outcomes := map[string]int{}
	var completed, told float64 // prompt tokens in records
	for _, rec := range records {
		outcome := at(rec, "meta.outcome").(string)
		outcomes[outcome]++
		tokens, _ := at(rec, "usage.prompt_tokens").(float64)
		if outcome == "completed" {
			completed += tokens
		}
		if at(rec, "usage.estimated") != true {
			told += tokens
		}
		tried, _ := rec["tried_targets"].([]any)
		for _, one := range tried {
			port := int(at(one, "port").(float64))
			attempts[port]++
			if replaced, is := at(one, "prompt_tokens").(float64); is {
				told += replaced
			}
			if slices.Contains([]any{"slow_start", "cancelled", "timeout"}, at(one, "outcome")) { // on a busy host it may be given up before it is seen
				unseen[port]++
			}
		}
	}
	if len(records) != total || outcomes["completed"] != complete || outcomes["pending"] > 0 {
		t.Errorf("%d records of %d requests: %v; %d clients have a whole answer", len(records), total, outcomes, complete)
	}
	for port, seen := range c.ports {
		// A target may come to see an attempt only after the relay gave it up.
		differs := func() bool { n := int(seen.Load()); return n > attempts[port] || n < attempts[port]-unseen[port] }
		for deadline := time.Now().Add(20 * time.Second); differs() && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
		if differs() {
			t.Errorf("the target on port %d saw %d attempts, records have %d", port, seen.Load(), attempts[port])
		}
	}
	var counted int64
	relay.states.Each(func(_ string, s *balancer.State) { counted += s.Snapshot().Prompt })
	// A stream that is cut off may have told its usage before.
	if completed != float64(7*complete) || told <= completed || counted != int64(told) {
		t.Errorf("%d whole answers of 7 tokens; their records have %v, those of all attempts %v, the balancer %d", complete, completed, told, counted)
	}
	for _, one := range []string{"completed", "failed", "upstream_cut"} {
		if outcomes[one] == 0 {
			t.Errorf("no request is %s: %v", one, outcomes)
		}
	}
	sum := 0
	for _, n := range attempts {
		sum += n
	}
	t.Logf("%d requests in %v: %v; %d attempts", total, took.Round(time.Millisecond), outcomes, sum)
	return records
}

// judge checks each answer by itself and returns how many are whole.
func (c *chaos) judge(t *testing.T, results []got, records map[string]map[string]any) (complete int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, g := range results {
		whose := map[string]bool{}
		for _, a := range g.attempts {
			whose[a] = true
		}
		switch {
		case len(whose) > 1:
			t.Errorf("request %d: the answer has texts of %v", n, g.attempts)
		case g.complete == g.refusal:
			t.Errorf("request %d: neither a whole answer nor an error: %+v", n, g)
		case g.complete && len(whose) != 1:
			t.Errorf("request %d: a whole answer without text: %+v", n, g)
		}
		if g.complete {
			complete++
		}
		for a := range whose { // nothing was sent after the attempt that brought content
			tried, _ := records[fmt.Sprint("/", n)]["tried_targets"].([]any)
			if last := tried[len(tried)-1]; int(at(last, "port").(float64)) != c.homes[a] || at(last, "status") != 200.0 {
				t.Errorf("request %d: content of %s came, and yet it was sent again: %v", n, a, tried)
			}
		}
	}
	return complete
}
