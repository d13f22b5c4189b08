package gemini

import (
	"bytes"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// The Live API: a WebSocket whose first message names the model.
// https://ai.google.dev/api/live

// publicLive is the Live API of the public API.
var publicLive = &provider.Operation{
	Path:   fixed("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"),
	Format: provider.GeminiLive, Meter: LiveMeter,
	Opening: opening(func(t *target.Target) (string, error) { return "models/" + strings.TrimPrefix(t.Model, "models/"), nil }),
}

// vertexLive is the Live API of Vertex AI.
var vertexLive = &provider.Operation{
	Path:   fixed("/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"),
	Format: provider.GeminiLive, Meter: LiveMeter,
	Opening: opening(func(t *target.Target) (string, error) {
		path, err := published("google", func(bool) string { return "" })(t, false)
		return strings.TrimPrefix(path, "/v1/"), err
	}),
}

func fixed(path string) pathFunc {
	return func(*target.Target, bool) (string, error) { return path, nil }
}

// opening returns an Opening that puts the target's model into a session's setup and
// refuses another model.
func opening(name func(*target.Target) (string, error)) func(*target.Target, []byte) ([]byte, error) {
	return func(t *target.Target, message []byte) ([]byte, error) {
		members, err := jsonedit.Object(message, nil)
		if err != nil {
			return nil, &chat.RequestError{Field: "setup", Message: "the first message must be a JSON object with setup"}
		}
		setup := jsonedit.Find(members, "setup")
		inner, err := jsonedit.Object(setup, nil)
		if err != nil {
			return nil, &chat.RequestError{Field: "setup", Message: "must be an object in the first message"}
		}
		if t.Model == "" {
			return message, nil
		}
		own, _ := jsonedit.String(jsonedit.Find(inner, "model"))
		if last := own[strings.LastIndexByte(own, '/')+1:]; last != "" && last != t.Model[strings.LastIndexByte(t.Model, '/')+1:] {
			return nil, &chat.RequestError{Message: "cannot use own model - must be: " + t.Model}
		}
		model, err := name(t)
		if err != nil {
			return nil, err
		}
		setup = jsonedit.Join(nil, jsonedit.Splice(nil, setup, inner, []jsonedit.Edit{{Key: "model", Value: jsonedit.AppendString(nil, model)}}))
		return jsonedit.Join(nil, jsonedit.Splice(nil, message, members, []jsonedit.Edit{{Key: "setup", Value: setup}})), nil
	}
}

// LiveMeter reads the messages of a Live session. Each usageMetadata is that of one
// answer, so they are summed, including thoughts.
var LiveMeter chat.Meter = liveMeter{}

type liveMeter struct{}

// Whole implements chat.Meter; a session has no such thing.
func (liveMeter) Whole([]byte, *chat.Seen) {}

var (
	usageName   = []byte(`"usageMetadata"`)
	contentName = []byte(`"serverContent"`)
)

// Event implements chat.Meter.
func (liveMeter) Event(ev frame.Event, seen *chat.Seen) {
	if !seen.Content && bytes.Contains(ev.Data[:min(len(ev.Data), 256)], contentName) {
		seen.Content = true
	}
	if !bytes.Contains(ev.Data, usageName) {
		return
	}
	p := jsonedit.Parsers.Get()
	defer jsonedit.Parsers.Put(p)
	v, err := p.Parse(ev.Data)
	if err != nil {
		return
	}
	var u chat.Usage
	if !readUsage(v, &u) {
		return
	}
	// The names of the output's counters differ from generateContent's.
	m := v.Get("usageMetadata")
	addUp(&u.Completion, m, "responseTokenCount", "thoughtsTokenCount")
	chat.Counter(&u.Reasoning, m.Get("thoughtsTokenCount"))
	for _, d := range m.GetArray("responseTokensDetails") {
		modality(d, &u.CompletionText, &u.CompletionImage, &u.CompletionAudio)
	}
	seen.Usage.Add(&u)
	seen.HasUsage = true
}
