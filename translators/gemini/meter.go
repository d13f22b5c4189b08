package gemini

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Meter reads generateContent answers that are forwarded unchanged. A finish reason
// sets Ended, since the format has no end marker.
var Meter chat.Meter = meter{}

type meter struct{}

// Whole implements chat.Meter. The body may be a streamed answer's array.
func (meter) Whole(body []byte, seen *chat.Seen) {
	if v, err := jsonedit.Parse(body); err == nil {
		observeAll(v, seen)
	}
}

// Event implements chat.Meter.
func (meter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	if len(ev.Data) == 0 {
		return
	}
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	if v, err := p.Parse(ev.Data); err == nil {
		observeAll(v, seen)
	}
}

// observeAll reads an answer, or an array of them: Google's errors may be in one.
func observeAll(v *jsonedit.Value, seen *chat.Seen) {
	if v.Type() != jsonedit.TypeArray {
		observe(v, seen)
		return
	}
	for _, item := range v.GetArray() {
		observe(item, seen)
	}
}

func observe(v *jsonedit.Value, seen *chat.Seen) {
	if e := v.Get("error"); e != nil {
		seen.Err = parseError(e)
		return
	}
	if readUsage(v, &seen.Usage) {
		seen.HasUsage = true
	}
	set(&seen.Model, v.GetStringBytes("modelVersion"))
	for _, c := range v.GetArray("candidates") {
		called := false
		for _, p := range c.GetArray("content", "parts") {
			said := p.GetStringBytes("text")
			called = called || p.Exists("functionCall")
			switch {
			case len(said) > 0 && p.GetBool("thought"):
				seen.Hidden(said)
			case len(said) > 0:
				seen.Shown(said)
			default:
				if call := p.Get("functionCall"); call != nil {
					seen.TextLen += len(call.GetStringBytes("name")) + len(argumentsOf(nil, call))
				}
				seen.Content = seen.Content || called || p.Exists("inlineData")
			}
		}
		if reason := finishReason(c.GetStringBytes("finishReason"), called); reason != "" {
			seen.Finish, seen.Ended = reason, true
		}
	}
	if len(v.GetStringBytes("promptFeedback", "blockReason")) > 0 {
		seen.Finish, seen.Ended = chat.ContentFilter, true
	}
}

// set sets *to if it differs, so that an unchanged value costs no allocation.
func set(to *string, v []byte) {
	if len(v) > 0 && *to != string(v) {
		*to = string(v)
	}
}
