package openai

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendTextOrNull writes a string, or null if it is empty.
func appendTextOrNull(dst []byte, name, value string) []byte {
	if value == "" {
		return jsonedit.AppendRaw(dst, name, "null")
	}
	return jsonedit.AppendText(dst, name, value)
}

// appendTimeOrNull writes unix seconds, or null if the time is not known.
func appendTimeOrNull(dst []byte, name string, at int64) []byte {
	if at == 0 {
		return jsonedit.AppendRaw(dst, name, "null")
	}
	return jsonedit.AppendInt(dst, name, at)
}

// identity holds the members that are the same in the whole answer.
type identity struct {
	prefix  string // of an id that the relay makes
	object  string
	id      string
	created int64
	model   string
}

// settle takes each value from the provider's answer, or else from the relay's meta.
func settle(prefix, object, id, model string, created int64, meta *chat.Meta) identity {
	it := identity{prefix: prefix, object: object, id: id, created: created, model: model}
	if it.id == "" {
		it.id = prefix + meta.ID
	}
	if it.created == 0 {
		it.created = meta.Created
	}
	if it.model == "" {
		it.model = meta.Model
	}
	return it
}

// append writes the object's first members, without the closing brace.
func (it *identity) append(dst []byte) []byte {
	dst = jsonedit.AppendString(append(dst, `{"id":`...), it.id)
	dst = jsonedit.AppendText(dst, "object", it.object)
	dst = jsonedit.AppendInt(dst, "created", it.created)
	return jsonedit.AppendText(dst, "model", it.model)
}

// appendCallID writes a tool call's id. If the provider has none, it makes one from
// the answer's id, so that it is unique, and the same in a stream and in a whole
// answer.
func (it *identity) appendCallID(dst []byte, id []byte, choice, n int) []byte {
	if len(id) > 0 {
		return jsonedit.AppendBytes(dst, id)
	}
	dst = append(dst, `"call_`...)
	for _, c := range []byte(strings.TrimPrefix(it.id, it.prefix)) {
		if c == '_' || c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
			dst = append(dst, c)
		}
	}
	if choice > 0 {
		dst = strconv.AppendInt(append(dst, '_'), int64(choice), 10)
	}
	return append(strconv.AppendInt(append(dst, '_'), int64(n), 10), '"')
}

// appendUsage writes a usage object of the chat format. An object of details is
// written if the provider reported one of them.
func appendUsage(dst []byte, u *chat.Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), int64(u.Prompt), 10)
	dst = jsonedit.AppendInt(dst, "completion_tokens", u.Completion)
	dst = jsonedit.AppendInt(dst, "total_tokens", u.TotalTokens())
	if u.Cached|u.CacheWrite|u.PromptAudio != 0 {
		dst = strconv.AppendInt(append(jsonedit.AppendName(dst, "prompt_tokens_details"), `{"cached_tokens":`...), int64(u.Cached), 10)
		dst = jsonedit.AppendInt(dst, "audio_tokens", u.PromptAudio)
		if u.CacheWrite != 0 {
			dst = jsonedit.AppendInt(dst, "cache_write_tokens", u.CacheWrite)
		}
		dst = append(dst, '}')
	}
	if u.Reasoning|u.CompletionAudio|u.AcceptedPrediction|u.RejectedPrediction != 0 {
		dst = strconv.AppendInt(append(jsonedit.AppendName(dst, "completion_tokens_details"), `{"reasoning_tokens":`...), int64(u.Reasoning), 10)
		dst = jsonedit.AppendInt(dst, "audio_tokens", u.CompletionAudio)
		dst = jsonedit.AppendInt(dst, "accepted_prediction_tokens", u.AcceptedPrediction)
		dst = jsonedit.AppendInt(dst, "rejected_prediction_tokens", u.RejectedPrediction)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func appendFinish(dst []byte, reason chat.FinishReason) []byte {
	dst = jsonedit.AppendName(dst, "finish_reason")
	if reason == "" {
		return append(dst, "null"...)
	}
	return jsonedit.AppendString(dst, string(reason))
}

// appendThinkingBlock and appendRedactedBlock write an element of thinking_blocks.
func appendThinkingBlock(dst []byte, text jsonedit.Text, signature string) []byte {
	dst = text.Append(append(dst, `{"type":"thinking","thinking":`...))
	return append(jsonedit.AppendOptional(dst, "signature", signature), '}')
}

func appendRedactedBlock(dst []byte, data string) []byte {
	return append(jsonedit.AppendString(append(dst, `{"type":"redacted_thinking","data":`...), data), '}')
}

func appendThoughtSignature(dst []byte, signature string) []byte {
	if len(signature) == 0 {
		return dst
	}
	dst = append(dst, `,"extra_content":{"google":{"thought_signature":`...)
	return append(jsonedit.AppendString(dst, signature), "}}"...)
}

// AppendError implements chat.Dialect.
func (chatDialect) AppendError(dst []byte, e *chat.Error) []byte { return appendError(dst, e) }

// appendError writes {"error":{"message","type","code","param"}}. Unknown members are
// null.
// https://platform.openai.com/docs/guides/error-codes
func appendError(dst []byte, e *chat.Error) []byte {
	kind, code := errorType(e), e.Code
	if e.IsContextTooLong() { // clients compact a conversation at this code only
		kind, code = "invalid_request_error", chat.ContextTooLong
	}
	dst = jsonedit.AppendString(append(dst, `{"error":{"message":`...), e.Message)
	dst = appendTextOrNull(dst, "type", kind)
	dst = appendTextOrNull(dst, "code", code)
	dst = appendTextOrNull(dst, "param", e.Param)
	return append(dst, "}}"...)
}

// errorType returns the error's type, or OpenAI's type for its status.
func errorType(e *chat.Error) string {
	switch {
	case e.Type != "":
		return e.Type
	case e.Status == 401:
		return "authentication_error"
	case e.Status == 403:
		return "permission_error"
	case e.Status == 429:
		return "rate_limit_error"
	case e.Status >= 400 && e.Status < 500:
		return "invalid_request_error"
	}
	return "server_error"
}
