package plugin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
)

// Codex compacts a conversation at the code, in a stream; other clients at the code.
func TestTooLongConversationIsNamedAsTheClientKnowsIt(t *testing.T) {
	b := newBench(t, routeConf("llm/v1/responses", "anthropic", "m", `"upstream_url":"$UP","anthropic_version":"2023-06-01"`), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		_, _ = w.Write([]byte(`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`))
	})
	resp, body := b.post(`{"input":"x"}`)
	if resp.StatusCode != 400 || !strings.Contains(body, `"code":"context_length_exceeded"`) {
		t.Errorf("whole: %d %s", resp.StatusCode, body)
	}
	_ = b.record()
	resp, body = b.post(`{"input":"x","stream":true}`)
	if resp.StatusCode != 200 || !strings.Contains(body, "event: response.created") || !strings.Contains(body, `"type":"response.failed"`) ||
		!strings.Contains(body, `"error":{"code":"context_length_exceeded","message":"prompt is too long: 208310 tokens > 200000 maximum"}`) {
		t.Errorf("streamed: %d %s", resp.StatusCode, body)
	}
	if rec := b.record(); at(rec, "meta.outcome") != "failed" {
		t.Errorf("record %v", rec)
	}
}

// Claude Code compacts at Anthropic's words only, clients of Gemini and Bedrock at
// theirs; whatever status the provider has, and as a status also where a stream fails
// before it begins.
func TestTooLongConversationIsWordedAsTheClientsProviderWordsIt(t *testing.T) {
	const said = "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens."
	words := map[string][]string{
		"anthropic": {`"type":"invalid_request_error"`, `"message":"prompt is too long: 130000 tokens > 128000 maximum"`},
		"gemini":    {`"code":400`, `"status":"INVALID_ARGUMENT"`, `"message":"The input token count (130000) exceeds the maximum number of tokens allowed (128000)."`},
		"bedrock":   {`"__type":"ValidationException"`, `"message":"Input is too long for requested model. This model's`},
	}
	refusing := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"error":{"message":%q}}`, said)
		}
	}
	answers := map[string]http.HandlerFunc{
		"400": refusing(400),
		"413": refusing(413),
		"the first event": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprintf(w, "data: {\"error\":{\"message\":%q,\"type\":\"invalid_request_error\"}}\n\n", said)
		},
	}
	for how, answer := range answers {
		s := newStage(t, answer)
		for _, c := range speakers {
			for _, stream := range []bool{false, true} {
				if c.name == "responses" || !stream && how == "the first event" {
					continue
				}
				ask := chat.Request{Model: mock.Model, Stream: stream, MaxTokens: "9", Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("hi")}}}}}
				request, err := c.ask(&ask)
				if err != nil {
					t.Fatal(err)
				}
				out, _ := s.post(s.instance(confOf(c.format, c.route, "openai", mock.Model, "")), c.path(stream), c.query, request)
				body := out.body.String()
				if out.status != 400 {
					t.Errorf("%s, %s, stream %v: %d", c.name, how, stream, out.status)
				}
				for _, w := range words[c.format] {
					if !strings.Contains(body, w) {
						t.Errorf("%s, %s, stream %v: no %s in %s", c.name, how, stream, w, body)
					}
				}
			}
		}
	}
}

// A stream that says at once that the conversation is too long ends as Codex knows it,
// as a stream that fails, also where the provider has that API itself. Other clients, and
// other errors, get a status.
func TestConversationTooLongInAStreamIsAFailedStream(t *testing.T) {
	const tooLong = "Your input exceeds the context window of this model."
	own := "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\"}}\n\n" +
		"event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"" + tooLong + "\"}}}\n\n"
	chatty := "data: {\"error\":{\"message\":\"" + tooLong + "\",\"code\":\"context_length_exceeded\"}}\n\n"
	for _, c := range []struct {
		name, route, provider, stream string
		want                          int
		words                         string
	}{
		{"OpenAI's own", "llm/v1/responses", "openai", own, 200, `"type":"response.failed"`},
		{"of a chat", "llm/v1/responses", "deepseek", chatty, 200, `"type":"response.failed"`},
		{"a chat client", chatRoute, "deepseek", chatty, 400, `"code":"context_length_exceeded"`},
		{"another error", "llm/v1/responses", "deepseek", "data: {\"error\":{\"message\":\"gave up\"}}\n\n", 502, "gave up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, routeConf(c.route, c.provider, "m", `"upstream_url":"$UP"`), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = w.Write([]byte(c.stream))
			})
			ask := `{"stream":true,"input":"hello"}`
			if c.route == chatRoute {
				ask = `{"stream":true,"messages":[{"role":"user","content":"hello"}]}`
			}
			resp, body := b.post(ask)
			if resp.StatusCode != c.want || !strings.Contains(body, c.words) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			if c.want == 200 && !strings.Contains(body, `"error":{"code":"context_length_exceeded","message":"`+tooLong+`"}`) {
				t.Errorf("the reason is not told: %s", body)
			}
			if rec := <-b.records; rec.Outcome() != record.Failed {
				t.Errorf("the record says %s", rec.Outcome())
			}
		})
	}
}
