package plugin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/plugin/semantic/searchtest"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/ports"
)

// several are providers of a test that all answer the same way.
func several(t *testing.T, h ...http.HandlerFunc) (list []*scripted, urls []string) {
	for _, h := range h {
		s := script(t, h)
		list, urls = append(list, s), append(urls, s.server.URL)
	}
	return list, urls
}

// weighted is targetsConf with weights.
func weighted(balancer string, weights []int, urls ...string) string {
	conf := targetsConf(balancer, "", urls...)
	for _, w := range weights {
		conf = strings.Replace(conf, `{"route_type"`, fmt.Sprintf(`{"weight":%d,"route_type" `, w), 1)
	}
	return conf
}

func calls(list []*scripted) (n []int) {
	for _, s := range list {
		n = append(n, int(s.calls.Load()))
	}
	return n
}

// used answers after a while with so many prompt tokens.
func used(prompt int, after time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(after)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, strings.Replace(answerJSON, `"prompt_tokens":7`, fmt.Sprintf(`"prompt_tokens":%d`, prompt), 1))
	}
}

func TestRoundRobinSharesAreExact(t *testing.T) {
	list, urls := several(t, answer, answer, answer)
	b := newBench(t, weighted(`"algorithm":"round-robin"`, []int{70, 25, 5}, urls...), answer)
	n := 1000
	if testing.Short() {
		n = 100
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range n / 4 {
				b.post(hello)
				<-b.records
			}
		})
	}
	wg.Wait()
	if got := calls(list); got[0] != n*70/100 || got[1] != n*25/100 || got[2] != n*5/100 {
		t.Errorf("calls %v", got)
	}
}

func TestConsistentHashingFollowsTheHeadersValue(t *testing.T) {
	list, urls := several(t, answer, answer)
	b := newBench(t, targetsConf(`"algorithm":"consistent-hashing","hash_on_header":"X-Hashing-Header"`, "", urls...), answer)
	for range 20 {
		b.post(hello, "X-Hashing-Header", "same")
	}
	if got := calls(list); got[0] != 0 && got[1] != 0 {
		t.Errorf("one value went to both targets: %v", got)
	}
	for i := range 40 {
		b.post(hello, "X-Hashing-Header", fmt.Sprint("value", i))
	}
	if got := calls(list); got[0] < 5 || got[1] < 5 {
		t.Errorf("calls %v", got)
	}
}

func TestLeastConnectionsAvoidsTheSlowTarget(t *testing.T) {
	release := make(chan struct{})
	list, urls := several(t, func(w http.ResponseWriter, r *http.Request) { <-release; answer(w, r) }, answer)
	b := newBench(t, weighted(`"algorithm":"least-connections"`, []int{2, 2}, urls...), answer)
	var wg sync.WaitGroup
	wg.Go(func() { b.post(hello) }) // of equals the first: the slow one
	for list[0].calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 20 {
		b.post(hello)
		<-b.records // until then the target is busy with it
	}
	if got := calls(list); got[0] != 1 || got[1] != 20 {
		t.Errorf("calls %v", got)
	}
	close(release)
	wg.Wait()
}

func TestLowestLatencyPrefersTheFastTarget(t *testing.T) {
	n := 200
	if testing.Short() {
		n = 50
	}
	lateness.Undisturbed(t, 50*time.Millisecond, func() string {
		list, urls := several(t, used(7, 2*time.Millisecond), used(7, 400*time.Millisecond))
		b := newBench(t, targetsConf(`"algorithm":"lowest-latency","latency_strategy":"e2e"`, "", urls...), answer)
		for range n {
			b.post(hello)
			<-b.records
		}
		if got := calls(list); got[0] <= n*8/10 || got[1] == 0 {
			return fmt.Sprint("calls ", got)
		}
		return ""
	})
}

