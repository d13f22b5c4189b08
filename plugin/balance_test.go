package plugin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/test/ports"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// target is one of several providers of a test.
type scripted struct {
	server *httptest.Server
	calls  atomic.Int32
}

func script(t *testing.T, h http.HandlerFunc) *scripted {
	s := &scripted{}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		io.Copy(io.Discard, r.Body)
		h(w, r)
	}))
	t.Cleanup(func() { s.server.CloseClientConnections(); s.server.Close() })
	return s
}

// targets is a configuration over several providers, models m0, m1 …
func targetsConf(balancer string, more string, urls ...string) string {
	var list []string
	for i, u := range urls {
		list = append(list, fmt.Sprintf(`{"route_type":"llm/v1/chat","logging":{"log_statistics":true},"model":{"provider":"openai","name":"m%d","options":{"upstream_url":"%s/v1"}}}`, i, u))
	}
	return `{` + more + `"balancer":{` + balancer + `},"targets":[` + strings.Join(list, ",") + `]}`
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":{"message":"status %d"}}`, code)
	}
}

const retryAll = `"algorithm":"priority","retries":3,"failover_criteria":["error","timeout","http_500","http_503","http_429","non_idempotent"]`

func TestFailoverFollowsTheCriteria(t *testing.T) {
	slow := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(20 * time.Second):
		}
	}
	for _, c := range []struct {
		name, balancer string
		first          http.HandlerFunc
		status         int
		tried          int
	}{
		{"503 by default goes to the client", `"algorithm":"priority"`, status(503), 503, 1},
		{"503 listed without non_idempotent, too", `"algorithm":"priority","failover_criteria":["http_503"]`, status(503), 503, 1},
		{"503 listed with non_idempotent", retryAll, status(503), 200, 2},
		{"429", retryAll, status(429), 200, 2},
		{"400 never", retryAll, status(400), 400, 1},
		{"refused connection, even for POST", `"algorithm":"priority"`, nil, 200, 2},
		{"slow header", retryAll + `,"read_timeout":1500`, slow, 200, 2},
		{"slow header without non_idempotent", `"algorithm":"priority","read_timeout":100`, slow, 504, 1},
		{"no retries", `"algorithm":"priority","retries":0,"failover_criteria":["http_503","non_idempotent"]`, status(503), 503, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := "http://" + ports.Dead
			if c.first != nil {
				url = script(t, c.first).server.URL
			}
			second := script(t, answer)
			conf := targetsConf(c.balancer, "", url, second.server.URL)
			conf = strings.Replace(conf, `{"route_type"`, `{"weight":200,"route_type"`, 1)
			b := newBench(t, conf, answer)
			resp, body := b.post(hello)
			if resp.StatusCode != c.status {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			rec := b.record()
			tried, _ := at(rec, "tried_targets").([]any)
			if len(tried) != c.tried {
				t.Errorf("tried %v", tried)
			}
			if c.status == 200 && at(rec, "meta.request_model") != "m1" {
				t.Errorf("the record names %v", at(rec, "meta.request_model"))
			}
		})
	}
}

func TestFailoverStopsAtFirstContent(t *testing.T) {
	for _, c := range []struct {
		name   string
		first  []string
		second bool
	}{
		{"error event before content", []string{`{"error":{"message":"overloaded","type":"server_error"}}`}, true},
		{"role only, then the end", []string{`{"id":"x","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}`}, true},
		{"nothing at all", nil, true},
		{"content, then an error", []string{chunk("first"), `{"error":{"message":"overloaded"}}`}, false},
		{"content, then the end", []string{chunk("first")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := script(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.WriteHeader(200)
				for _, e := range c.first {
					event(w, e)
				}
			})
			second := script(t, streamed)
			conf := targetsConf(retryAll, "", first.server.URL, second.server.URL)
			conf = strings.Replace(conf, `{"route_type"`, `{"weight":200,"route_type"`, 1)
			b := newBench(t, conf, answer)
			_, body := b.post(helloStream)
			if got := second.calls.Load() == 1; got != c.second {
				t.Fatalf("second target called: %v\n%s", got, body)
			}
			rec := b.record()
			if c.second {
				if strings.Contains(body, "overloaded") || !strings.Contains(body, `"content":"llo"`) || strings.Count(body, "[DONE]") != 1 {
					t.Errorf("body %s", body)
				}
				if at(rec, "meta.outcome") != "completed" || at(rec, "usage.prompt_tokens") != 7.0 {
					t.Errorf("record %v", rec)
				}
				return
			}
			if !strings.Contains(body, "first") || !strings.Contains(body, `"error"`) || strings.Contains(body, "[DONE]") {
				t.Errorf("body %s", body)
			}
		})
	}
}

