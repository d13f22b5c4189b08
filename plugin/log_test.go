package plugin

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// What is read later is not made again: of a background answer, a run or a
// batch it counts once, of all else when it was made.
func TestStoredAnswersAreCountedOnce(t *testing.T) {
	response := func(background, status, usage string) string {
		return `{"id":"resp_1","object":"response","status":"` + status + `","background":` + background + `,"model":"m","output":[],"usage":` + usage + `}`
	}
	const tokens = `{"input_tokens":100,"output_tokens":10,"total_tokens":110}`
	const run = `{"id":"run_1","object":"thread.run","status":"completed","usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}`
	const line = `{"custom_id":"1","response":{"status_code":200,"body":{"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}}}` + "\n"
	ask := `{"model":"m","input":"hello there","messages":[{"role":"user","content":"hello"}]}`
	type step struct{ method, path, body, answer, contentType string }
	for name, c := range map[string]struct {
		route string
		steps []step
	}{
		"a response": {"llm/v1/responses", []step{
			{"POST", "/v1/responses", ask, response("false", "completed", tokens), asJSON},
			{"GET", "/v1/responses/resp_1", "", response("false", "completed", tokens), asJSON},
			{"GET", "/v1/responses/resp_1?stream=true", "", "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":" + response("false", "completed", tokens) + "}\n\n", "text/event-stream"},
		}},
		"a response in the background": {"llm/v1/responses", []step{
			{"POST", "/v1/responses", ask, response("true", "queued", "null"), asJSON},
			{"GET", "/v1/responses/resp_1", "", response("true", "in_progress", "null"), asJSON},
			{"GET", "/v1/responses/resp_1", "", response("true", "completed", tokens), asJSON},
			{"GET", "/v1/responses/resp_1", "", response("true", "completed", tokens), asJSON},
			{"POST", "/v1/responses/resp_1/cancel", "", response("true", "completed", tokens), asJSON},
		}},
		"a background stream": {"llm/v1/responses", []step{
			{"POST", "/v1/responses", ask[:len(ask)-1] + `,"stream":true}`, "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":" + response("true", "completed", tokens) + "}\n\n", "text/event-stream"},
			{"GET", "/v1/responses/resp_1", "", response("true", "completed", tokens), asJSON},
		}},
		"a run": {"llm/v1/assistants", []step{
			{"POST", "/v1/threads/thread_1/runs", `{"assistant_id":"asst_1"}`, `{"id":"run_1","object":"thread.run","status":"queued","usage":null}`, asJSON},
			{"GET", "/v1/threads/thread_1/runs/run_1", "", run, asJSON},
			{"GET", "/v1/threads/thread_1/runs/run_1", "", run, asJSON},
			{"GET", "/v1/threads/thread_1/runs/run_1/steps/step_1", "", strings.Replace(run, "thread.run", "thread.run.step", 1), asJSON},
		}},
		"a streamed run": {"llm/v1/assistants", []step{
			{"POST", "/v1/threads/thread_1/runs", `{"assistant_id":"asst_1","stream":true}`, "event: thread.run.completed\ndata: " + run + "\n\nevent: done\ndata: [DONE]\n\n", "text/event-stream"},
			{"GET", "/v1/threads/thread_1/runs/run_1", "", run, asJSON},
		}},
		"a batch": {"llm/v1/batches", []step{
			{"GET", "/v1/batches/batch_1", "", `{"id":"batch_1","object":"batch","status":"completed","usage":` + tokens + `}`, asJSON},
			{"POST", "/v1/batches", `{"input_file_id":"file-1","endpoint":"/v1/chat/completions"}`, `{"id":"batch_1","object":"batch","usage":` + tokens + `}`, asJSON},
			{"GET", "/v1/batches/batch_1", "", `{"id":"batch_1","object":"batch","status":"completed","usage":` + tokens + `}`, asJSON},
		}},
		"a batch's output": {"llm/v1/files", []step{
			{"GET", "/v1/files/file-1/content", "", line, "application/octet-stream"},
			{"GET", "/v1/files/file-1/content", "", line, "application/octet-stream"},
		}},
		"what preserve reads": {"preserve", []step{
			{"POST", "/v1/responses", ask, response("false", "completed", tokens), asJSON},
			{"GET", "/v1/responses/resp_1", "", response("false", "completed", tokens), asJSON},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var now step
			options := `"input_cost":1,"output_cost":1`
			if c.route == "preserve" {
				options += `,"upstream_url":"$UP"`
			}
			b := newBench(t, routeConf(c.route, "openai", "", options), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", now.contentType)
				io.WriteString(w, now.answer)
			}).elsewhere()
			prompt, output := 0.0, 0.0
			for _, now = range c.steps {
				contentType := ""
				if now.body != "" {
					contentType = asJSON
				}
				if resp, body := b.send(now.method, now.path, contentType, now.body); resp.StatusCode != 200 {
					t.Fatalf("%s %s: %d %s", now.method, now.path, resp.StatusCode, body)
				}
				rec := b.record()
				if at(rec, "usage.estimated") != nil {
					t.Errorf("%s %s: estimated: %v", now.method, now.path, at(rec, "usage"))
				}
				prompt += at(rec, "usage.prompt_tokens").(float64)
				output += at(rec, "usage.completion_tokens").(float64)
			}
			if prompt != 100 || output != 10 {
				t.Errorf("charged %v and %v tokens in all, want 100 and 10", prompt, output)
			}
		})
	}
}

