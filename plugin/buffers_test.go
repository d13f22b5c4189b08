package plugin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go-ai-proxy/plugin/buffers"
)

func TestHeldFormIsNotGivenBack(t *testing.T) {
	x := &exchange{}
	x.request.body = x.buffers.Borrow(1000)
	copy(x.request.body, "the form")
	(&reading{x, &x.request}).hold()
	x.buffers.GiveBack(x.request.body)
	x.buffers.GiveBack(nil)
	for range 4 { // of whom one would get the same buffer
		copy(new(buffers.Set).Borrow(1000), "another's")
	}
	if x.request.body != nil || string(x.request.held[:8]) != "the form" {
		t.Errorf("what is held became %q", x.request.held[:8])
	}
}

// TestConcurrentClientsEachGetTheirOwnText sends prompts of many sizes at once, each its own
// text repeated, through targets of two formats of which one fails now and
// then. The provider says what it was sent.
func TestConcurrentClientsEachGetTheirOwnText(t *testing.T) {
	var turn atomic.Int32
	b := newBench(t, `{"targets":[
 {"route_type":"llm/v1/chat","weight":200,"logging":{"log_statistics":true},"model":{"provider":"openai","name":"gpt-4o","options":{"upstream_url":"$UP/openai"}}},
 {"route_type":"llm/v1/chat","weight":100,"logging":{"log_statistics":true},"model":{"provider":"anthropic","name":"claude","options":{"upstream_url":"$UP/anthropic","anthropic_version":"2023-06-01","max_tokens":100}}}],
 "balancer":{"algorithm":"priority","retries":2,"failover_criteria":["error","http_500","non_idempotent"]}}`,
		func(w http.ResponseWriter, r *http.Request) {
			var sent struct {
				Stream   bool
				Messages []struct{ Content json.RawMessage }
			}
			if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || len(sent.Messages) != 1 {
				t.Errorf("%s was sent no request: %v", r.URL.Path, err)
				return
			}
			said := string(sent.Messages[0].Content)
			w.Header().Set("Content-Type", "application/json")
			switch {
			case r.URL.Path == "/openai" && turn.Add(1)%3 == 0:
				w.WriteHeader(500)
				_, _ = io.WriteString(w, `{"error":{"message":"`+strings.Repeat("not this one ", 300)+`"}}`)
			case r.URL.Path == "/openai" && sent.Stream:
				w.Header().Set("Content-Type", "text/event-stream")
				event(w, `{"choices":[{"index":0,"delta":{"content":`+said+`}}]}`)
				event(w, finishChunk)
				event(w, "[DONE]")
			case r.URL.Path == "/openai":
				_, _ = io.WriteString(w, `{"id":"1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":`+said+`},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`)
			default:
				if said[0] == '"' {
					said = `[{"type":"text","text":` + said + `}]`
				}
				_, _ = io.WriteString(w, `{"id":"1","type":"message","role":"assistant","model":"m","content":`+said+`,"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
			}
		})
	go func() {
		for range b.records { // nobody reads them here
		}
	}()
	defer func() { b.front.Close(); close(b.records) }()
	var all sync.WaitGroup
	for worker := range 24 {
		all.Go(func() {
			for n := range 25 {
				one := fmt.Sprintf("[%d-%d]", worker, n)
				text := strings.Repeat(one, 1+(worker*31+n*977)%6000)
				resp, err := http.Post(b.front.URL, "application/json", strings.NewReader(fmt.Sprintf(`{"messages":[{"role":"user","content":%q}]}`, text)))
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 || strings.Count(string(body), one) != len(text)/len(one) || strings.Count(string(body), "[") != len(text)/len(one)+1 {
					t.Errorf("%s: %d, %d of %d times its own text in %d bytes", one, resp.StatusCode, strings.Count(string(body), one), len(text)/len(one), len(body))
				}
			}
		})
	}
	all.Wait()
}
