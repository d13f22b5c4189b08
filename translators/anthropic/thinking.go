package anthropic

import (
	"bytes"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// thinking is how a model is asked to think.
type thinking struct {
	raw    chat.Raw // the client's own thinking member, forwarded unchanged
	mode   string   // thinking.type, "" for nothing said
	budget int      // tokens, with enabled
	show   bool     // ask for the summary that newer models leave out
	effort string   // output_config.effort
}

// budgets holds the tokens by effort for models that think within a budget. Kong does
// not publish its values; 1024 is the API's minimum.
var budgets = map[string]int{
	"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384,
}

// adaptiveRoom is added to the default max_tokens of a model that decides itself how
// long it thinks, since thinking counts towards the limit.
const adaptiveRoom = 16384

// decideThinking chooses what the model accepts: a budget before Claude 4.6, adaptive
// thinking with an effort since.
// https://platform.claude.com/docs/en/build-with-claude/thinking
func decideThinking(m model, r *chat.Request, turns []chat.Turn) thinking {
	effort := effortFor(m, r.ReasoningEffort)
	if raw := r.Lookup("thinking"); raw != nil {
		th := thinking{raw: raw, effort: effort}
		if v, err := jsonedit.Parse(raw); err == nil {
			th.mode, th.budget = string(v.GetStringBytes("type")), v.GetInt("budget_tokens")
		}
		if th.mode == "enabled" && chat.UnsignedToolLoop(turns) {
			return thinking{effort: effort}
		}
		return th
	}
	if r.ReasoningEffort == "none" {
		if m.off == "" && m.thinks {
			return thinking{effort: "low"} // the lowest effort
		}
		return thinking{mode: m.off}
	}
	budget, hasBudget := r.ReasoningBudget.Int()
	if r.ReasoningEffort == "" && !hasBudget {
		return thinking{}
	}
	// A model that thinks cannot be forced to call a tool. The forced call is more
	// important than the thinking.
	forced := r.ToolChoice.Mode == "required" || r.ToolChoice.Mode == "function"
	switch {
	case forced:
		return thinking{effort: effort}
	case m.adaptiveOnly, m.adaptive && !hasBudget:
		return thinking{mode: "adaptive", show: m.adaptiveOnly, effort: effort}
	case chat.UnsignedToolLoop(turns): // "Expected thinking or redacted_thinking, but found tool_use"
		return thinking{}
	}
	if !hasBudget {
		budget = budgets[r.ReasoningEffort]
	}
	return thinking{mode: "enabled", budget: max(budget, 1024)}
}

// effortFor maps OpenAI's reasoning_effort to output_config.effort; "" if the model
// has none. https://platform.claude.com/docs/en/build-with-claude/effort
func effortFor(m model, effort string) string {
	switch {
	case !m.adaptive || effort == "none":
		return ""
	case effort == "minimal":
		return "low"
	case effort == "xhigh" && !m.adaptiveOnly:
		return "high"
	}
	return effort
}

func (th thinking) on() bool { return th.mode == "enabled" || th.mode == "adaptive" }

// room returns the tokens that thinking needs in addition to the answer's max_tokens.
func (th thinking) room(m model) int {
	switch {
	case th.mode == "enabled":
		return th.budget
	case th.mode == "adaptive", m.thinks && th.mode == "":
		return adaptiveRoom
	}
	return 0
}

func (th thinking) append(dst []byte) []byte {
	switch {
	case th.raw != nil:
		return jsonedit.AppendRaw(dst, "thinking", th.raw)
	case th.mode == "":
		return dst
	}
	dst = append(dst, `,"thinking":{"type":`...)
	dst = jsonedit.AppendString(dst, th.mode)
	if th.mode == "enabled" {
		dst = jsonedit.AppendInt(dst, "budget_tokens", th.budget)
	}
	if th.show {
		dst = append(dst, `,"display":"summarized"`...)
	}
	return append(dst, '}')
}

// Thinking returns the member thinking for r, nil for none. It is for platforms that
// have Claude and this member in OpenAI's format. A budget is less than r's limit, as
// the API demands.
func Thinking(model string, r *chat.Request) []byte {
	turns, err := chat.Arrange(r.Messages, chat.CallIDs{})
	if err != nil {
		return nil
	}
	th := decideThinking(modelOf(model), r, turns)
	th.show = false // is Anthropic's own
	if limit, ok := r.MaxTokens.Int(); ok && th.mode == "enabled" && th.raw == nil {
		if th.budget = min(th.budget, limit-1); th.budget < 1024 {
			return nil
		}
	}
	_, value, _ := bytes.Cut(th.append(nil), []byte(`"thinking":`))
	return value
}
