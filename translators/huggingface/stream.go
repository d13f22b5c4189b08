package huggingface

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// NewStream implements chat.Upstream.
func (generate) NewStream(*target.Target) chat.Stream { return &stream{} }

// stream reads the tokens of one answer. The last one has the details.
// https://huggingface.co/docs/text-generation-inference/conceptual/streaming
type stream struct {
	jsonedit.EventParser
	deltas []chat.Delta
	usage  chat.Usage
	err    chat.Error
	ended  bool
}

// Next implements chat.Stream.
func (s *stream) Next(ev frame.Event) ([]chat.Delta, error) {
	s.deltas = s.deltas[:0]
	if len(ev.Data) == 0 || s.ended {
		return nil, nil
	}
	if string(ev.Data) == "[DONE]" {
		return s.end(), nil
	}
	v, err := s.ParseEvent(ev.Data)
	if err != nil {
		return nil, invalid()
	}
	token := v.Get("token")
	if token == nil {
		if m := message(v); m != "" {
			s.ended = true
			s.err = chat.Error{Type: "api_error", Code: string(v.GetStringBytes("error_type")), Message: m}
			return append(s.deltas, chat.Delta{Kind: chat.ErrorDelta, Err: &s.err}), nil
		}
	}
	// Special tokens, such as </s>, are not part of the text.
	if text := token.GetStringBytes("text"); len(text) > 0 && !token.GetBool("special") {
		s.deltas = append(s.deltas, chat.Delta{Kind: chat.TextDelta, Text: text})
	}
	details := v.Get("details")
	last := details != nil && details.Type() == jsonedit.TypeObject
	if last {
		if reason := details.GetStringBytes("finish_reason"); len(reason) > 0 {
			s.deltas = append(s.deltas, chat.Delta{Kind: chat.Finish, Reason: finishReasons.Of(reason)})
		}
		if prompt, completion := readUsage(&s.usage, details); prompt && completion {
			s.deltas = append(s.deltas, chat.Delta{Kind: chat.UsageDelta, Usage: &s.usage})
		}
	}
	if last || v.GetStringBytes("generated_text") != nil {
		return s.end(), nil
	}
	return s.deltas, nil
}

func (s *stream) end() []chat.Delta {
	s.ended = true
	s.deltas = append(s.deltas, chat.Delta{Kind: chat.End})
	return s.deltas
}
