package gemini

import (
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// tune returns the edits that set the tuning options in a generateContent body.
// Google accepts two spellings of its members; the client's member in the other
// spelling is removed.
func tune(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	o := t.Options
	if !provider.Tuned(o) {
		return nil
	}
	at, other := "generationConfig", "generation_config"
	if jsonedit.Find(ms, at) == nil && jsonedit.Find(ms, other) != nil {
		at, other = other, at
	}
	settings := provider.Settings{MaxTokens: at + ".maxOutputTokens", Temperature: at + ".temperature", TopP: at + ".topP", TopK: at + ".topK"}
	l := provider.Layer{Members: ms, Edits: settings.Tune(t, ms)}
	for _, one := range []struct {
		set          bool
		camel, snake string
	}{
		{o.MaxTokens != nil, ".maxOutputTokens", ".max_output_tokens"},
		{o.Temperature != nil, ".temperature", ".temperature"},
		{o.TopP != nil, ".topP", ".top_p"},
		{o.TopK != nil, ".topK", ".top_k"},
	} {
		if !one.set {
			continue
		}
		if one.snake != one.camel {
			l.Set(at+one.snake, nil)
		}
		l.Set(other+one.camel, nil)
		l.Set(other+one.snake, nil)
	}
	return l.Edits
}
