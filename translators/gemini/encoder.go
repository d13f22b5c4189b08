package gemini

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// AppendResponse writes a GenerateContentResponse.
func (dialect) AppendResponse(dst []byte, resp *chat.Response) ([]byte, error) {
	dst = append(dst, `{"candidates":[`...)
	for i := range resp.Choices {
		c := &resp.Choices[i]
		dst = append(jsonedit.AppendComma(dst), `{"content":{"parts":[`...)
		cited, written := sources{list: c.Citations}, 0
		for j := range c.Parts {
			before := len(dst)
			if dst = appendPart(dst, &c.Parts[j], &resp.Meta); len(dst) > before {
				cited.add(&c.Parts[j], written)
				written++
			}
			if run := c.Parts[j].Run; run != nil {
				if cited.ran(run); run.Kind == chat.CodeExecution {
					written++ // code, and what came of it
				}
			}
		}
		dst = cited.append(appendCandidateTail(dst, c.Index, c.Finish))
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if !resp.NoUsage {
		dst = appendUsage(dst, &resp.Usage)
	}
	model, id := resp.Model, resp.ID
	if model == "" {
		model = resp.Meta.Model
	}
	if id == "" {
		id = resp.Meta.ID
	}
	return append(jsonedit.AppendText(jsonedit.AppendText(dst, "modelVersion", model), "responseId", id), '}'), nil
}

// appendPart writes a part of an answer, or nothing if the format has no part for it.
func appendPart(dst []byte, p *chat.Part, meta *chat.Meta) []byte {
	switch p.Kind {
	case chat.Text, chat.Refusal:
		dst = p.Text.AppendMember(append(jsonedit.AppendComma(dst), '{'), "text")
	case chat.Thinking:
		dst = jsonedit.AppendRaw(p.Text.AppendMember(append(jsonedit.AppendComma(dst), '{'), "text"), "thought", "true")
	case chat.ToolCall:
		dst = appendCall(append(jsonedit.AppendComma(dst), '{'), []byte(p.ID), []byte(chat.ToolName(meta, p.Name)), []byte(p.Arguments.String()))
	case chat.Image, chat.Audio, chat.File, chat.Video:
		if p.Media == nil || p.Media.Data.Empty() {
			return dst
		}
		return appendInline(jsonedit.AppendComma(dst), p.Media.MIME, []byte(p.Media.Data.String()))
	case chat.HostedRun:
		return appendRunParts(dst, p, meta)
	default:
		return dst
	}
	dst = jsonedit.AppendOptional(dst, "thoughtSignature", p.Token(origin.Google, meta))
	return append(dst, '}')
}

func appendInline(dst []byte, mime string, data []byte) []byte {
	dst = jsonedit.AppendText(append(dst, `{"inlineData":{`...), "mimeType", mime)
	return append(jsonedit.AppendText(dst, "data", data), `}}`...)
}

// appendCall writes the member functionCall. Arguments that are not a JSON object are
// kept as text, under "arguments".
func appendCall(dst, id, name, arguments []byte) []byte {
	dst = append(jsonedit.AppendName(dst, "functionCall"), '{')
	if len(id) > 0 {
		dst = jsonedit.AppendText(dst, "id", id)
	}
	dst = jsonedit.AppendName(jsonedit.AppendText(dst, "name", name), "args")
	switch {
	case len(arguments) == 0:
		dst = append(dst, '{', '}')
	case isObject(string(arguments)):
		dst = append(dst, jsonedit.Flat(arguments)...)
	default:
		dst = append(jsonedit.AppendText(append(dst, '{'), "arguments", arguments), '}')
	}
	return append(dst, '}')
}

// appendCandidateTail writes what follows the parts of a candidate, up to its brace.
func appendCandidateTail(dst []byte, index int, reason chat.FinishReason) []byte {
	dst = append(dst, `],"role":"model"}`...)
	switch reason {
	case "":
	case chat.Stop, chat.ToolCalls:
		dst = jsonedit.AppendText(dst, "finishReason", "STOP")
	case chat.Length:
		dst = jsonedit.AppendText(dst, "finishReason", "MAX_TOKENS")
	case chat.ContentFilter:
		dst = jsonedit.AppendText(dst, "finishReason", "SAFETY")
	default:
		dst = jsonedit.AppendText(dst, "finishReason", "OTHER")
	}
	return jsonedit.AppendInt(dst, "index", index)
}

// appendUsage writes the member usageMetadata.
func appendUsage(dst []byte, u *chat.Usage) []byte {
	dst = jsonedit.AppendInt(append(jsonedit.AppendName(dst, "usageMetadata"), '{'), "promptTokenCount", u.Prompt)
	dst = jsonedit.AppendInt(dst, "candidatesTokenCount", max(u.Completion-u.Reasoning, 0))
	dst = jsonedit.AppendInt(dst, "totalTokenCount", u.TotalTokens())
	if u.Cached > 0 {
		dst = jsonedit.AppendInt(dst, "cachedContentTokenCount", u.Cached)
	}
	if u.Reasoning > 0 {
		dst = jsonedit.AppendInt(dst, "thoughtsTokenCount", u.Reasoning)
	}
	return append(dst, '}')
}

// AppendError writes Google's error body.
// https://cloud.google.com/apis/design/errors
func (dialect) AppendError(dst []byte, e *chat.Error) []byte {
	status := e.ClientStatus()
	if status == 0 {
		status = 500
	}
	dst = jsonedit.AppendInt(append(dst, `{"error":{`...), "code", status)
	return append(jsonedit.AppendText(jsonedit.AppendText(dst, "message", errorText(e)), "status", codeOf(status)), `}}`...)
}

// errorText is the message of e, which for a conversation that is too long is in
// Google's words, by which clients know it.
// https://ai.google.dev/gemini-api/docs/troubleshooting
func errorText(e *chat.Error) string {
	const words = "The input token count"
	if !e.IsContextTooLong() || strings.HasPrefix(e.Message, words) {
		return e.Message
	}
	tokens, maximum := e.ContextTokens()
	if tokens == 0 {
		return words + " exceeds the maximum number of tokens allowed: " + e.Message
	}
	return words + " (" + strconv.Itoa(tokens) + ") exceeds the maximum number of tokens allowed (" + strconv.Itoa(maximum) + ")."
}

// codeOf returns Google's code for an HTTP status.
func codeOf(status int) string {
	switch status {
	case 400, 413, 422:
		return "INVALID_ARGUMENT"
	case 401:
		return "UNAUTHENTICATED"
	case 403:
		return "PERMISSION_DENIED"
	case 404:
		return "NOT_FOUND"
	case 409:
		return "ABORTED"
	case 429:
		return "RESOURCE_EXHAUSTED"
	case 499:
		return "CANCELLED"
	case 502, 503, 529:
		return "UNAVAILABLE"
	case 504:
		return "DEADLINE_EXCEEDED"
	}
	if status < 500 {
		return "INVALID_ARGUMENT"
	}
	return "INTERNAL"
}

// NewEncoder implements chat.Dialect.
func (d dialect) NewEncoder(meta chat.Meta) chat.Encoder {
	return chat.InBlocks(&encoder{meta: meta, array: d.array})
}

// encoder writes one answer as GenerateContentResponses. As in Google's streams, a
// call is sent when its arguments are complete, and the finish reasons at the end,
// when the usage is known.
type encoder struct {
	meta    chat.Meta
	array   bool
	begun   bool      // something was written
	closed  bool      // the end or an error was written
	tail    []byte    // what ends every response, once known
	calls   []held    // by choice
	cited   []sources // by choice
	reasons []chat.FinishReason
	usage   chat.Usage
	counted bool
}

// held is a call whose arguments are not complete yet.
type held struct {
	open                           bool
	id, name, arguments, signature []byte
}

// Append implements chat.Encoder.
func (e *encoder) Append(dst []byte, d *chat.Delta) []byte {
	if e.closed {
		return dst
	}
	if e.tail == nil {
		e.settle(d)
	}
	switch d.Kind {
	case chat.Start:
		return dst
	case chat.UsageDelta:
		if d.Usage != nil {
			e.usage, e.counted = *d.Usage, true
		}
		return dst
	case chat.ErrorDelta:
		return e.fail(dst, d.Err)
	case chat.End:
		return e.end(dst)
	}
	if d.Choice < 0 || d.Choice > maxCandidates {
		return dst
	}
	for len(e.calls) <= d.Choice {
		e.calls, e.reasons, e.cited = append(e.calls, held{}), append(e.reasons, ""), append(e.cited, sources{})
	}
	c := &e.calls[d.Choice]
	if d.Kind == chat.ToolArguments {
		c.arguments = append(c.arguments, d.Text...)
		return dst
	}
	switch d.Kind {
	case chat.TextDelta:
		e.cited[d.Choice].text.Write(d.Text)
	case chat.CitationDelta:
		e.cited[d.Choice].list = append(e.cited[d.Choice].list, *d.Citation)
		return dst
	}
	dst = e.release(dst, d.Choice)
	switch d.Kind {
	case chat.ToolStart:
		c.open = true
		c.id, c.name = append(c.id[:0], d.ID...), append(c.name[:0], chat.ToolName(&e.meta, d.Name)...)
		c.arguments, c.signature = append(c.arguments[:0], d.Text...), append(c.signature[:0], d.Token(nil, origin.Google, &e.meta)...)
		return dst
	case chat.Finish:
		e.reasons[d.Choice] = d.Reason
		return dst
	case chat.RunStart, chat.RunEnd:
		return e.run(dst, d)
	}
	return e.content(dst, d)
}

// content writes a response of one part.
func (e *encoder) content(dst []byte, d *chat.Delta) []byte {
	mark := len(dst)
	dst = e.begin(dst)
	switch d.Kind {
	case chat.TextDelta, chat.RefusalDelta:
		dst = jsonedit.AppendText(append(dst, '{'), "text", d.Text)
		if len(d.Signature) > 0 {
			dst = jsonedit.AppendText(dst, "thoughtSignature", d.Token(nil, origin.Google, &e.meta))
		}
		dst = append(dst, '}')
	case chat.ThinkingDelta:
		dst = append(jsonedit.AppendRaw(jsonedit.AppendText(append(dst, '{'), "text", d.Text), "thought", "true"), '}')
	case chat.SignatureDelta:
		dst = append(jsonedit.AppendText(append(dst, `{"text":"","thought":true`...), "thoughtSignature", d.Token(nil, origin.Google, &e.meta)), '}')
	case chat.ImageDelta:
		dst = appendInline(dst, string(d.Name), d.Text)
	case chat.AudioDelta:
		data, _ := jsonedit.AppendUnquoted(nil, jsonedit.Lookup(d.Raw, "data"))
		if len(data) == 0 {
			return e.undo(dst, mark)
		}
		dst = appendInline(dst, "audio/L16;codec=pcm;rate=24000", data)
	default:
		return e.undo(dst, mark)
	}
	return e.finish(append(appendCandidateTail(dst, d.Choice, ""), '}'), false)
}

// settle sets the members that every response repeats.
func (e *encoder) settle(d *chat.Delta) {
	id, model := e.meta.ID, e.meta.Model
	if len(d.ID) > 0 && d.Kind == chat.Start {
		id = string(d.ID)
	}
	if len(d.Model) > 0 {
		model = string(d.Model)
	}
	e.tail = append(jsonedit.AppendText(jsonedit.AppendText([]byte{'{'}, "modelVersion", model), "responseId", id)[1:], '}')
}

// begin opens a response and its first candidate's parts.
func (e *encoder) begin(dst []byte) []byte {
	return append(e.frame(dst), `{"candidates":[{"content":{"parts":[`...)
}

// frame writes the framing before a response.
func (e *encoder) frame(dst []byte) []byte {
	switch {
	case !e.array:
		dst = append(dst, "data: "...)
	case e.begun:
		dst = append(dst, ",\r\n"...)
	default:
		dst = append(dst, '[')
	}
	e.begun = true
	return dst
}

// undo removes a response that turned out to be empty.
func (e *encoder) undo(dst []byte, mark int) []byte {
	if e.array && len(dst) > mark && dst[mark] == '[' {
		e.begun = false
	}
	return dst[:mark]
}

// finish ends a response whose candidates are open.
func (e *encoder) finish(dst []byte, last bool) []byte {
	dst = append(dst, ']')
	if last && e.counted {
		dst = appendUsage(dst, &e.usage)
	}
	dst = append(append(dst, ','), e.tail...)
	if !e.array {
		dst = append(dst, "\n\n"...)
	}
	return dst
}

// release writes the call that is held for a choice.
func (e *encoder) release(dst []byte, choice int) []byte {
	c := &e.calls[choice]
	if !c.open {
		return dst
	}
	c.open = false
	dst = appendCall(append(e.begin(dst), '{'), c.id, c.name, c.arguments)
	if len(c.signature) > 0 {
		dst = jsonedit.AppendText(dst, "thoughtSignature", c.signature)
	}
	return e.finish(append(appendCandidateTail(append(dst, '}'), choice, ""), '}'), false)
}

// end writes the finish reasons and the usage as the last response.
func (e *encoder) end(dst []byte) []byte {
	for i := range e.calls {
		dst = e.release(dst, i)
	}
	e.closed = true
	dst = append(e.frame(dst), `{"candidates":[`...)
	for i, reason := range e.reasons {
		if reason != "" {
			dst = appendCandidateTail(append(jsonedit.AppendComma(dst), `{"content":{"parts":[`...), i, reason)
			dst = append(e.cited[i].append(dst), '}')
		}
	}
	dst = e.finish(dst, true)
	if e.array {
		dst = append(dst, "\n]"...)
	}
	return dst
}

func (e *encoder) fail(dst []byte, err *chat.Error) []byte {
	e.closed = true
	if err == nil {
		err = &chat.Error{Message: "the provider ended the stream with an error"}
	}
	dst = dialect{}.AppendError(e.frame(dst), err)
	if e.array {
		return append(dst, "\n]"...)
	}
	return append(dst, "\n\n"...)
}
