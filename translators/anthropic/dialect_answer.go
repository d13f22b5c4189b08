package anthropic

import (
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// AppendResponse writes a Message, of the first choice only, since the format has one
// answer. There are no blocks for images and sound in an answer.
func (dialect) AppendResponse(dst []byte, r *chat.Response) ([]byte, error) {
	var c chat.Choice
	if len(r.Choices) > 0 {
		c = r.Choices[0]
	}
	dst = appendHead(dst, r.ID, r.Model, &r.Meta)
	dst = append(dst, `,"content":[`...)
	calls, cites := 0, chat.CitesOf(&c)
	for i := range c.Parts {
		p := &c.Parts[i]
		if empty(p) {
			continue
		}
		dst = jsonedit.AppendComma(dst)
		switch p.Kind {
		case chat.Text, chat.Refusal:
			list, _ := cites.Next(p)
			dst = appendCitedText(dst, p.Text, list)
		case chat.Thinking:
			dst = append(dst, `{"type":"thinking","thinking":`...)
			dst = p.Text.Append(dst)
			dst = append(jsonedit.AppendText(dst, "signature", p.Token(origin.Anthropic, &r.Meta)), '}')
		case chat.RedactedThinking:
			dst = appendRedacted(dst, p, &r.Meta)
		case chat.HostedRun:
			dst = appendRunParts(dst, p, &r.Meta, i)
		case chat.ToolCall:
			if token := p.CallToken(&r.Meta); token != nil {
				dst = append(appendRedacted(dst, token, &r.Meta), ',')
			}
			dst = appendUseHead(dst, []byte(p.ID), []byte(chat.ToolName(&r.Meta, p.Name)), r.Meta.ID, calls)
			dst = append(dst, `,"input":`...)
			dst = append(appendInput(dst, p.Arguments), '}')
			calls++
		}
	}
	dst = append(dst, `],`...)
	dst = appendStop(dst, c.Finish, []byte(c.StopText), calls > 0)
	dst = append(dst, `,"usage":`...)
	usage := r.Usage
	if r.NoUsage && usage == (chat.Usage{}) {
		usage.Prompt = r.Meta.PromptTokens
	}
	return append(appendUsage(dst, &usage), '}'), nil
}

func appendRedacted(dst []byte, p *chat.Part, meta *chat.Meta) []byte {
	dst = append(dst, `{"type":"redacted_thinking","data":`...)
	return append(jsonedit.AppendString(dst, p.Token(origin.Anthropic, meta)), '}')
}

// empty reports whether a part makes no block.
func empty(p *chat.Part) bool {
	switch p.Kind {
	case chat.Text, chat.Refusal:
		return p.Text.Empty()
	case chat.Thinking:
		return p.Text.Empty() && p.Signature == ""
	case chat.RedactedThinking, chat.ToolCall:
		return false
	case chat.HostedRun:
		return !tellable(p.Run)
	}
	return true
}

// appendHead begins a Message. Its model is what the client named: Claude Code drops the
// signed thoughts of an answer with another name, and the next turn then has to do without.
func appendHead(dst []byte, id, model string, meta *chat.Meta) []byte {
	if id == "" {
		id = "msg_" + meta.ID
	}
	if meta.Named != "" {
		model = meta.Named
	}
	if model == "" {
		model = meta.Model
	}
	dst = append(dst, `{"id":`...)
	dst = jsonedit.AppendString(dst, id)
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	return jsonedit.AppendString(dst, model)
}

// appendUseHead begins the n-th tool_use block. If the provider's calls have no ids,
// it makes one that is unique in the conversation.
func appendUseHead(dst, id, name []byte, answer string, n int) []byte {
	dst = append(dst, `{"type":"tool_use","id":`...)
	if len(id) == 0 {
		dst = append(append(dst, `"toolu_`...), answer...)
		dst = append(strconv.AppendInt(append(dst, '_'), int64(n), 10), '"')
	} else {
		dst = jsonedit.AppendBytes(dst, id)
	}
	return jsonedit.AppendText(dst, "name", name)
}

// appendInput writes arguments as an object. If they are not a valid object, it puts
// their text into one, so that the tool can report what is wrong.
func appendInput(dst []byte, arguments jsonedit.Text) []byte {
	dst, ok := arguments.AppendObject(dst)
	if !ok {
		dst = append(arguments.Append(append(dst, `{"arguments":`...)), '}')
	}
	return dst
}

// appendStop writes stop_reason and stop_sequence. The reason of an answer with calls
// is tool_use even if the provider says stop, as OpenAI does if the tool was forced.
func appendStop(dst []byte, reason chat.FinishReason, sequence []byte, calls bool) []byte {
	dst = append(dst, `"stop_reason":`...)
	switch {
	case reason == "":
		dst = append(dst, "null"...)
	case reason == chat.Stop && calls, reason == chat.ToolCalls:
		dst = append(dst, `"tool_use"`...)
	case reason == chat.Stop && len(sequence) > 0:
		dst = append(dst, `"stop_sequence"`...)
	case reason == chat.Stop:
		dst = append(dst, `"end_turn"`...)
	case reason == chat.Length:
		dst = append(dst, `"max_tokens"`...)
	case reason == chat.ContentFilter:
		dst = append(dst, `"refusal"`...)
	default:
		dst = jsonedit.AppendString(dst, string(reason))
	}
	dst = append(dst, `,"stop_sequence":`...)
	if len(sequence) == 0 {
		return append(dst, "null"...)
	}
	return jsonedit.AppendBytes(dst, sequence)
}

// appendUsage writes the counters. Anthropic's input_tokens do not include cached
// tokens.
func appendUsage(dst []byte, u *chat.Usage) []byte {
	dst = appendCount(dst, `{"input_tokens":`, max(0, u.Prompt-u.Cached-u.CacheWrite))
	dst = appendCount(dst, `,"cache_creation_input_tokens":`, u.CacheWrite)
	dst = appendCount(dst, `,"cache_read_input_tokens":`, u.Cached)
	if u.CacheWrite5m+u.CacheWrite1h > 0 {
		dst = appendCount(dst, `,"cache_creation":{"ephemeral_5m_input_tokens":`, u.CacheWrite5m)
		dst = append(appendCount(dst, `,"ephemeral_1h_input_tokens":`, u.CacheWrite1h), '}')
	}
	dst = appendCount(dst, `,"output_tokens":`, u.Completion)
	if u.Reasoning > 0 {
		dst = append(appendCount(dst, `,"output_tokens_details":{"thinking_tokens":`, u.Reasoning), '}')
	}
	dst = jsonedit.AppendOptional(dst, "service_tier", u.ServiceTier)
	return append(dst, '}')
}

func appendCount(dst []byte, name string, n int) []byte {
	return strconv.AppendInt(append(dst, name...), int64(n), 10)
}

// errorTypes are Anthropic's. https://platform.claude.com/docs/en/api/errors
var errorTypes = []string{
	"invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
	"request_too_large", "rate_limit_error", "timeout_error", "api_error", "overloaded_error",
}

// AppendError writes an error answer. The type follows from the status, which is more
// reliable than other providers' types: OpenAI has invalid_request_error for a wrong
// key.
func (dialect) AppendError(dst []byte, e *chat.Error) []byte {
	kind := e.Type
	switch {
	case e.IsContextTooLong():
		kind = "invalid_request_error"
	case (e.Status == 0 || e.Status >= 500) && slices.Contains(errorTypes, kind):
	case e.Status == 402:
		kind = "billing_error"
	case e.Status == 408 || e.Status == 504:
		kind = "timeout_error"
	case e.Status != 0:
		kind = chat.TypeOf(e.Status)
	default:
		kind = "api_error"
	}
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","message":`...)
	return append(jsonedit.AppendString(dst, errorText(e)), '}', '}')
}

// errorText is the message of e, which for a conversation that is too long is in
// Anthropic's words: Claude Code compacts it at these only.
// https://platform.claude.com/docs/en/build-with-claude/context-windows
func errorText(e *chat.Error) string {
	const words = "prompt is too long: "
	if !e.IsContextTooLong() || strings.Contains(e.Message, words) {
		return e.Message
	}
	tokens, maximum := e.ContextTokens()
	if tokens == 0 {
		return words + e.Message
	}
	return words + strconv.Itoa(tokens) + " tokens > " + strconv.Itoa(maximum) + " maximum"
}
