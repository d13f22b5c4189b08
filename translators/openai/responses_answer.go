package openai

import (
	"cmp"
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/origin"
)

// AppendError implements chat.Dialect.
func (responsesDialect) AppendError(dst []byte, e *chat.Error) []byte { return appendError(dst, e) }

// AppendResponse implements chat.Dialect. Of several choices it is the first.
func (responsesDialect) AppendResponse(dst []byte, resp *chat.Response) ([]byte, error) {
	r := newResponse(resp.ID, resp.Model, resp.Created, &resp.Meta)
	if len(resp.Choices) > 0 {
		c := &resp.Choices[0]
		r.reason = c.Finish
		cites := chat.CitesOf(c)
		for i := range c.Parts {
			r.part(&c.Parts[i], &resp.Meta)
			list, _ := cites.Next(&c.Parts[i])
			for j := range list {
				r.message.cites = append(r.message.cites, &list[j])
			}
		}
	}
	r.usage, r.counted = resp.Usage, !resp.NoUsage || resp.Usage != (chat.Usage{})
	if resp.ServiceTier != "" {
		r.usage.ServiceTier = resp.ServiceTier
	}
	return r.append(dst, r.status()), nil
}

// response is a response object, as far as it has come.
type response struct {
	id      identity
	tools   map[string]chat.ClientTool
	items   []*item
	message *item            // the last one
	waiting []*chat.Citation // for a message to stand in
	reason  chat.FinishReason
	usage   chat.Usage
	counted bool
	err     *chat.Error // why it failed
}

// itemKind is the type of an output item.
type itemKind uint8

const (
	messageItem itemKind = iota
	reasoningItem
	callItem
	imageItem
	runItem
)

// item is one item of the output.
type item struct {
	kind    itemKind
	n       int    // its place in the output
	id      string // "msg_…"
	text    []byte // what it says, thinks, draws, or the arguments
	refused bool   // a message is a refusal
	from    int    // where a message's text begins in that of the answer, in characters
	cites   []*chat.Citation
	sealed  []byte // encrypted_content
	name    []byte // of a call
	call    []byte // its id
	index   int    // the call's in the stream
	tool    chat.ClientTool
	form    *callForm // of a call
	inner   innerText // of a custom tool's call
	run     *chat.Run // what a hosted tool did
	ran     bool      // it has a result
	done    bool
}

func newResponse(id, model string, created int64, meta *chat.Meta) *response {
	return &response{id: settle("resp_", "response", id, model, created, meta), tools: meta.Tools}
}

// prefixes are those of items' ids; a call's is its form's.
var prefixes = [...]string{messageItem: "msg_", reasoningItem: "rs_", imageItem: "ig_"}

// add begins an item.
func (r *response) add(kind itemKind) *item {
	return r.addItem(&item{kind: kind}, prefixes[kind])
}

func (r *response) addItem(it *item, prefix string) *item {
	it.n = len(r.items)
	if it.kind == messageItem {
		if r.message != nil {
			it.from = r.message.from + r.message.characters()
		}
		r.message = it
	}
	id := r.id.appendCallID(nil, nil, 0, it.n) // "call_<answer>_<n>", quoted
	it.id = prefix + string(id[len(`"call_`):len(id)-1])
	r.items = append(r.items, it)
	return it
}

// addCall begins the call of the function called name, in the words of the client.
func (r *response) addCall(id, name []byte) *item {
	it := &item{kind: callItem, call: append([]byte(nil), id...), name: append([]byte(nil), name...)}
	if tool, own := r.tools[string(name)]; own {
		it.tool, it.name = tool, []byte(tool.Name)
	}
	it.form = formOfKind(it.tool.Kind)
	return r.addItem(it, it.form.prefix)
}

// argue adds a piece of the arguments to a call, and returns what it adds to the
// item's text.
func (it *item) argue(piece []byte) []byte {
	from := len(it.text)
	if it.tool.Kind == customTool {
		it.text = it.inner.append(it.text, piece)
	} else {
		it.text = append(it.text, piece...)
	}
	return it.text[from:]
}

// argued ends the arguments of a call, and returns what that adds to the item's text.
func (it *item) argued() []byte {
	from := len(it.text)
	switch {
	case it.tool.Kind == customTool:
		it.text = it.inner.end(it.text)
	case len(it.text) == 0:
		it.text = append(it.text, "{}"...)
	}
	return it.text[from:]
}

