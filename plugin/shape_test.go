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
