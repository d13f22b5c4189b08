package cohere

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// eventV1 reads an event of version 1 and of Generate.
// https://docs.cohere.com/v1/reference/chat-stream
func (s *stream) eventV1(v *jsonedit.Value) {
	switch string(v.GetStringBytes("event_type")) {
	case "stream-start":
		s.add(chat.Delta{Kind: chat.Start, ID: v.GetStringBytes("generation_id")})
	case "text-generation":
		s.bring(chat.TextDelta, v.GetInt("index"), v.GetStringBytes("text"))
	case "citation-generation":
		s.cite(v.Get("citations"))
	case "tool-calls-chunk":
		s.bring(chat.TextDelta, 0, v.GetStringBytes("text"))
		s.chunk(v.Get("tool_call_delta"))
	case "tool-calls-generation":
		s.whole(v)
	case "stream-error":
		s.fail(string(v.GetStringBytes("err")))
	case "stream-end":
		s.endV1(v)
	}
}

// chunk reads a piece of a call. A name begins a call.
func (s *stream) chunk(v *jsonedit.Value) {
	if v == nil {
		return
	}
	s.bring(chat.TextDelta, 0, v.GetStringBytes("text"))
	index := int(v.GetFloat64("index"))
	if name := v.GetStringBytes("name"); len(name) > 0 && len(s.calls) < most {
		s.add(chat.Delta{Kind: chat.ToolStart, Index: len(s.calls), Name: name})
		s.calls = append(s.calls, call{index: index})
	}
	s.more(index, v.GetStringBytes("parameters"))
}

// whole reads the complete calls and the text before them. Calls that arrived in
// pieces are known already.
func (s *stream) whole(v *jsonedit.Value) {
	if !s.texts {
		s.bring(chat.TextDelta, 0, v.GetStringBytes("text"))
	}
	for i := range s.calls {
		s.close(s.calls[i].index)
	}
	calls := v.GetArray("tool_calls")
	s.arguments = s.arguments[:0]
	for i := len(s.calls); i < len(calls) && i < most; i++ {
		from := len(s.arguments)
		s.arguments = appendParameters(s.arguments, calls[i])
		s.add(chat.Delta{Kind: chat.ToolStart, Index: i, Name: calls[i].GetStringBytes("name"), Text: s.arguments[from:]})
		s.calls = append(s.calls, call{index: i, any: true})
	}
}

// endV1 reads the last event, which repeats the whole answer.
func (s *stream) endV1(v *jsonedit.Value) {
	response := v.Get("response")
	reason := v.GetStringBytes("finish_reason")
	if string(reason) == "ERROR" && !s.texts && len(s.calls) == 0 {
		s.fail(v.GetString("error"))
		return
	}
	s.whole(response)
	s.sources(response.Get("citations"), response.GetArray("documents"))
	s.citationsEnd()
	generations := response.GetArray("generations")
	for i, g := range generations {
		s.finish(i, finishV1(finishReasons.Of(g.GetStringBytes("finish_reason")), false))
	}
	if len(generations) == 0 {
		s.finish(0, finishV1(finishReasons.Of(reason), len(s.calls) > 0))
	}
	s.count(response)
	s.end()
}
