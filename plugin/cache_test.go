package plugin

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
)

const cold = `{"temperature":0,"messages":[{"role":"user","content":"CANARY-PROMPT hello"}]}`

// cacheConf is a configuration that keeps answers.
func cacheConf(more, url string) string {
	conf := targetsConf(`"retries":0`, `"response_cache":{"ttl":60`+more+`},`, url)
	return strings.Replace(conf, `"options":{`, `"options":{"input_cost":1000,"output_cost":1000,`, 1)
}

func TestRepeatedRequestIsAnsweredFromTheCache(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		headers             []string
		more                string
		want                string
	}{
		{"the same", cold, cold, nil, "", "hit"},
		{"written in another way", cold, `{ "messages" : [ {"role":"user", "content":"CANARY-PROMPT hello"} ] , "temperature":0, "user":"another", "metadata":{"a":"b"}}`, nil, "", "hit"},
		{"a stream", strings.Replace(cold, "{", `{"stream":true,`, 1), strings.Replace(cold, "{", `{"stream":true,`, 1), nil, "", "hit"},
		{"a stream for a whole answer", cold, strings.Replace(cold, "{", `{"stream":true,`, 1), nil, "", "miss"},
		{"another prompt", cold, strings.Replace(cold, "hello", "bye", 1), nil, "", "miss"},
		{"another setting", cold, strings.Replace(cold, "{", `{"max_tokens":5,`, 1), nil, "", "miss"},
		{"a temperature", hello, hello, nil, "", "bypass"},
		{"a temperature, where that is wanted", hello, hello, nil, `,"any_temperature":true`, "hit"},
		{"no-store", cold, cold, []string{"Cache-Control", "no-store"}, "", "bypass"},
		{"no-cache", cold, cold, []string{"Cache-Control", "no-cache"}, "", "bypass"},
		{"a function", strings.Replace(cold, "{", `{"tools":[{"type":"function","function":{"name":"f"}}],`, 1), strings.Replace(cold, "{", `{"tools":[{"type":"function","function":{"name":"f"}}],`, 1), nil, "", "hit"},
		{"a search on the web", strings.Replace(cold, "{", `{"web_search_options":{},`, 1), strings.Replace(cold, "{", `{"web_search_options":{},`, 1), nil, "", "bypass"},
		{"a stored answer", strings.Replace(cold, "{", `{"store":true,`, 1), strings.Replace(cold, "{", `{"store":true,`, 1), nil, "", "bypass"},
		{"another's key", cold, cold, []string{"Authorization", "Bearer other"}, "", "miss"},
		{"another's key, shared by all", cold, cold, []string{"Authorization", "Bearer other"}, `,"per":[]`, "hit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, cacheConf(c.more, "$UP"), answer)
			first, text := b.post(c.first)
			b.record()
			again, repeated := b.post(c.second, c.headers...)
			rec := b.record()
			if got := again.Header.Get("X-Kong-LLM-Cache"); got != c.want || at(rec, "meta.response_cache") != c.want {
				t.Fatalf("%q, record %v, want %s (first %q)", got, at(rec, "meta.response_cache"), c.want, first.Header.Get("X-Kong-LLM-Cache"))
			}
			calls := len(b.upstreamBodies())
			if c.want != "hit" {
				if calls != 2 || at(rec, "usage.saved") != nil {
					t.Errorf("%d calls, saved %v", calls, at(rec, "usage.saved"))
				}
				return
			}
			if calls != 1 || repeated != text || again.StatusCode != 200 || again.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
				t.Errorf("%d calls; %d %v\n got %s\nwant %s", calls, again.StatusCode, again.Header, repeated, text)
			}
			if at(rec, "usage.cost") != 0.0 || at(rec, "usage.prompt_tokens") != 0.0 || at(rec, "usage.saved.prompt_tokens") != 7.0 || at(rec, "usage.saved.cost") == 0.0 ||
				at(rec, "meta.outcome") != "completed" || at(rec, "meta.request_model") != "m0" || rec["tried_targets"] != nil {
				t.Errorf("record %v", rec)
			}
		})
	}
}

