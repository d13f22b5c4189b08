package mock

import (
	"fmt"
	"net/http"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
)

func init() { register(bedrockConverse{}) }

// bedrockConverse is POST /model/{id}/converse and /converse-stream.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
type bedrockConverse struct{}

func (bedrockConverse) Name() string { return "bedrock/converse" }

func (bedrockConverse) Match(r *http.Request) bool {
	_, operation, ok := bedrockPath(r)
	return ok && (operation == "converse" || operation == "converse-stream")
}

// bedrockPath returns the model and the operation in a path. The model is one escaped
// segment of it.
func bedrockPath(r *http.Request) (model, operation string, ok bool) {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	n := len(segments)
	if n < 3 || segments[n-3] != "model" {
		return "", "", false
	}
	return segments[n-2], segments[n-1], true
}

func (bedrockConverse) Streamed(r *http.Request, _ []byte) bool {
	_, operation, _ := bedrockPath(r)
	return operation == "converse-stream"
}

func (bedrockConverse) Error(status int, message string) []byte {
	return fmt.Appendf(nil, `{"__type":%q,"message":%s}`, bedrockErrorType(status), quote(message))
}

// bedrockErrorType is from https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
func bedrockErrorType(status int) string {
	types := map[int]string{
		400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException", 408: "ModelTimeoutException",
		424: "ModelErrorException", 429: "ThrottlingException", 503: "ServiceUnavailableException",
	}
	if t := types[status]; t != "" {
		return t
	}
	return "InternalServerException"
}

func (bedrockConverse) StreamError(message string) []byte {
	return frame.AppendEventStream(nil, []frame.Header{
		{Name: ":exception-type", Value: "modelStreamErrorException"}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "exception"},
	}, []byte(`{"message":`+quote(message)+`,"originalStatusCode":500}`))
}

func (bedrockConverse) Whole(s *Scenario, _ []byte) []byte {
	c := &s.Answer.Choices[0]
	blocks := make([]string, 0, len(c.Parts))
	for _, p := range c.Parts {
		blocks = append(blocks, bedrockBlock(p))
	}
	if len(blocks) == 0 {
		blocks = []string{`{"text":""}`}
	}
	return fmt.Appendf(nil, `{"metrics":{"latencyMs":812},"output":{"message":{"content":[%s],"role":"assistant"}},"stopReason":%q,"usage":%s}`,
		strings.Join(blocks, ","), bedrockStop(c), bedrockUsage(&s.Answer.Usage))
}

func bedrockBlock(p chat.Part) string {
	switch p.Kind {
	case chat.Thinking:
		return fmt.Sprintf(`{"reasoningContent":{"reasoningText":{"signature":%s,"text":%s}}}`, quote(p.Signature), quote(p.Text.String()))
	case chat.RedactedThinking:
		return `{"reasoningContent":{"redactedContent":` + quote(p.Text.String()) + `}}`
	case chat.ToolCall:
		return fmt.Sprintf(`{"toolUse":{"input":%s,"name":%s,"toolUseId":%s}}`, p.Arguments, quote(p.Name), quote(p.ID))
	}
	return `{"text":` + quote(p.Text.String()) + `}`
}

func bedrockStop(c *chat.Choice) string {
	if c.StopText != "" {
		return "stop_sequence"
	}
	return map[chat.FinishReason]string{
		chat.Stop: "end_turn", chat.Length: "max_tokens", chat.ToolCalls: "tool_use", chat.ContentFilter: "content_filtered",
	}[c.Finish]
}

// bedrockUsage counts cached tokens beside inputTokens, not among them.
func bedrockUsage(u *chat.Usage) string {
	return fmt.Sprintf(`{"cacheReadInputTokens":%d,"cacheWriteInputTokens":%d,"inputTokens":%d,"outputTokens":%d,"serverToolUsage":{},"totalTokens":%d}`,
		u.Cached, u.CacheWrite, u.Prompt-u.Cached-u.CacheWrite, u.Completion, u.TotalTokens())
}

// padding is the member p, with which AWS hides the length of a piece.
const padding = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func (bedrockConverse) Stream(s *Scenario, _ []byte) (string, [][]byte) {
	var events [][]byte
	event := func(typ, members string) {
		payload := fmt.Sprintf(`{%s,"p":%q}`, members, padding[:(7*len(events))%len(padding)])
		events = append(events, frame.AppendEventStream(nil, []frame.Header{
			{Name: ":event-type", Value: typ}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "event"},
		}, []byte(payload)))
	}
	c := &s.Answer.Choices[0]
	event("messageStart", `"role":"assistant"`)
	for i, p := range c.Parts {
		if p.Kind == chat.ToolCall {
			event("contentBlockStart", fmt.Sprintf(`"contentBlockIndex":%d,"start":{"toolUse":{"name":%s,"toolUseId":%s}}`, i, quote(p.Name), quote(p.ID)))
		}
		for _, d := range bedrockDeltas(p, s.Pieces) {
			event("contentBlockDelta", fmt.Sprintf(`"contentBlockIndex":%d,"delta":%s`, i, d))
		}
		event("contentBlockStop", fmt.Sprintf(`"contentBlockIndex":%d`, i))
	}
	event("messageStop", fmt.Sprintf(`"stopReason":%q`, bedrockStop(c)))
	event("metadata", `"metrics":{"latencyMs":812},"usage":`+bedrockUsage(&s.Answer.Usage))
	return "application/vnd.amazon.eventstream", events
}

// bedrockDeltas are the pieces of a part.
func bedrockDeltas(p chat.Part, pieces int) []string {
	var deltas []string
	cut := func(text, format string) {
		for i, t := range Cut(text, pieces) {
			deltas = append(deltas, fmt.Sprintf(format, quoteNth(i, t)))
		}
	}
	switch p.Kind {
	case chat.Thinking:
		cut(p.Text.String(), `{"reasoningContent":{"text":%s}}`)
		deltas = append(deltas, `{"reasoningContent":{"signature":`+quote(p.Signature)+`}}`)
	case chat.RedactedThinking:
		deltas = append(deltas, `{"reasoningContent":{"redactedContent":`+quote(p.Text.String())+`}}`)
	case chat.ToolCall:
		deltas = append(deltas, `{"toolUse":{"input":""}}`)
		if p.Arguments.String() != "{}" { // no more is said of an empty object
			cut(p.Arguments.String(), `{"toolUse":{"input":%s}}`)
		}
	default:
		cut(p.Text.String(), `{"text":%s}`)
	}
	return deltas
}
