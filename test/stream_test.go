package test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	deltaOne   = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-x","choices":[{"index":0,"delta":{"role":"assistant","content":"The sum "},"finish_reason":null}]}`
	deltaTwo   = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-x","choices":[{"index":0,"delta":{"content":"is 2."},"finish_reason":null}]}`
	deltaEnd   = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	deltaUsage = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-x","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":6,"total_tokens":15}}`
	done       = "[DONE]"
)

var (
	counted   = sse(deltaOne, deltaTwo, deltaEnd, deltaUsage, done)
	uncounted = sse(deltaOne, deltaTwo, deltaEnd, done)
	asStream  = map[string]string{"Content-Type": "text/event-stream"}
	claude    = provider("anthropic", "/v1/messages", "model.name", "claude-x", "model.options.anthropic_version", "2023-06-01")
)

func gzipped(a answer) answer { a.gzip = true; return a }

// anthropicStream says the same as counted.
var anthropicStream = answer{header: asStream, body: `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"The sum "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"is 2."}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

`}

var streamRows = []row{
	{acceptance: []int{109, 117}, name: "a stream", config: chat(), send: request{body: streamBody}, answer: counted,
		want: want{exactly: sse(deltaOne, deltaTwo, deltaEnd, done).body, header: asStream, up: obj{"stream": true, "stream_options.include_usage": true},
			log: obj{"ai.proxy.meta.request_mode": "stream", "ai.proxy.usage.prompt_tokens": 9, "ai.proxy.usage.completion_tokens": 6, "ai.proxy.meta.response_model": "gpt-4o-x"}}},
	{acceptance: []int{49}, name: "a stream that nobody asked for", config: chat("response_streaming", "always"), answer: counted, want: want{header: asStream, up: obj{"stream": true}}},
	{acceptance: []int{110}, name: "a stream without usage is estimated", config: chat("logging.log_payloads", true), send: request{body: strings.Replace(streamBody, "What is 1 + 1?", "one two three four five six seven eight nine ten", 1)}, answer: uncounted,
		want: want{log: obj{"ai.proxy.usage.prompt_tokens": 18, "ai.proxy.usage.completion_tokens": 4, "ai.proxy.payload.response": func(v any) bool { s, _ := v.(string); return strings.Contains(s, "The sum is 2.") }}}},
	{acceptance: []int{112}, name: "anthropic's stream", config: claude, send: request{body: streamBody}, answer: anthropicStream,
		want: want{header: asStream, body: []string{`"content":"The sum "`, `"content":"is 2."`, `"finish_reason":"stop"`, "data: [DONE]\n\n"}}},
	{acceptance: []int{127}, name: "anthropic counts up", config: claude, send: request{body: streamBody}, answer: anthropicStream,
		want: want{log: obj{"ai.proxy.usage.prompt_tokens": 9, "ai.proxy.usage.completion_tokens": 9}}},
	{acceptance: []int{113}, name: "an error in place of a stream", config: chat(), send: request{body: streamBody}, answer: answer{status: 400, body: `{"error":{"message":"no","type":"x","code":null,"param":null}}`},
		want: want{status: 400, exactly: `{"error":{"message":"no","type":"x","code":null,"param":null}}`, header: map[string]string{"Content-Type": "application/json"}}},
	{acceptance: []int{116}, name: "usage that the client asked for", config: claude, send: request{body: strings.Replace(streamBody, "{", `{"stream_options":{"include_usage":true},`, 1)}, answer: anthropicStream,
		want: want{body: []string{`"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18`}}},
	{acceptance: []int{124}, name: "a gzipped stream", config: chat(), send: request{body: streamBody, header: map[string]string{"Accept-Encoding": "gzip"}}, answer: gzipped(counted),
		want: want{exactly: sse(deltaOne, deltaTwo, deltaEnd, done).body, header: map[string]string{"Content-Encoding": ""}}},
	{acceptance: []int{126}, name: "gemini repeats its counts", config: provider("gemini", "/v1beta/models/gemini-x:streamGenerateContent?alt=sse", "model.name", "gemini-x"), send: request{body: streamBody},
		answer: sse(`{"candidates":[{"content":{"role":"model","parts":[{"text":"The sum "}]},"index":0}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2,"totalTokenCount":6}}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"text":"is 2."}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":5,"totalTokenCount":9}}`),
		want: want{body: []string{`"content":"The sum "`, `"finish_reason":"stop"`, "data: [DONE]\n\n"}, log: obj{"ai.proxy.usage.prompt_tokens": 4, "ai.proxy.usage.completion_tokens": 5}}},
	{acceptance: []int{128}, name: "a stream of Responses", config: chat("route_type", "llm/v1/responses", "model.options.upstream_url", "$UP/v1/responses"), send: request{body: `{"input":"hi","stream":true}`},
		answer: answer{header: asStream, body: "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"gpt-4o\"}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"model\":\"gpt-4o\",\"usage\":{\"input_tokens\":5,\"output_tokens\":3,\"total_tokens\":8}}}\n\n"},
		want:   want{body: []string{"event: response.completed\n"}, log: obj{"ai.proxy.usage.prompt_tokens": 5, "ai.proxy.usage.completion_tokens": 3}}},
	{name: "a stream that the provider cuts off has no end", config: chat(), send: request{body: streamBody},
		answer: answer{handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: "+deltaOne+"\n\n")
		}},
		want: want{body: []string{"The sum "}, log: obj{"ai.proxy.meta.outcome": "upstream_cut"}}},
}

