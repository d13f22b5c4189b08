package cohere

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Meter reads usage from Cohere's answers that are forwarded to a client of the same
// format: those of Chat and Generate, whole and streamed, of Rerank (search units)
// and of Embed.
var Meter chat.Meter = meter{}

type meter struct{}

func (meter) Whole(body []byte, seen *chat.Seen) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(body)
	if err != nil {
		return
	}
	seeAnswer(v, seen)
	for _, b := range v.GetArray("message", "content") {
		seen.Shown(b.GetStringBytes("text"))
		seen.Hidden(b.GetStringBytes("thinking"))
	}
	seen.Shown(v.GetStringBytes("message", "tool_plan"))
	seen.Shown(v.GetStringBytes("text"))
	for _, g := range v.GetArray("generations") {
		seen.Shown(g.GetStringBytes("text"))
	}
	seen.Content = seen.Content || v.Has("results") || v.Has("embeddings") ||
		len(v.GetArray("tool_calls"))+len(v.GetArray("message", "tool_calls")) > 0
}

// seeAnswer reads everything but the content of a whole answer, or of the end of a
// streamed one.
func seeAnswer(v *jsonedit.Value, seen *chat.Seen) {
	seeFinish(v, seen)
	if readUsage(&seen.Usage, v) {
		seen.HasUsage = true
	}
}

func seeFinish(v *jsonedit.Value, seen *chat.Seen) {
	if reason := v.GetStringBytes("finish_reason"); len(reason) > 0 {
		seen.Finish = finishReasons.Of(reason)
	}
}

func (meter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	if len(ev.Data) == 0 {
		return
	}
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(ev.Data)
	if err != nil {
		return
	}
	kind := v.GetStringBytes("type")
	if kind == nil {
		kind = v.GetStringBytes("event_type")
	}
	delta := v.Get("delta")
	message := delta.Get("message")
	switch string(kind) {
	case "message-start", "stream-start":
		seeAnswer(v, seen)
	case "content-start", "content-delta":
		seen.Shown(message.GetStringBytes("content", "text"))
		seen.Hidden(message.GetStringBytes("content", "thinking"))
	case "tool-plan-delta":
		seen.Shown(message.GetStringBytes("tool_plan"))
	case "tool-call-start", "tool-call-delta":
		seen.Content = true
		call := message.Get("tool_calls", "function")
		seen.TextLen += len(call.GetStringBytes("name")) + len(call.GetStringBytes("arguments"))
	case "text-generation":
		seen.Shown(v.GetStringBytes("text"))
	case "tool-calls-chunk":
		seen.Content = true
		call := v.Get("tool_call_delta")
		seen.TextLen += len(call.GetStringBytes("name")) + len(call.GetStringBytes("parameters")) + len(call.GetStringBytes("text"))
	case "tool-calls-generation": // the complete calls, which were streamed before
		seen.Content = true
	case "message-end":
		seen.Ended = true
		seeAnswer(delta, seen)
		if s := delta.GetString("error"); s != "" {
			seen.Err = &chat.Error{Type: "api_error", Message: s}
		}
	case "stream-end":
		seen.Ended = true
		seeFinish(v, seen)
		seeAnswer(v.Get("response"), seen)
	case "stream-error":
		seen.Err = &chat.Error{Type: "api_error", Message: v.GetString("err")}
	}
}
