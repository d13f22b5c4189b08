package openai

import (
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// NewEncoder implements chat.Dialect. The stream opens with a chunk that has
// the role, and a chunk follows for each delta. With meta.IncludeUsage the
// last chunk has usage and no choices. [DONE] ends a complete stream; an error
// event ends a broken one, and a stream that was cut off has neither.
func (chatDialect) NewEncoder(meta chat.Meta) chat.Encoder {
	return &encoder{meta: meta, legacy: isLegacy(&meta)}
}

// encoder writes the chunks of one answer.
// https://platform.openai.com/docs/api-reference/chat-streaming
type encoder struct {
	meta    chat.Meta
	legacy  bool // calls are written as function_call
	id      identity
	head    []byte // `data: {…,` up to the choices, once known
	choices []choice
	usage   chat.Usage
	counted bool // usage was reported
	closed  bool // [DONE] or an error was written
}

// choice is the state of one choice.
type choice struct {
	opened   bool
	finished bool
	thinking []byte // of the open block, to be sent again with its signature
	custom   customCalls
	ran      ranBefore
}

// Append implements chat.Encoder.
func (e *encoder) Append(dst []byte, d *chat.Delta) []byte {
	if e.closed {
		return dst
	}
	switch d.Kind {
	case chat.UsageDelta:
		if d.Usage != nil {
			e.usage, e.counted = *d.Usage, true
		}
		return dst
	case chat.ErrorDelta:
		e.closed = true
		return appendErrorEvent(dst, d.Err)
	case chat.Start:
		if e.head != nil {
			return dst
		}
		e.open(d)
		return e.openChoice(dst, 0)
	case chat.End:
		return e.end(dst)
	}
	if e.head == nil {
		e.open(&chat.Delta{})
	}
	if d.Kind == chat.ExtraDelta {
		dst = append(append(dst, e.head...), `"choices":[]`...)
		dst = append(jsonedit.AppendKey(dst, d.Name), d.Raw...)
		return append(dst, "}\n\n"...)
	}
	dst = e.openChoice(dst, d.Choice)
	return e.appendDelta(dst, d, &e.choices[d.Choice])
}

// open sets the members that are the same in all chunks.
func (e *encoder) open(d *chat.Delta) {
	e.id = settle("chatcmpl-", "chat.completion.chunk", string(d.ID), string(d.Model), d.Created, &e.meta)
	e.head = append(e.id.append([]byte("data: ")), `,"system_fingerprint":null,`...)
}

// openChoice writes the role of a choice when the choice is first seen.
func (e *encoder) openChoice(dst []byte, i int) []byte {
	for len(e.choices) <= i {
		e.choices = append(e.choices, choice{})
	}
	if e.choices[i].opened {
		return dst
	}
	e.choices[i].opened = true
	dst = append(e.begin(dst, i), `{"role":"assistant","content":""}`...)
	return e.finish(dst, "")
}

// begin writes a chunk up to the delta's value; finish writes the rest.
func (e *encoder) begin(dst []byte, choice int) []byte {
	dst = append(append(dst, e.head...), `"choices":[{"index":`...)
	dst = strconv.AppendInt(dst, int64(choice), 10)
	return append(dst, `,"delta":`...)
}

func (e *encoder) finish(dst []byte, reason chat.FinishReason) []byte {
	return e.close(appendFinish(append(dst, `,"logprobs":null`...), reason))
}

func (e *encoder) close(dst []byte) []byte {
	dst = append(dst, "}]"...)
	if e.meta.IncludeUsage {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...)
}

func (e *encoder) appendDelta(dst []byte, d *chat.Delta, c *choice) []byte {
	mark := len(dst)
	dst = e.begin(dst, d.Choice)
	switch d.Kind {
	case chat.TextDelta:
		dst = jsonedit.AppendBytes(append(dst, `{"content":`...), d.Text)
	case chat.RefusalDelta:
		dst = jsonedit.AppendBytes(append(dst, `{"refusal":`...), d.Text)
	case chat.ThinkingDelta:
		c.thinking = append(c.thinking, d.Text...)
		dst = jsonedit.AppendBytes(append(dst, `{"reasoning_content":`...), d.Text)
		return e.finish(append(dst, '}'), "")
	case chat.CitationDelta:
		if d.Citation.URL == "" {
			return dst[:mark]
		}
		dst = append(appendAnnotation(append(dst, `{"annotations":[`...), d.Citation), ']')
		return e.finish(append(dst, '}'), "")
	case chat.RunStart:
		c.ran.begin()
		return dst[:mark]
	case chat.RunEnd:
		c.ran.end(string(d.Signature))
		return dst[:mark]
	case chat.SignatureDelta:
		dst = appendThinkingBlock(append(dst, `{"thinking_blocks":[`...), jsonedit.PlainBytes(c.thinking), string(d.Token(nil, origin.Anthropic, &e.meta)))
		dst = append(dst, ']')
	case chat.RedactedDelta:
		dst = appendRedactedBlock(append(dst, `{"thinking_blocks":[`...), string(d.Token(nil, origin.Anthropic, &e.meta)))
		dst = append(dst, ']')
	case chat.ToolStart, chat.ToolArguments:
		if !e.legacy {
			more := false
			if dst, more = e.appendCall(dst, d, c); !more {
				return dst[:mark]
			}
			break
		}
		if d.Index > 0 {
			return dst[:mark]
		}
		dst = appendFunctionDelta(dst, d, &e.meta)
	case chat.AudioDelta:
		dst = append(append(dst, `{"audio":`...), d.Raw...)
	case chat.ImageDelta:
		dst = append(append(dst, `{"images":[{"type":"image_url","image_url":{"url":"data:`...), d.Name...)
		dst = append(append(append(dst, ";base64,"...), d.Text...), `"}}]`...)
	case chat.LogprobsDelta:
		dst = append(append(dst, `{},"logprobs":`...), d.Raw...)
		return e.close(appendFinish(dst, ""))
	case chat.Finish:
		if c.finished || d.Reason == "" {
			return dst[:mark]
		}
		c.finished = true
		dst = e.begin(e.endCustom(dst[:mark], d.Choice, c), d.Choice)
		reason := d.Reason
		if e.legacy {
			reason = legacyFinish(reason)
		}
		return e.finish(append(dst, "{}"...), reason)
	default:
		return dst[:mark]
	}
	c.thinking = c.thinking[:0]
	return e.finish(append(dst, '}'), "")
}

// appendCall writes a delta with the start of a call, or with more of its arguments. It
// reports whether there is something to write: not for a piece that adds nothing to the
// input of a custom tool.
func (e *encoder) appendCall(dst []byte, d *chat.Delta, c *choice) ([]byte, bool) {
	dst = strconv.AppendInt(append(dst, `{"tool_calls":[{"index":`...), int64(d.Index), 10)
	if d.Kind == chat.ToolArguments {
		if input, custom := c.custom.input(d.Index, d.Text); custom {
			return appendCustomInput(dst, input), len(input) > 0
		}
		dst = jsonedit.AppendBytes(append(dst, `,"function":{"arguments":`...), d.Text)
		return append(dst, "}}]"...), true
	}
	dst = e.id.appendCallID(jsonedit.AppendName(dst, "id"), d.ID, d.Choice, d.Index)
	name := chat.ToolName(&e.meta, d.Name)
	if isCustomCall(&e.meta, string(d.Name)) {
		dst = jsonedit.AppendBytes(append(dst, `,"type":"custom","custom":{"name":`...), name)
		dst = jsonedit.AppendText(dst, "input", c.begin(d.Index, d.Text))
	} else {
		dst = jsonedit.AppendBytes(append(dst, `,"type":"function","function":{"name":`...), name)
		dst = jsonedit.AppendText(dst, "arguments", d.Text)
	}
	signed := *d
	if c.ran.any {
		signed.Signature = []byte(c.ran.sign(string(d.Signature)))
	}
	return append(appendThoughtSignature(append(dst, '}'), string(signed.Token(nil, origin.Google, &e.meta))), "}]"...), true
}

// end writes the usage chunk, if it was asked for and is known, and [DONE].
func (e *encoder) end(dst []byte) []byte {
	e.closed = true
	if e.head == nil {
		e.open(&chat.Delta{})
	}
	if e.meta.IncludeUsage && e.counted {
		dst = append(append(dst, e.head...), `"choices":[],"usage":`...)
		dst = append(appendUsage(dst, &e.usage), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

func appendErrorEvent(dst []byte, e *chat.Error) []byte {
	if e == nil {
		e = &chat.Error{Message: "the provider ended the stream with an error"}
	}
	return append(appendError(append(dst, "data: "...), e), "\n\n"...)
}
