package anthropic

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Meter reads usage from Anthropic's answers that are forwarded to a client of the
// same format.
var Meter chat.Meter = meter{}

type meter struct{}

func (meter) Whole(body []byte, seen *chat.Seen) {
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(body)
	if err != nil {
		return
	}
	if string(v.GetStringBytes("type")) == "error" {
		seeError(v, seen)
		return
	}
	seeMessage(v, seen)
	for _, b := range v.GetArray("content") {
		seeBlock(b, seen)
	}
	seeFinish(v, seen)
	seen.Shown(v.GetStringBytes("completion"))
}

func (meter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	if len(ev.Data) == 0 || string(ev.Type) == "ping" {
		return
	}
	if text, ok := seen.Alike.Content(ev.Data); ok {
		seen.Shown(text)
		return
	}
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(ev.Data)
	if err != nil {
		return
	}
	switch string(v.GetStringBytes("type")) {
	case "message_start":
		seeMessage(v.Get("message"), seen)
		seen.Usage.Completion = 0 // an estimate; message_delta has the count
	case "content_block_start":
		seeBlock(v.Get("content_block"), seen)
	case "content_block_delta":
		d, before := v.Get("delta"), seen.TextLen
		text := d.GetStringBytes("text")
		seen.Shown(text)
		seen.Hidden(d.GetStringBytes("thinking"))
		seen.Hidden(d.GetStringBytes("partial_json"))
		if seen.TextLen-before == len(text) {
			seen.Alike.LearnValue(d.Get("text"), nil)
		}
	case "message_delta":
		seeFinish(v.Get("delta"), seen)
		seeUsage(v, seen)
	case "message_stop":
		seen.Ended = true
	case "error":
		seeError(v, seen)
	}
}

func seeMessage(m *jsonedit.Value, seen *chat.Seen) {
	if model := m.GetStringBytes("model"); len(model) > 0 {
		seen.Model = string(model)
	}
	seeUsage(m, seen)
}

func seeUsage(v *jsonedit.Value, seen *chat.Seen) {
	if v.Has("usage") && mergeUsage(&seen.Usage, v.Get("usage")) {
		seen.HasUsage = true
	}
}

func seeFinish(v *jsonedit.Value, seen *chat.Seen) {
	if reason := v.GetStringBytes("stop_reason"); len(reason) > 0 {
		seen.Finish = finishReasons.Of(reason)
	}
}

// seeBlock reads a whole block, or the start of one.
func seeBlock(b *jsonedit.Value, seen *chat.Seen) {
	switch string(b.GetStringBytes("type")) {
	case "text":
		seen.Shown(b.GetStringBytes("text"))
	case "thinking":
		seen.Hidden(b.GetStringBytes("thinking"))
	case "tool_use", "server_tool_use", "mcp_tool_use":
		seen.Content = true
		seen.TextLen += len(b.GetStringBytes("name"))
	default:
		seen.Content = true
	}
}

func seeError(v *jsonedit.Value, seen *chat.Seen) {
	e := v.Get("error")
	seen.Err = &chat.Error{Type: e.GetString("type"), Message: e.GetString("message")}
}