func TestLowestUsagePicksTheLeastUsedTarget(t *testing.T) {
	list, urls := several(t, used(1000, 0), used(10, 0))
	b := newBench(t, targetsConf(`"algorithm":"lowest-usage","tokens_count_strategy":"prompt-tokens"`, "", urls...), answer)
	for range 20 {
		b.post(hello)
		<-b.records
	}
	if got := calls(list); got[0] != 1 || got[1] != 19 {
		t.Errorf("calls %v: one big answer weighs more than 19 small ones", got)
	}
}

func TestLowestUsageByCost(t *testing.T) {
	list, urls := several(t, answer, answer)
	conf := targetsConf(`"algorithm":"lowest-usage","tokens_count_strategy":"cost"`, "", urls...)
	conf = strings.Replace(conf, `"options":{`, `"options":{"input_cost":100,"output_cost":100,`, 1)
	conf = strings.Replace(conf, `"m1","options":{`, `"m1","options":{"input_cost":1,"output_cost":1,`, 1)
	b := newBench(t, conf, answer)
	for range 12 {
		b.post(hello)
		<-b.records
	}
	if got := calls(list); got[0] != 1 || got[1] != 11 {
		t.Errorf("calls %v", got)
	}
}

func TestPriorityUsesLighterTargetsOnlyWhenTheHeaviestFail(t *testing.T) {
	var down atomic.Bool
	heavy := func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			status(503)(w, r)
			return
		}
		answer(w, r)
	}
	list, urls := several(t, heavy, heavy, answer)
	b := newBench(t, weighted(retryAll, []int{70, 70, 25}, urls...), answer)
	for range 10 {
		b.post(hello)
	}
	if got := calls(list); got[0] != 5 || got[1] != 5 || got[2] != 0 {
		t.Errorf("healthy: calls %v", got)
	}
	down.Store(true)
	if resp, body := b.post(hello); resp.StatusCode != 200 || list[2].calls.Load() != 1 {
		t.Errorf("%d %s, calls %v", resp.StatusCode, body, calls(list))
	}
}

// embedText is an embedding model of three dimensions: code, poems, the rest.
func embedText(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	text := string(body)
	v := [3]float64{.01, .01, .01}
	for i, words := range [][]string{{"code", "function"}, {"poem", "rhyme"}, {"weather", "football"}} {
		for _, word := range words {
			v[i] += float64(strings.Count(text, word))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[%v,%v,%v]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":3,"total_tokens":3}}`, v[0], v[1], v[2])
}

// semanticConf is a configuration of semantic targets; the embedding model is at $UP.
func semanticConf(redisPort int, threshold string, targets ...string) string {
	return fmt.Sprintf(`{"__plugin_id":"p-semantic","balancer":{"algorithm":"semantic","retries":2,"failover_criteria":["error","timeout","http_503","non_idempotent"]},
	"embeddings":{"auth":{"header_name":"Authorization","header_value":"Bearer EMBED-KEY"},"model":{"provider":"openai","name":"text-embedding-3-small","options":{"upstream_url":"$UP/v1/embeddings"}}},
	"vectordb":{"strategy":"redis","dimensions":3,"distance_metric":"cosine",%s"redis":{"host":"127.0.0.1","port":%d,"connect_timeout":20000,"read_timeout":20000}},
	"targets":[%s]}`, threshold, redisPort, strings.Join(targets, ","))
}

func described(name, description, url string, weight int) string {
	return fmt.Sprintf(`{"route_type":"llm/v1/chat","weight":%d,"description":%q,"logging":{"log_statistics":true},"model":{"provider":"openai","name":%q,"options":{"upstream_url":"%s/v1"}}}`, weight, description, name, url)
}

func about(text string) string {
	return `{"messages":[{"role":"system","content":"poem poem poem poem"},{"role":"user","content":"` + text + `"}]}`
}

func TestSemanticRoutingPicksTheTargetWithTheClosestDescription(t *testing.T) {
	redis := searchtest.New(t)
	list, urls := several(t, answer, answer, answer)
	b := newBench(t, semanticConf(redis.Port(), `"threshold":0.4,`,
		described("coder", "code function", urls[0], 10), described("poet", "poem rhyme", urls[1], 10), described("any", "CATCHALL", urls[2], 10)),
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/embeddings" || r.Header.Get("Authorization") != "Bearer EMBED-KEY" {
				t.Errorf("embeddings: %s %v", r.URL.Path, r.Header)
			}
			embedText(w, r)
		})
	for text, want := range map[string]int{"write CANARY-PROMPT code for a function": 0, "a rhyme please": 1, "football and weather": 2} {
		before := calls(list)
		resp, body := b.post(about(text))
		if resp.StatusCode != 200 || calls(list)[want] != before[want]+1 {
			t.Fatalf("%q: %d %s, calls %v", text, resp.StatusCode, body, calls(list))
		}
		rec := b.record()
		if at(rec, "meta.warnings") != nil || !strings.Contains(fmt.Sprint(at(rec, "meta.reason")), "distance") || at(rec, "meta.algorithm") != "semantic" {
			t.Errorf("%q: record %v", text, rec)
		}
		if strings.Contains(fmt.Sprint(rec), "CANARY") {
			t.Error("the prompt is in the record")
		}
	}
	if redis.Count("FT.SEARCH") != 3 {
		t.Errorf("%d searches", redis.Count("FT.SEARCH"))
	}
	sent := b.upstreamBodies()
	if len(sent) != 5 || !strings.Contains(strings.Join(sent, "\n"), `"dimensions":3`) || !strings.Contains(sent[0], `"model":"text-embedding-3-small"`) {
		t.Errorf("sent to the embedding model: %v", sent)
	}
	b.post(about("a rhyme please"))
	if n := len(b.upstreamBodies()); n != 5 {
		t.Errorf("a prompt was embedded again: %d calls", n)
	}
}