// Wherever a stream ends before its end, what came is counted: the provider is
// paid for it.
func TestOutputOfAStreamThatBreaksOffIsEstimated(t *testing.T) {
	text := strings.Repeat("a word or two ", 20) // 280 bytes, 70 tokens
	claude := []string{`{"type":"message_start","message":{"model":"c","usage":{"input_tokens":7,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + text + `"}}`}
	sse := func(events ...string) (s string) {
		for _, e := range events {
			s += "data: " + e + "\n\n"
		}
		return s
	}
	aws := func(kind, payload string) string {
		return string(frame.AppendEventStream(nil, []frame.Header{{Name: ":event-type", Value: kind}, {Name: ":message-type", Value: "event"}}, []byte(payload)))
	}
	const chatAsk = `{"messages":[{"role":"user","content":"x"}],"stream":true}`
	const events, frames = "text/event-stream", "application/vnd.amazon.eventstream"
	converse := aws("messageStart", `{"role":"assistant"}`) + aws("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"`+text+`"}}`)
	for _, c := range []struct{ name, provider, format, path, ask, contentType, stream string }{
		{"openai", "openai", "openai", "/chat", chatAsk, events, sse(chunk(text))},
		{"openai, a call", "openai", "openai", "/chat", chatAsk, events, sse(`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"` + text + `"}}]}}]}`)},
		{"anthropic from openai", "anthropic", "openai", "/chat", chatAsk, events, sse(claude...)},
		{"anthropic, thinking", "anthropic", "openai", "/chat", chatAsk, events, sse(claude[0], `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"`+text+`"}}`)},
		{"anthropic, a call", "anthropic", "openai", "/chat", chatAsk, events, sse(claude[0], `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"`+text+`"}}`)},
		{"anthropic", "anthropic", "anthropic", "/v1/messages", chatAsk, events, sse(claude...)},
		{"anthropic that gives up", "anthropic", "anthropic", "/v1/messages", chatAsk, events, sse(append(claude[:3:3], `{"type":"error","error":{"type":"overloaded_error","message":"x"}}`)...)},
		{"bedrock from openai", "bedrock", "openai", "/chat", chatAsk, frames, converse},
		{"converse", "bedrock", "bedrock", "/model/m/converse-stream", `{"messages":[{"role":"user","content":[{"text":"x"}]}]}`, frames, converse},
		{"gemini", "gemini", "gemini", "/v1beta/models/m:streamGenerateContent", `{"contents":[{"parts":[{"text":"x"}]}]}`, "application/json", `[{"candidates":[{"content":{"parts":[{"text":"` + text + `"}]}}]}`},
		{"cohere", "cohere", "cohere", "/v2/chat", chatAsk, events, sse(`{"type":"message-start"}`, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"`+text+`"}}}}`)},
		{"responses", "openai", "openai", "/v1/responses", `{"input":"x","stream":true}`, events, sse(`{"type":"response.created","response":{"id":"r","object":"response","usage":null}}`,
			`{"type":"response.function_call_arguments.delta","delta":"`+text+`"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			route := "llm/v1/chat"
			if strings.HasSuffix(c.path, "/responses") {
				route = "llm/v1/responses"
			}
			options := map[string]string{"anthropic": `"anthropic_version":"2023-06-01"`, "bedrock": `"bedrock":{"aws_region":"us-east-1"}`}[c.provider]
			conf := strings.Replace(routeConf(route, c.provider, "m", options), `"route_type"`, `"llm_format":"`+c.format+`","route_type"`, 1)
			b := newBench(t, conf, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.contentType)
				w.Header().Set("Content-Length", strconv.Itoa(len(c.stream)+1)) // it breaks off
				io.WriteString(w, c.stream)
			}).elsewhere()
			b.send("POST", c.path, asJSON, c.ask)
			rec := b.record()
			if got, _ := at(rec, "usage.completion_tokens").(float64); got < 70 || got > 80 || at(rec, "usage.estimated") != true {
				t.Errorf("usage %v of an answer that ended as %v, want an estimate of 70", at(rec, "usage"), at(rec, "meta.outcome"))
			}
			if got, _ := at(rec, "usage.prompt_tokens").(float64); got < 1 || !strings.Contains(c.provider, "anthropic") && got != 2 { // one word, of a stream
				t.Errorf("usage %v, without an estimate of the prompt", at(rec, "usage"))
			}
		})
	}
}

