package chat

import (
	"cmp"
	"strings"

	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// callMark begins redacted thinking that is the signature of the call behind it.
const callMark = "call:"

// CallToken returns the signature of a call as redacted thinking, for formats whose calls
// have none: it stands before the call, and clients send both back. It is nil if p is no
// call with a signature, or if nobody knows whose that is. See TakeCallToken.
func (p *Part) CallToken(meta *Meta) *Part {
	if p.Kind != ToolCall || !Carried(p.Signature, cmp.Or(p.Origin, meta.Origin)) {
		return nil
	}
	return &Part{Kind: RedactedThinking, Text: jsonedit.Plain(callMark + p.Signature), Origin: p.Origin}
}

// CallToken is that of a stream, for the start of a call.
func (d *Delta) CallToken(meta *Meta) *Delta {
	if d.Kind != ToolStart || !Carried(string(d.Signature), cmp.Or(d.Origin, meta.Origin)) {
		return nil
	}
	return &Delta{Kind: RedactedDelta, Choice: d.Choice, Text: append([]byte(callMark), d.Signature...), Origin: d.Origin}
}

// Carried reports whether there is a token that another maker than Anthropic takes back.
func Carried(token string, whose origin.Name) bool {
	return token != "" && whose != origin.Anthropic && whose != origin.Unknown
}

// TakeCallToken gives a call in a history the signature that CallToken made redacted
// thinking of, if that is the last of parts, and takes it from there.
func TakeCallToken(parts *[]Part, call *Part) {
	n := len(*parts)
	if call.Kind != ToolCall || n == 0 || (*parts)[n-1].Kind != RedactedThinking {
		return
	}
	last := &(*parts)[n-1]
	if token, ok := strings.CutPrefix(last.Text.String(), callMark); ok && last.Origin != origin.Anthropic {
		call.Signature, call.Origin, *parts = token, last.Origin, (*parts)[:n-1]
	}
}
