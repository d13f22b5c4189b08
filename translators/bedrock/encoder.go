package bedrock

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// NewEncoder returns the writer of one streamed answer, in frames of
// application/vnd.amazon.eventstream. Usage is always sent.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
func (dialect) NewEncoder(meta chat.Meta) chat.Encoder {
	return chat.InBlocks(&encoder{meta: meta, open: -1})
}

// encoder writes one answer. A block ends when the next one begins. The stop reason
// is written at the end, when it is known whether there were calls.
type encoder struct {
	meta    chat.Meta
	started bool
	closed  bool // the metadata or an exception was written

	blocks int // blocks so far: the index of the next
	open   int // index of the open block, or -1
	kind   chat.PartKind
	calls  chat.CallBlocks
	runs   map[*chat.Run]int

	ending chat.Ending
	trace  []byte

	waiting []*chat.Citation // for a block of text

	payload []byte
}

func event(name string) []frame.Header {
	return []frame.Header{{Name: ":event-type", Value: name}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "event"}}
}

var (
	messageStart = event("messageStart")
	blockStart   = event("contentBlockStart")
	blockDelta   = event("contentBlockDelta")
	blockStop    = event("contentBlockStop")
	messageStop  = event("messageStop")
	metadata     = event("metadata")
)

// Append implements chat.Encoder.
func (e *encoder) Append(dst []byte, d *chat.Delta) []byte {
	if e.closed || d.Choice > 0 {
		return dst // the format has only one answer
	}
	if e.ending.Take(d) {
		return dst
	}
	switch d.Kind {
	case chat.ExtraDelta:
		if string(d.Name) == "trace" {
			e.trace = append(e.trace[:0], d.Raw...)
		}
		return dst
	case chat.ErrorDelta:
		return e.fail(dst, d.Err)
	}
	if !e.started {
		e.started = true
		dst = frame.AppendEventStream(dst, messageStart, []byte(`{"role":"assistant"}`))
	}
	switch d.Kind {
	case chat.TextDelta, chat.RefusalDelta:
		return e.appendText(dst, chat.Text, `{"text":`, d.Text, `}`)
	case chat.CitationDelta:
		return e.appendCitation(dst, d.Citation)
	case chat.ThinkingDelta:
		return e.appendText(dst, chat.Thinking, `{"reasoningContent":{"text":`, d.Text, `}}`)
	case chat.SignatureDelta:
		dst = e.appendText(dst, chat.Thinking, `{"reasoningContent":{"signature":`, d.Token(nil, origin.Anthropic, &e.meta), `}}`)
		return e.appendClose(dst)
	case chat.RedactedDelta:
		dst = e.appendText(e.appendClose(dst), chat.RedactedThinking, `{"reasoningContent":{"redactedContent":`, []byte(blob(string(d.Token(nil, origin.Anthropic, &e.meta)))), `}}`)
		return e.appendClose(dst)
	case chat.RunStart, chat.RunEnd:
		return e.appendRun(dst, d)
	case chat.ToolStart:
		if token := d.CallToken(&e.meta); token != nil {
			dst = e.Append(dst, token)
		}
		return e.appendCall(dst, d)
	case chat.ToolArguments:
		return e.appendArguments(dst, d.Index, d.Text)
	case chat.End:
		return e.appendEnd(dst)
	}
	return dst
}

// appendText writes a piece of a block. Blocks of text begin without an event.
func (e *encoder) appendText(dst []byte, kind chat.PartKind, before string, said []byte, after string) []byte {
	if len(said) == 0 {
		return dst
	}
	if e.open < 0 || e.kind != kind {
		dst = e.next(e.appendClose(dst), kind)
	}
	dst = e.appendDelta(dst, e.open, before, said, after)
	if kind != chat.Text {
		return dst
	}
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
	p := append(jsonedit.AppendName(e.index(e.open), "delta"), `{"citation":`...)
	e.payload = append(appendCitation(p, c), "}}"...)
	return frame.AppendEventStream(dst, blockDelta, e.payload)
}