func TestUsageOfAnUnusableAnswerIsKept(t *testing.T) {
	for _, c := range []struct{ provider, options, answer string }{
		{"openai", "", `{"object":"x","usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}}`},
		{"bedrock", `"bedrock":{"aws_region":"us-east-1"}`, `{"output":{},"usage":{"inputTokens":20,"outputTokens":3,"totalTokens":23}}`},
		{"gemini", "", `{"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":3}}`},
		{"anthropic", `"anthropic_version":"2023-06-01"`, `{"type":"message","usage":{"input_tokens":20,"output_tokens":3}}`},
	} {
		b := newBench(t, routeConf("llm/v1/chat", c.provider, "m", c.options), answering(c.answer)).elsewhere()
		resp, _ := b.post(hello)
		if rec := b.record(); resp.StatusCode != 500 || at(rec, "usage.prompt_tokens") != 20.0 || at(rec, "usage.completion_tokens") != 3.0 {
			t.Errorf("%s: %d, usage %v", c.provider, resp.StatusCode, at(rec, "usage"))
		}
	}
}

func TestUncountedUsageIsEstimated(t *testing.T) {
	prompt, err := jsonedit.Object([]byte(`{"messages":[{"role":"user","content":"two words"}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name              string
		text, prompt, out int // what the answer has
		counted           bool
		status            int
		outcome           record.Outcome
		want              [2]int
	}{
		{"four bytes are a token", 8, 0, 0, false, 200, record.Completed, [2]int{2, 2}},
		{"what is begun counts", 9, 0, 0, false, 200, record.Completed, [2]int{2, 3}},
		{"one byte", 1, 0, 0, false, 200, record.Aborted, [2]int{2, 1}},
		{"nothing said", 0, 0, 0, false, 200, record.Completed, [2]int{2, 0}},
		{"a first count stays", 8, 7, 5, false, 200, record.CutOff, [2]int{7, 5}},
		{"counted by the provider", 8, 0, 0, true, 200, record.Completed, [2]int{0, 0}},
		{"an error", 8, 0, 0, false, 500, record.Failed, [2]int{0, 0}},
		{"refused here", 8, 0, 0, false, 200, record.Refused, [2]int{0, 0}},
	} {
		q := &reply{request: &request{api: &provider.API{Prose: routes.Of("llm/v1/chat").Prose}}, seen: &chat.Seen{TextLen: c.text, HasUsage: c.counted}}
		q.record = record.New(record.Data{Tried: []record.Tried{{Status: c.status}}, Usage: chat.Usage{Prompt: c.prompt, Completion: c.out}})
		q.request.members = prompt
		q.finish(c.outcome, "")
		d := q.record.Data()
		if got := [2]int{d.Usage.Prompt, d.Usage.Completion}; got != c.want || d.Estimated != (got != [2]int{c.prompt, c.out}) {
			t.Errorf("%s: %v, estimated %v", c.name, got, d.Estimated)
		}
	}
}

// The code that estimates reads what the client sent: when it panics, the record
// says so, and is not estimated once more.
func TestPanicDuringAnEstimateIsRecordedOnce(t *testing.T) {
	rec := record.New(record.Data{Started: time.Now(), Tried: []record.Tried{{Status: http.StatusOK}}})
	rec.Watch()
	estimates := 0
	q := &reply{record: rec, seen: &chat.Seen{}, request: &request{api: &provider.API{Prose: func([]jsonedit.Member) int {
		estimates++
		panic("a defect")
	}}}}
	func() {
		defer func() { _ = recover() }()
		q.finish(record.Completed, "")
	}()
	if rec.Outcome() != record.Pending {
		t.Errorf("settled as %s before it was written", rec.Outcome())
	}
	q.finish(record.Panicked, "internal error")
	q.finish(record.Completed, "")
	if rec.Outcome() != record.Panicked || estimates != 1 {
		t.Errorf("%s after %d estimates", rec.Outcome(), estimates)
	}
	settled := make(chan struct{})
	go func() {
		rec.Abandon(time.Hour)
		close(settled)
	}()
	select {
	case <-settled:
	case <-time.After(20 * time.Second):
		t.Error("who waits for the record waits for ever")
	}
}