func TestWhenAllFailTheLastAnswerReachesTheClient(t *testing.T) {
	a, c := script(t, status(500)), script(t, status(503))
	b := newBench(t, targetsConf(retryAll, "", a.server.URL, c.server.URL), answer)
	resp, body := b.post(hello)
	if resp.StatusCode != 500 && resp.StatusCode != 503 || !strings.Contains(body, "status 50") {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if a.calls.Load() != 1 || c.calls.Load() != 1 {
		t.Errorf("calls %d and %d: each target is tried once", a.calls.Load(), c.calls.Load())
	}
}

func TestBreakerExcludesAFailingTargetAndProbesIt(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	a := script(t, func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			status(500)(w, r)
			return
		}
		answer(w, r)
	})
	conf := targetsConf(`"algorithm":"priority","retries":0,"max_fails":3,"fail_timeout":2000,"failover_criteria":["http_500","non_idempotent"]`, "", a.server.URL)
	b := newBench(t, conf, answer)
	for range 3 {
		if resp, _ := b.post(hello); resp.StatusCode != 500 {
			t.Fatalf("status %d", resp.StatusCode)
		}
		<-b.records
	}
	resp, body := b.post(hello)
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || a.calls.Load() != 3 {
		t.Fatalf("%d %v %s after %d calls", resp.StatusCode, resp.Header, body, a.calls.Load())
	}
	<-b.records
	broken.Store(false)
	eventually(t, "it is not asked again", func() bool {
		resp, _ := b.post(hello)
		<-b.records
		return resp.StatusCode == 200
	})
	for range 2 {
		if resp, _ := b.post(hello); resp.StatusCode != 200 {
			t.Fatalf("status %d after the pause", resp.StatusCode)
		}
	}
}