func TestSemanticGroupFallsBackToItsLighterTarget(t *testing.T) {
	redis := searchtest.New(t)
	list, urls := several(t, status(503), answer, answer)
	b := newBench(t, semanticConf(redis.Port(), `"threshold":0.4,`,
		described("heavy", "code function", urls[0], 75), described("light", "code function", urls[1], 25), described("poet", "poem", urls[2], 100)), embedText)
	resp, body := b.post(about("code"))
	if got := calls(list); resp.StatusCode != 200 || got[0] != 1 || got[1] != 1 || got[2] != 0 {
		t.Errorf("%d %s, calls %v", resp.StatusCode, body, got)
	}
	if rec := b.record(); at(rec, "tried_targets.1.model") != "light" {
		t.Errorf("record %v", rec)
	}
}

func TestSemanticRoutingWorksWithoutItsDatabase(t *testing.T) {
	redis := searchtest.New(t)
	redis.Kill()
	list, urls := several(t, answer, answer)
	b := newBench(t, semanticConf(redis.Port(), "", described("coder", "code", urls[0], 10), described("poet", "poem", urls[1], 10)), embedText)
	for range 3 {
		b.post(about("a poem"))
		if rec := b.record(); !strings.Contains(fmt.Sprint(at(rec, "meta.warnings")), "compared in memory") {
			t.Errorf("record %v", rec)
		}
	}
	if got := calls(list); got[0] != 0 || got[1] != 3 {
		t.Errorf("calls %v", got)
	}
}

func TestSemanticRoutingWithoutEmbeddingsUsesTheWeights(t *testing.T) {
	redis := searchtest.New(t)
	list, urls := several(t, answer, answer)
	b := newBench(t, semanticConf(redis.Port(), "", described("coder", "code", urls[0], 30), described("poet", "poem", urls[1], 10)), status(500))
	for range 8 {
		if resp, body := b.post(about("a poem")); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		rec := b.record()
		if warnings := fmt.Sprint(at(rec, "meta.warnings")); !strings.Contains(warnings, "status 500") || !strings.Contains(warnings, "by weight") {
			t.Errorf("record %v", rec)
		}
	}
	if got := calls(list); got[0] != 6 || got[1] != 2 {
		t.Errorf("calls %v", got)
	}
	if strings.Contains(b.logs.String(), "EMBED-KEY") {
		t.Error("a key is in the log")
	}
}

