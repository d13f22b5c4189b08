package mock

import (
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
)

func init() {
	register(cohereChat{})
	register(cohereChatV1{})
	register(cohereGenerate{})
}

// cohereErrors are the errors of all of Cohere's APIs.
type cohereErrors struct{}

func (cohereErrors) Error(_ int, message string) []byte {
	return fmt.Appendf(nil, `{"id":"mock-error","message":%s}`, quote(message))
}

// cohereChat is POST /v2/chat. https://docs.cohere.com/reference/chat
type cohereChat struct{ cohereErrors }

func (cohereChat) Name() string { return "cohere/chat-v2" }

func (cohereChat) Match(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/v2/chat") }

func (cohereChat) Streamed(_ *http.Request, body []byte) bool { return asksForStream(body) }

func (cohereChat) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	return checkCohereChat(body)
}

func (cohereChat) StreamError(message string) []byte {
	return sse("message-end", `{"type":"message-end","delta":{"error":`+quote(message)+`,"finish_reason":"ERROR"}}`)
}

// cohereFinish returns Cohere's word for a finish reason. calls is the word for tool calls.
func cohereFinish(c *chat.Choice, calls string) string {
	return map[chat.FinishReason]string{
		chat.Stop: "COMPLETE", chat.Length: "MAX_TOKENS", chat.ToolCalls: calls, chat.ContentFilter: "ERROR_TOXIC",
	}[c.Finish]
}

// cohereUsage bills less than it counts: the preamble is free.
func cohereUsage(u *chat.Usage) string {
	return fmt.Sprintf(`{"billed_units":{"input_tokens":%d.0,"output_tokens":%d},"tokens":{"input_tokens":%d,"output_tokens":%d},"cached_tokens":%d}`,
		u.Prompt, u.Completion, u.Prompt+66, u.Completion+1, u.Cached)
}

// spoken returns a choice's text, refusals included.
func spoken(c *chat.Choice) string { return joined(c.Parts, chat.Text) + joined(c.Parts, chat.Refusal) }

func (cohereChat) Whole(s *Scenario, _ []byte) []byte {
	c := &s.Answer.Choices[0]
	members := []string{`"role":"assistant"`}
	var content []string
	if t := joined(c.Parts, chat.Thinking); t != "" {
		content = append(content, `{"type":"thinking","thinking":`+quote(t)+`}`)
	}
	switch t := spoken(c); {
	case t != "" && len(calls(c.Parts)) > 0:
		members = append(members, `"tool_plan":`+quote(t))
	case t != "":
		content = append(content, `{"type":"text","text":`+quote(t)+`}`)
	}
	if content != nil {
		members = append(members, `"content":[`+strings.Join(content, ",")+`]`)
	}
	var list []string
	for _, p := range calls(c.Parts) {
		list = append(list, fmt.Sprintf(`{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}`, quote(p.ID), quote(p.Name), quoteASCII(p.Arguments.String())))
	}
	if list != nil {
		members = append(members, `"tool_calls":[`+strings.Join(list, ",")+`]`)
	}
	return fmt.Appendf(nil, `{"id":%s,"message":{%s},"finish_reason":%q,"usage":%s}`,
		quote(s.Answer.ID), strings.Join(members, ","), cohereFinish(c, "TOOL_CALL"), cohereUsage(&s.Answer.Usage))
}

func (cohereChat) Stream(s *Scenario, _ []byte) (string, [][]byte) {
	var events [][]byte
	event := func(typ, members string) {
		events = append(events, sse(typ, fmt.Sprintf(`{"type":%q%s}`, typ, members)))
	}
	c := &s.Answer.Choices[0]
	event("message-start", fmt.Sprintf(`,"id":%s,"delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}`, quote(s.Answer.ID)))
	block := 0
	content := func(kind, text string) {
		if text == "" {
			return
		}
		event("content-start", fmt.Sprintf(`,"index":%d,"delta":{"message":{"content":{"type":%q,%q:""}}}`, block, kind, kind))
		for i, t := range Cut(text, s.Pieces) {
			event("content-delta", fmt.Sprintf(`,"index":%d,"delta":{"message":{"content":{%q:%s}}}`, block, kind, quoteNth(i, t)))
		}
		event("content-end", fmt.Sprintf(`,"index":%d`, block))
		block++
	}
	content("thinking", joined(c.Parts, chat.Thinking))
	if len(calls(c.Parts)) == 0 {
		content("text", spoken(c))
	} else {
		for i, t := range Cut(spoken(c), s.Pieces) {
			event("tool-plan-delta", `,"delta":{"message":{"tool_plan":`+quoteNth(i, t)+`}}`)
		}
	}
	for i, p := range calls(c.Parts) {
		event("tool-call-start", fmt.Sprintf(`,"index":%d,"delta":{"message":{"tool_calls":{"id":%s,"type":"function","function":{"name":%s,"arguments":""}}}}`, i, quote(p.ID), quote(p.Name)))
		for n, t := range Cut(p.Arguments.String(), s.Pieces) {
			if p.Arguments.String() == "{}" {
				break // no more is said of an empty object
			}
			event("tool-call-delta", fmt.Sprintf(`,"index":%d,"delta":{"message":{"tool_calls":{"function":{"arguments":%s}}}}`, i, quoteNth(n, t)))
		}
		event("tool-call-end", fmt.Sprintf(`,"index":%d`, i))
	}
	event("message-end", fmt.Sprintf(`,"delta":{"finish_reason":%q,"usage":%s}`, cohereFinish(c, "TOOL_CALL"), cohereUsage(&s.Answer.Usage)))
	return "text/event-stream", events
}