func TestModelAliasChoosesAmongTargets(t *testing.T) {
	up := script(t, answer)
	conf := fmt.Sprintf(`{"targets":[{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"gpt-4o","model_alias":"powerful","options":{"upstream_url":"%[1]s"}}},
	{"route_type":"llm/v1/chat","model":{"provider":"openai","name":"gpt-4o-mini","model_alias":"fast","options":{"upstream_url":"%[1]s"}}}]}`, up.server.URL)
	b := newBench(t, conf, answer)
	for model, want := range map[string]string{"fast": "openai/gpt-4o-mini", "powerful": "openai/gpt-4o", "gpt-4o": "openai/gpt-4o"} {
		resp, body := b.post(`{"model":"` + model + `","messages":[{"role":"user","content":"x"}]}`)
		if got := resp.Header.Get("X-Kong-LLM-Model"); got != want {
			t.Errorf("%s: %q, want %q (%s)", model, got, want, body)
		}
	}
	if resp, body := b.post(`{"model":"other","messages":[{}]}`); resp.StatusCode != 400 || !strings.Contains(body, "no target matches model 'other'") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestACLsDecideWhoMayUseWhat(t *testing.T) {
	up := script(t, answer)
	for _, c := range []struct {
		name, acls string
		header     string
		status     int
	}{
		{"no rules", "", "a", 200},
		{"empty rules", `"acls":{"allow":[],"deny":[]},`, "a", 200},
		{"one of two denials matches", `"acls":{"deny":[{"match":[{"type":"header","key":"x-team","values":["b"]}]},{"match":[{"type":"header","key":"x-team","values":["a"]}]}]},`, "a", 403},
		{"one of two permits matches", `"acls":{"allow":[{"match":[{"type":"header","key":"x-team","values":["b"]}]},{"match":[{"type":"header","key":"x-team","values":["a"]}]}]},`, "a", 200},
		{"neither of two permits matches", `"acls":{"allow":[{"match":[{"type":"header","key":"x-team","values":["b"]}]},{"match":[{"type":"header","key":"x-team","values":["c"]}]}]},`, "a", 403},
		{"deny matches", `"acls":{"deny":[{"match":[{"type":"header","key":"x-team","values":["a"]}]}]},`, "a", 403},
		{"deny does not match", `"acls":{"deny":[{"match":[{"type":"header","key":"x-team","values":["a"]}]}]},`, "b", 200},
		{"allow matches", `"acls":{"allow":[{"match":[{"type":"header","key":"x-team","values":["a"]}]}]},`, "a", 200},
		{"allow does not match", `"acls":{"allow":[{"match":[{"type":"header","key":"x-team","values":["a"]}]}]},`, "b", 403},
		{"all conditions of a rule", `"acls":{"allow":[{"match":[{"type":"header","key":"x-team","values":["a"]},{"type":"provider","values":["azure"]}]}]},`, "a", 403},
		{"deny beats allow", `"acls":{"allow":[{"match":[{"type":"provider","values":["openai"]}]}],"deny":[{"match":[{"type":"model","values":["m0"]}]}]},`, "a", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, targetsConf(`"algorithm":"priority"`, c.acls, up.server.URL), answer)
			if resp, body := b.post(hello, "X-Team", c.header); resp.StatusCode != c.status {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}

func TestDebugHeadersExplainTheChoice(t *testing.T) {
	a, c := script(t, status(503)), script(t, answer)
	conf := strings.Replace(targetsConf(retryAll, "", a.server.URL, c.server.URL), `{"route_type"`, `{"weight":200,"auth":{"header_name":"Authorization","header_value":"Bearer CANARY"},"route_type"`, 1)
	if resp, _ := newBench(t, conf, answer).post(hello, "Kong-Debug", "1"); resp.Header.Get("X-Kong-LLM-Target")+resp.Header.Get("X-Kong-LLM-Attempts") != "" {
		t.Errorf("told to anybody who asks: %v", resp.Header)
	}
	conf = strings.Replace(conf, "{", `{"debug":true,`, 1)
	b := newBench(t, conf, answer)
	resp, _ := b.post(hello, "Kong-Debug", "1")
	h := resp.Header
	if h.Get("X-Kong-LLM-Algorithm") != "priority" || h.Get("X-Kong-LLM-Target") != "openai/m1" ||
		h.Get("X-Kong-LLM-Attempts") != "openai/m0=http_503, openai/m1=ok" || !strings.Contains(h.Get("X-Kong-LLM-Reason"), "targets available") {
		t.Errorf("headers %v", h)
	}
	if strings.Contains(fmt.Sprint(h), "CANARY") {
		t.Error("a secret is in the headers")
	}
	if resp, _ := b.post(hello); resp.Header.Get("X-Kong-LLM-Reason") != "" {
		t.Error("nobody asked why")
	}
}

func TestUploadWithinTheLimitIsRepeatedAtTheNextTarget(t *testing.T) {
	form := formOf("model=w", "file@="+strings.Repeat("x", 1000))
	target := `{"route_type":"audio/v1/audio/transcriptions","model":{"provider":"openai","name":"w","options":{"upstream_url":"$UP"}}}`
	conf := `{"max_request_body_size":2000,"balancer":{"failover_criteria":["http_503","non_idempotent"]},"targets":[` + target + `,` + target + `]}`
	var calls atomic.Int32
	b := newBench(t, conf, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			status(503)(w, r)
			return
		}
		answering(`{"text":"hi"}`)(w, r)
	})
	if resp, said := b.send("POST", "/t", formType, form); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, said)
	}
	if sent := b.upstreamBodies(); len(sent) != 2 || sent[0] != form || sent[1] != form {
		t.Errorf("the targets got %q", sent)
	}
}

