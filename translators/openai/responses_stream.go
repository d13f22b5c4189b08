package openai

import (
	"cmp"
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// NewEncoder implements chat.Dialect.
// https://platform.openai.com/docs/api-reference/responses-streaming
func (responsesDialect) NewEncoder(meta chat.Meta) chat.Encoder { return &responsesEncoder{meta: meta} }

// responsesEncoder writes the events of one response. It keeps the text so far, since
// the events at the end of a part, of an item and of the response repeat it.
//
// A message or a thought ends when the next item begins. Calls stay open until the
// end of the stream, since a provider may send several at once.
type responsesEncoder struct {
	meta     chat.Meta
	response *response // nil before the first event
	sequence int64
	closed   bool
}

// Append implements chat.Encoder.
func (e *responsesEncoder) Append(dst []byte, d *chat.Delta) []byte {
	if e.closed || d.Choice > 0 {
		return dst // the format has only one answer
	}
	if d.Kind == chat.ErrorDelta {
		e.closed = true
		return e.fail(dst, d)
	}
	if e.response == nil {
		dst = e.start(dst, d)
	}
	r := e.response
	switch d.Kind {
	case chat.TextDelta, chat.RefusalDelta:
		return e.say(dst, d)
	case chat.CitationDelta:
		return e.cite(dst, d.Citation)
	case chat.ThinkingDelta:
		return e.think(dst, d.Text)
	case chat.SignatureDelta:
		it := r.last(reasoningItem)
		if it == nil {
			dst, it = e.begin(dst, reasoningItem)
		}
		it.sealed = append(append(it.sealed[:0], sealedThinking...), d.Token(nil, origin.Unknown, &e.meta)...)
		return e.finish(dst, it)
	case chat.RedactedDelta:
		return e.seal(dst, sealedRedacted, d.Token(nil, origin.Unknown, &e.meta))
	case chat.ToolStart:
		return e.call(dst, d)
	case chat.ToolArguments:
		return e.arguments(dst, d)
	case chat.RunStart:
		return e.run(dst, d.Run)
	case chat.RunEnd:
		return e.ran(dst, d.Run, origin.Append(nil, cmp.Or(d.Origin, e.meta.Origin), origin.Unknown, d.Signature))
	case chat.ImageDelta:
		dst, it := e.begin(dst, imageItem)
		it.text = append(it.text, d.Text...)
		return e.finish(dst, it)
	case chat.Finish:
		if d.Reason != "" {
			r.reason = d.Reason
		}
	case chat.UsageDelta:
		if d.Usage != nil {
			r.usage, r.counted = *d.Usage, true
		}
	case chat.End:
		return e.end(dst)
	}
	return dst
}

// event begins an event: its name, type and number.
func (e *responsesEncoder) event(dst []byte, name string) []byte {
	dst = append(append(append(dst, "event: "...), name...), "\ndata: {\"type\":\""...)
	dst = append(append(dst, name...), `","sequence_number":`...)
	dst = strconv.AppendInt(dst, e.sequence, 10)
	e.sequence++
	return dst
}

// of begins an event about an item.
func (e *responsesEncoder) of(dst []byte, name string, it *item) []byte {
	dst = append(append(e.event(dst, name), `,"item_id":"`...), it.id...)
	return jsonedit.AppendInt(append(dst, '"'), "output_index", it.n)
}

func closeEvent(dst []byte) []byte { return append(dst, "}\n\n"...) }

func (e *responsesEncoder) start(dst []byte, d *chat.Delta) []byte {
	first := &chat.Delta{}
	if d.Kind == chat.Start {
		first = d
	}
	e.response = newResponse(string(first.ID), string(first.Model), first.Created, &e.meta)
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		dst = closeEvent(e.response.append(jsonedit.AppendName(e.event(dst, name), "response"), inProgress))
	}
	return dst
}

// begin ends the open message or thought, if any, and begins an item.
func (e *responsesEncoder) begin(dst []byte, kind itemKind) ([]byte, *item) {
	dst = e.settle(dst)
	it := e.response.add(kind)
	return e.added(dst, it), it
}

