package plugin

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// answered is the answer to a request for a stream, of an Anthropic client whose target
// has OpenAI's format, or of an OpenAI client of the same.
func answered(t *testing.T, dialect, contentType, answer string) (status int, body string) {
	t.Helper()
	more, path, request := "", "/chat/completions", `{"messages":[{"role":"user","content":"x"}],"stream":true}`
	if dialect == "anthropic" {
		more, path, request = `"llm_format":"anthropic",`, "/v1/messages", `{"max_tokens":5,"messages":[{"role":"user","content":"x"}],"stream":true}`
	}
	b := newBench(t, advanced("llm/v1/chat", "deepseek", "", "", more), func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = []string{contentType}
		io.WriteString(w, answer)
	}).elsewhere()
	resp, body := b.send("POST", path, asJSON, request)
	return resp.StatusCode, body
}

const wholeText = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello","reasoning_content":"hm",` +
	`"tool_calls":[{"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"q\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`

func TestWholeAnswerToARequestForAStreamBecomesAStream(t *testing.T) {
	for _, label := range []string{"application/json", "text/event-stream", "text/plain"} {
		status, body := answered(t, "anthropic", label, wholeText)
		for _, want := range []string{"event: message_start", `"thinking_delta","thinking":"hm"`, `"text_delta","text":"hello"`, `"name":"look"`, `"partial_json":"{\"q\":1}"`, `"stop_reason":"tool_use"`, `"output_tokens":2`, "event: message_stop"} {
			if status != 200 || strings.Count(body, want) != 1 {
				t.Errorf("%s: %d, %s is not once in %s", label, status, want, body)
			}
		}
	}
}

const eventsText = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

func TestEventsUnderAnyLabelAreAStream(t *testing.T) {
	for _, label := range []string{"application/json", "text/plain", "application/octet-stream", ""} {
		if status, body := answered(t, "openai", label, eventsText); status != 200 || !strings.Contains(body, `"content":"hello"`) || strings.Count(body, "[DONE]") != 1 {
			t.Errorf("openai, %q: %d %s", label, status, body)
		}
		if status, body := answered(t, "anthropic", label, eventsText); status != 200 || !strings.Contains(body, `"text":"hello"`) || !strings.Contains(body, "message_stop") {
			t.Errorf("anthropic, %q: %d %s", label, status, body)
		}
	}
}

func TestEventsWithoutBlankLinesAreSeveral(t *testing.T) {
	once := strings.ReplaceAll(eventsText, "\n\n", "\n")
	for _, dialect := range []string{"openai", "anthropic"} {
		if status, body := answered(t, dialect, "text/event-stream", once); status != 200 || !strings.Contains(body, "hello") || strings.Count(body, "[DONE]") > 1 {
			t.Errorf("%s: %d %s", dialect, status, body)
		}
	}
}

func TestFailedGenerationsAreErrors(t *testing.T) {
	failed := strings.Replace(wholeText, `"finish_reason":"tool_calls"`, `"finish_reason":"error"`, 1)
	if status, body := answered(t, "anthropic", "application/json", failed); status < 400 && !strings.Contains(body, "event: error") || !strings.Contains(body, "generation failed") {
		t.Errorf("whole: %d %s", status, body)
	}
	chunk := "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}],\"error\":{\"code\":502,\"message\":\"gone\"}}\n\n"
	for _, dialect := range []string{"openai", "anthropic"} {
		if status, body := answered(t, dialect, "text/event-stream", chunk); status < 400 || !strings.Contains(body, "gone") {
			t.Errorf("%s, an error beside choices: %d %s", dialect, status, body)
		}
	}
}

// answeredWhole is the answer to a request for no stream, whose target is of the client's format or of
// another.
func answeredWhole(t *testing.T, dialect, contentType, answer string) (status int, body string, record map[string]any) {
	t.Helper()
	more, path, request := "", "/chat/completions", `{"messages":[{"role":"user","content":"x"}]}`
	if dialect == "anthropic" {
		more, path, request = `"llm_format":"anthropic",`, "/v1/messages", `{"max_tokens":5,"messages":[{"role":"user","content":"x"}]}`
	}
	b := newBench(t, advanced("llm/v1/chat", "deepseek", "", "", more), func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = []string{contentType}
		io.WriteString(w, answer)
	}).elsewhere()
	resp, body := b.send("POST", path, asJSON, request)
	return resp.StatusCode, body, b.record()
}

func TestStreamThatNobodyAskedForBecomesAWholeAnswer(t *testing.T) {
	const usage = `data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}` + "\n\n"
	events := strings.Replace(eventsText, "data: [DONE]", usage+"data: [DONE]", 1)
	for _, label := range []string{"application/json", "text/event-stream", "text/plain", ""} {
		for dialect, want := range map[string][]string{
			"openai":    {`"object":"chat.completion"`, `"content":"hello"`, `"finish_reason":"stop"`, `"total_tokens":7`},
			"anthropic": {`"type":"message"`, `"text":"hello"`, `"stop_reason":"end_turn"`, `"output_tokens":2`},
		} {
			status, body, _ := answeredWhole(t, dialect, label, events)
			for _, w := range want {
				if status != 200 || !strings.Contains(body, w) {
					t.Errorf("%s, %q: %d, no %s in %s", dialect, label, status, w, body)
				}
			}
		}
	}
	cut, _, _ := strings.Cut(eventsText, "data: {\"choices\":[{\"index\":0,\"delta\":{},")
	if status, body, _ := answeredWhole(t, "openai", "text/event-stream", cut); status != 502 || !strings.Contains(body, "before its end") {
		t.Errorf("cut off: %d %s", status, body)
	}
}

