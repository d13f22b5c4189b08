package openai

import (
	"bytes"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// Meter reads answers of chat, completions, embeddings, images and transcriptions:
// all that have a member "usage".
var Meter chat.Meter = meter{}

type meter struct{}

var done = []byte("[DONE]")

// Whole implements chat.Meter.
func (meter) Whole(body []byte, seen *chat.Seen) {
	var space [16]jsonedit.Member
	members, ok := jsonedit.Outline(body, space[:0])
	if !ok {
		return
	}
	seen.Stored = storedID(members)
	for i := range members {
		m := &members[i]
		switch string(m.Key) {
		case "usage":
			seen.HasUsage = ReadUsage(m.Value, &seen.Usage) || seen.HasUsage
		case "model":
			setText(&seen.Model, m.Value)
		case "service_tier":
			setText(&seen.Usage.ServiceTier, m.Value)
		case "error":
			seen.Err = readError(m.Value)
		case "choices":
			readChoices(m.Value, seen)
		case "data", "text": // embeddings, images; a transcription
			seen.Content = true
		}
	}
}

// storedID returns the id of an answer that is made in the background and counted
// when it is read: a response in background mode, or a run. It is "" for other
// objects.
// https://platform.openai.com/docs/guides/background
// https://platform.openai.com/docs/api-reference/runs/object
func storedID(members []jsonedit.Member) string {
	switch string(jsonedit.Find(members, "object")) {
	case `"response"`:
		if !jsonedit.IsTrue(jsonedit.Find(members, "background")) {
			return ""
		}
	case `"thread.run"`:
	default:
		return ""
	}
	id, _ := jsonedit.String(jsonedit.Find(members, "id"))
	return id
}

// readChoices reads the text of the choices of a whole answer, and why they ended.
func readChoices(value []byte, seen *chat.Seen) {
	var choices [8][]byte
	for _, c := range jsonedit.Elements(value, choices[:0]) {
		seen.Content = true
		setFinish(jsonedit.Get(c, "finish_reason"), seen)
		text := jsonedit.Get(c, "text")
		if message := jsonedit.Get(c, "message"); message != nil {
			text = jsonedit.Get(message, "content")
		}
		seen.TextLen += textLen(text)
	}
}

// Event implements chat.Meter. An event's few members are found by byte search,
// not by parsing: a quoted name that is followed by a colon can only be a name.
func (meter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	data := ev.Data
	if len(data) == 0 {
		return
	}
	if bytes.Equal(data, done) {
		seen.Ended = true
		return
	}
	if text, ok := seen.Alike.Content(data); ok && len(text) > 0 {
		seen.Shown(text)
		return
	}
	before := seen.TextLen
	choices, _ := find(data, choicesKey)
	if failure, _ := find(data, failureKey); failure != nil || !hasChoice(choices) {
		if e := failureIn(ev); e != nil {
			seen.Err = e
			return
		}
	}
	if seen.Model == "" {
		setText(&seen.Model, jsonedit.Lookup(data, "model"))
		setText(&seen.Usage.ServiceTier, jsonedit.Lookup(data, "service_tier"))
	}
	content(data, seen)
	setFinishes(data, seen)
	if seen.Finish == chat.Failed {
		seen.Err = chat.FailedGeneration("")
	}
	value, _ := find(data, usageKey)
	if !jsonedit.IsObject(value) {
		learn(data, seen.TextLen-before, seen)
		return
	}
	setText(&seen.Usage.ServiceTier, jsonedit.Lookup(data, "service_tier"))
	if usage := jsonedit.Lookup(data, "usage"); usage != nil && ReadUsage(usage, &seen.Usage) {
		seen.HasUsage = true
		seen.UsageOnly = isEmptyArray(choices)
	}
}

// learn remembers an event that has nothing new but n bytes of content, so that others
// like it are recognized. What OpenAI pads events with has another length in each.
// https://platform.openai.com/docs/api-reference/chat/create (include_obfuscation)
func learn(data []byte, n int, seen *chat.Seen) {
	text, _ := find(data, contentKey)
	if n == 0 || seen.Err != nil || !jsonedit.IsString(text) || textLen(jsonedit.StringAtStart(text)) != n {
		return
	}
	padding := 0
	if value, _ := find(data, paddingKey); jsonedit.IsString(value) {
		padding = len(data) - len(value)
	}
	seen.Alike.Learn(data, len(data)-len(text), padding)
}

// hasChoice reports whether data begins with a list that is not empty.
func hasChoice(data []byte) bool { return jsonedit.IsArray(data) && !isEmptyArray(data) }

// content records what a client would show of an event: text, thinking and calls.
func content(data []byte, seen *chat.Seen) {
	if texts(data, contentKey, seen, true) > 0 {
		return
	}
	texts(data, textKey, seen, true)
	texts(data, refusalKey, seen, false)
	if texts(data, reasoningContentKey, seen, false) == 0 { // some providers send both
		texts(data, reasoningKey, seen, false)
	}
	texts(data, argumentsKey, seen, false)
	if seen.Content {
		return
	}
	for _, key := range [...]string{callsKey, audioKey, imagesKey} {
		if value, _ := find(data, key); jsonedit.IsArray(value) && !isEmptyArray(value) || jsonedit.IsObject(value) {
			seen.Content = true
			return
		}
	}
}

// texts records all texts of members called key, and passes them to the log if they
// belong to the answer. It returns their length in bytes.
func texts(data []byte, key string, seen *chat.Seen, answer bool) (n int) {
	for {
		var value []byte
		if value, data = find(data, key); value == nil {
			break
		}
		if !jsonedit.IsString(value) {
			continue
		}
		text := jsonedit.StringAtStart(value)
		n += textLen(text)
		if answer && seen.Collect != nil && len(text) > 2 {
			collect(text, seen)
		}
	}
	seen.TextLen += n
	seen.Content = seen.Content || n > 0
	return n
}

// collect passes the text of a JSON string to the log.
func collect(value []byte, seen *chat.Seen) {
	if text, ok := jsonedit.AppendUnquoted(nil, value); ok {
		seen.Collect(text)
	}
}

// setFinishes records the last finish reason in data.
func setFinishes(data []byte, seen *chat.Seen) {
	for rest := data; ; {
		var value []byte
		if value, rest = find(rest, finishKey); value == nil {
			return
		}
		setFinish(jsonedit.StringAtStart(value), seen)
	}
}

// setFinish records a finish reason, unless it is null or not a string.
func setFinish(value []byte, seen *chat.Seen) {
	if string(value) == `"stop"` { // the most frequent one
		seen.Finish = chat.Stop
		return
	}
	if text, ok := jsonedit.String(value); ok && text != "" {
		seen.Finish = Finish(text)
	}
}

func setText(to *string, value []byte) {
	if s, ok := jsonedit.String(value); ok && s != "" {
		*to = s
	}
}

// readError reads an error object, or a text, which some providers send instead.
func readError(value []byte) *chat.Error {
	if jsonedit.IsNull(value) {
		return nil
	}
	e := &chat.Error{}
	if text, ok := jsonedit.String(value); ok {
		e.Message = text
		return e
	}
	setText(&e.Message, jsonedit.Lookup(value, "message"))
	setText(&e.Type, jsonedit.Lookup(value, "type"))
	setText(&e.Code, jsonedit.Lookup(value, "code"))
	setText(&e.Param, jsonedit.Lookup(value, "param"))
	if e.Message == "" {
		e.Message = "the provider sent an error without a message"
	}
	return e
}