// cohereChatV1 is POST /v1/chat. https://docs.cohere.com/v1/reference/chat
type cohereChatV1 struct{ cohereErrors }

func (cohereChatV1) Name() string { return "cohere/chat-v1" }

func (cohereChatV1) Match(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/v1/chat") }

func (cohereChatV1) Streamed(_ *http.Request, body []byte) bool { return asksForStream(body) }

func (cohereChatV1) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	return checkCohereChatV1(body)
}

// StreamError returns nil: a stream of version 1 just ends.
func (cohereChatV1) StreamError(string) []byte { return nil }

// cohereCallsV1 returns the member tool_calls: arguments are objects, and calls have no
// ids.
func cohereCallsV1(c *chat.Choice) string {
	var list []string
	for _, p := range calls(c.Parts) {
		list = append(list, fmt.Sprintf(`{"name":%s,"parameters":%s}`, quote(p.Name), p.Arguments))
	}
	if list == nil {
		return ""
	}
	return `,"tool_calls":[` + strings.Join(list, ",") + `]`
}

func (cohereChatV1) Whole(s *Scenario, _ []byte) []byte {
	c := &s.Answer.Choices[0]
	return fmt.Appendf(nil, `{"response_id":"mock-response","text":%s,"generation_id":%s%s,"chat_history":[],"finish_reason":%q,"meta":%s}`,
		quote(spoken(c)), quote(s.Answer.ID), cohereCallsV1(c), cohereFinish(c, "COMPLETE"), cohereMeta(&s.Answer.Usage))
}

// cohereMeta is the member meta of the older APIs.
func cohereMeta(u *chat.Usage) string {
	return `{"api_version":{"version":"1"},` + strings.TrimPrefix(cohereUsage(u), "{")
}

// cohereLine frames an event of the older APIs.
func cohereLine(typ, members string) []byte {
	return fmt.Appendf(nil, `{"is_finished":%t,"event_type":%q%s}`+"\n", typ == "stream-end" || typ == "stream-error", typ, members)
}

func (f cohereChatV1) Stream(s *Scenario, body []byte) (string, [][]byte) {
	c := &s.Answer.Choices[0]
	events := [][]byte{cohereLine("stream-start", `,"generation_id":`+quote(s.Answer.ID))}
	list := calls(c.Parts)
	for i, t := range Cut(spoken(c), s.Pieces) {
		if len(list) > 0 {
			events = append(events, cohereLine("tool-calls-chunk", `,"text":`+quoteNth(i, t)))
		} else {
			events = append(events, cohereLine("text-generation", `,"text":`+quoteNth(i, t)))
		}
	}
	for i, p := range list {
		events = append(events, cohereLine("tool-calls-chunk", fmt.Sprintf(`,"tool_call_delta":{"index":%d,"name":%s}`, i, quote(p.Name))))
		for n, t := range Cut(p.Arguments.String(), s.Pieces) {
			events = append(events, cohereLine("tool-calls-chunk", fmt.Sprintf(`,"tool_call_delta":{"index":%d,"parameters":%s}`, i, quoteNth(n, t))))
		}
	}
	if len(list) > 0 {
		events = append(events, cohereLine("tool-calls-generation", `,"text":`+quote(spoken(c))+cohereCallsV1(c)))
	}
	events = append(events, cohereLine("stream-end", fmt.Sprintf(`,"finish_reason":%q,"response":%s`, cohereFinish(c, "COMPLETE"), f.Whole(s, body))))
	return "application/stream+json", events
}

// cohereGenerate is the legacy POST /v1/generate.
// https://docs.cohere.com/v1/reference/generate
type cohereGenerate struct{ cohereErrors }

func (cohereGenerate) Name() string { return "cohere/generate" }

func (cohereGenerate) Match(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/v1/generate")
}

func (cohereGenerate) Streamed(_ *http.Request, body []byte) bool { return asksForStream(body) }

func (cohereGenerate) Check(r *http.Request, body []byte) error {
	if err := checkPost(r); err != nil {
		return err
	}
	return checkCohereGenerate(body)
}

func (cohereGenerate) StreamError(message string) []byte {
	return cohereLine("stream-error", `,"finish_reason":"ERROR","err":`+quote(message))
}

func (cohereGenerate) Whole(s *Scenario, _ []byte) []byte {
	var list []string
	for i := range s.Answer.Choices {
		c := &s.Answer.Choices[i]
		list = append(list, fmt.Sprintf(`{"id":"generation-%d","index":%d,"text":%s,"finish_reason":%q}`, i, i, quote(spoken(c)), cohereFinish(c, "COMPLETE")))
	}
	return fmt.Appendf(nil, `{"id":%s,"generations":[%s],"prompt":"mock","meta":%s}`, quote(s.Answer.ID), strings.Join(list, ","), cohereMeta(&s.Answer.Usage))
}

func (f cohereGenerate) Stream(s *Scenario, body []byte) (string, [][]byte) {
	var events [][]byte
	for i := range s.Answer.Choices {
		for n, t := range Cut(spoken(&s.Answer.Choices[i]), s.Pieces) {
			events = append(events, cohereLine("text-generation", fmt.Sprintf(`,"index":%d,"text":%s`, i, quoteNth(n, t))))
		}
	}
	events = append(events, cohereLine("stream-end", fmt.Sprintf(`,"finish_reason":%q,"response":%s`, cohereFinish(&s.Answer.Choices[0], "COMPLETE"), f.Whole(s, body))))
	return "application/stream+json", events
}
