package openai

import (
	"bytes"
	"unicode/utf8"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// NewStream implements chat.Upstream.
func (responsesUpstream) NewStream(*target.Target) chat.Stream { return &itemStream{} }

// itemStream reads the events of one response. What items are is known when they end:
// their text and arguments come in pieces before, and sometimes only then.
type itemStream struct {
	jsonedit.EventParser
	deltas  []chat.Delta
	items   []streamedItem
	read    outputReader // how far the text is, and the sources
	calls   int
	usage   chat.Usage
	started bool
	ended   bool
}

// streamedItem is an item of which something has come.
type streamedItem struct {
	output int // its place in the output
	call   int // which call it is, -1 for none
	from   int // where its text begins in that of the answer, in characters
	said   bool
	custom bool   // it is a call of a custom tool, whose arguments have begun
	part   string // the part of the thought that came last
}

// itemEvents are the events that say something, and what reads them.
// https://platform.openai.com/docs/api-reference/responses-streaming
var itemEvents = map[string]func(s *itemStream, v *jsonedit.Value){
	"response.created":                       (*itemStream).start,
	"response.in_progress":                   (*itemStream).start,
	"response.output_item.added":             (*itemStream).begin,
	"response.output_text.delta":             func(s *itemStream, v *jsonedit.Value) { s.say(v, chat.TextDelta) },
	"response.refusal.delta":                 func(s *itemStream, v *jsonedit.Value) { s.say(v, chat.RefusalDelta) },
	"response.reasoning_summary_text.delta":  (*itemStream).think,
	"response.reasoning_text.delta":          (*itemStream).think,
	"response.function_call_arguments.delta": (*itemStream).argue,
	"response.custom_tool_call_input.delta":  (*itemStream).put,
	"response.output_item.done":              (*itemStream).finish,
	"response.completed":                     (*itemStream).end,
	"response.incomplete":                    (*itemStream).end,
	"response.failed":                        (*itemStream).end,
	"error":                                  (*itemStream).fail,
}

// Next implements chat.Stream.
func (s *itemStream) Next(ev frame.Event) ([]chat.Delta, error) {
	s.deltas = s.deltas[:0]
	if len(ev.Data) == 0 || s.ended || isDone(ev.Data) {
		return nil, nil
	}
	typ := ev.Type
	if len(typ) == 0 {
		value, _ := find(ev.Data, typeKey)
		if typ = jsonedit.StringAtStart(value); len(typ) > 2 {
			typ = typ[1 : len(typ)-1]
		}
	}
	read := itemEvents[string(typ)]
	if read == nil && bytes.HasPrefix(typ, []byte("response.")) {
		return nil, nil
	}
	v, err := s.ParseEvent(ev.Data)
	switch {
	case err != nil || v.Type() != jsonedit.TypeObject:
		return nil, &chat.ResponseError{Message: "failed to decode an event of the stream"}
	case read != nil:
		read(s, v)
	case v.Exists("error"):
		s.fail(v)
	}
	return s.deltas, nil
}

func (s *itemStream) add(d chat.Delta) { s.deltas = append(s.deltas, d) }

func (s *itemStream) start(v *jsonedit.Value) {
	if r := v.Get("response"); r != nil && !s.started {
		s.started = true
		s.add(chat.Delta{Kind: chat.Start, ID: r.GetStringBytes("id"), Model: r.GetStringBytes("model"), Created: int64(r.GetInt("created_at"))})
	}
}

// item returns the item that an event is about, which is new if nothing of it has come.
// Few are open at a time, so that it is among the last.
func (s *itemStream) item(v *jsonedit.Value) *streamedItem {
	output := v.GetInt("output_index")
	for i := len(s.items) - 1; i >= max(0, len(s.items)-parallel); i-- {
		if s.items[i].output == output {
			return &s.items[i]
		}
	}
	s.items = append(s.items, streamedItem{output: output, call: -1, from: s.read.chars})
	return &s.items[len(s.items)-1]
}

// begin reads the beginning of an item. Of the calls, only some come in
// pieces that can be passed on.
func (s *itemStream) begin(v *jsonedit.Value) {
	it, o := s.item(v), v.Get("item")
	if it.call >= 0 {
		return
	}
	switch string(o.GetStringBytes("type")) {
	case "function_call":
		s.call(it, o.GetStringBytes("call_id"), o.GetStringBytes("name"), nil)
	case "custom_tool_call":
		s.call(it, o.GetStringBytes("call_id"), o.GetStringBytes("name"), inputBegins)
		it.custom = it.call >= 0
	}
}

// What stands around the input of a custom tool in the arguments of a function.
var inputBegins, inputEnds = []byte(`{"input":"`), []byte(`"}`)

// put reads a piece of the input of a custom tool.
func (s *itemStream) put(v *jsonedit.Value) {
	if it, b := s.item(v), v.GetText("delta"); it.custom && !b.Empty() {
		it.said = true
		s.add(chat.Delta{Kind: chat.ToolArguments, Index: it.call, Text: b.AppendInside(nil)})
	}
}

func (s *itemStream) call(it *streamedItem, id, name, arguments []byte) {
	if len(id) == 0 || len(name) == 0 {
		return
	}
	it.call = s.calls
	s.calls++
	s.add(chat.Delta{Kind: chat.ToolStart, Index: it.call, ID: id, Name: name, Text: arguments})
}

func (s *itemStream) say(v *jsonedit.Value, kind chat.DeltaKind) {
	if b := v.GetStringBytes("delta"); len(b) > 0 {
		s.item(v).said = true
		s.said(kind, b)
	}
}

func (s *itemStream) said(kind chat.DeltaKind, b []byte) {
	if kind == chat.TextDelta {
		s.read.chars += utf8.RuneCount(b)
	}
	s.add(chat.Delta{Kind: kind, Text: b})
}

var paragraph = []byte("\n\n")

func (s *itemStream) think(v *jsonedit.Value) {
	b := v.GetStringBytes("delta")
	if len(b) == 0 {
		return
	}
	it, part := s.item(v), v.Get("summary_index")
	if part == nil {
		part = v.Get("content_index")
	}
	if n := part.Raw(); it.part != string(n) {
		if it.said {
			s.add(chat.Delta{Kind: chat.ThinkingDelta, Text: paragraph})
		}
		it.part = string(n)
	}
	it.said = true
	s.add(chat.Delta{Kind: chat.ThinkingDelta, Text: b})
}

func (s *itemStream) argue(v *jsonedit.Value) {
	if it, b := s.item(v), v.GetStringBytes("delta"); it.call >= 0 && len(b) > 0 {
		it.said = true
		s.add(chat.Delta{Kind: chat.ToolArguments, Index: it.call, Text: b})
	}
}

// finish reads an item that is complete: what its pieces did not have.
func (s *itemStream) finish(v *jsonedit.Value) {
	it, o := s.item(v), v.Get("item")
	whole := outputReader{}
	whole.item(o)
	for i := range whole.parts {
		switch p := &whole.parts[i]; p.Kind {
		case chat.Text, chat.Refusal:
			if !it.said {
				kind := map[chat.PartKind]chat.DeltaKind{chat.Text: chat.TextDelta, chat.Refusal: chat.RefusalDelta}[p.Kind]
				s.said(kind, []byte(p.Text.String()))
			}
		case chat.Thinking:
			if !it.said {
				s.add(chat.Delta{Kind: chat.ThinkingDelta, Text: []byte(p.Text.String())})
			}
			if p.Signature != "" {
				s.add(chat.Delta{Kind: chat.SignatureDelta, Text: []byte(p.Signature)})
			}
		case chat.RedactedThinking:
			kind := chat.RedactedDelta
			if it.said { // the summary came in pieces only
				kind = chat.SignatureDelta
			}
			s.add(chat.Delta{Kind: kind, Text: []byte(p.Text.String())})
		case chat.ToolCall:
			s.finishCall(it, p)
		case chat.HostedRun:
			s.add(chat.Delta{Kind: chat.RunStart, Run: p.Run})
			s.add(chat.Delta{Kind: chat.RunEnd, Run: p.Run, Signature: []byte(p.Signature)})
		case chat.Image:
			s.add(chat.Delta{Kind: chat.ImageDelta, Name: []byte(p.Media.MIME), Text: []byte(p.Media.Data.String())})
		}
	}
	for _, c := range s.read.cite(o, it.from) {
		s.add(chat.Delta{Kind: chat.CitationDelta, Citation: &c})
	}
}

func (s *itemStream) finishCall(it *streamedItem, p *chat.Part) {
	arguments := []byte(p.Arguments.String())
	switch {
	case it.custom && it.said:
		s.add(chat.Delta{Kind: chat.ToolArguments, Index: it.call, Text: inputEnds})
	case it.custom:
		s.add(chat.Delta{Kind: chat.ToolArguments, Index: it.call, Text: bytes.TrimPrefix(arguments, inputBegins)})
	case it.call < 0:
		s.call(it, []byte(p.ID), []byte(p.Name), arguments)
	case !it.said && len(arguments) > 0:
		s.add(chat.Delta{Kind: chat.ToolArguments, Index: it.call, Text: arguments})
	}
}

// end reads the response that ends the stream.
func (s *itemStream) end(v *jsonedit.Value) {
	s.ended = true
	s.start(v)
	r := v.Get("response")
	if e := failureOf(r); e != nil {
		s.add(chat.Delta{Kind: chat.ErrorDelta, Err: e})
		return
	}
	if len(s.items) == 0 { // a server that streams nothing but the end
		for _, d := range readResponseObject(r).Deltas() {
			if d.Kind != chat.Start {
				s.add(d)
			}
		}
		return
	}
	if usage := r.Get("usage"); usage != nil && ReadUsage(jsonedit.AppendValue(nil, usage), &s.usage) {
		s.usage.ServiceTier = r.GetString("service_tier")
		s.usage.SearchUnits = searchesIn(r.GetArray("output"))
		s.add(chat.Delta{Kind: chat.UsageDelta, Usage: &s.usage})
	}
	s.add(chat.Delta{Kind: chat.Finish, Reason: finishOf(r, s.calls > 0)})
	s.add(chat.Delta{Kind: chat.End})
}

// fail reads an event that is an error: by itself, or as its member.
func (s *itemStream) fail(v *jsonedit.Value) {
	s.ended = true
	e := v
	if inner := v.Get("error"); inner != nil && inner.Type() != jsonedit.TypeNull {
		e = inner
	}
	s.add(chat.Delta{Kind: chat.ErrorDelta, Err: coded(readErrorValue(e))})
}