// TestOnlyCompleteAnswersCountForLatency: a stream that breaks off early
// would make its target a fast one.
func TestOnlyCompleteAnswersCountForLatency(t *testing.T) {
	now := time.Now()
	one, two := make([]*endpoint.Endpoint, 1), make([]*endpoint.Endpoint, 2)
	for _, c := range []struct {
		name    string
		targets []*endpoint.Endpoint
		took    time.Duration
		end     record.Outcome
		want    time.Duration
	}{
		{"complete", two, 0, record.Completed, time.Second},
		{"cut off", two, 0, record.CutOff, 0},
		{"an error", two, 0, record.Failed, 0},
		{"left by the client", two, 0, record.Aborted, 0},
		{"nothing to choose", one, 0, record.Completed, 0},
		{"a session: the time to connect", two, time.Millisecond, record.CutOff, time.Millisecond},
	} {
		a := &attempt{plan: plan{instance: &Instance{targets: c.targets}, request: &request{api: &provider.API{}}}, reply: &reply{record: record.New(record.Data{})}, began: now.Add(-time.Second), took: c.took}
		a.account.seen.Usage = chat.Usage{Prompt: 3, Completion: 5}
		if got := a.sample(c.end, now); got.Latency != c.want || got.Prompt != 3 || got.Completion != 5 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// aliased are targets that share one upstream, with a model's name and its aliases each.
func aliased(up string, more string, pairs ...[2]string) string {
	var targets []string
	for _, p := range pairs {
		targets = append(targets, fmt.Sprintf(`{"route_type":"llm/v1/chat","model":{"provider":"openai","name":%q,"model_alias":%q,"options":{"upstream_url":%q}}}`, p[0], p[1], up))
	}
	return `{` + more + `"targets":[` + strings.Join(targets, ",") + `]}`
}

func TestMoreSpecificAliasWins(t *testing.T) {
	up := script(t, answer)
	b := newBench(t, aliased(up.server.URL, "", [2]string{"any", "*"}, [2]string{"claude", "claude-*"}, [2]string{"later", "*claude-"},
		[2]string{"small", "claude-haiku-*, fast"}, [2]string{"exact", "claude-haiku-4-5"}), answer)
	for model, want := range map[string]string{
		"claude-sonnet-4-5": "claude", "claude-haiku-3-5": "small", "fast": "small", "claude-haiku-4-5": "exact",
		"gpt-5": "any", "small": "small", "claude-": "claude",
	} {
		resp, body := b.post(`{"model":"` + model + `","messages":[{"role":"user","content":"x"}]}`)
		if got := resp.Header.Get("X-Kong-LLM-Model"); got != "openai/"+want {
			t.Errorf("%s: %q, want %q (%s)", model, got, want, body)
		}
	}
}

func TestModelThatNoAliasFitsIsRefused(t *testing.T) {
	up := script(t, answer)
	b := newBench(t, aliased(up.server.URL, "", [2]string{"gpt-5", "claude-*"}), answer)
	if resp, body := b.post(`{"model":"other","messages":[{"role":"user","content":"x"}]}`); resp.StatusCode != 400 || !strings.Contains(body, "cannot use own model - must be: claude-*") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestTargetsWithTheSamePatternShareItsRequests(t *testing.T) {
	up := script(t, answer)
	b := newBench(t, aliased(up.server.URL, "", [2]string{"claude-first", "claude-*"}, [2]string{"other", "*"}, [2]string{"second", "claude-*"}), answer)
	// An agent may ask for the very model that one of them has.
	for _, model := range []string{"claude-opus-4-5", "claude-first"} {
		served := map[string]int{}
		for range 6 {
			resp, _ := b.post(`{"model":"` + model + `","messages":[{"role":"user","content":"x"}]}`)
			served[resp.Header.Get("X-Kong-LLM-Model")]++
		}
		if served["openai/claude-first"] != 3 || served["openai/second"] != 3 {
			t.Errorf("%s: %v", model, served)
		}
	}
}

func TestACLsKnowTheAliasByWhichTheClientAsks(t *testing.T) {
	up := script(t, answer)
	for _, c := range []struct {
		deny, model string
		status      int
	}{
		{"claude-*", "claude-opus-4-5", 403},
		{"claude-opus-4-5", "claude-opus-4-5", 403},
		{"claude-opus-4-5", "claude-haiku-4-5", 200},
		{"claude-*", "fast", 200},
		{"fast", "claude-opus-4-5", 200},
		{"fast", "fast", 403},
		{"fast", "gpt-5", 403},
		{"gpt-5", "fast", 403},
		{"claude-*,fast", "fast", 403},
		{"claude-*,fast", "gpt-5", 403},
	} {
		b := newBench(t, aliased(up.server.URL, `"acls":{"deny":[{"match":[{"type":"model","values":["`+c.deny+`"]}]}]},`, [2]string{"gpt-5", "claude-*,fast"}), answer)
		if resp, body := b.post(`{"model":"` + c.model + `","messages":[{"role":"user","content":"x"}]}`); resp.StatusCode != c.status {
			t.Errorf("deny %s, asked %s: %d %s", c.deny, c.model, resp.StatusCode, body)
		}
	}
}
