package anthropic

import (
	"bytes"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

// Elsewhere is OwnThinking for platforms that take all of Anthropic's format, and are not
// its own: the system prompt has no attribution there.
func Elsewhere(dst []byte, t *target.Target, body []byte) []byte {
	if !jsonedit.Contains(body, chat.Attribution) {
		return OwnThinking(dst, t, body)
	}
	whole := bytes.TrimSpace(OwnThinking(nil, t, body))
	return append(dst, jsonedit.With(whole, "system", withoutAttribution(jsonedit.Lookup(whole, "system")))...)
}

// withoutAttribution returns a system prompt, a string or a list of blocks, without
// attribution; nil if it had nothing else.
func withoutAttribution(system []byte) []byte {
	if !jsonedit.IsArray(system) {
		return unattributed(system)
	}
	kept := jsonedit.Each(system, func(block []byte) []byte {
		text := jsonedit.Lookup(block, "text")
		rest := unattributed(text)
		if rest == nil && text != nil {
			return nil
		}
		return jsonedit.With(block, "text", rest)
	})
	if len(kept) != len(system) && len(jsonedit.Elements(kept, nil)) == 0 {
		return nil
	}
	return kept
}

// unattributed returns a JSON string without its attribution line; nil if it had nothing
// else, and text itself if it had none.
func unattributed(text []byte) []byte {
	if !bytes.HasPrefix(text, []byte(`"`+chat.Attribution)) {
		return text
	}
	s, _ := jsonedit.String(text)
	rest := chat.WithoutAttribution(jsonedit.Plain(s))
	if rest.Empty() {
		return nil
	}
	return rest.Append(nil)
}
