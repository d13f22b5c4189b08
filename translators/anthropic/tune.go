package anthropic

import (
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// settings are the members of a Messages body for the tuning options.
var settings = provider.Settings{MaxTokens: "max_tokens", Temperature: "temperature", TopP: "top_p", TopK: "top_k"}

// Tune returns the edits that set the tuning options of t in a Messages body with
// members ms.
func Tune(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	return TuneClaude(t, ms, settings, jsonedit.Find(ms, "thinking"))
}

// tuneOwn is Tune on Anthropic's own API, which has tiers of service.
func tuneOwn(t *target.Target, ms []jsonedit.Member) []jsonedit.Edit {
	l := provider.Layer{Members: ms, Edits: Tune(t, ms)}
	if tier := serviceTier(t.Options.ServiceTier); tier != "" {
		l.Contest(t, "service_tier", jsonedit.AppendString(nil, tier))
	}
	return l.Edits
}

// TuneClaude is Tune for a body that has the options at s. thinking is the body's
// thinking, or nil. The budget of thinking is added to the limit. Only the sampling
// parameters that the model accepts with this thinking are set; if temperature and
// top_p exclude each other, only the configured one is kept.
func TuneClaude(t *target.Target, ms []jsonedit.Member, s provider.Settings, thinking []byte) []jsonedit.Edit {
	if !provider.Tuned(t.Options) {
		return nil
	}
	t = s.Yielding(t, ms)
	m := modelOf(t.Model)
	th := readThinking(thinking) // which is sent as it is
	o := *t.Options
	if o.MaxTokens != nil && th.mode == "enabled" && *o.MaxTokens <= th.budget {
		o.MaxTokens = new(*o.MaxTokens + th.room(m))
	}
	switch {
	case m.sampling == noSampler:
		o.Temperature, o.TopP, o.TopK = nil, nil, nil
	case th.on():
		o.Temperature, o.TopK = nil, nil
		if o.TopP != nil && *o.TopP < leastTopP {
			o.TopP = nil
		}
	case o.Temperature != nil && *o.Temperature > 1:
		o.Temperature = new(1.0)
	}
	if m.sampling == oneSampler && o.Temperature != nil {
		o.TopP = nil
	}
	l := provider.Layer{Members: ms, Edits: s.Tune(&target.Target{Options: &o}, ms)}
	if m.sampling == oneSampler {
		switch {
		case o.Temperature != nil:
			l.Set(s.TopP, nil)
		case o.TopP != nil:
			l.Set(s.Temperature, nil)
		}
	}
	return l.Edits
}