func TestSemanticRoutingIsReadyRightAfterAReload(t *testing.T) {
	redis := searchtest.New(t)
	list, urls := several(t, answer, answer)
	conf := semanticConf(redis.Port(), "", described("coder", "code", urls[0], 10), described("poet", "poem", urls[1], 10))
	b := newBench(t, conf, embedText)
	b.post(about("a poem"))
	embedded := len(b.upstreamBodies())
	again, err := b.relay.NewInstance([]byte(strings.ReplaceAll(conf, "$UP", b.up.URL)))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	status, rec := b.serve(again, about("a poem"), nil)
	if status != 200 || len(rec.Data().Warnings) > 0 || list[1].calls.Load() != 2 || len(b.upstreamBodies()) != embedded {
		t.Errorf("%d %v, calls %v, %d embeddings", status, rec.Data().Warnings, calls(list), len(b.upstreamBodies()))
	}
}

func TestModelOtherThanTheOnlyTargetsIsRefused(t *testing.T) {
	_, urls := several(t, answer)
	b := newBench(t, targetsConf(`"algorithm":"round-robin"`, "", urls...), answer)
	if resp, body := b.post(`{"model":"other","messages":[{"role":"user","content":"x"}]}`); resp.StatusCode != 400 || !strings.Contains(body, "cannot use own model - must be: m0") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestIdempotentMethodsAreRepeatedWithoutNonIdempotent(t *testing.T) {
	list, urls := several(t, status(429), answer)
	b := newBench(t, weighted(`"algorithm":"priority","failover_criteria":["http_429"]`, []int{200, 100}, urls...), answer)
	req, _ := http.NewRequest("PUT", b.front.URL+"/chat", strings.NewReader(hello))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := calls(list); resp.StatusCode != 200 || got[1] != 1 {
		t.Errorf("%d, calls %v", resp.StatusCode, got)
	}
}

const claude = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"from the other"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":3}}`

const converse = `{"output":{"message":{"role":"assistant","content":[{"text":"from the other"}]}},"stopReason":"end_turn","usage":{"inputTokens":5,"outputTokens":3,"totalTokens":8},"metrics":{"latencyMs":1}}`

func TestFailoverTranslatesForTheNextProvider(t *testing.T) {
	for name, c := range map[string]struct {
		model, auth, answer string
		check               func(t *testing.T, r *http.Request, body string)
	}{
		"anthropic": {`{"provider":"anthropic","name":"claude-x","options":{"anthropic_version":"2023-06-01","max_tokens":64,"upstream_url":"$UP"}}`,
			`{"header_name":"x-api-key","header_value":"A-KEY"}`, claude,
			func(t *testing.T, r *http.Request, body string) {
				if r.Header.Get("X-Api-Key") != "A-KEY" || r.Header.Get("Authorization") != "" || !strings.Contains(body, `"max_tokens":64`) {
					t.Errorf("%v %s", r.Header, body)
				}
			}},
		"P296 bedrock": {`{"provider":"bedrock","name":"anthropic.claude-x","options":{"bedrock":{"aws_region":"eu-west-1"},"upstream_url":"$UP"}}`,
			`{"aws_access_key_id":"AKIDEXAMPLE","aws_secret_access_key":"secret"}`, converse,
			func(t *testing.T, r *http.Request, body string) {
				auth := r.Header.Get("Authorization")
				if !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(auth, "/eu-west-1/bedrock/aws4_request") || !strings.Contains(auth, "Signature=") {
					t.Errorf("authorization %q", auth)
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			first := script(t, status(500))
			b := newBench(t, fmt.Sprintf(`{"balancer":{"algorithm":"priority","failover_criteria":["http_500","non_idempotent"]},"targets":[
			{"route_type":"llm/v1/chat","weight":200,"auth":{"header_name":"Authorization","header_value":"Bearer O-KEY"},"logging":{"log_statistics":true},"model":{"provider":"openai","name":"gpt-4o","options":{"temperature":0.5,"upstream_url":"%s"}}},
			{"route_type":"llm/v1/chat","auth":%s,"logging":{"log_statistics":true},"model":%s}]}`, first.server.URL, c.auth, c.model),
				func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					io.WriteString(w, c.answer)
				})
			resp, body := b.post(`{"messages":[{"role":"user","content":"hi"}]}`)
			if resp.StatusCode != 200 || !strings.Contains(body, `"content":"from the other"`) || !strings.Contains(body, `"object":"chat.completion"`) {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			sent := b.upstreamBodies()[0]
			if strings.Contains(sent, "gpt-4o") || strings.Contains(sent, "0.5") || !strings.Contains(sent, `hi`) {
				t.Errorf("the first attempt leaked into the second: %s", sent)
			}
			b.mu.Lock()
			c.check(t, b.seen[0], sent)
			b.mu.Unlock()
			rec := b.record()
			if at(rec, "usage.prompt_tokens") != 5.0 || at(rec, "meta.provider_name") != strings.TrimPrefix(name, "P296 ") || at(rec, "tried_targets.0.outcome") != "http_500" {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestBreakerCountsFailuresInTotal(t *testing.T) {
	answers := make(chan int, 10)
	list, urls := several(t, func(w http.ResponseWriter, r *http.Request) {
		if code := <-answers; code != 200 {
			status(code)(w, r)
			return
		}
		answer(w, r)
	})
	b := newBench(t, targetsConf(`"retries":0,"max_fails":3,"fail_timeout":10000,"failover_criteria":["http_500","http_404","non_idempotent"]`, "", urls...), answer)
	for _, code := range []int{404, 404, 404, 404, 404, 500, 500, 200, 500} { // P299: 404 never counts
		answers <- code
		if resp, body := b.post(hello); resp.StatusCode != code {
			t.Fatalf("%d %s, want %d", resp.StatusCode, body, code)
		}
		<-b.records // it is counted after the answer
	}
	if resp, body := b.post(hello); resp.StatusCode != 503 || !strings.Contains(body, "No available targets") || list[0].calls.Load() != 9 {
		t.Errorf("%d %s after %d calls", resp.StatusCode, body, list[0].calls.Load())
	}
}

func TestLowestLatencyServesASingleTarget(t *testing.T) {
	_, urls := several(t, answer)
	b := newBench(t, targetsConf(`"algorithm":"lowest-latency"`, "", urls...), answer)
	for range 3 {
		if resp, body := b.post(hello); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
}

func TestPriorityTriesEachTargetOnceAndStops(t *testing.T) {
	list, urls := several(t, status(500), status(500), status(503))
	b := newBench(t, weighted(strings.Replace(retryAll, `"retries":3`, `"retries":10`, 1), []int{70, 70, 25}, urls...), answer)
	resp, body := b.post(hello)
	if got := calls(list); resp.StatusCode != 503 || got[0] != 1 || got[1] != 1 || got[2] != 1 {
		t.Errorf("%d %s, calls %v", resp.StatusCode, body, got)
	}
}

func TestConsumerThatIsNotAllowedIsRefused(t *testing.T) {
	_, urls := several(t, answer)
	b := newBench(t, targetsConf(`"algorithm":"round-robin"`, `"acls":{"allow":[{"match":[{"type":"consumer","values":["a"]}]}]},`, urls...), answer)
	inst, err := b.relay.NewInstance([]byte(targetsConf(`"algorithm":"round-robin"`, `"acls":{"allow":[{"match":[{"type":"consumer","values":["a"]}]}]},`, urls...)))
	if err != nil {
		t.Fatal(err)
	}
	defer inst.Close()
	for consumer, want := range map[string]int{"a": 200, "b": 403, "": 403} {
		status, _ := b.serve(inst, hello, func(in *wire.Inbound) { in.Kong.Consumer.Username = consumer })
		if status != want {
			t.Errorf("consumer %q: %d", consumer, status)
		}
	}
}

func TestTriedTargetsNameTheAddressOfEachAttempt(t *testing.T) {
	list, urls := several(t, answer)
	b := newBench(t, targetsConf(`"algorithm":"round-robin"`, "", urls...), answer)
	b.post(hello)
	tried, _ := at(b.record(), "tried_targets.0").(map[string]any)
	host := strings.TrimPrefix(list[0].server.URL, "http://127.0.0.1:")
	for key, want := range map[string]any{"provider": "openai", "model": "m0", "route_type": "llm/v1/chat", "host": "127.0.0.1",
		"ip": "127.0.0.1", "upstream_scheme": "http", "upstream_uri": "/v1"} {
		if tried[key] != want {
			t.Errorf("%s: %v, want %v", key, tried[key], want)
		}
	}
	if fmt.Sprint(tried["port"]) != host {
		t.Errorf("port %v", tried["port"])
	}
}

func TestTwoTargetsAlternateWhenNoModelIsNamed(t *testing.T) {
	list, urls := several(t, answer, answer)
	b := newBench(t, targetsConf(`"algorithm":"round-robin"`, "", urls...), answer)
	for range 4 {
		b.post(hello)
	}
	if got := calls(list); got[0] != 2 || got[1] != 2 {
		t.Errorf("calls %v", got)
	}
}

func TestNextTargetAnswersWhenCredentialsFail(t *testing.T) {
	refused := httptest.NewServer(http.HandlerFunc(status(500)))
	defer refused.Close()
	second := script(t, answer)
	b := newBench(t, fmt.Sprintf(`{"balancer":{"algorithm":"priority"},"targets":[
	{"route_type":"llm/v1/chat","weight":200,"auth":{"gcp_use_service_account":true,"gcp_metadata_url":"%s"},"model":{"provider":"gemini","name":"g","options":{"gemini":{"api_endpoint":"x.example","project_id":"p","location_id":"l"}}}},
	{"route_type":"llm/v1/chat","logging":{"log_statistics":true},"model":{"provider":"openai","name":"m1","options":{"upstream_url":"%s"}}}]}`, refused.URL, second.server.URL), answer)
	if resp, body := b.post(hello); resp.StatusCode != 200 || second.calls.Load() != 1 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestStreamThatBreaksOffCountsAsFailure(t *testing.T) {
	a := script(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, chunk("he"))
		panic(http.ErrAbortHandler)
	})
	b := newBench(t, targetsConf(`"max_fails":2,"fail_timeout":10000`, "", a.server.URL), answer)
	for range 2 {
		if _, body := b.post(helloStream); !strings.Contains(body, `"error"`) {
			t.Fatalf("body %s", body)
		}
		<-b.records // it is counted after the answer
	}
	if resp, _ := b.post(helloStream); resp.StatusCode != 503 || a.calls.Load() != 2 {
		t.Errorf("%d after %d calls", resp.StatusCode, a.calls.Load())
	}
}

func TestRecordNamesTheTargetWhoseErrorIsDelivered(t *testing.T) {
	first := script(t, status(503))
	b := newBench(t, weighted(retryAll, []int{200, 100}, first.server.URL, "http://"+ports.Dead), answer)
	resp, body := b.post(hello)
	rec := b.record()
	if resp.StatusCode != 503 || !strings.Contains(body, "status 503") || at(rec, "meta.request_model") != "m0" || at(rec, "usage.prompt_tokens") != 0.0 {
		t.Errorf("%d %s, record %v", resp.StatusCode, body, rec)
	}
	if at(rec, "tried_targets.1.outcome") != "error" {
		t.Errorf("record %v", rec)
	}
}
