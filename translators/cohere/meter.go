package cohere

import (
	"github.com/valyala/fastjson"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Meter reads usage from Cohere's own answers on their way to a client of the
// same format: those of Chat and Generate, whole and streamed, of Rerank
// (search units) and Embed.
var Meter chat.Meter = meter{}

type meter struct{}

// parsers outlive a stream: a Meter has no place to keep one.
func (meter) Whole(body []byte, seen *chat.Seen) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p, len(body))
	v, err := p.ParseBytes(body)
	if err != nil {
		return
	}
	seeAnswer(v, seen)
	for _, b := range v.GetArray("message", "content") {
		seeText(b.GetStringBytes("text"), seen)
		count(b.GetStringBytes("thinking"), seen)
	}
	seeText(v.GetStringBytes("message", "tool_plan"), seen)
	seeText(v.GetStringBytes("text"), seen)
	for _, g := range v.GetArray("generations") {
		seeText(g.GetStringBytes("text"), seen)
	}
	seen.Content = seen.Content || exists(v, "results") || exists(v, "embeddings") ||
		len(v.GetArray("tool_calls"))+len(v.GetArray("message", "tool_calls")) > 0
}

// seeAnswer reads what is not content of a whole answer, or of the end of a
// streamed one.
func seeAnswer(v *fastjson.Value, seen *chat.Seen) {
	seeFinish(v, seen)
	if readUsage(&seen.Usage, v) {
		seen.HasUsage = true
	}
}

func seeFinish(v *fastjson.Value, seen *chat.Seen) {
	if reason := v.GetStringBytes("finish_reason"); len(reason) > 0 {
		seen.Finish = finishReason(reason)
	}
}

func (meter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	if len(ev.Data) == 0 {
		return
	}
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p, len(ev.Data))
	v, err := p.ParseBytes(ev.Data)
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
		seeText(message.GetStringBytes("content", "text"), seen)
		count(message.GetStringBytes("content", "thinking"), seen)
	case "tool-plan-delta":
		seeText(message.GetStringBytes("tool_plan"), seen)
	case "tool-call-start", "tool-call-delta":
		seen.Content = true
		call := message.Get("tool_calls", "function")
		seen.TextLen += len(call.GetStringBytes("name")) + len(call.GetStringBytes("arguments"))
	case "text-generation":
		seeText(v.GetStringBytes("text"), seen)
	case "tool-calls-chunk":
		seen.Content = true
		call := v.Get("tool_call_delta")
		seen.TextLen += len(call.GetStringBytes("name")) + len(call.GetStringBytes("parameters")) + len(call.GetStringBytes("text"))
	case "tool-calls-generation": // the same once more
		seen.Content = true
	case "message-end":
		seen.Ended = true
		seeAnswer(delta, seen)
		if s := text(delta, "error"); s != "" {
			seen.Err = &chat.Error{Type: "api_error", Message: s}
		}
	case "stream-end":
		seen.Ended = true
		seeFinish(v, seen)
		seeAnswer(v.Get("response"), seen)
	case "stream-error":
		seen.Err = &chat.Error{Type: "api_error", Message: text(v, "err")}
	}
}

// seeText counts text that a client shows, and hands it to payload logging.
func seeText(s []byte, seen *chat.Seen) {
	count(s, seen)
	if len(s) > 0 && seen.Collect != nil {
		seen.Collect(s)
	}
}

func count(s []byte, seen *chat.Seen) {
	if len(s) > 0 {
		seen.Content = true
		seen.TextLen += len(s)
	}
}
