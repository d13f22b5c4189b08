package bedrock

import (
	"encoding/base64"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// AppendResponse writes the answer of Converse, of the first choice only, since the
// format has one answer. The format requires a latency; it is 0, since a translator
// has no clock.
func (dialect) AppendResponse(dst []byte, r *chat.Response) ([]byte, error) {
	var c chat.Choice
	if len(r.Choices) > 0 {
		c = r.Choices[0]
	}
	dst = append(dst, `{"output":{"message":{"role":"assistant","content":[`...)
	calls, runs, cites := 0, 0, chat.CitesOf(&c)
	for i := range c.Parts {
		if c.Parts[i].Kind == chat.HostedRun {
			dst = appendRunBlocks(dst, &c.Parts[i], &r.Meta, runs)
			runs++
			continue
		}
		list, _ := cites.Next(&c.Parts[i])
		dst = appendAnswerBlock(dst, &c.Parts[i], list, &r.Meta, calls)
		if c.Parts[i].Kind == chat.ToolCall {
			calls++
		}
	}
	dst = append(dst, "]}}"...)
	if c.Finish != "" {
		dst = jsonedit.AppendText(dst, "stopReason", stopReason(c.Finish, c.StopText != "", calls > 0))
	}
	dst = appendUsage(dst, &r.Usage) // required, whether or not the provider counted
	dst = append(dst, `,"metrics":{"latencyMs":0}`...)
	for _, m := range r.Extra {
		if m.Name == "trace" || m.Name == "additionalModelResponseFields" {
			dst = jsonedit.AppendRaw(dst, m.Name, m.Value)
		}
	}
	return append(appendTier(dst, r.ServiceTier), '}'), nil
}

// appendAnswerBlock writes a part with its sources, or nothing if the format has no
// block for it.
func appendAnswerBlock(dst []byte, p *chat.Part, list []chat.Citation, meta *chat.Meta, calls int) []byte {
	switch p.Kind {
	case chat.Text, chat.Refusal:
		if !p.Text.Empty() {
			dst = appendCitedText(dst, p.Text, list)
		}
	case chat.Thinking:
		dst = p.Text.AppendMember(append(jsonedit.AppendComma(dst), `{"reasoningContent":{"reasoningText":{`...), "text")
		dst = jsonedit.AppendOptional(dst, "signature", p.Token(origin.Anthropic, meta))
		dst = append(dst, "}}}"...)
	case chat.RedactedThinking:
		dst = append(jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"reasoningContent":{`...), "redactedContent", blob(p.Token(origin.Anthropic, meta))), "}}"...)
	case chat.ToolCall:
		if token := p.CallToken(meta); token != nil {
			dst = appendAnswerBlock(dst, token, nil, meta, calls)
		}
		dst = appendCallID(append(jsonedit.AppendComma(dst), `{"toolUse":{`...), []byte(p.ID), meta.ID, calls)
		dst = appendInput(jsonedit.AppendName(jsonedit.AppendText(dst, "name", chat.ToolName(meta, p.Name)), "input"), p.Arguments)
		dst = append(dst, "}}"...)
	case chat.Image:
		if m := p.Media; m != nil && !m.Data.Empty() {
			dst = jsonedit.AppendText(append(jsonedit.AppendComma(dst), `{"image":{`...), "format", formatOf(chat.Image, m))
			dst = append(m.Data.AppendMember(append(jsonedit.AppendName(dst, "source"), '{'), "bytes"), "}}}"...)
		}
	}
	return dst
}

// blob returns opaque data as base64, which SDKs decode. Data that is not base64 is
// encoded, and what has a mark as well: there are clients that take the bytes for text.
func blob(data string) string {
	if _, err := base64.StdEncoding.DecodeString(data); err != nil || origin.IsMarked(data) {
		return base64.StdEncoding.EncodeToString([]byte(data))
	}
	return data
}

// unblob returns what blob was given, if it had a mark, and otherwise data as it is.
func unblob(data string) string {
	if text, err := base64.StdEncoding.DecodeString(data); err == nil && origin.IsMarked(string(text)) {
		return string(text)
	}
	return data
}

// appendCallID writes the n-th call's id. If the provider's calls have no ids, it
// makes one that is unique in the conversation.
func appendCallID(dst, id []byte, answer string, n int) []byte {
	if len(id) == 0 {
		return jsonedit.AppendText(dst, "toolUseId", "tooluse_"+answer+"_"+strconv.Itoa(n))
	}
	return jsonedit.AppendText(dst, "toolUseId", id)
}

// appendInput writes arguments as an object. If they are not a valid object, it puts
// their text into one, so that the tool can report what is wrong.
func appendInput(dst []byte, arguments jsonedit.Text) []byte {
	dst, ok := arguments.AppendObject(dst)
	if !ok {
		dst = append(arguments.AppendMember(append(dst, '{'), "arguments"), '}')
	}
	return dst
}

// stopReason returns Converse's name for a finish reason. It is tool_use for an
// answer with calls even if the provider says stop.
func stopReason(reason chat.FinishReason, sequence, calls bool) string {
	switch reason {
	case chat.Stop:
		switch {
		case calls:
			return "tool_use"
		case sequence:
			return "stop_sequence"
		}
		return "end_turn"
	case chat.ToolCalls:
		return "tool_use"
	case chat.Length:
		return "max_tokens"
	case chat.ContentFilter:
		return "content_filtered"
	}
	return string(reason)
}

// appendUsage writes the member usage.
func appendUsage(dst []byte, u *chat.Usage) []byte {
	dst = append(jsonedit.AppendName(dst, "usage"), '{')
	dst = jsonedit.AppendInt(dst, "inputTokens", max(u.Prompt-u.Cached-u.CacheWrite, 0))
	dst = jsonedit.AppendInt(dst, "outputTokens", u.Completion)
	dst = jsonedit.AppendInt(dst, "totalTokens", u.TotalTokens())
	if u.Cached+u.CacheWrite > 0 {
		dst = jsonedit.AppendInt(dst, "cacheReadInputTokens", u.Cached)
		dst = jsonedit.AppendInt(dst, "cacheWriteInputTokens", u.CacheWrite)
	}
	if u.CacheWrite5m+u.CacheWrite1h > 0 {
		dst = append(jsonedit.AppendName(dst, "cacheDetails"), '[')
		for _, d := range [...]struct {
			ttl string
			n   int
		}{{"1h", u.CacheWrite1h}, {"5m", u.CacheWrite5m}} {
			if d.n > 0 {
				dst = append(jsonedit.AppendInt(jsonedit.AppendText(append(jsonedit.AppendComma(dst), '{'), "ttl", d.ttl), "inputTokens", d.n), '}')
			}
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendTier writes the member serviceTier, if there is one that Bedrock has.
func appendTier(dst []byte, tier string) []byte {
	switch tier {
	case "default", "flex", "priority", "reserved":
		return append(jsonedit.AppendText(append(jsonedit.AppendName(dst, "serviceTier"), '{'), "type", tier), '}')
	}
	return dst
}

// AppendError writes the body of an error answer. SDKs read the type from the header
// X-Amzn-ErrorType (see errorType), or from __type if the header is missing.
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
func (dialect) AppendError(dst []byte, e *chat.Error) []byte {
	return append(jsonedit.AppendText(jsonedit.AppendText(append(dst, '{'), "__type", errorType(e.ClientStatus())), "message", errorText(e)), '}')
}

// errorText is the message of e, which for a conversation that is too long begins with
// Bedrock's words, by which clients know it.
// https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
func errorText(e *chat.Error) string {
	const words = "Input is too long for requested model."
	if !e.IsContextTooLong() || strings.Contains(e.Message, words) {
		return e.Message
	}
	return words + " " + e.Message
}

// errorType returns Bedrock's exception for an HTTP status: the value of the header
// X-Amzn-ErrorType.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
func errorType(status int) string {
	switch status {
	case 401, 403:
		return "AccessDeniedException"
	case 404:
		return "ResourceNotFoundException"
	case 408, 504:
		return "ModelTimeoutException"
	case 429:
		return "ThrottlingException"
	case 502, 503, 529:
		return "ServiceUnavailableException"
	}
	if status >= 400 && status < 500 {
		return "ValidationException"
	}
	return "InternalServerException"
}