// settle ends the message or thought that is open.
func (e *responsesEncoder) settle(dst []byte) []byte {
	for _, open := range [...]itemKind{messageItem, reasoningItem} {
		if it := e.response.last(open); it != nil {
			dst = e.finish(dst, it)
		}
	}
	return dst
}

func (e *responsesEncoder) added(dst []byte, it *item) []byte {
	dst = jsonedit.AppendInt(e.event(dst, "response.output_item.added"), "output_index", it.n)
	return closeEvent(it.append(jsonedit.AppendName(dst, "item"), inProgress, e.response))
}

// say writes text or a refusal. Each is a part of the message.
func (e *responsesEncoder) say(dst []byte, d *chat.Delta) []byte {
	if len(d.Text) == 0 {
		return dst
	}
	it := e.response.last(messageItem)
	if it == nil || it.refused != (d.Kind == chat.RefusalDelta) {
		dst, it = e.begin(dst, messageItem)
		it.refused = d.Kind == chat.RefusalDelta
		dst = jsonedit.AppendInt(e.of(dst, "response.content_part.added", it), "content_index", 0)
		dst = closeEvent(it.appendPart(jsonedit.AppendName(dst, "part"), nil))
	}
	it.text = append(it.text, d.Text...)
	name := "response.output_text.delta"
	if it.refused {
		name = "response.refusal.delta"
	}
	dst = jsonedit.AppendInt(e.of(dst, name, it), "content_index", 0)
	dst = jsonedit.AppendText(dst, "delta", d.Text)
	if !it.refused {
		dst = append(dst, `,"logprobs":[]`...)
	}
	dst = closeEvent(dst)
	if waiting := e.response.waiting; len(waiting) > 0 && !it.refused {
		e.response.waiting = nil
		for _, c := range waiting {
			dst = e.cite(dst, c)
		}
	}
	return dst
}

func (e *responsesEncoder) think(dst, text []byte) []byte {
	if len(text) == 0 {
		return dst
	}
	it := e.response.last(reasoningItem)
	if it == nil {
		dst, it = e.begin(dst, reasoningItem)
	}
	if len(it.text) == 0 {
		dst = jsonedit.AppendInt(e.of(dst, "response.reasoning_summary_part.added", it), "summary_index", 0)
		dst = closeEvent(appendSummary(jsonedit.AppendName(dst, "part"), nil))
	}
	it.text = append(it.text, text...)
	dst = jsonedit.AppendInt(e.of(dst, "response.reasoning_summary_text.delta", it), "summary_index", 0)
	return closeEvent(jsonedit.AppendText(dst, "delta", text))
}

// seal writes a reasoning item that only has encrypted_content.
func (e *responsesEncoder) seal(dst []byte, kind string, data []byte) []byte {
	dst, it := e.begin(dst, reasoningItem)
	it.sealed = append(append(it.sealed, kind...), data...)
	return e.finish(dst, it)
}

func (e *responsesEncoder) call(dst []byte, d *chat.Delta) []byte {
	if len(d.Signature) > 0 {
		dst = e.seal(dst, sealedCall, d.Token(nil, origin.Unknown, &e.meta))
	}
	dst = e.settle(dst)
	it := e.response.addCall(d.ID, d.Name)
	it.index = d.Index
	return e.arguments(e.added(dst, it), d)
}

func (e *responsesEncoder) arguments(dst []byte, d *chat.Delta) []byte {
	if len(d.Text) == 0 {
		return dst
	}
	for i := len(e.response.items) - 1; i >= 0; i-- {
		if it := e.response.items[i]; it.kind == callItem && it.index == d.Index {
			return e.said(dst, it, it.argue(d.Text))
		}
	}
	return dst
}

// argumentEvents are the events for the pieces and the whole of a call, by kind of
// tool. Those of other kinds have none: their calls come as a whole.
var argumentEvents = map[string][2]string{
	"":         {"response.function_call_arguments.delta", "response.function_call_arguments.done"},
	customTool: {"response.custom_tool_call_input.delta", "response.custom_tool_call_input.done"},
}

