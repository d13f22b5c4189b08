package plugin

import (
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/translators/frame"
)

// endpointOf is a target whose streams are parts in AWS's frames.
func endpointOf(options, more string) string {
	return `{` + more + `"targets":[{"route_type":"llm/v1/chat","logging":{"log_statistics":true},
	 "auth":{"aws_access_key_id":"AKIDEXAMPLE","aws_secret_access_key":"secret"},
	 "model":{"provider":"sagemaker","name":"my-endpoint","options":{"bedrock":{"aws_region":"us-east-1"}` + options + `}}}]}`
}

// frameOf is one frame of a stream of parts.
func frameOf(kind, payload string) []byte {
	message, name := "event", ":event-type"
	if kind != "PayloadPart" {
		message, name = "exception", ":exception-type"
	}
	return frame.AppendEventStream(nil, []frame.Header{{Name: name, Value: kind}, {Name: ":message-type", Value: message}}, []byte(payload))
}

// inFrames sends a stream in frames of a few bytes, and then what may follow.
func inFrames(w http.ResponseWriter, media, stream string, last ...[]byte) {
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	if media != "" {
		w.Header().Set("X-Amzn-SageMaker-Content-Type", media)
	}
	for rest := stream; rest != ""; {
		n := min(11, len(rest))
		w.Write(frameOf("PayloadPart", rest[:n]))
		rest = rest[n:]
	}
	for _, f := range last {
		w.Write(f)
	}
}

const (
	vLLMsStream = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"llama","choices":[{"index":0,"delta":{"role":"assistant","content":"Hé"},"finish_reason":null}]}` + "\n\n" +
		`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"llama","choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"llama","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}` + "\n\ndata: [DONE]\n\n"
	djlsStream = `{"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 1712792433, "choices": [{"index": 0, "delta": {"content": "Hé", "role": "assistant"}, "finish_reason": null}]}` + "\n" +
		`{"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 1712792436, "choices": [{"index": 0, "delta": {"content": "llo"}, "finish_reason": "eos_token"}]}` + "\n"
)

func TestPartsOfAStreamReachTheClientAsItsOwnEvents(t *testing.T) {
	const claude, gemini = `"llm_format":"anthropic",`, `"llm_format":"gemini",`
	for _, c := range []struct{ name, more, path, body, media, stream, want string }{
		{"vLLM's", "", "/chat", `{"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`, "text/event-stream; charset=utf-8", vLLMsStream, vLLMsStream},
		{"without a label", "", "/chat", `{"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`, "", vLLMsStream, vLLMsStream},
		{"DJL's lines", "", "/chat", `{"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "application/jsonlines", djlsStream, `"finish_reason": "stop"}]}` + "\n\ndata: [DONE]\n\n"},
		{"vLLM's for Claude's client", claude, "/v1/messages", `{"max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "text/event-stream", vLLMsStream, `"stop_reason":"end_turn"`},
		{"DJL's for Claude's client", claude, "/v1/messages", `{"max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "application/jsonlines", djlsStream, `"stop_reason":"end_turn"`},
		{"vLLM's for Gemini's client", gemini, "/v1beta/models/my-endpoint:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "text/event-stream", vLLMsStream, `"finishReason":"STOP"`},
		{"for a Responses client", "", "/responses", `{"stream":true,"input":"hi"}`, "text/event-stream", vLLMsStream, "response.completed"},
	} {
		conf := endpointOf("", c.more)
		if c.path == "/responses" {
			conf = strings.Replace(conf, "llm/v1/chat", "llm/v1/responses", 1)
		}
		b := newBench(t, conf, func(w http.ResponseWriter, r *http.Request) { inFrames(w, c.media, c.stream) }).elsewhere()
		resp, body := b.send("POST", c.path, asJSON, c.body)
		if resp.StatusCode != 200 || !strings.Contains(body, c.want) || !strings.Contains(body, "Hé") || resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %d %v\n%s\nwant %s", c.name, resp.StatusCode, resp.Header, body, c.want)
		}
		for _, h := range resp.Header {
			if strings.Contains(h[0], "eventstream") {
				t.Errorf("%s: %v", c.name, resp.Header)
			}
		}
		sent := b.seen[0]
		if sent.URL.Path != "/endpoints/my-endpoint/invocations-response-stream" || !strings.Contains(sent.Header.Get("Authorization"), "/us-east-1/sagemaker/aws4_request") {
			t.Errorf("%s: %s %v", c.name, sent.URL.Path, sent.Header)
		}
		if strings.Contains(b.bodies[0], `"model"`) || !strings.Contains(b.bodies[0], `"stream":true`) {
			t.Errorf("%s: the container is sent %s", c.name, b.bodies[0])
		}
		usage := at(b.record(), "usage")
		if c.stream == vLLMsStream && (at(usage, "prompt_tokens") != 7.0 || at(usage, "completion_tokens") != 2.0) {
			t.Errorf("%s: usage %v", c.name, usage)
		}
	}
}

func TestExceptionEndsAStreamOfParts(t *testing.T) {
	failed := frameOf("ModelStreamError", `{"Message":"the model took too long","ErrorCode":"ModelInvocationTimeExceeded"}`)
	begun := vLLMsStream[:strings.Index(vLLMsStream, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"llama\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo")+20]
	for _, more := range []string{"", `"llm_format":"anthropic",`} {
		path, ask := "/chat", `{"stream":true,"messages":[{"role":"user","content":"hi"}]}`
		if more != "" {
			path, ask = "/v1/messages", `{"max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`
		}
		late := newBench(t, endpointOf("", more), func(w http.ResponseWriter, r *http.Request) { inFrames(w, "text/event-stream", begun, failed) }).elsewhere()
		resp, body := late.send("POST", path, asJSON, ask)
		if resp.StatusCode != 200 || !strings.Contains(body, "Hé") || !strings.Contains(body, "the model took too long") || strings.Contains(body, "[DONE]") || strings.Contains(body, "message_stop") {
			t.Errorf("%s: after content: %d\n%s", path, resp.StatusCode, body)
		}
		early := newBench(t, endpointOf("", more), func(w http.ResponseWriter, r *http.Request) { inFrames(w, "text/event-stream", "", failed) }).elsewhere()
		resp, body = early.send("POST", path, asJSON, ask)
		if resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "the model took too long") {
			t.Errorf("%s: before content: %d\n%s", path, resp.StatusCode, body)
		}
	}
}

func TestErrorOfAContainerReachesTheClientInItsOwnWords(t *testing.T) {
	for more, want := range map[string]string{"": `"param":"max_tokens"`, `"llm_format":"anthropic",`: `"type":"error"`} {
		path, ask := "/chat", `{"messages":[{"role":"user","content":"hi"}]}`
		if more != "" {
			path, ask = "/v1/messages", `{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
		}
		b := newBench(t, endpointOf("", more), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusFailedDependency)
			w.Write([]byte(`{"ErrorCode":"CLIENT_ERROR_FROM_MODEL","LogStreamArn":"arn:x","Message":"Received client error (400) from primary","OriginalMessage":"{\"error\":{\"message\":\"too many\",\"type\":\"BadRequestError\",\"param\":\"max_tokens\",\"code\":400}}","OriginalStatusCode":400}`))
		}).elsewhere()
		if resp, body := b.send("POST", path, asJSON, ask); resp.StatusCode != 400 || !strings.Contains(body, `"too many"`) || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}
