package mock

import (
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
)

func init() {
	register(anthropicMessages{})
	register(anthropicComplete{})
}

// anthropicMessages is POST /v1/messages.
// https://platform.claude.com/docs/en/api/messages/create
type anthropicMessages struct{}

func (anthropicMessages) Name() string { return "anthropic/messages" }

func (anthropicMessages) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/v1/messages")
}

func (anthropicMessages) Streamed(_ *http.Request, body []byte) bool { return asksForStream(body) }

// Check refuses what Anthropic refuses.
func (anthropicMessages) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	if r.Header.Get("anthropic-version") != "2023-06-01" {
		return fmt.Errorf("anthropic-version: %q is not a valid version", r.Header.Get("anthropic-version"))
	}
	return checkAnthropic(body)
}

func (anthropicMessages) Error(status int, message string) []byte {
	return fmt.Appendf(nil, `{"type":"error","error":{"type":%q,"message":%s},"request_id":"req_mock"}`, anthropicErrorType(status), quote(message))
}

func (f anthropicMessages) StreamError(message string) []byte {
	return sse("error", string(f.Error(529, message)))
}

// anthropicErrorType is from https://platform.claude.com/docs/en/api/errors
func anthropicErrorType(status int) string {
	types := map[int]string{
		400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
		404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
	}
	if t := types[status]; t != "" {
		return t
	}
	return "api_error"
}

func (anthropicMessages) Whole(s *Scenario, _ []byte) []byte {
	c := &s.Answer.Choices[0]
	blocks := make([]string, 0, len(c.Parts))
	for _, p := range c.Parts {
		switch p.Kind {
		case chat.Text, chat.Refusal:
			blocks = append(blocks, `{"type":"text","text":`+quote(p.Text.String())+`}`)
		case chat.Thinking:
			blocks = append(blocks, fmt.Sprintf(`{"type":"thinking","thinking":%s,"signature":%s}`, quote(p.Text.String()), quote(p.Signature)))
		case chat.RedactedThinking:
			blocks = append(blocks, `{"type":"redacted_thinking","data":`+quote(p.Text.String())+`}`)
		case chat.ToolCall:
			blocks = append(blocks, fmt.Sprintf(`{"type":"tool_use","id":%s,"name":%s,"input":%s,"caller":{"type":"direct"}}`, quote(p.ID), quote(p.Name), p.Arguments))
		}
	}
	return fmt.Appendf(nil, `{"id":%s,"type":"message","role":"assistant","model":%s,"content":[%s],%s,"usage":%s,"container":null}`,
		quote("msg_"+s.Answer.ID), quote(s.Answer.Model), strings.Join(blocks, ","), anthropicStop(c), anthropicUsage(&s.Answer.Usage, s.Answer.Usage.Completion))
}

// anthropicStop are stop_reason, stop_sequence and stop_details.
func anthropicStop(c *chat.Choice) string {
	reason := map[chat.FinishReason]string{
		chat.Stop: "end_turn", chat.Length: "max_tokens", chat.ToolCalls: "tool_use", chat.ContentFilter: "refusal",
	}[c.Finish]
	sequence, details := "null", "null"
	if c.StopText != "" {
		reason, sequence = "stop_sequence", quote(c.StopText)
	}
	if reason == "refusal" {
		details = `{"type":"refusal","category":null,"explanation":null}`
	}
	return fmt.Sprintf(`"stop_reason":%q,"stop_sequence":%s,"stop_details":%s`, reason, sequence, details)
}

// anthropicUsage counts cached tokens beside input_tokens, not among them.
func anthropicUsage(u *chat.Usage, output int) string {
	return fmt.Sprintf(`{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,`+
		`"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d},"output_tokens":%d,`+
		`"output_tokens_details":{"thinking_tokens":%d},"server_tool_use":null,"service_tier":"standard","inference_geo":"not_available"}`,
		u.Prompt-u.Cached-u.CacheWrite, u.CacheWrite, u.Cached, u.CacheWrite5m, u.CacheWrite1h, output, min(u.Reasoning, output))
}

