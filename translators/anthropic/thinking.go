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
func decideThinking(m *model, r *chat.Request, turns []chat.Turn) thinking {
	effort := m.level(r.ReasoningEffort)
	// Without the signature of its thought: "Expected thinking or redacted_thinking, but
	// found tool_use".
	unsigned := m.thinks != adaptive && chat.UnsignedToolLoop(turns)
	if raw := r.Lookup("thinking"); raw != nil {
		return m.fit(readThinking(raw), effort, unsigned)
	}
	if r.ReasoningEffort == "none" {
		return m.silent()
	}
	budget, hasBudget := r.ReasoningBudget.Int()
	if r.ReasoningEffort == "" && !hasBudget || m.thinks == never {
		return thinking{}
	}
	// A model that thinks cannot be forced to call a tool. The forced call is more
	// important than the thinking.
	forced := r.ToolChoice.Mode == "required" || r.ToolChoice.Mode == "function"
	switch {
	case forced && !m.unforced:
		return thinking{effort: effort}
	case m.thinks == adaptive, m.thinks == byEither && !hasBudget:
		return thinking{mode: "adaptive", show: m.thinks == adaptive, effort: effort}
	case unsigned:
		return thinking{}
	}
	if !hasBudget {
		budget = budgets[r.ReasoningEffort]
	}
	if m.output > 0 { // and some tokens for the answer
		budget = min(budget, m.output-1024)
	}
	return thinking{mode: "enabled", budget: max(budget, 1024)}
}

// silent is how the model is asked not to think, or else to think the least.
func (m *model) silent() thinking {
	if m.off == "" && m.always {
		return thinking{effort: m.level("low")}
	}
	return thinking{mode: m.off}
}

// readThinking reads the member thinking.
func readThinking(raw chat.Raw) thinking {
	th := thinking{raw: raw}
	if v, err := jsonedit.Parse(raw); err == nil {
		th.mode, th.budget = string(v.GetStringBytes("type")), v.GetInt("budget_tokens")
	}
	return th
}

// fit returns the client's own thinking as the model takes it. unsigned says that the
// model is in the middle of calling tools, without its thought.
func (m *model) fit(th thinking, effort string, unsigned bool) thinking {
	th.effort = effort
	switch {
	case th.mode == "enabled" && m.thinks == adaptive:
		return thinking{mode: "adaptive", show: true, effort: th.effort}
	case m.thinks == never, th.mode == "enabled" && unsigned:
		return thinking{effort: th.effort}
	case m == &unknown:
	case th.mode == "adaptive" && m.thinks == byBudget:
		return thinking{mode: "enabled", budget: budgets["high"]}
	case th.mode == "disabled" && m.always && m.off != "disabled":
		return m.silent()
	case th.mode == "disabled" && (th.effort == "xhigh" || th.effort == "max"): // refused without thinking
		th.effort = "high"
	}
	return th
}

func (th thinking) on() bool { return th.mode == "enabled" || th.mode == "adaptive" }

// room returns the tokens that thinking needs in addition to the answer's max_tokens.
func (th thinking) room(m *model) int {
	switch {
	case th.mode == "enabled":
		return th.budget
	case th.mode == "adaptive", m.always && th.mode == "":
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

// Thinking returns the value of the member thinking for r, as JSON; nil for none. It is for platforms that
// have Claude and this member in OpenAI's format. A budget is less than r's limit, as
// the API demands.
func Thinking(model string, r *chat.Request) []byte {
	th := decideThinking(modelOf(model), r, chat.Arrange(r.Messages, chat.CallIDs{}))
	th.show = false // is Anthropic's own
	if limit, ok := r.MaxTokens.Int(); ok && th.mode == "enabled" && th.raw == nil {
		if th.budget = min(th.budget, limit-1); th.budget < 1024 {
			return nil
		}
	}
	_, value, _ := bytes.Cut(th.append(nil), []byte(`"thinking":`))
	return value
}
