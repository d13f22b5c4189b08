package openai

import (
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

// Completions is the dialect of POST /v1/completions, for providers that only have
// chat. The prompt becomes a user message, and the answer's text becomes a
// completion. What a completion has no member for (tool calls, thinking) is left out.
// https://platform.openai.com/docs/api-reference/completions
var Completions chat.Dialect = completionsDialect{}

type completionsDialect struct{}

// ParseRequest implements chat.Dialect.
func (completionsDialect) ParseRequest(o *jsonedit.Value) (*chat.Request, error) {
	req := &chat.Request{}
	err := visit(o, func(name string, v *jsonedit.Value) error {
		switch name {
		case "prompt":
			return parsePrompt(req, v)
		case "max_tokens":
			return setNumber(&req.MaxTokens, v)
		case "logprobs": // a number here, a boolean in chat
			var raw chat.Raw
			err := setRaw(&raw, v)
			req.Extra = append(req.Extra, chat.Member{Name: name, Value: raw})
			return err
		}
		return parseSampling(req, name, v)
	})
	if err != nil {
		return nil, err
	}
	return req, nil
}

// parsePrompt reads a prompt: a string, or an array of one string. Several prompts,
// each of which would need an answer, and token numbers are refused.
func parsePrompt(req *chat.Request, v *jsonedit.Value) error {
	if list := v.GetArray(); len(list) == 1 {
		v = list[0]
	}
	switch v.Type() {
	case jsonedit.TypeString:
	case jsonedit.TypeArray:
		return refuse("", "must be one string: a chat model answers one prompt at a time")
	default:
		return refuse("", "must be a string: a chat model takes no token numbers")
	}
	req.Messages = []chat.Message{{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: v.GetText()}}}}
	return nil
}

// AppendResponse implements chat.Dialect.
func (completionsDialect) AppendResponse(dst []byte, resp *chat.Response) ([]byte, error) {
	it := settle("cmpl-", "text_completion", resp.ID, resp.Model, resp.Created, &resp.Meta)
	dst = append(jsonedit.AppendName(it.append(dst), "choices"), '[')
	for i := range resp.Choices {
		c := &resp.Choices[i]
		dst = jsonedit.AppendComma(dst)
		text, _ := joined(c.Parts, chat.Text)
		refusal, _ := joined(c.Parts, chat.Refusal)
		dst = append(refusal.AppendInside(text.AppendInside(append(dst, `{"text":"`...))), '"')
		for _, m := range c.Extra {
			dst = append(jsonedit.AppendKey(dst, m.Name), m.Value...)
		}
		dst = appendCompletionTail(dst, c.Index, c.Finish)
	}
	return appendTail(append(dst, ']'), resp), nil
}

func appendCompletionTail(dst []byte, choice int, reason chat.FinishReason) []byte {
	dst = jsonedit.AppendInt(dst, "index", choice)
	return append(appendFinish(append(dst, `,"logprobs":null`...), reason), '}')
}

// AppendError implements chat.Dialect.
func (completionsDialect) AppendError(dst []byte, e *chat.Error) []byte { return appendError(dst, e) }

// NewEncoder implements chat.Dialect. It ends as Chat's does.
func (completionsDialect) NewEncoder(meta chat.Meta) chat.Encoder {
	return &completionsEncoder{meta: meta}
}

type completionsEncoder struct {
	meta    chat.Meta
	head    []byte // `data: {…,` up to the choices, once known
	usage   chat.Usage
	counted bool
	closed  bool
}

// Append implements chat.Encoder.
func (e *completionsEncoder) Append(dst []byte, d *chat.Delta) []byte {
	if e.closed {
		return dst
	}
	if e.head == nil && d.Kind != chat.ErrorDelta {
		start := d
		if d.Kind != chat.Start {
			start = &chat.Delta{}
		}
		it := settle("cmpl-", "text_completion", string(start.ID), string(start.Model), start.Created, &e.meta)
		e.head = append(it.append([]byte("data: ")), ',')
	}
	switch d.Kind {
	case chat.TextDelta, chat.RefusalDelta:
		return e.chunk(dst, d.Choice, d.Text, "")
	case chat.Finish:
		if d.Reason != "" {
			return e.chunk(dst, d.Choice, nil, d.Reason)
		}
	case chat.UsageDelta:
		if d.Usage != nil {
			e.usage, e.counted = *d.Usage, true
		}
	case chat.ErrorDelta:
		e.closed = true
		return appendErrorEvent(dst, d.Err)
	case chat.End:
		e.closed = true
		if e.meta.IncludeUsage && e.counted {
			dst = append(append(dst, e.head...), `"choices":[],"usage":`...)
			dst = append(appendUsage(dst, &e.usage), "}\n\n"...)
		}
		return append(dst, "data: [DONE]\n\n"...)
	}
	return dst
}

func (e *completionsEncoder) chunk(dst []byte, choice int, text []byte, reason chat.FinishReason) []byte {
	dst = append(append(dst, e.head...), `"choices":[{"text":`...)
	dst = jsonedit.AppendBytes(dst, text)
	return append(appendCompletionTail(dst, choice, reason), "]}\n\n"...)
}
