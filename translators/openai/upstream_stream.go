package openai

import (
	"bytes"
	"net/http"
	"slices"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/target"
)

// NewStream implements chat.Upstream.
func (Upstream) NewStream(*target.Target) chat.Stream { return &upstreamStream{} }

// upstreamStream reads the chunks of one answer.
type upstreamStream struct {
	jsonedit.EventParser
	deltas  []chat.Delta
	usage   chat.Usage
	raw     []byte        // scratch
	calls   [][]begunCall // per choice
	started bool
	sources []chat.Citations // per choice

	executing []executing // per choice

	alike jsonedit.Alike // chunks of text …
	same  int            // … of this choice
}

// Next implements chat.Stream.
func (s *upstreamStream) Next(ev frame.Event) ([]chat.Delta, error) {
	s.deltas = s.deltas[:0]
	if len(ev.Data) == 0 {
		return nil, nil
	}
	if bytes.Equal(ev.Data, done) {
		return append(s.deltas, chat.Delta{Kind: chat.End}), nil
	}
	if text, ok := s.alike.Content(ev.Data); ok && len(text) > 0 {
		return append(s.deltas, chat.Delta{Kind: chat.TextDelta, Choice: s.same, Text: text}), nil
	}
	v, err := s.ParseEvent(ev.Data)
	choices := v.GetArray("choices")
	if len(choices) == 0 || v.Exists("error") || slices.ContainsFunc(choices, hasError) {
		if e := failureIn(ev); e != nil {
			return append(s.deltas, chat.Delta{Kind: chat.ErrorDelta, Err: e}), nil
		}
	}
	if err != nil || v.Type() != jsonedit.TypeObject {
		return nil, &chat.ResponseError{Message: "failed to decode an event of the stream"}
	}
	if !s.started && (len(choices) > 0 || v.Exists("usage")) {
		s.started = true
		s.add(chat.Delta{Kind: chat.Start, ID: v.GetStringBytes("id"), Model: v.GetStringBytes("model"), Created: int64(v.GetInt("created"))})
	}
	for _, c := range choices {
		s.choice(c)
		if d := c.Get("delta"); d.Exists("annotations") {
			s.cite(c.GetInt("index"), nil, d)
		}
	}
	if v.Exists("citations") {
		s.cite(0, v, nil)
	}
	if u := v.Get("usage"); u != nil && u.Type() == jsonedit.TypeObject {
		s.raw = jsonedit.AppendValue(s.raw[:0], u)
		if ReadUsage(s.raw, &s.usage) {
			s.usage.ServiceTier = v.GetString("service_tier")
			s.add(chat.Delta{Kind: chat.UsageDelta, Usage: &s.usage})
		}
	}
	if len(choices) == 1 && len(s.deltas) == 1 && s.deltas[0].Kind == chat.TextDelta && !choices[0].Exists("delta", "executed_tools") {
		s.same = s.deltas[0].Choice
		s.alike.LearnValue(choices[0].Get("delta", "content"), v.Get("obfuscation"))
	}
	return s.deltas, nil
}

func hasError(choice *jsonedit.Value) bool { return choice.Exists("error") }

// failureIn returns the error that an event is: by its data, or by its name, which llama.cpp
// and LM Studio give it. It is nil for others.
func failureIn(ev frame.Event) *chat.Error {
	if e := chat.ErrorInside(ev.Data); e != nil || string(ev.Type) != "error" {
		return e
	}
	e := chat.ErrorFrom(http.StatusBadGateway, ev.Data)
	e.Status = 0 // it had none
	return e
}

func (s *upstreamStream) add(d chat.Delta) { s.deltas = append(s.deltas, d) }

// cite adds the sources that have not come before: some send the same list with every
// chunk.
func (s *upstreamStream) cite(choice int, answer, delta *jsonedit.Value) {
	if choice < 0 || choice >= most {
		return
	}
	for len(s.sources) <= choice {
		s.sources = append(s.sources, chat.Citations{})
	}
	for _, c := range readSources(&s.sources[choice], answer, delta) {
		s.add(chat.Delta{Kind: chat.CitationDelta, Choice: choice, Citation: &c})
	}
}

