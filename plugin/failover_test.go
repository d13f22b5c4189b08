package plugin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
)

// replying answers with a status and a body.
func replying(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func replyingEvents(data ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, d := range data {
			time.Sleep(2 * time.Millisecond) // for each to be read by itself
			event(w, d)
		}
	}
}

// inOrder is a configuration whose targets are asked in order; providers are those of
// the targets.
func inOrder(criteria, balancer string, providers []string, urls ...string) string {
	var list []string
	for i, u := range urls {
		list = append(list, fmt.Sprintf(`{"weight":%d,"route_type":"llm/v1/chat","logging":{"log_statistics":true},"model":{"provider":%q,"name":"m%d","options":{"anthropic_version":"2023-06-01","upstream_url":"%s/v1"}}}`, 100-i, providers[i], i, u))
	}
	return `{"balancer":{"algorithm":"priority","failover_criteria":[` + criteria + `]` + balancer + `},"targets":[` + strings.Join(list, ",") + `]}`
}

const (
	filteredJSON = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"content_filter"}],"usage":{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}}`
	filteredEnd  = `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}`
)

// Each error of a provider is a failure by its status and by its reason, and reaches
// the client where neither is a criterion.
func TestFailoverGoesByTheReason(t *testing.T) {
	const asJSON = "application/json"
	for _, c := range []struct {
		name, provider string
		first          http.HandlerFunc
		stream         bool
		criteria       []string // by each of which another target is asked
		status         int      // that the client gets otherwise
		reason         string
	}{
		{"overloaded", "anthropic", replying(529, asJSON, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`), false, []string{"http_529", "overloaded"}, 529, "overloaded"},
		{"overloaded, in a stream's first event", "anthropic", replying(200, "text/event-stream", "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"), true, []string{"overloaded"}, 502, "overloaded"},
		{"overloaded, after a stream's head", "anthropic", replying(200, "text/event-stream", "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":5}}}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"), true, []string{"overloaded"}, 502, "overloaded"},
		{"a revoked key", "openai", replying(401, asJSON, `{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}`), false, []string{"http_401", "auth"}, 401, "auth"},
		{"no money", "deepseek", replying(402, asJSON, `{"error":{"message":"Insufficient Balance"}}`), true, []string{"http_402", "quota"}, 402, "quota"},
		{"no quota", "openai", replying(429, asJSON, `{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}`), false, []string{"quota"}, 429, "quota"},
		{"a long conversation", "openai", replying(400, asJSON, `{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}`), false, []string{"http_400", "context_length"}, 400, "context_length"},
		{"a long conversation of another provider", "anthropic", replying(400, asJSON, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`), true, []string{"context_length"}, 400, "context_length"},
		{"a model that is gone", "openai", replying(404, asJSON, `{"error":{"message":"The model m0 does not exist","code":"model_not_found"}}`), false, []string{"invalid_model"}, 404, "invalid_model"},
		{"a filtered prompt", "azure", replying(400, asJSON, `{"error":{"message":"filtered due to our content management policy","code":"content_filter"}}`), false, []string{"content_filter"}, 400, "content_filter"},
		{"a filtered answer", "openai", replying(200, asJSON, filteredJSON), false, []string{"content_filter"}, 200, "content_filter"},
		{"a filtered stream", "openai", replyingEvents(chunk(""), filteredEnd, usageChunk, "[DONE]"), true, []string{"content_filter"}, 200, "content_filter"},
		{"a translated answer that is filtered", "anthropic", replying(200, asJSON, `{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"refusal","usage":{"input_tokens":9,"output_tokens":1}}`), false, []string{"content_filter"}, 200, "content_filter"},
		{"any status", "openai", replying(418, asJSON, `{"error":{"message":"teapot"}}`), false, []string{"http_418"}, 418, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := hello
			if c.stream {
				body = helloStream
			}
			for _, criterion := range append(c.criteria, "http_503") {
				first, second := script(t, c.first), script(t, func(w http.ResponseWriter, r *http.Request) {
					if c.stream {
						streamed(w, r)
						return
					}
					answer(w, r)
				})
				conf := inOrder(`"`+criterion+`"`, "", []string{c.provider, "openai"}, first.server.URL, second.server.URL)
				if c.provider == "azure" {
					conf = strings.Replace(conf, `"anthropic_version"`, `"azure_instance":"i","azure_deployment_id":"d","anthropic_version"`, 1)
				}
				b := newBench(t, conf, answer)
				resp, text := b.post(body)
				rec := b.record()
				if criterion == "http_503" {
					if resp.StatusCode != c.status || second.calls.Load() != 0 || at(rec, "tried_targets.0.failover") != nil {
						t.Errorf("without its criterion: %d %s %v", resp.StatusCode, text, rec)
					}
					continue
				}
				if resp.StatusCode != 200 || second.calls.Load() != 1 || strings.Contains(text, "verload") || !strings.Contains(text, "gpt-4o") && !strings.Contains(text, "m1") {
					t.Errorf("%s: %d %s", criterion, resp.StatusCode, text)
				}
				reason, _ := at(rec, "tried_targets.0.reason").(string)
				if reason != c.reason || at(rec, "tried_targets.0.failover") != criterion || at(rec, "tried_targets.0.outcome") == "ok" || at(rec, "tried_targets.1.outcome") != "ok" {
					t.Errorf("%s: the record has %v", criterion, rec["tried_targets"])
				}
				if at(rec, "meta.outcome") != "completed" || at(rec, "usage.prompt_tokens") != 7.0 || at(rec, "meta.request_model") != "m1" {
					t.Errorf("%s: the record has %v", criterion, rec)
				}
			}
		})
	}
}

// An answer that a filter has emptied is better than the error of the last target.
func TestFilteredAnswerIsGivenWhenNobodyDoesBetter(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for _, second := range []http.HandlerFunc{status(500), status(400)} {
			body, handler := hello, replying(200, "application/json", filteredJSON)
			if stream {
				body, handler = helloStream, replyingEvents(chunk(""), filteredEnd, usageChunk, "[DONE]")
			}
			one, two := script(t, handler), script(t, second)
			b := newBench(t, inOrder(`"content_filter"`, "", []string{"openai", "openai"}, one.server.URL, two.server.URL), answer)
			resp, text := b.post(body)
			rec := b.record()
			if resp.StatusCode != 200 || !strings.Contains(text, "content_filter") || strings.Count(text, "[DONE]") != map[bool]int{true: 1}[stream] || two.calls.Load() != 1 {
				t.Errorf("stream %v: %d %s", stream, resp.StatusCode, text)
			}
			if at(rec, "meta.outcome") != "completed" || at(rec, "meta.request_model") != "m0" || at(rec, "usage.prompt_tokens").(float64) < 7 {
				t.Errorf("stream %v: record %v", stream, rec)
			}
		}
	}
}

func TestTargetsAreKeptForTheirFailures(t *testing.T) {
	tooLong := replying(400, "application/json", `{"error":{"message":"x","code":"context_length_exceeded"}}`)
	for _, c := range []struct {
		name   string
		first  http.HandlerFunc
		status int
		calls  []int32 // of the first, an ordinary second, and the one for long conversations
	}{
		{"an ordinary request", answer, 200, []int32{1, 0, 0}},
		{"a failure for which it is not kept", status(500), 200, []int32{1, 1, 0}},
		{"a long conversation", tooLong, 200, []int32{1, 0, 1}},
		{"what is no criterion", status(422), 422, []int32{1, 0, 0}},
	} {
		for _, algorithm := range []string{"priority", "round-robin"} {
			first, second, long := script(t, c.first), script(t, answer), script(t, answer)
			conf := inOrder(`"http_500","context_length","non_idempotent"`, "", []string{"openai", "openai", "openai"}, first.server.URL, second.server.URL, long.server.URL)
			conf = strings.Replace(conf, `"weight":98`, `"fallback_for":["context_length"],"weight":60000`, 1)
			conf = strings.Replace(conf, `"priority"`, `"`+algorithm+`"`, 1)
			b := newBench(t, conf, answer)
			for first.calls.Load() == 0 { // in turn
				second.calls.Store(0)
				resp, body := b.post(hello)
				<-b.records
				if first.calls.Load() > 0 && resp.StatusCode != c.status {
					t.Errorf("%s, %s: %d %s", c.name, algorithm, resp.StatusCode, body)
				}
				if first.calls.Load() == 0 && long.calls.Load() > 0 {
					t.Fatalf("%s, %s: it is used although nothing failed", c.name, algorithm)
				}
			}
			if got := []int32{first.calls.Load(), second.calls.Load(), long.calls.Load()}; !slices.Equal(got, c.calls) {
				t.Errorf("%s, %s: calls %v, want %v", c.name, algorithm, got, c.calls)
			}
		}
	}
}

// What does not go away by asking again is not asked again, however many retries
// there are.
func TestLastingFailureIsAskedOncePerTarget(t *testing.T) {
	tooLong := replying(400, "application/json", `{"error":{"message":"x","code":"context_length_exceeded"}}`)
	list, urls := several(t, tooLong, tooLong, tooLong)
	conf := strings.Replace(targetsConf(`"algorithm":"round-robin","retries":9,"failover_criteria":["context_length"]`, "", urls...), `{"route_type"`, `{"fallback_for":["context_length"],"route_type"`, 1)
	b := newBench(t, conf, answer)
	if resp, body := b.post(hello); resp.StatusCode != 400 || !strings.Contains(body, "context_length_exceeded") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	<-b.records
	if got := calls(list); !slices.Equal(got, []int{1, 1, 1}) {
		t.Errorf("calls %v", got)
	}
}

func TestStreamThatDoesNotStartIsReplaced(t *testing.T) {
	gone := make(chan time.Time, 10)
	pings := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			event(w, chunk(""))
			select {
			case <-r.Context().Done():
				gone <- time.Now()
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		gone <- time.Now()
	}
	for name, first := range map[string]http.HandlerFunc{"events without content": pings, "no header": silent} {
		one, two := script(t, first), script(t, streamed)
		b := newBench(t, inOrder(`"slow_start"`, `,"first_token_timeout":100`, []string{"openai", "openai"}, one.server.URL, two.server.URL), answer)
		machine := lateness.Start(t)
		for tries := 0; ; tries++ {
			began := time.Now()
			resp, text := b.post(helloStream)
			took := time.Since(began)
			if resp.StatusCode != 200 || strings.Count(text, "[DONE]") != 1 || took < 100*time.Millisecond || took > 15*time.Second {
				t.Errorf("%s: %d after %v: %s", name, resp.StatusCode, took, text)
			}
			rec := b.record()
			if at(rec, "tried_targets.0.outcome") != "slow_start" || at(rec, "tried_targets.0.failover") != "slow_start" || at(rec, "meta.outcome") != "completed" {
				t.Errorf("%s: record %v", name, rec)
			}
			select {
			case at := <-gone:
				if late := at.Sub(began) - 100*time.Millisecond; late > machine.Within(50*time.Millisecond) {
					t.Errorf("%s: cancelled %v late", name, late)
				}
			case <-time.After(time.Second): // on a busy machine it may be given up before it is asked
				if tries < 20 {
					continue
				}
				t.Errorf("%s: it is never cancelled", name)
			}
			break
		}
	}
}

// The last target is waited for, as is one that has begun, and an answer that is no
// stream.
func TestSlowStartIsWaitedForWithoutAlternative(t *testing.T) {
	const timeout, longer = time.Second, 1300 * time.Millisecond // a busy machine answers at once within the first
	slow := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(longer)
		streamed(w, r)
	}
	begins := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, chunk("be"))
		time.Sleep(longer)
		streamed(w, r)
	}
	slowWhole := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(longer)
		answer(w, r)
	}
	for _, c := range []struct {
		name          string
		first, second http.HandlerFunc
		body          string
		calls         int32 // of the second
		outcome       string
	}{
		{"the last one", slow, slow, helloStream, 1, "completed"},
		{"one that has begun", begins, streamed, helloStream, 0, "completed"},
		{"no stream", slowWhole, answer, hello, 0, "completed"},
		{"a refusal in time", replying(400, "application/json", `{"error":{"message":"no"}}`), streamed, helloStream, 0, "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, two := script(t, c.first), script(t, c.second)
			more := fmt.Sprint(`,"first_token_timeout":`, timeout.Milliseconds())
			b := newBench(t, inOrder(`"slow_start"`, more, []string{"openai", "openai"}, one.server.URL, two.server.URL), answer)
			b.post(c.body)
			if rec := b.record(); at(rec, "meta.outcome") != c.outcome || two.calls.Load() != c.calls {
				t.Errorf("%d calls of the second, record %v", two.calls.Load(), rec)
			}
		})
	}
}

// A revoked key is asked a few times, then seldom, and the log and the status say so.
func TestRevokedKeyIsNotAskedByEveryRequest(t *testing.T) {
	refuses := replying(401, "application/json", `{"error":{"message":"Incorrect API key provided: CANARY-KEY","code":"invalid_api_key"}}`)
	list, urls := several(t, refuses, answer)
	b := newBench(t, targetsConf(`"algorithm":"round-robin"`, "", urls...), answer)
	began := time.Now()
	for range 40 {
		b.post(hello)
		<-b.records
	}
	if got := calls(list); got[0] != 3 || got[1] != 37 {
		t.Errorf("calls %v", got)
	}
	targets := b.relay.Targets()
	if n := targets[0].CredentialsRefusedFor; n < 9999-time.Since(began).Milliseconds() || n > 10000 || targets[1].CredentialsRefusedFor != 0 || !targets[0].Available {
		t.Errorf("the status has %+v", targets)
	}
	b.mu.Lock()
	logs := b.logs.String()
	b.mu.Unlock()
	if strings.Count(logs, "refuses the target's credentials") != 1 || strings.Contains(logs, "CANARY") {
		t.Errorf("log %s", logs)
	}
}

// Where there is nobody else, the client is told what the provider says; what clients
// are to blame for does not count.
func TestKeysAreJudgedByWhatTheyAreToBlameFor(t *testing.T) {
	refuses := replying(401, "application/json", `{"error":{"message":"no","code":"invalid_api_key"}}`)
	only := script(t, refuses)
	b := newBench(t, targetsConf(`"algorithm":"round-robin"`, "", only.server.URL), answer)
	for range 10 {
		if resp, _ := b.post(hello); resp.StatusCode != 401 {
			t.Errorf("%d", resp.StatusCode)
		}
		<-b.records
	}
	for name, c := range map[string]struct {
		first http.HandlerFunc
		more  string
	}{
		"the client's own key":  {refuses, `"auth":{"header_name":"Authorization","header_value":"Bearer k","allow_override":true},`},
		"a moderated prompt":    {replying(403, "application/json", `{"error":{"message":"flagged","code":"content_filter"}}`), ""},
		"a model of others":     {replying(403, "application/json", `{"error":{"message":"no access","code":"model_not_found"}}`), ""},
		"a limit of the rate":   {status(429), ""},
		"an error of the world": {status(500), ""},
	} {
		list, urls := several(t, c.first, answer)
		b := newBench(t, strings.ReplaceAll(targetsConf(`"algorithm":"round-robin"`, "", urls...), `{"route_type"`, `{`+c.more+`"route_type"`), answer)
		for range 20 {
			b.post(hello)
			<-b.records
		}
		if got := calls(list); got[0] != 10 {
			t.Errorf("%s: calls %v", name, got)
		}
	}
}

func TestKeyThatIsAcceptedAgainIsUsedAgain(t *testing.T) {
	list, urls := several(t, answer, answer)
	b := newBench(t, targetsConf(`"algorithm":"round-robin"`, "", urls...), answer)
	long := time.Now().Add(-time.Hour)
	for range 3 {
		b.instance.balancer.Denied(0, long) // which is over by now
	}
	for range 20 {
		b.post(hello)
		<-b.records
	}
	if got := calls(list); got[0] != 10 {
		t.Errorf("calls %v", got)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !strings.Contains(b.logs.String(), "accepts the target's credentials again") {
		t.Errorf("log %s", b.logs)
	}
}

// A client that leaves while a stream does not start has left: no other target is
// asked for it.
func TestClientThatLeavesDuringASlowStartHasLeft(t *testing.T) {
	one, two := script(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), script(t, streamed)
	b := newBench(t, inOrder(`"slow_start"`, `,"first_token_timeout":60000`, []string{"openai", "openai"}, one.server.URL, two.server.URL), answer)
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "POST", b.front.URL+"/chat", strings.NewReader(helloStream))
	req.Header.Set("Content-Type", "application/json")
	go func() {
		for one.calls.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
	if rec := b.record(); at(rec, "meta.outcome") != "client_aborted" || two.calls.Load() != 0 {
		t.Errorf("record %v", rec)
	}
	var busy int64
	for i := range 2 {
		busy += b.instance.balancer.Health(i, time.Now()).InFlight
	}
	if busy != 0 {
		t.Errorf("%d attempts are counted as under way", busy)
	}
}