// said writes a piece of a call.
func (e *responsesEncoder) said(dst []byte, it *item, piece []byte) []byte {
	names, ok := argumentEvents[it.tool.Kind]
	if !ok || len(piece) == 0 {
		return dst
	}
	return closeEvent(jsonedit.AppendText(e.of(dst, names[0], it), "delta", piece))
}

// finishCall writes the rest of a call.
func (e *responsesEncoder) finishCall(dst []byte, it *item) []byte {
	rest := it.argued()
	if it.tool.Kind == customTool {
		dst = e.said(dst, it, rest)
	}
	names, ok := argumentEvents[it.tool.Kind]
	if !ok {
		return dst
	}
	dst = e.of(dst, names[1], it)
	if it.tool.Kind == "" {
		dst = jsonedit.AppendText(dst, "name", it.name)
	}
	return closeEvent(jsonedit.AppendText(dst, it.form.member, it.text))
}

// finish writes what ends an item: its part, and the item whole.
func (e *responsesEncoder) finish(dst []byte, it *item) []byte {
	it.done = true
	switch {
	case it.kind == messageItem:
		name, member := "response.output_text.done", "text"
		if it.refused {
			name, member = "response.refusal.done", "refusal"
		}
		dst = jsonedit.AppendInt(e.of(dst, name, it), "content_index", 0)
		dst = jsonedit.AppendText(dst, member, it.text)
		if !it.refused {
			dst = append(dst, `,"logprobs":[]`...)
		}
		dst = jsonedit.AppendInt(e.of(closeEvent(dst), "response.content_part.done", it), "content_index", 0)
		dst = closeEvent(it.appendPart(jsonedit.AppendName(dst, "part"), it.text))
	case it.kind == reasoningItem && len(it.text) > 0:
		dst = jsonedit.AppendInt(e.of(dst, "response.reasoning_summary_text.done", it), "summary_index", 0)
		dst = closeEvent(jsonedit.AppendText(dst, "text", it.text))
		dst = jsonedit.AppendInt(e.of(dst, "response.reasoning_summary_part.done", it), "summary_index", 0)
		dst = closeEvent(appendSummary(jsonedit.AppendName(dst, "part"), it.text))
	case it.kind == callItem:
		dst = e.finishCall(dst, it)
	case it.kind == runItem:
		dst = e.finishRun(dst, it)
	}
	dst = jsonedit.AppendInt(e.event(dst, "response.output_item.done"), "output_index", it.n)
	return closeEvent(it.append(jsonedit.AppendName(dst, "item"), "completed", e.response))
}

// end ends the open items and writes the whole response.
func (e *responsesEncoder) end(dst []byte) []byte {
	e.closed = true
	for _, it := range e.response.items {
		if !it.done {
			dst = e.finish(dst, it)
		}
	}
	status := e.response.status()
	dst = e.event(dst, "response."+status)
	return closeEvent(e.response.append(jsonedit.AppendName(dst, "response"), status))
}

// unknownSequence numbers an event after others that somebody else wrote.
const unknownSequence = 1 << 30

// fail ends the response with the reason: response.failed is the only end of a stream
// besides a complete answer that Codex knows. Where the provider's own events passed,
// no response of ours was begun, and there is just this event.
func (e *responsesEncoder) fail(dst []byte, d *chat.Delta) []byte {
	err := d.Err
	if e.response == nil {
		if e.meta.ID == "" {
			e.response, e.sequence = newResponse(string(d.ID), string(d.Model), 0, &e.meta), unknownSequence
		} else {
			dst = e.start(dst, &chat.Delta{})
		}
	}
	if err == nil {
		err = &chat.Error{Message: "the provider ended the stream with an error"}
	}
	e.response.err = err
	dst = e.event(dst, "response.failed")
	return closeEvent(e.response.append(jsonedit.AppendName(dst, "response"), failed))
}