// next begins a block.
func (e *encoder) next(dst []byte, kind chat.PartKind) []byte {
	e.open, e.kind = e.blocks, kind
	e.blocks++
	return dst
}

// index begins the payload of an event about a block.
func (e *encoder) index(block int) []byte {
	return jsonedit.AppendInt(append(e.payload[:0], '{'), "contentBlockIndex", block)
}

func (e *encoder) appendDelta(dst []byte, block int, before string, said []byte, after string) []byte {
	p := append(jsonedit.AppendName(e.index(block), "delta"), before...)
	p = append(jsonedit.AppendBytes(p, said), after...)
	e.payload = append(p, '}')
	return frame.AppendEventStream(dst, blockDelta, e.payload)
}

// appendClose ends the open block, if there is one.
func (e *encoder) appendClose(dst []byte) []byte {
	if e.open < 0 {
		return dst
	}
	e.payload = append(e.index(e.open), '}')
	e.open = -1
	return frame.AppendEventStream(dst, blockStop, e.payload)
}

func (e *encoder) appendCall(dst []byte, d *chat.Delta) []byte {
	dst = e.next(e.appendClose(dst), chat.ToolCall)
	e.calls = append(e.calls, chat.CallBlock{Call: d.Index, Block: e.open})
	p := append(jsonedit.AppendName(e.index(e.open), "start"), `{"toolUse":{`...)
	p = jsonedit.AppendText(appendCallID(p, d.ID, e.meta.ID, len(e.calls)-1), "name", chat.ToolName(&e.meta, d.Name))
	e.payload = append(p, "}}}"...)
	dst = frame.AppendEventStream(dst, blockStart, e.payload)
	return e.appendArguments(dst, d.Index, d.Text)
}

func (e *encoder) appendArguments(dst []byte, call int, said []byte) []byte {
	if len(said) == 0 {
		return dst
	}
	if block, ok := e.calls.Of(call); ok {
		return e.appendDelta(dst, block, `{"toolUse":{"input":`, said, `}}`)
	}
	return dst
}

// appendEnd writes messageStop, if a finish reason is known, and metadata.
func (e *encoder) appendEnd(dst []byte) []byte {
	e.closed = true
	dst = e.appendClose(dst)
	if e.ending.Reason != "" {
		p := jsonedit.AppendText(append(e.payload[:0], '{'), "stopReason", stopReason(e.ending.Reason, len(e.ending.Sequence) > 0, len(e.calls) > 0))
		e.payload = append(p, '}')
		dst = frame.AppendEventStream(dst, messageStop, e.payload)
	}
	p := appendUsage(append(e.payload[:0], '{'), &e.ending.Usage) // required, whether or not the provider counted
	p = append(jsonedit.AppendName(p, "metrics"), `{"latencyMs":0}`...)
	p = appendTier(jsonedit.AppendRaw(p, "trace", e.trace), e.ending.Usage.ServiceTier)
	e.payload = append(p, '}')
	return frame.AppendEventStream(dst, metadata, e.payload)
}

// fail writes the exception that ends a stream.
func (e *encoder) fail(dst []byte, err *chat.Error) []byte {
	e.closed = true
	if err == nil {
		err = &chat.Error{Message: "the provider ended the stream with an error"}
	}
	name := "internalServerException"
	switch err.ClientStatus() {
	case 429:
		name = "throttlingException"
	case 502, 503, 529:
		name = "serviceUnavailableException"
	case 400, 401, 403, 404, 413, 422:
		name = "validationException"
	case 0:
		switch err.Type {
		case "rate_limit_error":
			name = "throttlingException"
		case "overloaded_error":
			name = "serviceUnavailableException"
		case "invalid_request_error":
			name = "validationException"
		}
	}
	headers := []frame.Header{
		{Name: ":exception-type", Value: name}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "exception"},
	}
	return frame.AppendEventStream(dst, headers, append(jsonedit.AppendText([]byte{'{'}, "message", errorText(err)), '}'))
}