// last is the item that was begun last, if it is of that kind and not done.
func (r *response) last(kind itemKind) *item {
	if n := len(r.items); n > 0 && r.items[n-1].kind == kind && !r.items[n-1].done {
		return r.items[n-1]
	}
	return nil
}

// part adds what a part of a whole answer says.
func (r *response) part(p *chat.Part, meta *chat.Meta) {
	switch p.Kind {
	case chat.Text, chat.Refusal:
		it := r.last(messageItem)
		if it == nil || it.refused != (p.Kind == chat.Refusal) {
			it = r.add(messageItem)
			it.refused = p.Kind == chat.Refusal
		}
		it.text = p.Text.AppendDecoded(it.text)
	case chat.Thinking:
		it := r.add(reasoningItem)
		it.text = p.Text.AppendDecoded(it.text)
		if p.Signature != "" {
			it.sealed = append(append(it.sealed, sealedThinking...), p.Token(origin.Unknown, meta)...)
		}
	case chat.RedactedThinking:
		it := r.add(reasoningItem)
		it.sealed = append(append(it.sealed, sealedRedacted...), p.Token(origin.Unknown, meta)...)
	case chat.ToolCall:
		if p.Signature != "" {
			it := r.add(reasoningItem)
			it.sealed = append(append(it.sealed, sealedCall...), p.Token(origin.Unknown, meta)...)
		}
		it := r.addCall([]byte(p.ID), []byte(p.Name))
		it.argue(p.Arguments.AppendDecoded(nil))
		it.argued()
	case chat.HostedRun:
		r.addWholeRun(p.Run, origin.Text(cmp.Or(p.Origin, meta.Origin), origin.Unknown, p.Signature))
	case chat.Image:
		if p.Media != nil && !p.Media.Data.Empty() {
			r.add(imageItem).text = p.Media.Data.AppendDecoded(nil)
		}
	}
}

// status is what the response ends with.
func (r *response) status() string {
	switch r.reason {
	case "", chat.Stop, chat.ToolCalls, "function_call":
		return "completed"
	}
	return "incomplete"
}

// append writes the object. Of the request's settings, which the API repeats in
// it, it has what the SDKs demand.
func (r *response) append(dst []byte, status string) []byte {
	dst = jsonedit.AppendString(append(dst, `{"id":`...), r.id.id)
	dst = append(dst, `,"object":"response"`...)
	dst = jsonedit.AppendInt(dst, "created_at", r.id.created)
	dst = jsonedit.AppendText(dst, "status", status)
	dst = append(dst, `,"background":false,"error":`...)
	dst = append(appendFailure(dst, r.err), `,"incomplete_details":`...)
	switch {
	case status != "incomplete":
		dst = append(dst, "null"...)
	case r.reason == chat.Length:
		dst = append(dst, `{"reason":"max_output_tokens"}`...)
	default:
		dst = append(dst, `{"reason":"content_filter"}`...)
	}
	dst = append(dst, `,"instructions":null,"metadata":{}`...)
	dst = jsonedit.AppendText(dst, "model", r.id.model)
	dst = append(jsonedit.AppendName(dst, "output"), '[')
	if status != inProgress {
		for _, it := range r.items {
			itemStatus := "completed"
			if status == failed && !it.done {
				itemStatus = "incomplete"
			}
			dst = it.append(jsonedit.AppendComma(dst), itemStatus, r)
		}
	}
	dst = append(dst, `],"parallel_tool_calls":true,"previous_response_id":null,"store":false,"temperature":null,"tool_choice":"auto","tools":[],"top_p":null`...)
	dst = jsonedit.AppendOptional(dst, "service_tier", r.usage.ServiceTier)
	if !r.counted || status == inProgress {
		return append(dst, `,"usage":null}`...)
	}
	return append(appendResponsesUsage(jsonedit.AppendName(dst, "usage"), &r.usage), '}')
}

const (
	inProgress = "in_progress"
	failed     = "failed"
)

// appendFailure writes why a response failed, null if it did not.
func appendFailure(dst []byte, e *chat.Error) []byte {
	if e == nil {
		return append(dst, "null"...)
	}
	dst = jsonedit.AppendText(append(dst, '{'), "code", failureCode(e))
	return append(jsonedit.AppendText(dst, "message", e.Message), '}')
}

