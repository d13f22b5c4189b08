package ollama

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// NewStream implements chat.Upstream. Each line of the stream is an answer of
// its own with a piece of the text; the last one is done and counts.
// https://docs.ollama.com/api/streaming
func (answer) NewStream(*target.Target) chat.Stream { return &stream{} }

type stream struct {
	deltas  []chat.Delta
	buf     []byte // the bytes that the deltas of one event point to
	usage   chat.Usage
	started bool
	calls   int
}

// Next implements chat.Stream.
func (s *stream) Next(ev frame.Event) ([]chat.Delta, error) {
	s.deltas, s.buf = s.deltas[:0], s.buf[:0]
	if len(ev.Data) == 0 {
		return nil, nil
	}
	var l line
	if err := l.parse(ev.Data); err != nil {
		return nil, &chat.ResponseError{Message: "a line of the stream is no JSON object"}
	}
	if e := l.err(); e != nil {
		s.add(chat.Delta{Kind: chat.ErrorDelta, Err: e})
		return s.deltas, nil
	}
	if !s.started {
		s.started = true
		s.add(chat.Delta{Kind: chat.Start, Model: s.unquoted(l.model), Created: l.createdAt()})
	}
	s.bring(chat.ThinkingDelta, l.thinking)
	s.bring(chat.TextDelta, l.text)
	if l.calls != nil {
		l.eachCall(s.call)
	}
	if jsonedit.IsArray(l.logprobs) {
		s.add(chat.Delta{Kind: chat.LogprobsDelta, Raw: s.kept(appendLogprobs(s.buf, l.logprobs))})
	}
	if !l.settled {
		return s.deltas, nil
	}
	s.add(chat.Delta{Kind: chat.Finish, Reason: l.finish(s.calls > 0)})
	if l.usage(&s.usage) {
		s.add(chat.Delta{Kind: chat.UsageDelta, Usage: &s.usage})
	}
	s.add(chat.Delta{Kind: chat.End})
	return s.deltas, nil
}

func (s *stream) add(d chat.Delta) { s.deltas = append(s.deltas, d) }

// bring adds a delta of text, unless the text is empty.
func (s *stream) bring(kind chat.DeltaKind, value []byte) {
	if text := s.unquoted(value); len(text) > 0 {
		s.add(chat.Delta{Kind: kind, Text: text})
	}
}

// call adds a call, which always arrives whole. Calls are counted here, since
// function.index is missing in some versions and has been 0 for all calls in others.
func (s *stream) call(c call) {
	d := chat.Delta{Kind: chat.ToolStart, Index: s.calls, ID: s.unquoted(c.id), Name: s.unquoted(c.name)}
	d.Text = s.kept(c.argumentText(s.buf))
	s.calls++
	s.add(d)
}

// unquoted returns the text of a JSON string, in the buffer.
func (s *stream) unquoted(value []byte) []byte {
	grown, _ := jsonedit.AppendUnquoted(s.buf, value)
	return s.kept(grown)
}

// kept stores the grown buffer and returns the part that is new.
func (s *stream) kept(grown []byte) []byte {
	from := len(s.buf)
	s.buf = grown
	return grown[from:len(grown):len(grown)]
}
