package openai

import (
	"bytes"
	"cmp"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

// ResponsesMeter reads answers of the Responses API. One in background mode
// has no usage yet.
// https://platform.openai.com/docs/api-reference/responses
// https://platform.openai.com/docs/api-reference/responses-streaming
var ResponsesMeter chat.Meter = responsesMeter{}

type responsesMeter struct{}

// Whole implements chat.Meter.
func (responsesMeter) Whole(body []byte, seen *chat.Seen) { readResponse(body, seen) }

// readResponse reads a response object.
func readResponse(value []byte, seen *chat.Seen) {
	var space [40]jsonedit.Member
	members, err := jsonedit.Object(value, space[:0])
	if err != nil {
		return
	}
	seen.Stored = storedID(members)
	var status, output, incomplete []byte
	for i := range members {
		m := &members[i]
		switch string(m.Key) {
		case "usage":
			seen.HasUsage = ReadUsage(m.Value, &seen.Usage) || seen.HasUsage
		case "id":
			setText(&seen.ID, m.Value)
		case "model":
			setText(&seen.Model, m.Value)
		case "service_tier":
			setText(&seen.Usage.ServiceTier, m.Value)
		case "error":
			if e := readError(m.Value); e != nil {
				seen.Err = e
			}
		case "status":
			status = m.Value
		case "output":
			output = m.Value
		case "incomplete_details":
			incomplete = m.Value
		}
	}
	if jsonedit.IsArray(output) && !isEmptyArray(output) {
		seen.Content = true
		seen.Usage.SearchUnits = searches(output)
	}
	setStatus(status, output, incomplete, seen)
}

// setStatus says in chat's words why a response ended.
func setStatus(status, output, incomplete []byte, seen *chat.Seen) {
	switch string(status) {
	case `"completed"`:
		seen.Finish = chat.Stop
		if bytes.Contains(output, []byte(`_call"`)) && hasCall(output) {
			seen.Finish = chat.ToolCalls
		}
	case `"incomplete"`:
		switch string(jsonedit.Lookup(incomplete, "reason")) {
		case `"max_output_tokens"`:
			seen.Finish = chat.Length
		case `"content_filter"`:
			seen.Finish = chat.ContentFilter
		}
	}
}

// hasCall reports whether the client has to run something.
func hasCall(output []byte) bool {
	var space [16][]byte
	items, err := jsonedit.Array(output, space[:0])
	if err != nil {
		return false
	}
	for _, item := range items {
		if typ, _ := jsonedit.String(jsonedit.Lookup(item, "type")); isCall(typ) {
			return true
		}
	}
	return false
}

// Event implements chat.Meter.
func (responsesMeter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	if len(ev.Data) == 0 {
		return
	}
	typ := ev.Type
	if len(typ) == 0 {
		value, _ := find(ev.Data, typeKey)
		if typ = jsonedit.StringAtStart(value); len(typ) < 2 {
			seen.Err = chat.ErrorInside(ev.Data)
			return
		}
		typ = typ[1 : len(typ)-1]
	}
	switch string(typ) {
	case "response.created":
		readResponse(jsonedit.Lookup(ev.Data, "response"), seen)
	case "response.completed", "response.incomplete", "response.failed":
		readResponse(jsonedit.Lookup(ev.Data, "response"), seen)
		seen.Ended = true
	case "error":
		ev.Type = typ                   // a nameless event is known by its data
		seen.Err = coded(failureIn(ev)) // response.failed may follow
	case "response.output_text.delta":
		value, _ := find(ev.Data, deltaKey)
		text := jsonedit.StringAtStart(value)
		seen.Content = true
		seen.TextLen += textLen(text)
		if seen.Collect != nil {
			collect(text, seen)
		}
	case "response.audio.delta": // data, of which nobody knows the tokens
		seen.Content = true
	default:
		// Deltas of refusals, arguments, reasoning, code; pictures, and what comes
		// as a whole: calls of the provider's own tools.
		if bytes.HasSuffix(typ, []byte(".delta")) {
			value, _ := find(ev.Data, deltaKey)
			seen.TextLen += textLen(jsonedit.StringAtStart(value))
		}
		if bytes.HasSuffix(typ, []byte(".delta")) || bytes.HasSuffix(typ, []byte(".partial_image")) || string(typ) == "response.output_item.done" {
			seen.Content = true
		}
		if !bytes.HasPrefix(typ, []byte("response.")) { // a bare error, whose type is its own
			seen.Err = cmp.Or(chat.ErrorInside(ev.Data), seen.Err)
		}
	}
}