func TestErrorsAndBrokenAnswersAreNotKept(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"an error": status(500),
		"a stream that breaks off": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			event(w, chunk("half"))
			panic(http.ErrAbortHandler)
		},
		"a stream with an error": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			event(w, chunk("half"))
			event(w, `{"error":{"message":"overloaded"}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, cacheConf("", "$UP"), h)
			for range 2 {
				resp, _ := b.post(strings.Replace(cold, "{", `{"stream":true,`, 1))
				b.record()
				if got := resp.Header.Get("X-Kong-LLM-Cache"); got == "hit" {
					t.Error("it was kept")
				}
			}
		})
	}
}

func TestConsumersDoNotGetEachOthersAnswers(t *testing.T) {
	for _, c := range []struct {
		more string
		want [3]string // of alice, alice again, bob
	}{
		{"", [3]string{"miss", "hit", "miss"}},
		{`,"per":["consumer"]`, [3]string{"miss", "hit", "miss"}},
		{`,"per":["consumer_group"]`, [3]string{"miss", "hit", "hit"}},
		{`,"per":[]`, [3]string{"miss", "hit", "hit"}},
	} {
		b := newBench(t, cacheConf(c.more, "$UP"), answer)
		for i, who := range []string{"alice", "alice", "bob"} {
			_, rec := b.serve(b.instance, cold, func(in *wire.Inbound) {
				in.Kong.Consumer = wire.Consumer{ID: who}
				in.Kong.Groups = []string{"team"}
			})
			if got := rec.Data().ResponseCache; got != c.want[i] {
				t.Errorf("%s: request %d of %s is a %s, want %s", c.more, i+1, who, got, c.want[i])
			}
		}
	}
}

func TestRoutesDoNotGetEachOthersAnswers(t *testing.T) {
	b := newBench(t, cacheConf("", "$UP"), answer)
	for i, route := range []string{"a", "b", "a"} {
		_, rec := b.serve(b.instance, cold, func(in *wire.Inbound) { in.Kong.Route = route })
		if got, want := rec.Data().ResponseCache, []string{"miss", "miss", "hit"}[i]; got != want {
			t.Errorf("route %s: %s, want %s", route, got, want)
		}
	}
}

func TestTargetsTemperatureDecidesWhatIsKept(t *testing.T) {
	for own, want := range map[string]string{"0": "hit", "0.5": "bypass"} {
		conf := strings.Replace(cacheConf("", "$UP"), `"options":{`, `"options":{"temperature":`+own+`,`, 1)
		b := newBench(t, conf, answer)
		var got string
		for range 2 {
			resp, _ := b.post(hello)
			b.record()
			got = resp.Header.Get("X-Kong-LLM-Cache")
		}
		if got != want {
			t.Errorf("temperature %s: %s, want %s", own, got, want)
		}
	}
}

func TestResponseCacheWithoutEffectGetsAWarning(t *testing.T) {
	for conf, want := range map[string]string{
		`{"response_cache":{"ttl":60,"redis":true},"route_type":"llm/v1/chat","model":{"provider":"openai","name":"m"}}`:    "config.response_cache.redis",
		`{"response_cache":{"ttl":60},"route_type":"image/v1/images/generations","model":{"provider":"openai","name":"m"}}`: "config.response_cache",
		`{"response_cache":{"ttl":60},"route_type":"llm/v1/chat","model":{"provider":"openai","name":"m"}}`:                 "",
	} {
		got := ""
		for _, w := range newBench(t, conf, answer).instance.Warnings() {
			if strings.HasPrefix(w.Field, "config.response_cache") {
				got = w.Field
			}
		}
		if got != want {
			t.Errorf("%s: warning of %q, want %q", conf, got, want)
		}
	}
}

func TestHedgedAnswersAreKept(t *testing.T) {
	var n atomic.Int32
	lazy := func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Second):
			}
		}
		answer(w, r)
	}
	_, urls := several(t, lazy, lazy)
	b := newBench(t, targetsConf(`"retries":1,"hedge":{"after":"20ms","budget":"100%"}`, `"response_cache":{"ttl":60},`, urls...), answer)
	for i, want := range []string{"miss", "hit"} {
		resp, text := b.post(cold)
		rec := b.record()
		if got := resp.Header.Get("X-Kong-LLM-Cache"); got != want || at(rec, "meta.response_cache") != want || !strings.Contains(text, "choices") {
			t.Errorf("request %d: %q, record %v, want %s: %s", i, got, rec["meta"], want, text)
		}
	}
	if n.Load() != 2 {
		t.Errorf("%d calls", n.Load())
	}
}

// announced keeps the records as they were when their answers began, as Kong gets them.
type announced struct{ records []record.Data }

func (a *announced) Begin(*record.Record) {}

func (a *announced) Announce(_ http.Header, rec *record.Record) {
	a.records = append(a.records, rec.Data())
}

func (a *announced) Settle(*record.Record) {}

func TestRecordThatGoesWithAKeptAnswerSaysSo(t *testing.T) {
	b := newBench(t, cacheConf("", "$UP"), answer)
	live, served := &announced{}, make(chan bool, 2)
	front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
		in := x.Inbound()
		b.relay.Serve(x.Context(), b.instance, &in, x, live)
		served <- true // and kept
	}))
	defer front.Close()
	for i, want := range []string{"miss", "hit"} {
		resp, err := http.Post(front.URL+"/v1/chat/completions", "application/json", strings.NewReader(cold))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		<-served
		if d := live.records[i]; d.ResponseCache != want || d.Outcome != record.Completed || (d.Saved != nil && d.Saved.Usage.Prompt == 7) != (want == "hit") {
			t.Errorf("request %d: %q, %s, saved %+v", i, d.ResponseCache, d.Outcome, d.Saved)
		}
	}
}

func TestNothingIsSaidOfACacheThatIsNotConfigured(t *testing.T) {
	b := newBench(t, targetsConf(`"retries":0`, "", "$UP"), answer)
	resp, _ := b.post(cold)
	if rec := b.record(); resp.Header.Get("X-Kong-LLM-Cache") != "" || at(rec, "meta.response_cache") != nil {
		t.Errorf("%v, %v", resp.Header, rec)
	}
}

// TestAmongFailingTargetsOnlyWholeAnswersAreKept is the chaos run with answers kept: all
// requests are the same, so that after the first whole answer no target is asked again.
func TestAmongFailingTargetsOnlyWholeAnswersAreKept(t *testing.T) {
	var n atomic.Int32
	b := newBench(t, cacheConf("", "$UP"), func(w http.ResponseWriter, r *http.Request) {
		switch i := int(n.Add(1)); {
		case i%3 == 1:
			status(500)(w, r)
		case i%3 == 2:
			dies(w, r, i, true)
		default:
			well(w, r, i, true)
		}
	})
	body := strings.Replace(cold, "{", `{"stream":true,`, 1)
	hits := 0
	for i := range 200 {
		resp, text := b.post(body)
		rec := b.record()
		if state := resp.Header.Get("X-Kong-LLM-Cache"); state == "hit" {
			hits++
			if !strings.Contains(text, "[DONE]") || at(rec, "meta.outcome") != "completed" {
				t.Errorf("request %d: a hit that is not whole: %s", i, text)
			}
		}
	}
	if hits != 197 || n.Load() != 3 {
		t.Errorf("%d hits, %d calls", hits, n.Load())
	}
}

// TestRepeatedRequestsAreFasterAndCheaper prints the figures of docs/response-cache.md.
func TestRepeatedRequestsAreFasterAndCheaper(t *testing.T) {
	slow := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		answer(w, r)
	}
	t.Log("| | calls of the provider | cost | mean time |")
	for _, c := range []struct{ name, conf string }{
		{"off", strings.Replace(cacheConf("", "$UP"), `"response_cache":{"ttl":60},`, "", 1)},
		{"on", cacheConf("", "$UP")},
	} {
		b := newBench(t, c.conf, slow)
		cost, began := 0.0, time.Now()
		for i := range 200 { // 20 questions, ten times each
			b.post(strings.Replace(cold, "hello", fmt.Sprint("question ", i%20), 1))
			cost += at(b.record(), "usage.cost").(float64)
		}
		calls := len(b.upstreamBodies())
		t.Logf("| %s | %d | %.2f | %.1f ms |", c.name, calls, cost, float64(time.Since(began).Microseconds())/200/1000)
		if want := map[string]int{"off": 200, "on": 20}[c.name]; calls != want {
			t.Errorf("%d calls, want %d", calls, want)
		}
	}
}
