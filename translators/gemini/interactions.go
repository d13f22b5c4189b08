package gemini

import (
	"bytes"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// The Interactions API keeps conversations on Google's servers. A client asks for a
// stream in the body, and names a model or an agent there.
// https://ai.google.dev/api/interactions-api
var (
	interactionsAPI = &provider.API{
		Format: provider.GeminiInteractions, Check: provider.Present("input"), Streams: true, Ends: true, Nested: true,
		Model: provider.ModelTaken, Resources: &clientInteractions,
	}
	clientInteractions = provider.Resources{
		Names:   []string{"interactions"},
		Allowed: map[string][]string{"": {"POST"}, "/{}": {"GET", "DELETE"}, "/{}/cancel": {"POST"}},
	}
	interactions = &provider.Operation{Path: provider.Path("/v1beta/interactions"), Format: provider.GeminiInteractions, Meter: interactionsMeter{}}
)

// interactionsMeter reads interactions, whole and streamed. A stream ends with
// interaction.complete (in later versions interaction.completed) or [DONE].
type interactionsMeter struct{}

// Whole implements chat.Meter.
func (interactionsMeter) Whole(body []byte, seen *chat.Seen) {
	if v, err := jsonedit.Parse(body); err == nil {
		observeInteraction(v, seen)
	}
}

// Event implements chat.Meter.
func (interactionsMeter) Event(ev frame.Event, seen *chat.Seen) {
	seen.UsageOnly = false
	if bytes.Equal(ev.Data, []byte("[DONE]")) {
		seen.Ended = true
		return
	}
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(ev.Data)
	if err != nil {
		return
	}
	if e := v.Get("error"); e != nil {
		seen.Err = parseError(e)
		return
	}
	if of := v.Get("interaction"); of != nil {
		observeInteraction(of, seen)
	}
	if bytes.HasPrefix(v.GetStringBytes("event_type"), []byte("interaction.complete")) {
		seen.Ended = true
	}
	if delta := v.Get("delta"); delta != nil {
		observeContent(delta, seen)
	}
}

// observeInteraction reads an interaction, whose content is a list of outputs, or in
// later versions of steps that have content.
func observeInteraction(v *jsonedit.Value, seen *chat.Seen) {
	if e := v.Get("error"); e != nil && e.Type() == jsonedit.TypeObject {
		seen.Err = parseError(e)
	}
	set(&seen.Model, v.GetStringBytes("model"))
	set(&seen.Stored, v.GetStringBytes("id")) // which may be read again
	for _, output := range v.GetArray("outputs") {
		observeContent(output, seen)
	}
	for _, step := range v.GetArray("steps") {
		for _, content := range step.GetArray("content") {
			observeContent(content, seen)
		}
		if step.Exists("arguments") {
			seen.Content = true
		}
	}
	switch string(v.GetStringBytes("status")) {
	case "completed":
		seen.Finish = chat.Stop
	case "requires_action":
		seen.Finish = chat.ToolCalls
	case "incomplete":
		seen.Finish = chat.Length
	}
	u := v.Get("usage")
	if u == nil || u.Type() != jsonedit.TypeObject || !u.Exists("total_tokens") {
		return
	}
	seen.HasUsage = true
	addUp(&seen.Usage.Prompt, u, "total_input_tokens", "total_tool_use_tokens")
	addUp(&seen.Usage.Reasoning, u, "total_thought_tokens", "total_reasoning_tokens")
	addUp(&seen.Usage.Completion, u, "total_output_tokens", "total_thought_tokens", "total_reasoning_tokens")
	chat.Counter(&seen.Usage.Total, u.Get("total_tokens"))
	chat.Counter(&seen.Usage.Cached, u.Get("total_cached_tokens"))
}

// observeContent reads a piece of content, or of a delta of one.
func observeContent(v *jsonedit.Value, seen *chat.Seen) {
	said := v.GetStringBytes("text")
	switch kind := string(v.GetStringBytes("type")); {
	case kind == "text" && len(said) > 0:
		seen.Shown(said)
	case kind == "function_call":
		seen.TextLen += len(v.GetStringBytes("name"))
		seen.Content = true
	// What Google runs itself: code_execution_call, google_search_result …
	case strings.HasSuffix(kind, "_call"), strings.HasSuffix(kind, "_result"):
		seen.TextLen += len(v.GetStringBytes("arguments", "code"))
		seen.Content = true
	case len(said) > 0:
		seen.Hidden(said)
	case v.Exists("data"), v.Exists("uri"):
		seen.Content = true
	}
}
