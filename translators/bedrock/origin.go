package bedrock

import (
	"bytes"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// originOf is whose the signatures of t's model are. Claude's are good wherever it is
// served; a model whose name says nothing takes none but those that it made itself.
func originOf(t *target.Target) origin.Name {
	if isClaude(t) {
		return origin.Anthropic
	}
	return origin.Amazon
}

// ownReasoning leaves in the history of a Converse body only the runs of hosted tools and
// the reasoning that t's model takes back: of Claude what Claude signed, of others what is not Claude's, and
// of Nova none, which hides its reasoning anyway. It returns body itself when there is
// nothing to change, or the new body appended to dst.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ReasoningTextBlock.html
// https://docs.aws.amazon.com/nova/latest/nova2-userguide/reasoning-capabilities.html
func ownReasoning(dst []byte, t *target.Target, body []byte) []byte {
	if !jsonedit.Contains(body, `"reasoningContent"`) && !origin.Marked(body) {
		return body
	}
	whole := bytes.TrimSpace(body)
	edited := jsonedit.With(whole, "messages", jsonedit.Each(jsonedit.Lookup(whole, "messages"), func(m []byte) []byte {
		return ownTurn(t, m)
	}))
	if len(edited) == len(whole) && &edited[0] == &whole[0] {
		return body
	}
	return append(dst, edited...)
}

// ownTurn returns a message with own reasoning only; nil if nothing else was in it.
func ownTurn(t *target.Target, m []byte) []byte {
	content := jsonedit.Lookup(m, "content")
	left := false
	own := jsonedit.Each(content, func(block []byte) []byte {
		kept := ownBlock(t, block)
		left = left || kept != nil
		return kept
	})
	if !left && len(own) != len(content) {
		return nil
	}
	return jsonedit.With(m, "content", own)
}

// ownBlock returns a block as t's model takes it, without a mark; nil for reasoning
// that is not its own.
func ownBlock(t *target.Target, block []byte) []byte {
	reasoning := jsonedit.Lookup(block, "reasoningContent")
	if reasoning == nil {
		return ownRun(block)
	}
	inner, name := reasoning, "redactedContent"
	if text := jsonedit.Lookup(reasoning, "reasoningText"); text != nil {
		inner, name = text, "signature"
	}
	sent, _ := jsonedit.String(jsonedit.Lookup(inner, name))
	whose, token := origin.Of(unblob(sent), origin.Anthropic)
	m, own := modelOf(t.Model), originOf(t)
	switch {
	case m.nova, own == origin.Anthropic && token == "", chat.IsMarkedRun(token):
		return nil
	case token == "", m.unnamed && whose == origin.Anthropic: // unsigned; or perhaps Claude's, behind a name that does not say so
		return block
	case whose != own:
		return nil
	case token == sent:
		return block
	}
	inner = jsonedit.With(inner, name, jsonedit.AppendString(nil, token))
	if name == "signature" {
		inner = jsonedit.With(reasoning, "reasoningText", inner)
	}
	return jsonedit.With(block, "reasoningContent", inner)
}

// unsigned is Claude's error for a history with reasoning that another model signed: what
// comes from Converse has no mark, whichever model it is of.
var unsigned = provider.Refusal{
	Status: 400, Words: []string{"signature", "in `thinking` block"}, What: "reasoning in the history", Without: withoutReasoning,
	Document: "https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks",
}

// withoutReasoning is a Refusal.Without: no reasoning is left of the history. A last turn
// with calls would have to begin with it, so thinking is off then.
func withoutReasoning(body []byte, message string) []byte {
	if message == "" {
		return body
	}
	called := false
	body = jsonedit.With(body, "messages", jsonedit.Each(jsonedit.Lookup(body, "messages"), func(m []byte) []byte {
		content := jsonedit.Lookup(m, "content")
		if string(jsonedit.Lookup(m, "role")) != `"assistant"` {
			return m
		}
		left := false
		called = false
		kept := jsonedit.Each(content, func(block []byte) []byte {
			if jsonedit.Lookup(block, "reasoningContent") != nil {
				return nil
			}
			left, called = true, called || jsonedit.Lookup(block, "toolUse") != nil
			return block
		})
		if !left && len(kept) != len(content) {
			return nil
		}
		return jsonedit.With(m, "content", kept)
	}))
	more := jsonedit.Lookup(body, "additionalModelRequestFields")
	if !called || string(jsonedit.Lookup(more, "thinking", "type")) != `"enabled"` {
		return body
	}
	return jsonedit.With(body, "additionalModelRequestFields", jsonedit.With(more, "thinking", nil))
}

// ownRun returns a block as it is, nil if the id of a system tool's use says that another
// provider made it.
func ownRun(block []byte) []byte {
	for _, name := range [...]string{"toolUse", "toolResult"} {
		if id, _ := jsonedit.String(jsonedit.Lookup(block, name, "toolUseId")); origin.IsMarked(id) && isSystemBlock(block) {
			return nil
		}
	}
	return block
}
