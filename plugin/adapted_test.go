package plugin

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// refusing answers requests whose body has a word with an error, and others with answer.
func refusing(word string, status int, refusal, answer string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(string(body), word) {
			w.WriteHeader(status)
			io.WriteString(w, refusal)
			return
		}
		io.WriteString(w, answer)
	})
}

// What a model refuses and its name does not tell is left out, and the request is made
// again: the client gets its answer. The next request does not ask in vain.
func TestWhatAModelRefusesByNameIsLeftOut(t *testing.T) {
	const arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijk2"
	const thinks = `{"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"hello"}]}`
	const marked = `{"max_tokens":9,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"hello"}]}`
	const converse = `{"output":{"message":{"role":"assistant","content":[{"text":"well"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}`
	const message = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"well"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`
	const uncached = `{"message":"You invoked an unsupported model or your request did not allow prompt caching."}`
	for _, c := range []struct {
		name, provider, model, more, body string
		provides                          http.Handler
		remembered                        bool
	}{
		{"Ollama thinks not", "ollama", "my-own", "", thinks, refusing(`"think":true`, 400, `{"error":"\"my-own\" does not support thinking"}`,
			`{"model":"my-own","message":{"role":"assistant","content":"well"},"done":true,"done_reason":"stop"}`), true},
		{"a profile of Bedrock caches not", "bedrock", arn, "", marked, refusing("cachePoint", 403, uncached, converse), true},
		{"a profile of Bedrock with an old Claude", "bedrock", arn, `"anthropic_version":"bedrock-2023-05-31"`, marked, refusing("cache_control", 403, uncached, message), true},
		{"Vertex names a member", "gemini", "claude-sonnet-4-5", vertexOptions, `{"max_tokens":9,"tools":[{"name":"a","input_schema":{},"strict":true}],"messages":[{"role":"user","content":"hello"}]}`,
			refusing(`"strict"`, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"tools.0.custom.strict: Extra inputs are not permitted"}}`, message), false},
		{"another model's thought", "anthropic", "claude-sonnet-4-5", "", `{"max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"b"},{"type":"text","text":"c"}]},{"role":"user","content":"hello"}]}`,
			refusing(`"signature"`, 400, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"messages.1.content.0: Invalid `signature` in `thinking` block\"}}", message), false},
		{"another model's thought at Bedrock", "bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "", `{"max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"b"},{"type":"text","text":"c"}]},{"role":"user","content":"hello"}]}`,
			refusing(`"signature"`, 400, "{\"message\":\"The model returned the following errors: messages.1.content.0: Invalid `signature` in `thinking` block\"}", converse), false},
	} {
		s := newStage(t, c.provides)
		inst := s.instance(confOf("anthropic", chatRoute, c.provider, c.model, c.more))
		for try, calls := range []int{2, map[bool]int{true: 1, false: 2}[c.remembered]} {
			out, rec := s.post(inst, "/v1/messages", "", []byte(c.body))
			if out.status != 200 || !strings.Contains(out.body.String(), "well") {
				t.Errorf("%s: the client gets %d %s", c.name, out.status, out.body.String())
			}
			if w := strings.Join(rec.Data().Warnings, "\n"); !strings.Contains(w, "the model refuses ") {
				t.Errorf("%s: request %d: the record says %q", c.name, try, w)
			}
			if n := len(rec.Data().Tried); len(s.sent) != calls || n != calls {
				t.Errorf("%s: request %d is sent %d times, want %d; the record has %d", c.name, try, len(s.sent), calls, n)
			}
		}
	}
}

// An error of another kind reaches the client, and nothing is asked twice.
func TestOtherRefusalsReachTheClient(t *testing.T) {
	s := newStage(t, refusing("hello", 400, `{"error":"\"my-own\" does not support tools"}`, ""))
	inst := s.instance(confOf("anthropic", chatRoute, "ollama", "my-own", ""))
	out, _ := s.post(inst, "/v1/messages", "", []byte(`{"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"hello"}]}`))
	if out.status != 400 || !strings.Contains(out.body.String(), "does not support tools") || len(s.sent) != 1 {
		t.Errorf("%d requests; the client gets %d %s", len(s.sent), out.status, out.body.String())
	}
}