// failureCode is one of the API's codes, on which clients decide whether to try
// again: the provider's own, if it is a word, or what its type means.
// https://platform.openai.com/docs/api-reference/responses/object#responses/object-error
func failureCode(e *chat.Error) string {
	switch {
	case e.IsContextTooLong():
		return chat.ContextTooLong
	case e.Status == 429, e.Type == "rate_limit_error":
		return "rate_limit_exceeded"
	case e.Type == "overloaded_error":
		return "server_is_overloaded"
	case e.Code != "" && strings.Trim(e.Code, "abcdefghijklmnopqrstuvwxyz_") == "":
		return e.Code
	}
	return "server_error"
}

// append writes the item. One in progress has no content yet.
func (it *item) append(dst []byte, status string, r *response) []byte {
	dst = jsonedit.AppendString(append(dst, `{"id":`...), it.id)
	begun := status == inProgress
	switch it.kind {
	case messageItem:
		dst = append(dst, `,"type":"message","status":"`...)
		dst = append(append(dst, status...), `","role":"assistant","content":[`...)
		if !begun {
			dst = it.appendPart(dst, it.text)
		}
		dst = append(dst, ']')
	case reasoningItem:
		dst = append(dst, `,"type":"reasoning","summary":[`...)
		if !begun && len(it.text) > 0 {
			dst = appendSummary(dst, it.text)
		}
		dst = append(dst, ']')
		if !begun && len(it.sealed) > 0 {
			dst = jsonedit.AppendText(dst, "encrypted_content", it.sealed)
		}
	case callItem:
		return append(it.appendCall(dst, status, r), '}')
	case runItem:
		return append(it.appendRun(dst, status), '}')
	case imageItem:
		dst = append(append(append(dst, `,"type":"image_generation_call","status":"`...), status...), '"')
		if !begun {
			dst = jsonedit.AppendText(dst, "result", it.text)
		}
	}
	return append(dst, '}')
}

// appendCall writes the members of a call's item.
func (it *item) appendCall(dst []byte, status string, r *response) []byte {
	dst = jsonedit.AppendText(jsonedit.AppendText(dst, "type", it.form.item), "status", status)
	dst = r.id.appendCallID(jsonedit.AppendName(dst, "call_id"), it.call, 0, it.n)
	text := it.text
	if status == inProgress {
		text = nil
	}
	switch it.tool.Kind {
	case "", customTool:
		dst = jsonedit.AppendText(dst, "name", it.name)
		dst = jsonedit.AppendOptional(dst, "namespace", it.tool.Namespace)
		return jsonedit.AppendText(dst, it.form.member, text)
	}
	return it.form.appendMember(dst, text)
}

// appendPart writes the part of a message.
func (it *item) appendPart(dst, text []byte) []byte {
	if it.refused {
		return append(jsonedit.AppendBytes(append(dst, `{"type":"refusal","refusal":`...), text), '}')
	}
	dst = jsonedit.AppendBytes(append(dst, `{"type":"output_text","text":`...), text)
	dst = append(dst, `,"annotations":[`...)
	for _, c := range it.cites {
		dst = appendOutputAnnotation(jsonedit.AppendComma(dst), c, it.from)
	}
	return append(dst, `],"logprobs":[]}`...)
}

func appendSummary(dst, text []byte) []byte {
	return append(jsonedit.AppendBytes(append(dst, `{"type":"summary_text","text":`...), text), '}')
}

// appendResponsesUsage writes a usage object in the names of this API.
func appendResponsesUsage(dst []byte, u *chat.Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(u.Prompt), 10)
	dst = strconv.AppendInt(append(jsonedit.AppendName(dst, "input_tokens_details"), `{"cached_tokens":`...), int64(u.Cached), 10)
	if u.CacheWrite != 0 {
		dst = jsonedit.AppendInt(dst, "cache_write_tokens", u.CacheWrite)
	}
	dst = jsonedit.AppendInt(append(dst, '}'), "output_tokens", u.Completion)
	dst = strconv.AppendInt(append(jsonedit.AppendName(dst, "output_tokens_details"), `{"reasoning_tokens":`...), int64(u.Reasoning), 10)
	return append(jsonedit.AppendInt(append(dst, '}'), "total_tokens", u.TotalTokens()), '}')
}
