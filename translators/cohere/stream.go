package cohere

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// stream reads one streamed answer of any version. Version 2 names its events
// by type (https://docs.cohere.com/v2/docs/streaming), the others by
// event_type.
type stream struct {
	jsonedit.EventParser
	deltas    []chat.Delta
	usage     chat.Usage
	err       chat.Error
	calls     []call // begun so far
	arguments []byte // of calls that arrived whole
	citations []byte // so far, without the closing bracket
	cites     citing
	texts     bool // text has come
	ended     bool
}

// call is what later events need to know of a call's start.
type call struct {
	index int  // Cohere's
	any   bool // arguments have come
}

// most is the highest number of calls and of choices, so that a broken stream cannot
// use unlimited memory.
const most = 1024

var done = []byte("[DONE]")

// Next implements chat.Stream. Events that are not known are skipped.
func (s *stream) Next(ev frame.Event) ([]chat.Delta, error) {
	s.deltas = s.deltas[:0]
	if len(ev.Data) == 0 {
		return nil, nil
	}
	if string(ev.Data) == string(done) {
		s.end()
		return s.deltas, nil
	}
	v, err := s.ParseEvent(ev.Data)
	if err != nil {
		return nil, &chat.ResponseError{Message: "an event of the stream is no JSON"}
	}
	switch {
	case v.Exists("type"):
		s.event(v)
	case v.Exists("event_type"):
		s.eventV1(v)
	case v.Exists("message"), v.Exists("error"):
		s.fail(chat.ErrorFrom(0, ev.Data).Message)
	}
	return s.deltas, nil
}

func (s *stream) add(d chat.Delta) { s.deltas = append(s.deltas, d) }

// bring adds a delta of text, unless the text is empty.
func (s *stream) bring(kind chat.DeltaKind, choice int, text []byte) {
	if len(text) == 0 || choice < 0 || choice >= most {
		return
	}
	if kind == chat.TextDelta {
		s.texts = true
		s.cites.say(text)
	}
	s.add(chat.Delta{Kind: kind, Choice: choice, Text: text})
}

func (s *stream) fail(message string) {
	if message == "" {
		message = "the model failed"
	}
	s.err = chat.Error{Type: "api_error", Message: message}
	s.ended = true
	s.add(chat.Delta{Kind: chat.ErrorDelta, Err: &s.err})
}

// end adds the end of the stream, once.
func (s *stream) end() {
	if !s.ended {
		s.ended = true
		s.add(chat.Delta{Kind: chat.End})
	}
}

// event reads an event of version 2.
func (s *stream) event(v *jsonedit.Value) {
	delta := v.Get("delta")
	message := delta.Get("message")
	switch string(v.GetStringBytes("type")) {
	case "message-start":
		s.add(chat.Delta{Kind: chat.Start, ID: v.GetStringBytes("id")})
	case "content-start", "content-delta":
		content := message.Get("content")
		s.cites.begin(v.GetInt("index"), content.Exists("text"))
		s.bring(chat.ThinkingDelta, 0, content.GetStringBytes("thinking"))
		s.bring(chat.TextDelta, 0, content.GetStringBytes("text"))
		if l := v.Get("logprobs"); l != nil && l.Type() == jsonedit.TypeObject {
			raw := append(appendLogprob([]byte(`{"content":[`), l), "]}"...)
			s.add(chat.Delta{Kind: chat.LogprobsDelta, Raw: raw})
		}
	case "tool-plan-delta":
		s.bring(chat.TextDelta, 0, message.GetStringBytes("tool_plan"))
	case "tool-call-start":
		s.start(v.GetInt("index"), message.Get("tool_calls"))
	case "tool-call-delta":
		s.more(v.GetInt("index"), message.GetStringBytes("tool_calls", "function", "arguments"))
	case "tool-call-end":
		s.close(v.GetInt("index"))
	case "citation-start":
		s.cite(message.Get("citations"))
		s.sources(message.Get("citations"), nil)
	case "message-end":
		if message := delta.GetStringBytes("error"); len(message) > 0 {
			s.fail(string(message))
			return
		}
		s.citationsEnd()
		s.finish(0, finishReasons.Of(delta.GetStringBytes("finish_reason")))
		s.count(delta)
		s.end()
	}
}

// start begins a call of version 2. The client's calls are counted from 0, whatever
// Cohere's index begins with.
func (s *stream) start(index int, v *jsonedit.Value) {
	if len(s.calls) >= most {
		return
	}
	arguments := v.GetStringBytes("function", "arguments")
	s.add(chat.Delta{Kind: chat.ToolStart, Index: len(s.calls), ID: v.GetStringBytes("id"), Name: v.GetStringBytes("function", "name"), Text: arguments})
	s.calls = append(s.calls, call{index: index, any: len(arguments) > 0})
}

// last returns the place of the last call with Cohere's index, or -1.
func (s *stream) last(index int) int {
	for i := len(s.calls) - 1; i >= 0; i-- {
		if s.calls[i].index == index {
			return i
		}
	}
	return -1
}

func (s *stream) more(index int, arguments []byte) {
	i := s.last(index)
	if i < 0 || len(arguments) == 0 {
		return
	}
	s.calls[i].any = true
	s.add(chat.Delta{Kind: chat.ToolArguments, Index: i, Text: arguments})
}

var noArguments = []byte("{}")

// close adds an empty object for a call without arguments, as in a whole answer.
func (s *stream) close(index int) {
	if i := s.last(index); i >= 0 && !s.calls[i].any {
		s.calls[i].any = true
		s.add(chat.Delta{Kind: chat.ToolArguments, Index: i, Text: noArguments})
	}
}

// sources adds the sources that citations name.
func (s *stream) sources(citations *jsonedit.Value, documents []*jsonedit.Value) {
	for _, c := range s.cites.cite(citations, documents) {
		s.add(chat.Delta{Kind: chat.CitationDelta, Citation: &c})
	}
}

// cite keeps one or several citations until the answer ends. Clients get them in one
// list, as in a whole answer.
func (s *stream) cite(v *jsonedit.Value) {
	if v == nil {
		return
	}
	list := v.GetArray()
	if v.Type() == jsonedit.TypeObject {
		list = []*jsonedit.Value{v}
	}
	for _, c := range list {
		if len(s.citations) == 0 {
			s.citations = append(s.citations, '[')
		} else {
			s.citations = append(s.citations, ',')
		}
		s.citations = jsonedit.AppendValue(s.citations, c)
	}
}

var citationsName = []byte("citations")

func (s *stream) citationsEnd() {
	if len(s.citations) > 0 {
		s.citations = append(s.citations, ']')
		s.add(chat.Delta{Kind: chat.ExtraDelta, Name: citationsName, Raw: s.citations})
	}
}

func (s *stream) finish(choice int, reason chat.FinishReason) {
	if reason != "" && choice < most {
		s.add(chat.Delta{Kind: chat.Finish, Choice: choice, Reason: reason})
	}
}

func (s *stream) count(v *jsonedit.Value) {
	if readUsage(&s.usage, v) {
		s.add(chat.Delta{Kind: chat.UsageDelta, Usage: &s.usage})
	}
}
