package openai

import (
	"strconv"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// Chat is the dialect of POST /v1/chat/completions.
// https://platform.openai.com/docs/api-reference/chat
var Chat chat.Dialect = chatDialect{}

type chatDialect struct{}

// AppendResponse implements chat.Dialect.
func (chatDialect) AppendResponse(dst []byte, resp *chat.Response) ([]byte, error) {
	it := settle("chatcmpl-", "chat.completion", resp.ID, resp.Model, resp.Created, &resp.Meta)
	dst = append(jsonedit.AppendName(it.append(dst), "choices"), '[')
	for i := range resp.Choices {
		dst = jsonedit.AppendComma(dst)
		dst = appendChoice(dst, &it, &resp.Choices[i], &resp.Meta)
	}
	return appendTail(append(dst, ']'), resp), nil
}

// appendTail writes the members after the choices, and the closing brace.
func appendTail(dst []byte, resp *chat.Response) []byte {
	switch {
	case resp.UsageText != nil:
		dst = append(jsonedit.AppendName(dst, "usage"), resp.UsageText...)
	case !resp.NoUsage || resp.Usage != (chat.Usage{}):
		dst = appendUsage(jsonedit.AppendName(dst, "usage"), &resp.Usage)
	}
	dst = jsonedit.AppendOptional(dst, "service_tier", resp.ServiceTier)
	dst = jsonedit.AppendOptional(dst, "system_fingerprint", resp.SystemFingerprint)
	for _, m := range resp.Extra {
		dst = append(jsonedit.AppendKey(dst, m.Name), m.Value...)
	}
	return append(dst, '}')
}

func appendChoice(dst []byte, it *identity, c *chat.Choice, meta *chat.Meta) []byte {
	dst = strconv.AppendInt(append(dst, `{"index":`...), int64(c.Index), 10)
	dst = append(jsonedit.AppendName(dst, "message"), `{"role":"assistant"`...)
	text, texts := joined(c.Parts, chat.Text)
	refusal, refusals := joined(c.Parts, chat.Refusal)
	thinking, thoughts := joined(c.Parts, chat.Thinking)
	calls := count(c.Parts, chat.ToolCall)
	dst = jsonedit.AppendName(dst, "content")
	if texts == 0 && (calls > 0 || refusals > 0) {
		dst = append(dst, "null"...)
	} else {
		dst = text.Append(dst)
	}
	if refusals > 0 {
		dst = refusal.AppendMember(dst, "refusal")
	}
	if thoughts > 0 {
		dst = thinking.AppendMember(dst, "reasoning_content")
	}
	dst = appendAnnotations(dst, c.Citations)
	dst = appendThinkingBlocks(dst, c.Parts, meta)
	dst = appendImages(dst, c.Parts)
	finish := c.Finish
	if isLegacy(meta) {
		dst, finish = appendFunctionCall(dst, c, meta), legacyFinish(finish)
	} else {
		dst = appendCalls(dst, it, c, meta)
	}
	dst = append(dst, '}')
	if len(c.Logprobs) > 0 {
		dst = append(jsonedit.AppendName(dst, "logprobs"), c.Logprobs...)
	}
	return append(appendFinish(dst, finish), '}')
}

// appendThinkingBlocks writes thinking_blocks if there is something that
// reasoning_content cannot hold.
func appendThinkingBlocks(dst []byte, parts []chat.Part, meta *chat.Meta) []byte {
	needed := false
	for i := range parts {
		needed = needed || parts[i].Kind == chat.RedactedThinking || parts[i].Kind == chat.Thinking && parts[i].Signature != ""
	}
	if !needed {
		return dst
	}
	dst = jsonedit.AppendName(dst, "thinking_blocks")
	separator := byte('[')
	for i := range parts {
		switch p := &parts[i]; p.Kind {
		case chat.Thinking:
			dst = appendThinkingBlock(append(dst, separator), p.Text, p.Token(origin.Anthropic, meta))
		case chat.RedactedThinking:
			dst = appendRedactedBlock(append(dst, separator), p.Token(origin.Anthropic, meta))
		default:
			continue
		}
		separator = ','
	}
	return append(dst, ']')
}

func appendImages(dst []byte, parts []chat.Part) []byte {
	if count(parts, chat.Image) == 0 {
		return dst
	}
	dst = jsonedit.AppendName(dst, "images")
	separator := byte('[')
	for i := range parts {
		m := parts[i].Media
		if parts[i].Kind != chat.Image || m == nil {
			continue
		}
		dst = append(append(dst, separator), `{"type":"image_url","image_url":{"url":`...)
		dst = append(appendURL(dst, m), "}}"...)
		separator = ','
	}
	if separator == '[' {
		dst = append(dst, '[')
	}
	return append(dst, ']')
}

// appendCalls writes tool_calls, if there are any, with their signatures as an
// answer with meta hands them out; in a request, without meta, as they are.
func appendCalls(dst []byte, it *identity, c *chat.Choice, meta *chat.Meta) []byte {
	if count(c.Parts, chat.ToolCall) == 0 {
		return dst
	}
	dst = append(jsonedit.AppendName(dst, "tool_calls"), '[')
	n := 0
	var ran ranBefore
	for i := range c.Parts {
		p := &c.Parts[i]
		if p.Kind == chat.HostedRun {
			ran.begin()
			ran.end(p.Signature)
		}
		if p.Kind != chat.ToolCall {
			continue
		}
		dst = jsonedit.AppendComma(dst)
		dst = it.appendCallID(append(dst, `{"id":`...), []byte(p.ID), c.Index, n)
		if isCustomCall(meta, p.Name) {
			dst = jsonedit.AppendString(append(dst, `,"type":"custom","custom":{"name":`...), chat.ToolName(meta, p.Name))
			dst = append(jsonedit.AppendText(dst, "input", inputOf(p.Arguments)), '}')
		} else {
			dst = jsonedit.AppendString(append(dst, `,"type":"function","function":{"name":`...), chat.ToolName(meta, p.Name))
			dst = append(p.Arguments.AppendMember(dst, "arguments"), '}')
		}
		signature := p.Signature
		if meta != nil {
			signed := chat.Part{Signature: ran.sign(p.Signature), Origin: p.Origin}
			signature = signed.Token(origin.Google, meta)
		}
		dst = append(appendThoughtSignature(dst, signature), '}')
		n++
	}
	return append(dst, ']')
}

// joined returns the text of all parts of a kind, and the number of those parts.
func joined(parts []chat.Part, kind chat.PartKind) (text jsonedit.Text, n int) {
	var all []byte
	for i := range parts {
		if parts[i].Kind != kind {
			continue
		}
		if n++; n == 1 {
			text = parts[i].Text
			continue
		}
		if n == 2 {
			all = text.AppendInside(all)
		}
		all = parts[i].Text.AppendInside(all)
	}
	if n > 1 {
		text = jsonedit.Quoted(string(all))
	}
	return text, n
}

func count(parts []chat.Part, kind chat.PartKind) (n int) {
	for i := range parts {
		if parts[i].Kind == kind {
			n++
		}
	}
	return n
}
