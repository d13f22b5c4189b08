package ollama

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Meter reads answers in Ollama's own format that are forwarded unchanged.
var Meter chat.Meter = meter{}

type meter struct{}

// Whole implements chat.Meter.
func (meter) Whole(body []byte, seen *chat.Seen) { observe(body, seen) }

// Event implements chat.Meter.
func (meter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	if len(ev.Data) > 0 {
		observe(ev.Data, seen)
	}
}

func observe(data []byte, seen *chat.Seen) {
	var l line
	if l.parse(data) != nil {
		return
	}
	if e := l.err(); e != nil {
		seen.Err = e
		return
	}
	if seen.Model == "" {
		seen.Model, _ = jsonedit.String(l.model)
	}
	if jsonedit.IsString(l.thinking) && len(l.thinking) > len(`""`) {
		seen.Content = true
		seen.TextLen += len(l.thinking) - len(`""`)
	}
	if jsonedit.IsString(l.text) && len(l.text) > len(`""`) {
		seen.Content = true
		seen.TextLen += len(l.text) - len(`""`)
		if seen.Collect != nil {
			text, _ := jsonedit.AppendUnquoted(nil, l.text)
			seen.Collect(text)
		}
	}
	called := jsonedit.IsArray(l.calls)
	if called {
		seen.TextLen += len(l.calls)
	}
	seen.Content = seen.Content || called
	// The last line of a stream does not repeat the calls, and its reason is stop.
	if reason := l.finish(called); reason != "" {
		seen.Finish, seen.Ended = reason, true
	}
	if l.usage(&seen.Usage) {
		seen.HasUsage = true
	}
}
