package chat

import (
	"slices"
	"strings"

	"go-ai-proxy/translators/jsonedit"
)

// Attribution begins the line in front of the system prompt in which Claude Code says
// which program asks. It is meant for Anthropic's own API: it changes with every
// request, so that no other provider's prompt cache would ever hit, and Bedrock refuses
// it ("… is a reserved keyword"). Most programs send it as a block of its own, some join
// it to what follows.
// https://code.claude.com/docs/en/llm-gateway-protocol
const Attribution = "x-anthropic-billing-header:"

// WithoutAttribution returns t without its attribution line; the empty Text if there
// was nothing else.
func WithoutAttribution(t jsonedit.Text) jsonedit.Text {
	if !t.HasPrefix(Attribution) {
		return t
	}
	_, rest, _ := strings.Cut(t.String(), "\n")
	return jsonedit.Plain(strings.TrimLeft(rest, "\r\n"))
}

// Unattributed returns r without attribution lines, whatever program has put them into
// its system prompt. r itself does not change, and is returned if it has none.
func (r *Request) Unattributed() *Request {
	var kept *Request
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.Role != System || !slices.ContainsFunc(m.Parts, isAttributed) {
			continue
		}
		if kept == nil {
			copied := *r
			copied.Messages = slices.Clone(r.Messages)
			kept = &copied
		}
		said := make([]Part, 0, len(m.Parts))
		for _, p := range m.Parts {
			if isAttributed(p) {
				if p.Text = WithoutAttribution(p.Text); p.Text.Empty() {
					continue
				}
			}
			said = append(said, p)
		}
		kept.Messages[i].Parts = said
	}
	if kept == nil {
		return r
	}
	kept.Messages = slices.DeleteFunc(kept.Messages, func(m Message) bool { return m.Role == System && len(m.Parts) == 0 })
	return kept
}

func isAttributed(p Part) bool { return p.Kind == Text && p.Text.HasPrefix(Attribution) }
