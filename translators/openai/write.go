package openai

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// appendMember writes ,"name": before a value.
func appendMember(dst []byte, name string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

func appendStringMember(dst []byte, name, value string) []byte {
	return jsonedit.AppendString(appendMember(dst, name), value)
}

// appendOptional writes a member unless it is empty.
func appendOptional(dst []byte, name, value string) []byte {
	if len(value) == 0 {
		return dst
	}
	return appendStringMember(dst, name, value)
}

func appendIntMember(dst []byte, name string, n int) []byte {
	return strconv.AppendInt(appendMember(dst, name), int64(n), 10)
}

// identity is what stays the same from the first byte of an answer to the last.
type identity struct {
	prefix  string // of a made-up id
	object  string
	id      string
	created int64
	model   string
}

// settle takes each value from the provider, or from the relay's meta.
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
	dst = appendStringMember(dst, "object", it.object)
	dst = strconv.AppendInt(appendMember(dst, "created"), it.created, 10)
	return appendStringMember(dst, "model", it.model)
}

// appendCallID writes a tool call's id, or makes one for providers that have
// none: unique by the answer's id, the same streamed and whole.
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

// appendUsage writes a usage object of the chat format. Details are written
// where the provider reported one of them.
func appendUsage(dst []byte, u *chat.Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), int64(u.Prompt), 10)
	dst = appendIntMember(dst, "completion_tokens", u.Completion)
	dst = appendIntMember(dst, "total_tokens", u.TotalTokens())
	if u.Cached|u.CacheWrite|u.PromptAudio != 0 {
		dst = strconv.AppendInt(append(appendMember(dst, "prompt_tokens_details"), `{"cached_tokens":`...), int64(u.Cached), 10)
		dst = appendIntMember(dst, "audio_tokens", u.PromptAudio)
		if u.CacheWrite != 0 {
			dst = appendIntMember(dst, "cache_write_tokens", u.CacheWrite)
		}
		dst = append(dst, '}')
	}
	if u.Reasoning|u.CompletionAudio|u.AcceptedPrediction|u.RejectedPrediction != 0 {
		dst = strconv.AppendInt(append(appendMember(dst, "completion_tokens_details"), `{"reasoning_tokens":`...), int64(u.Reasoning), 10)
		dst = appendIntMember(dst, "audio_tokens", u.CompletionAudio)
		dst = appendIntMember(dst, "accepted_prediction_tokens", u.AcceptedPrediction)
		dst = appendIntMember(dst, "rejected_prediction_tokens", u.RejectedPrediction)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func appendFinish(dst []byte, reason chat.FinishReason) []byte {
	dst = appendMember(dst, "finish_reason")
	if reason == "" {
		return append(dst, "null"...)
	}
	return jsonedit.AppendString(dst, string(reason))
}

// appendThinkingBlock and appendRedactedBlock write an element of thinking_blocks.
func appendThinkingBlock(dst []byte, text, signature string) []byte {
	dst = jsonedit.AppendString(append(dst, `{"type":"thinking","thinking":`...), text)
	return append(appendOptional(dst, "signature", signature), '}')
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

// appendError writes {"error":{"message","type","code","param"}}; what is not
// known is null.
// https://platform.openai.com/docs/guides/error-codes
func appendError(dst []byte, e *chat.Error) []byte {
	dst = jsonedit.AppendString(append(dst, `{"error":{"message":`...), e.Message)
	for _, m := range [...]struct{ name, value string }{{"type", errorType(e)}, {"code", e.Code}, {"param", e.Param}} {
		if m.value == "" {
			dst = append(appendMember(dst, m.name), "null"...)
			continue
		}
		dst = appendStringMember(dst, m.name, m.value)
	}
	return append(dst, "}}"...)
}

// errorType is the error's type, or OpenAI's word for its status.
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