func TestStreams(t *testing.T) { run(t, streamRows) }

var gzipRows = []row{
	{acceptance: []int{102}, name: "gzip for a client that takes it", config: chat(), send: request{header: map[string]string{"Accept-Encoding": "gzip, identity"}}, answer: answer{gzip: true},
		want: want{header: map[string]string{"Content-Encoding": "gzip"}, json: obj{"choices.0.message.content": "The sum is 2."}}},
	{acceptance: []int{103}, name: "a gzipped answer without choices", config: chat(), send: request{header: map[string]string{"Accept-Encoding": "gzip"}}, answer: answer{gzip: true, body: `{"x":1}`},
		want: want{status: 500, header: map[string]string{"Content-Encoding": "gzip"}, body: []string{"'choices' not in llm/v1/chat response"}}},
	{acceptance: []int{104, 105}, name: "a gzipped error", config: chat(), send: request{header: map[string]string{"Accept-Encoding": "gzip"}}, answer: answer{gzip: true, status: 401, body: `{"error":{"message":"bad API key"}}`},
		want: want{status: 401, json: obj{"error.message": "bad API key"}}},
	{acceptance: []int{106}, name: "a gzipped error of another shape", config: chat(), send: request{header: map[string]string{"Accept-Encoding": "gzip"}}, answer: answer{gzip: true, status: 500, body: `{"bad_message":"x"}`},
		want: want{status: 500, body: []string{`{"bad_message":"x"}`}}},
	{acceptance: []int{107}, name: "gzip for a client that does not take it", config: chat(), answer: answer{gzip: true},
		want: want{exactly: openAIAnswer, header: map[string]string{"Content-Encoding": "", "Content-Length": fmt.Sprint(len(openAIAnswer))}}},
	{acceptance: []int{108}, name: "brotli is never asked for", config: chat(), send: request{header: map[string]string{"Accept-Encoding": "br, gzip"}}, want: want{upHeader: map[string]string{"Accept-Encoding": "gzip, identity"}}},
	{acceptance: []int{108}, name: "nothing is asked for", config: claude, answer: answer{body: anthropicAnswer}, want: want{upHeader: map[string]string{"Accept-Encoding": "identity"}}},
}

func TestEncodings(t *testing.T) { run(t, gzipRows) }

// Acceptance 109: events are passed on as they come.
func TestStreamEventsAreForwardedAtOnce(t *testing.T) {
	for _, c := range []struct {
		name, body string
		config     obj
		events     []string
	}{
		{"the same format", streamBody, chat(), []string{"data: " + deltaOne + "\n\n", "data: " + deltaTwo + "\n\n"}},
		{"translated", streamBody, claude, strings.SplitAfter(anthropicStream.body, "\n\n")[:5]},
	} {
		t.Run(c.name, func(t *testing.T) {
			next := make(chan struct{})
			up := newUpstream(t, answer{handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for _, e := range c.events {
					_, _ = io.WriteString(w, e)
					_ = http.NewResponseController(w).Flush()
					if strings.Contains(e, "The sum ") {
						<-next
					}
				}
			}})
			config := with(c.config, "model.options.upstream_url", up.URL+"/x")
			g := start(t, nil, "-config", writeConfig(t, declare(on("/chat", config))))
			resp, err := client.Post(g.url+"/chat", "application/json", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			watch := time.AfterFunc(15*time.Second, func() { t.Error("the first text was held back"); close(next) })
			r := bufio.NewReader(resp.Body)
			for line := ""; !strings.Contains(line, "The sum "); {
				if line, err = r.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			if watch.Stop() {
				close(next)
			}
			if rest, _ := io.ReadAll(r); !strings.Contains(string(rest), "is 2.") {
				t.Errorf("the rest: %s", rest)
			}
		})
	}
}
