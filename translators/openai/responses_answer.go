package openai

import (
	"strconv"

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
		for i := range c.Parts {
			r.part(&c.Parts[i], &resp.Meta)
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
	items   []*item
	reason  chat.FinishReason
	usage   chat.Usage
	counted bool
}

// itemKind is the type of an output item.
type itemKind uint8

const (
	messageItem itemKind = iota
	reasoningItem
	callItem
	imageItem
)

// item is one item of the output.
type item struct {
	kind    itemKind
	n       int    // its place in the output
	id      string // "msg_…"
	text    []byte // what it says, thinks, draws, or the arguments
	refused bool   // a message is a refusal
	sealed  []byte // encrypted_content
	name    []byte // of a call
	call    []byte // its id
	index   int    // the call's in the stream
	done    bool
}

func newResponse(id, model string, created int64, meta *chat.Meta) *response {
	return &response{id: settle("resp_", "response", id, model, created, meta)}
}

// prefixes are those of items' ids.
var prefixes = [...]string{messageItem: "msg_", reasoningItem: "rs_", callItem: "fc_", imageItem: "ig_"}

// add begins an item.
func (r *response) add(kind itemKind) *item {
	it := &item{kind: kind, n: len(r.items)}
	id := r.id.appendCallID(nil, nil, 0, it.n) // "call_<answer>_<n>", quoted
	it.id = prefixes[kind] + string(id[len(`"call_`):len(id)-1])
	r.items = append(r.items, it)
	return it
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
		it := r.add(callItem)
		it.call, it.name, it.text = []byte(p.ID), []byte(p.Name), p.Arguments.AppendDecoded(nil)
	case chat.Image:
		if p.Media != nil && !p.Media.Data.Empty() {
			r.add(imageItem).text = p.Media.Data.AppendDecoded(nil)
		}
	}
}

// status is what the response ends with.
func (r *response) status() string {
	if r.reason == chat.Length || r.reason == chat.ContentFilter {
		return "incomplete"
	}
	return "completed"
}

// append writes the object. Of the request's settings, which the API repeats in
// it, it has what the SDKs demand.
func (r *response) append(dst []byte, status string) []byte {
	dst = jsonedit.AppendString(append(dst, `{"id":`...), r.id.id)
	dst = append(dst, `,"object":"response"`...)
	dst = jsonedit.AppendInt(dst, "created_at", r.id.created)
	dst = jsonedit.AppendText(dst, "status", status)
	dst = append(dst, `,"background":false,"error":null,"incomplete_details":`...)
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
			dst = jsonedit.AppendComma(dst)
			dst = it.append(dst, "completed", r)
		}
	}
	dst = append(dst, `],"parallel_tool_calls":true,"previous_response_id":null,"store":false,"temperature":null,"tool_choice":"auto","tools":[],"top_p":null`...)
	dst = jsonedit.AppendOptional(dst, "service_tier", r.usage.ServiceTier)
	if !r.counted || status == inProgress {
		return append(dst, `,"usage":null}`...)
	}
	return append(appendResponsesUsage(jsonedit.AppendName(dst, "usage"), &r.usage), '}')
}

const inProgress = "in_progress"

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
		dst = append(append(append(dst, `,"type":"function_call","status":"`...), status...), '"')
		dst = r.id.appendCallID(jsonedit.AppendName(dst, "call_id"), it.call, 0, it.n)
		dst = jsonedit.AppendText(dst, "name", it.name)
		dst = jsonedit.AppendName(dst, "arguments")
		switch {
		case begun:
			dst = append(dst, `""`...)
		case len(it.text) == 0:
			dst = append(dst, `"{}"`...)
		default:
			dst = jsonedit.AppendBytes(dst, it.text)
		}
	case imageItem:
		dst = append(append(append(dst, `,"type":"image_generation_call","status":"`...), status...), '"')
		if !begun {
			dst = jsonedit.AppendText(dst, "result", it.text)
		}
	}
	return append(dst, '}')
}

// appendPart writes the part of a message.
func (it *item) appendPart(dst, text []byte) []byte {
	if it.refused {
		return append(jsonedit.AppendBytes(append(dst, `{"type":"refusal","refusal":`...), text), '}')
	}
	dst = jsonedit.AppendBytes(append(dst, `{"type":"output_text","text":`...), text)
	return append(dst, `,"annotations":[],"logprobs":[]}`...)
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
