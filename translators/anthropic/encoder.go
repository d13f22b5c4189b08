package anthropic

import (
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// NewEncoder returns the writer of one streamed Message.
// https://platform.claude.com/docs/en/build-with-claude/streaming
func (dialect) NewEncoder(meta chat.Meta) chat.Encoder {
	return chat.InBlocks(&encoder{meta: meta, open: -1})
}

// encoder writes the events of one answer. A block ends when the next one begins.
type encoder struct {
	meta    chat.Meta
	started bool
	closed  bool // message_stop or an error was written

	blocks int           // blocks so far: the index of the next
	open   int           // index of the open block, or -1
	kind   chat.PartKind // of the open block
	calls  chat.CallBlocks

	waiting []*chat.Citation // for a block of text
	runs    map[*chat.Run]int

	ending chat.Ending
}

func (e *encoder) Append(dst []byte, d *chat.Delta) []byte {
	if e.closed || d.Choice > 0 {
		return dst // the format has only one answer
	}
	switch {
	case e.ending.Take(d):
		return dst
	case d.Kind == chat.ErrorDelta:
		e.closed = true
		dst = append(dst, "event: error\ndata: "...)
		return append(Dialect.AppendError(dst, d.Err), '\n', '\n')
	}
	if !e.started {
		e.started = true
		dst = e.appendStart(dst, d)
	}
	switch d.Kind {
	case chat.TextDelta, chat.RefusalDelta:
		return e.appendText(dst, chat.Text, d.Text)
	case chat.CitationDelta:
		return e.appendCitation(dst, d.Citation)
	case chat.ThinkingDelta:
		return e.appendText(dst, chat.Thinking, d.Text)
	case chat.SignatureDelta:
		dst = e.appendOpen(dst, chat.Thinking)
		dst = e.appendDelta(dst, e.open, `{"type":"signature_delta","signature":`, d.Token(nil, origin.Anthropic, &e.meta))
		return e.appendClose(dst)
	case chat.RedactedDelta:
		dst = e.appendBlockStart(e.appendClose(dst), chat.RedactedThinking)
		dst = append(dst, `{"type":"redacted_thinking","data":`...)
		dst = append(jsonedit.AppendBytes(dst, d.Token(nil, origin.Anthropic, &e.meta)), "}}\n\n"...)
		return e.appendClose(dst)
	case chat.RunStart:
		return e.beginRun(dst, d)
	case chat.RunEnd:
		return e.endRun(dst, d)
	case chat.ToolStart:
		if token := d.CallToken(&e.meta); token != nil {
			dst = e.Append(dst, token)
		}
		return e.appendCall(dst, d)
	case chat.ToolArguments:
		return e.appendArguments(dst, d)
	case chat.End:
		return e.appendEnd(dst)
	}
	return dst
}

// appendStart writes message_start. Most providers do not report the prompt's tokens
// until later, so an estimate is written, which message_delta replaces.
func (e *encoder) appendStart(dst []byte, d *chat.Delta) []byte {
	id, model := "", ""
	if d.Kind == chat.Start {
		id, model = string(d.ID), string(d.Model)
	}
	dst = append(dst, "event: message_start\ndata: "+`{"type":"message_start","message":`...)
	dst = appendHead(dst, id, model, &e.meta)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	if !e.ending.Counted {
		e.ending.Usage.Prompt = e.meta.PromptTokens
	}
	dst = appendUsage(dst, &e.ending.Usage)
	return append(dst, "}}\n\n"...)
}

func (e *encoder) appendText(dst []byte, kind chat.PartKind, text []byte) []byte {
	if len(text) == 0 {
		return dst
	}
	dst = e.appendOpen(dst, kind)
	if kind == chat.Thinking {
		return e.appendDelta(dst, e.open, `{"type":"thinking_delta","thinking":`, text)
	}
	dst = e.appendDelta(dst, e.open, `{"type":"text_delta","text":`, text)
	waiting := e.waiting
	e.waiting = nil
	for _, c := range waiting {
		dst = e.appendCitation(dst, c)
	}
	return dst
}

// appendCitation writes a source of the block that is open, or of the next one of text.
func (e *encoder) appendCitation(dst []byte, c *chat.Citation) []byte {
	if e.open < 0 || e.kind != chat.Text {
		e.waiting = append(e.waiting, c)
		return dst
	}
	dst = append(dst, "event: content_block_delta\ndata: "+`{"type":"content_block_delta","index":`...)
	dst = strconv.AppendInt(dst, int64(e.open), 10)
	return append(appendCitation(append(dst, `,"delta":{"type":"citations_delta","citation":`...), c), "}}\n\n"...)
}

// appendOpen opens a block of text or thinking, unless it is the open one.
func (e *encoder) appendOpen(dst []byte, kind chat.PartKind) []byte {
	if e.open >= 0 && e.kind == kind {
		return dst
	}
	dst = e.appendBlockStart(e.appendClose(dst), kind)
	if kind == chat.Thinking {
		return append(dst, `{"type":"thinking","thinking":"","signature":""}}`+"\n\n"...)
	}
	return append(dst, `{"type":"text","text":""}}`+"\n\n"...)
}

func (e *encoder) appendBlockStart(dst []byte, kind chat.PartKind) []byte {
	e.open, e.kind = e.blocks, kind
	e.blocks++
	dst = append(dst, "event: content_block_start\ndata: "+`{"type":"content_block_start","index":`...)
	dst = strconv.AppendInt(dst, int64(e.open), 10)
	return append(dst, `,"content_block":`...)
}

func (e *encoder) appendDelta(dst []byte, index int, delta string, value []byte) []byte {
	dst = append(dst, "event: content_block_delta\ndata: "+`{"type":"content_block_delta","index":`...)
	dst = strconv.AppendInt(dst, int64(index), 10)
	dst = jsonedit.AppendRaw(dst, "delta", delta)
	return append(jsonedit.AppendBytes(dst, value), "}}\n\n"...)
}

func (e *encoder) appendClose(dst []byte) []byte {
	if e.open < 0 {
		return dst
	}
	dst = append(dst, "event: content_block_stop\ndata: "+`{"type":"content_block_stop","index":`...)
	dst = strconv.AppendInt(dst, int64(e.open), 10)
	e.open = -1
	return append(dst, "}\n\n"...)
}

func (e *encoder) appendCall(dst []byte, d *chat.Delta) []byte {
	n := len(e.calls)
	dst = e.appendBlockStart(e.appendClose(dst), chat.ToolCall)
	e.calls = append(e.calls, chat.CallBlock{Call: d.Index, Block: e.open})
	dst = appendUseHead(dst, d.ID, chat.ToolName(&e.meta, d.Name), e.meta.ID, n)
	dst = append(dst, `,"input":{}}}`+"\n\n"...)
	return e.appendArguments(dst, d)
}

// appendArguments writes a piece of a call's arguments. If a provider sends several
// calls at once, pieces of an earlier call may arrive after its end; the index says
// which call they belong to.
func (e *encoder) appendArguments(dst []byte, d *chat.Delta) []byte {
	if len(d.Text) == 0 {
		return dst
	}
	if block, ok := e.calls.Of(d.Index); ok {
		return e.appendDelta(dst, block, `{"type":"input_json_delta","partial_json":`, d.Text)
	}
	return dst
}

// appendEnd writes the last events. They wait for the end, because usage may follow
// the finish reason.
func (e *encoder) appendEnd(dst []byte) []byte {
	e.closed = true
	dst = e.appendClose(dst)
	dst = append(dst, "event: message_delta\ndata: "+`{"type":"message_delta","delta":{`...)
	dst = appendStop(dst, e.ending.Reason, e.ending.Sequence, len(e.calls) > 0)
	dst = append(dst, `},"usage":`...)
	dst = appendUsage(dst, &e.ending.Usage)
	return append(dst, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}