func TestByteOrderMarkIsNotPassedOn(t *testing.T) {
	const mark = "\ufeff"
	if status, body, _ := answeredWhole(t, "openai", "application/json", mark+wholeText); status != 200 || !strings.HasPrefix(body, "{") {
		t.Errorf("whole: %d %q", status, body)
	}
	if status, body, _ := answeredWhole(t, "anthropic", "application/json", mark+wholeText); status != 200 || !strings.Contains(body, "hello") {
		t.Errorf("whole, translated: %d %q", status, body)
	}
	if status, body := answered(t, "openai", "text/event-stream", mark+eventsText); status != 200 || !strings.HasPrefix(body, "data: ") {
		t.Errorf("stream: %d %q", status, body)
	}
}

// asErrors are forms in which servers tell of an error after their 200.
var asErrors = []string{
	`{"error":{"message":"no capacity","code":503}}`, `{"error":"no capacity"}`, `{"object":"error","message":"no capacity","code":503}`, `{"code":"InternalError","message":"no capacity"}`,
	`{"detail":"no capacity"}`, `{"choices":null,"base_resp":{"status_code":1002,"status_msg":"no capacity"}}`,
	`{"choices":[{"index":0,"error":{"message":"no capacity","code":503},"message":{"content":""},"delta":{"content":""},"finish_reason":"error"}]}`,
	`{"choices":[{"index":0,"message":{"content":""},"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"no capacity"}}`,
}

func TestErrorInA200IsAnErrorToTheClient(t *testing.T) {
	for _, said := range asErrors {
		for _, dialect := range []string{"openai", "anthropic"} {
			status, body, record := answeredWhole(t, dialect, "application/json", said)
			if status < 500 || !strings.Contains(body, `"message":"no capacity"`) || record["meta"].(map[string]any)["outcome"] != "failed" {
				t.Errorf("%s, %s: %d %s, %v", dialect, said, status, body, record["meta"])
			}
			if status, body := answered(t, dialect, "text/event-stream", "data: "+said+"\n\ndata: [DONE]\n\n"); status < 500 || !strings.Contains(body, `"message":"no capacity"`) {
				t.Errorf("%s, first of a stream, %s: %d %s", dialect, said, status, body)
			}
			said := "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\ndata: " + said + "\n\ndata: [DONE]\n\n"
			status, body = answered(t, dialect, "text/event-stream", said)
			if status != 200 || !strings.Contains(body, `"error":`) || strings.Count(body, "no capacity") != 1 || strings.Contains(body, "message_stop") {
				t.Errorf("%s, in a stream, %s: %d %s", dialect, said, status, body)
			}
		}
	}
}

func TestErrorFieldOfAStreamIsAnError(t *testing.T) {
	for _, said := range []string{"error: {\"message\":\"no capacity\",\"code\":500}\n\n", "event: error\ndata: no capacity\n\n", "event: error\ndata: {\"message\":\"no capacity\"}\n\n"} {
		for _, dialect := range []string{"openai", "anthropic"} {
			if status, body := answered(t, dialect, "text/event-stream", said); status < 500 || !strings.Contains(body, `"message":"no capacity"`) {
				t.Errorf("%s, %q: %d %s", dialect, said, status, body)
			}
		}
	}
}

func TestGenerationThatFailedIsNoAnswer(t *testing.T) {
	for _, reason := range []string{"error", "network_error", "insufficient_system_resource", "abort"} {
		whole := strings.Replace(wholeText, `"finish_reason":"tool_calls"`, `"finish_reason":"`+reason+`"`, 1)
		for _, dialect := range []string{"openai", "anthropic"} {
			if status, body, _ := answeredWhole(t, dialect, "application/json", whole); status != 502 || !strings.Contains(body, "generation failed") {
				t.Errorf("%s, %s: %d %s", dialect, reason, status, body)
			}
		}
	}
}

// embedded is the answer to a request for embeddings in base64, as OpenAI's SDKs ask for
// them.
func embedded(t *testing.T, provider, answer string) (status int, body string) {
	t.Helper()
	b := newBench(t, advanced("llm/v1/embeddings", provider, "", "", ""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	}).elsewhere()
	resp, body := b.send("POST", "/embeddings", asJSON, `{"input":"x","encoding_format":"base64"}`)
	return resp.StatusCode, body
}

func TestEmbeddingsAreInTheEncodingThatWasAskedFor(t *testing.T) {
	for _, vector := range []string{"[0.5,0.25]", `"AAAAPwAAgD4="`} {
		status, body := embedded(t, "openai", `{"object":"list","data":[{"object":"embedding","index":0,"embedding":`+vector+`}],"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}`)
		if status != 200 || !strings.Contains(body, `"embedding":"AAAAPwAAgD4="`) || !strings.Contains(body, `"prompt_tokens":2`) {
			t.Errorf("%s: %d %s", vector, status, body)
		}
	}
	for _, provider := range []string{"openai", "cohere"} {
		if status, body := embedded(t, provider, `{"error":{"message":"no capacity","code":503}}`); status != 503 || !strings.Contains(body, "no capacity") {
			t.Errorf("%s, an error: %d %s", provider, status, body)
		}
	}
}
