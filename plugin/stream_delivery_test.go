package plugin

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/translators/origin"
)

// advanced is a plugin with one target of a route type, that may fail over.
func advanced(route, provider, options, balancer, more string) string {
	return `{` + more + `"balancer":{` + balancer + `},"targets":[{"route_type":"` + route + `","logging":{"log_statistics":true},
	 "model":{"provider":"` + provider + `","name":"m","options":{` + options + `}}}]}`
}

const failsOver = `"failover_criteria":["error","timeout","non_idempotent"]`

func TestStreamWithoutContentArrivesWhole(t *testing.T) {
	for _, c := range []struct{ name, conf, path, body, stream string }{
		{"a run of an assistant", advanced("llm/v1/assistants", "openai", "", failsOver, ""), "/threads/thread_1/runs", `{"assistant_id":"a","stream":true}`,
			"event: thread.run.created\ndata: {\"id\":\"run_1\"}\n\nevent: thread.run.completed\ndata: {\"id\":\"run_1\",\"status\":\"completed\"}\n\nevent: done\ndata: [DONE]\n\n"},
		{"a response that says nothing", advanced("llm/v1/responses", "openai", "", failsOver, ""), "/responses", `{"input":"x","stream":true}`,
			"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"output\":[]}}\n\n"},
		{"a message that says nothing", advanced("llm/v1/chat", "anthropic", `"anthropic_version":"2023-06-01"`, failsOver, `"llm_format":"anthropic",`), "/v1/messages", `{"max_tokens":5,"messages":[{"role":"user","content":"x"}],"stream":true}`,
			"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[]}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.conf, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, c.stream)
			}).elsewhere()
			if resp, body := b.send("POST", c.path, asJSON, c.body); resp.StatusCode != 200 || body != c.stream || resp.Header.Get("Content-Type") != "text/event-stream" {
				t.Errorf("%d %v\n got %q\nwant %q", resp.StatusCode, resp.Header, body, c.stream)
			}
		})
	}
}

// Codex on Azure that fails over to OpenAI: what Azure sealed comes back with a mark.
func TestSealedReasoningIsMarkedInAStreamOfTheSameFormat(t *testing.T) {
	const sealed = "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"reasoning\",\"encrypted_content\":\"Z0FBQUE=\"}}\n\n"
	const rest = "event: response.completed\ndata: {\"type\":\"response.completed\", \"response\":{\"output\":[]}}\n\n"
	for name, marked := range map[string]bool{"openai": false, "xai": true} {
		b := newBench(t, advanced("llm/v1/responses", name, "", failsOver, ""), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, sealed+rest)
		}).elsewhere()
		resp, body := b.send("POST", "/responses", asJSON, `{"input":"x","stream":true}`)
		if resp.StatusCode != 200 || strings.Contains(body, origin.Prefix) != marked || !marked && body != sealed+rest || !strings.HasSuffix(body, rest) {
			t.Errorf("%s: %d %q", name, resp.StatusCode, body)
		}
	}
}

// What another target would not be asked again for is not held back for it.
func TestStreamStartsAtOnceWhenNoOtherTargetCanTakeOver(t *testing.T) {
	created := "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"}}\n\n"
	for balancer, held := range map[string]bool{``: false, `"failover_criteria":["error","http_500"]`: false, failsOver: true} {
		next := make(chan struct{})
		b := newBench(t, advanced("llm/v1/responses", "openai", "", balancer, ""), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, created)
			w.(http.Flusher).Flush()
			<-next
			io.WriteString(w, "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n")
		}).elsewhere()
		first := make(chan string, 1)
		go func() {
			resp, err := http.Post(b.front.URL+"/responses", asJSON, strings.NewReader(`{"input":"x","stream":true}`))
			if err != nil {
				first <- fmt.Sprint(err)
				return
			}
			defer resp.Body.Close()
			first <- readUntil(resp.Body, "\n\n")
			io.Copy(io.Discard, resp.Body)
		}()
		wait := 20 * time.Second
		if held {
			wait = 300 * time.Millisecond
		}
		select {
		case got := <-first:
			if held || got != created {
				t.Errorf("{%s}: got %q before there was content", balancer, got)
			}
		case <-time.After(wait):
			if !held {
				t.Errorf("{%s}: the first event is held back", balancer)
			}
		}
		close(next)
	}
}

// readUntil returns what comes until it contains what is waited for, or ends.
func readUntil(r io.Reader, what string) (came string) {
	buf := make([]byte, 1<<10)
	for !strings.Contains(came, what) {
		n, err := r.Read(buf)
		if came += string(buf[:n]); err != nil {
			break
		}
	}
	return came
}

func TestAssistantRunArrivesEventByEvent(t *testing.T) {
	next := make(chan struct{})
	b := newBench(t, advanced("llm/v1/assistants", "openai", "", failsOver, ""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "event: thread.run.created\ndata: {\"id\":\"run_1\"}\n\nevent: thread.message.delta\ndata: {\"delta\":{\"content\":[{\"text\":{\"value\":\"hi\"}}]}}\n\n")
		w.(http.Flusher).Flush()
		<-next
		io.WriteString(w, "event: done\ndata: [DONE]\n\n")
	}).elsewhere()
	resp, err := http.Post(b.front.URL+"/threads/t/runs", asJSON, strings.NewReader(`{"assistant_id":"a","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	came := readUntil(resp.Body, `"hi"`)
	close(next)
	if !strings.Contains(came, "thread.message.delta") {
		t.Errorf("first came %q", came)
	}
}

// follower is a Kong that asks for a record while its request is served.
type follower struct{ record chan *record.Record }

func (f follower) Begin(rec *record.Record)             { f.record <- rec }
func (f follower) Announce(http.Header, *record.Record) {}
func (f follower) Settle(*record.Record)                {}

// A client that leaves has its record asked for before the relay knows.
func TestRecordOfAStreamHasWhatWasCountedSoFar(t *testing.T) {
	for name, c := range map[string]struct{ provider, options, stream, want string }{
		"in the same format": {"openai", "", `data: {"choices":[{"delta":{"content":"hi"}}],"usage":{"prompt_tokens":7,"completion_tokens":1,"total_tokens":8}}` + "\n\n", `"prompt_tokens":7,"completion_tokens":1`},
		"translated":         {"anthropic", `"anthropic_version":"2023-06-01"`, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n", `"prompt_tokens":7,"completion_tokens":1`},
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{})
			b := newBench(t, advanced("llm/v1/chat", c.provider, c.options, "", ""), func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, c.stream)
				w.(http.Flusher).Flush()
				<-next
			}).elsewhere()
			live := follower{make(chan *record.Record, 1)}
			front := enginetest.NewServer(engine.HandlerFunc(func(x *engine.Exchange) {
				in := x.Inbound()
				b.relay.Serve(x.Context(), b.instance, &in, x, live)
			}))
			defer front.Close()
			defer close(next)
			resp, err := http.Post(front.URL+"/chat", asJSON, strings.NewReader(`{"messages":[{"role":"user","content":"x"}],"stream":true}`))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if came := readUntil(resp.Body, `"hi"`); !strings.Contains(came, `"hi"`) {
				t.Fatalf("%q", came)
			}
			rec := <-live.record
			rec.Abandon(3 * time.Millisecond)
			if text := string(rec.Append(nil)); !strings.Contains(text, c.want) {
				t.Errorf("no %s in %s", c.want, text)
			}
		})
	}
}