// most is the highest index of a choice that is accepted. The API allows 128 choices.
const most = 1024

func (s *upstreamStream) choice(c *jsonedit.Value) {
	i := c.GetInt("index")
	if i < 0 || i >= most {
		return
	}
	if d := c.Get("delta"); d != nil {
		if b := thinkingOf(d); len(b) > 0 {
			s.add(chat.Delta{Kind: chat.ThinkingDelta, Choice: i, Text: b})
		}
		if b := signatureOf(d); len(b) > 0 {
			s.add(chat.Delta{Kind: chat.SignatureDelta, Choice: i, Text: b})
		}
		if d.Exists("executed_tools") {
			s.ran(i, d)
		}
		if b := textOf(d, "content"); len(b) > 0 {
			s.add(chat.Delta{Kind: chat.TextDelta, Choice: i, Text: b})
		}
		if b := d.GetStringBytes("refusal"); len(b) > 0 {
			s.add(chat.Delta{Kind: chat.RefusalDelta, Choice: i, Text: b})
		}
		for _, call := range d.GetArray("tool_calls") {
			s.call(call, i)
		}
	}
	if l := c.Get("logprobs"); l != nil && l.Type() == jsonedit.TypeObject {
		s.add(chat.Delta{Kind: chat.LogprobsDelta, Choice: i, Raw: jsonedit.AppendValue(nil, l)})
	}
	if reason := c.GetStringBytes("finish_reason"); len(reason) > 0 {
		d := chat.Delta{Kind: chat.Finish, Choice: i, Reason: Finish(string(reason))}
		if d.Reason == chat.Failed {
			d.Text = reason
		}
		s.add(d)
	}
}

// call reads one element of delta.tool_calls. A name begins a call: some servers repeat
// the id with every piece, some have no index, and some the same index for all calls,
// which then differ in their ids.
func (s *upstreamStream) call(call *jsonedit.Value, choice int) {
	for len(s.calls) <= choice {
		s.calls = append(s.calls, nil)
	}
	id, name := call.GetStringBytes("id"), call.GetStringBytes("function", "name")
	arguments := call.GetStringBytes("function", "arguments")
	if v := call.Get("function", "arguments"); v.Type() == jsonedit.TypeObject {
		arguments = jsonedit.AppendValue(nil, v)
	}
	begun := s.calls[choice]
	index, at := len(begun), -1
	if n := call.Get("index"); n != nil && n.Type() == jsonedit.TypeNumber {
		index = n.GetInt()
		for i := len(begun) - 1; i >= max(0, len(begun)-parallel) && at < 0; i-- {
			if begun[i].index == index {
				at = i
			}
		}
	} else if len(name) == 0 {
		at = len(begun) - 1
	}
	if at >= 0 && len(name) > 0 && len(id) > 0 && string(id) != begun[at].id {
		at = -1 // another call at the same index
	}
	switch {
	case at < 0 && len(name) > 0 && index >= 0:
		s.calls[choice] = append(begun, begunCall{index, string(id)})
		s.add(chat.Delta{Kind: chat.ToolStart, Choice: choice, Index: len(begun), ID: id, Name: name, Text: arguments,
			Signature: call.GetStringBytes("extra_content", "google", "thought_signature"), Origin: origin.Google})
	case len(begun) > 0 && len(arguments) > 0 && index >= 0:
		if at < 0 { // what is of no call that we know belongs to the last
			at = len(begun) - 1
		}
		s.add(chat.Delta{Kind: chat.ToolArguments, Choice: choice, Index: at, Text: arguments})
	}
}

// parallel is how many calls may be open at a time: as many as a request may have tools.
const parallel = 128

// begunCall is a call whose beginning has come.
type begunCall struct {
	index int // as the provider counts
	id    string
}
