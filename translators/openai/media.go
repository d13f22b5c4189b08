package openai

import (
	"bytes"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// MediaMeter reads answers of speech, transcriptions and images, whole and streamed.
// In a stream, the last event has the usage.
// https://platform.openai.com/docs/api-reference/audio/transcript-text-done-event
// https://platform.openai.com/docs/api-reference/images-streaming
var MediaMeter chat.Meter = mediaMeter{}

type mediaMeter struct{ meter }

var errorKey = []byte(`"error"`)

// Whole implements chat.Meter. Beside tokens it counts images, and the sound of a
// transcription, whose verbose form names its duration without usage.
// https://platform.openai.com/docs/api-reference/images/object
// https://platform.openai.com/docs/api-reference/audio/verbose-json-object
func (m mediaMeter) Whole(body []byte, seen *chat.Seen) {
	m.meter.Whole(body, seen)
	if data := jsonedit.Lookup(body, "data"); jsonedit.IsArray(data) {
		seen.Usage.Images = len(jsonedit.Elements(data, nil))
	} else if seen.Content && seen.Usage.Milliseconds == 0 {
		setSeconds(&seen.Usage.Milliseconds, jsonedit.Lookup(body, "duration"))
	}
}

// Event implements chat.Meter.
func (mediaMeter) Event(ev frame.Event, seen *chat.Seen) {
	if len(ev.Data) == 0 || isDone(ev.Data) {
		return
	}
	seen.Content = true
	if value, _ := find(ev.Data, usageKey); value != nil {
		if usage := jsonedit.Lookup(ev.Data, "usage"); ReadUsage(usage, &seen.Usage) {
			seen.HasUsage = true
		}
	}
	if head := ev.Data[:min(len(ev.Data), 256)]; bytes.Contains(head, errorKey) {
		if value := jsonedit.Lookup(ev.Data, "error"); value != nil {
			seen.Err, seen.Content = readError(value), false
		}
	}
}

// AssistantsMeter reads answers of the Assistants API, and the events of its runs.
// https://platform.openai.com/docs/api-reference/assistants-streaming/events
var AssistantsMeter chat.Meter = assistantsMeter{}

type assistantsMeter struct{ meter }

// Event implements chat.Meter.
func (m assistantsMeter) Event(ev frame.Event, seen *chat.Seen) {
	m.meter.Event(ev, seen)
	if bytes.HasPrefix(ev.Type, []byte("thread.run.")) && seen.Stored == "" {
		var space [32]jsonedit.Member
		if members, ok := jsonedit.Outline(ev.Data, space[:0]); ok {
			seen.Stored = storedID(members)
		}
	}
	seen.Content = seen.Content || bytes.HasSuffix(ev.Type, []byte(".delta")) || string(ev.Type) == "thread.run.requires_action"
}

// RealtimeMeter reads the messages of a realtime session, one per event. Each answer
// has its own usage, so they are summed.
// https://platform.openai.com/docs/api-reference/realtime-server-events/response/done
var RealtimeMeter chat.Meter = realtimeMeter{}

type realtimeMeter struct{}

// Whole implements chat.Meter; a session has no such thing.
func (realtimeMeter) Whole([]byte, *chat.Seen) {}

var (
	responseDone   = []byte(`"response.done"`)
	sessionCreated = []byte(`"session.created"`)
	aDelta         = []byte(`.delta"`)
)

// headOf is how many bytes at the start of a message are searched for its type, which
// OpenAI writes among the first members.
const headOf = 256

// Event implements chat.Meter.
func (realtimeMeter) Event(ev frame.Event, seen *chat.Seen) {
	head := ev.Data[:min(len(ev.Data), headOf)]
	switch {
	case bytes.Contains(head, responseDone):
		response := jsonedit.Lookup(ev.Data, "response")
		var u chat.Usage
		if ReadUsage(jsonedit.Lookup(response, "usage"), &u) {
			seen.Usage.Add(&u)
			seen.HasUsage = true
		}
	case bytes.Contains(head, sessionCreated):
		setText(&seen.Model, jsonedit.Lookup(ev.Data, "session", "model"))
	case !seen.Content && bytes.Contains(head, aDelta):
		seen.Content = true
	}
}