func (anthropicMessages) Stream(s *Scenario, _ []byte) (string, [][]byte) {
	var events [][]byte
	event := func(typ, members string) {
		events = append(events, sse(typ, fmt.Sprintf(`{"type":%q%s}`, typ, members)))
	}
	c := &s.Answer.Choices[0]
	event("message_start", fmt.Sprintf(`,"message":{"id":%s,"type":"message","role":"assistant","model":%s,"content":[],"stop_reason":null,"stop_sequence":null,"usage":%s}`,
		quote("msg_"+s.Answer.ID), quote(s.Answer.Model), anthropicUsage(&s.Answer.Usage, min(1, s.Answer.Usage.Completion))))
	event("ping", "")
	for i, p := range c.Parts {
		start, deltas := anthropicDeltas(p, s.Pieces)
		event("content_block_start", fmt.Sprintf(`,"index":%d,"content_block":%s`, i, start))
		for _, d := range deltas {
			event("content_block_delta", fmt.Sprintf(`,"index":%d,"delta":%s`, i, d))
		}
		event("content_block_stop", fmt.Sprintf(`,"index":%d`, i))
	}
	u := &s.Answer.Usage
	event("message_delta", fmt.Sprintf(`,"delta":{%s},"usage":{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":%d,"output_tokens_details":{"thinking_tokens":%d}}`,
		anthropicStop(c), u.Prompt-u.Cached-u.CacheWrite, u.CacheWrite, u.Cached, u.Completion, u.Reasoning))
	event("message_stop", "")
	return "text/event-stream; charset=utf-8", events
}

// anthropicDeltas are the start of a part's block and what follows it.
func anthropicDeltas(p chat.Part, pieces int) (start string, deltas []string) {
	cut := func(text, format string) {
		for i, t := range Cut(text, pieces) {
			deltas = append(deltas, fmt.Sprintf(format, quoteNth(i, t)))
		}
	}
	switch p.Kind {
	case chat.Thinking:
		start = `{"type":"thinking","thinking":"","signature":""}`
		cut(p.Text.String(), `{"type":"thinking_delta","thinking":%s}`)
		deltas = append(deltas, fmt.Sprintf(`{"type":"signature_delta","signature":%s}`, quote(p.Signature)))
	case chat.RedactedThinking:
		start = `{"type":"redacted_thinking","data":` + quote(p.Text.String()) + `}`
	case chat.ToolCall:
		start = fmt.Sprintf(`{"type":"tool_use","id":%s,"name":%s,"input":{}}`, quote(p.ID), quote(p.Name))
		deltas = append(deltas, `{"type":"input_json_delta","partial_json":""}`)
		if p.Arguments.String() != "{}" { // no more is said of an empty object
			cut(p.Arguments.String(), `{"type":"input_json_delta","partial_json":%s}`)
		}
	default:
		start = `{"type":"text","text":""}`
		cut(p.Text.String(), `{"type":"text_delta","text":%s}`)
	}
	return start, deltas
}

// anthropicComplete is the legacy POST /v1/complete.
// https://platform.claude.com/docs/en/api/completions/create
type anthropicComplete struct{ anthropicMessages }

func (anthropicComplete) Name() string { return "anthropic/complete" }

func (anthropicComplete) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/v1/complete")
}

// Streamed is always false: the mock does not stream this API.
func (anthropicComplete) Streamed(*http.Request, []byte) bool { return false }

func (anthropicComplete) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	if r.Header.Get("anthropic-version") == "" {
		return fmt.Errorf("anthropic-version: header is required")
	}
	var q struct {
		Model         string   `json:"model"`
		Prompt        string   `json:"prompt"`
		MaxTokens     *int     `json:"max_tokens_to_sample"`
		StopSequences []string `json:"stop_sequences"`
		Temperature   *float64 `json:"temperature"`
		TopP          *float64 `json:"top_p"`
		TopK          *int     `json:"top_k"`
		Metadata      any      `json:"metadata"`
		Stream        bool     `json:"stream"`
	}
	if err := decodeStrict(body, &q); err != nil {
		return err
	}
	switch {
	case q.Model == "" || q.MaxTokens == nil || *q.MaxTokens < 1:
		return fmt.Errorf("model and max_tokens_to_sample: fields required")
	case !strings.HasPrefix(q.Prompt, "Human:") && !strings.Contains(q.Prompt, "\n\nHuman:"), !strings.HasSuffix(q.Prompt, "\n\nAssistant:"):
		return fmt.Errorf(`prompt must start with a "Human:" turn and end with "\n\nAssistant:"`)
	case q.Temperature != nil && *q.Temperature > 1:
		return fmt.Errorf("temperature: range: 0..1")
	}
	return nil
}

func (anthropicComplete) Whole(s *Scenario, _ []byte) []byte {
	c := &s.Answer.Choices[0]
	reason := map[chat.FinishReason]string{chat.Length: "max_tokens"}[c.Finish]
	if reason == "" {
		reason = "stop_sequence"
	}
	return fmt.Appendf(nil, `{"type":"completion","id":%s,"completion":%s,"stop_reason":%q,"model":%s,"stop":"\n\nHuman:"}`,
		quote("compl_"+s.Answer.ID), quote(joined(c.Parts, chat.Text)), reason, quote(s.Answer.Model))
}
