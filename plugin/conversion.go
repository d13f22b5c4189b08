package plugin

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"go-ai-proxy/plugin/buffers"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
)

// conversion makes the client's answer of a provider's whole one.
type conversion struct {
	plan    *plan
	account *accounting
	buffers *buffers.Set
	header  http.Header // of the provider's answer
}

// convert returns a whole answer as the client gets it, and records its usage.
func (c *conversion) convert(as delivery, whole []byte) ([]byte, error) {
	if c.isStream(whole) {
		return c.gather(whole)
	}
	switch as {
	case chatWhole:
		return c.fromChat(whole)
	case bodyWhole:
		return c.fromBody(whole)
	case countWhole:
		return c.fromCount(whole)
	}
	return c.unchanged(whole)
}

// isStream says whether a whole answer is events, although nobody asked for a stream.
func (c *conversion) isStream(whole []byte) bool {
	if !c.plan.gathered() {
		return false
	}
	switch frame.FormOf(whole) {
	case frame.Events, frame.Frames:
		return true
	case frame.List:
		return c.plan.how == same && c.plan.request.api.Framing == frame.Array
	}
	return false
}

// unchanged returns a whole answer that is in the client's format, and records its usage.
func (c *conversion) unchanged(whole []byte) ([]byte, error) {
	c.account.meterWhole(whole, c.header)
	if c.account.seen.Finish == "" || c.account.seen.Finish == chat.Failed || c.account.seen.Err != nil { // with another finish reason it has a choice, and is valid
		if err := c.check(whole); err != nil {
			return nil, err
		}
	}
	if c.plan.op.Edit.Rewrite != nil {
		whole = c.plan.op.Edit.Rewrite(nil, whole)
	}
	return c.inEncoding(whole), nil
}

// inEncoding returns embeddings in the encoding that the client asked for. OpenAI's SDKs ask
// for base64 by themselves, and read numbers wrongly.
func (c *conversion) inEncoding(whole []byte) []byte {
	if c.plan.request.route != route.Embeddings {
		return whole
	}
	if encoding, _ := jsonedit.String(jsonedit.Find(c.plan.request.members, "encoding_format")); encoding == "base64" {
		return openai.EmbeddingsInBase64(nil, whole)
	}
	return whole
}

// fromChat translates a whole answer by way of the internal form, and records its
// usage.
func (c *conversion) fromChat(whole []byte) ([]byte, error) {
	resp, err := c.plan.op.Chat.ParseResponse(c.plan.target, whole)
	if err != nil {
		c.account.meterWhole(whole, c.header) // an unusable answer was paid for, too
		if e, ok := errors.AsType[*chat.Error](err); ok {
			return nil, told(c.account.out, e)
		}
		if e := c.errorInside(whole); e != nil {
			return nil, told(c.account.out, e)
		}
		return nil, err
	}
	return c.write(resp, len(whole))
}

// gather makes a whole answer of a stream that nobody asked for.
func (c *conversion) gather(whole []byte) ([]byte, error) {
	kind, _ := frame.FormOf(whole).Framing()
	from := c.plan.op.Chat.NewStream(c.plan.target)
	if holdsWhole(kind, whole) {
		from = chat.Replay(c.plan.op.Chat, c.plan.target)
	}
	events := frame.New(kind, bytes.NewReader(whole), frame.MaxEvent)
	defer events.Release()
	resp, err := chat.Gather(events, from)
	if e, ok := errors.AsType[*chat.Error](err); ok {
		return nil, told(c.account.out, e)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, noAnswer("error", "the provider ended the stream before its end")
	}
	if err != nil {
		return nil, err
	}
	return c.write(resp, len(whole))
}

// holdsWhole says whether the first event of a stream is a whole answer.
func holdsWhole(kind frame.Kind, stream []byte) bool {
	events := frame.New(kind, bytes.NewReader(stream), frame.MaxEvent)
	defer events.Release()
	for {
		ev, err := events.Next()
		if err != nil || len(ev.Data) > 0 {
			return err == nil && chat.IsWhole(ev.Data)
		}
	}
}

// write writes a response in the client's format, and records its usage. size is
// that of the provider's answer, in bytes.
func (c *conversion) write(resp *chat.Response, size int) ([]byte, error) {
	c.account.observe(resp)
	if why, failed := resp.FailedFor(); failed {
		return nil, told(c.account.out, chat.FailedGeneration(why))
	}
	resp.Meta = c.plan.meta(c.account.reply.identify())
	resp.Meta.Properties.Restore(resp)
	return c.plan.request.api.Dialect.AppendResponse(c.buffers.Borrow(size + 512)[:0], resp)
}

// fromBody has the operation translate a whole answer, and records its usage.
func (c *conversion) fromBody(whole []byte) ([]byte, error) {
	c.account.meterHeaders(c.header)
	meta := c.plan.meta(c.account.reply.identify())
	if c.account.seen.HasUsage {
		meta.PromptTokens = c.account.seen.Usage.Prompt
	}
	out, err := c.plan.op.Body.AppendResponse(nil, c.plan.target, whole, meta, &c.account.seen)
	c.account.settle()
	if err != nil {
		if e := c.errorInside(whole); e != nil {
			return nil, told(c.account.out, e)
		}
		return nil, err
	}
	return c.inEncoding(out), nil
}

// fromCount reads the number of tokens from the provider's answer.
func (c *conversion) fromCount(whole []byte) ([]byte, error) {
	tokens, err := c.plan.op.Counter.Read(whole)
	if err != nil {
		return nil, err
	}
	return c.plan.request.api.Count(nil, tokens), nil
}

// errorInside returns the error that a whole answer of status 200 is; nil if it is none,
// if the provider has words of its own for that, or if no answer was asked for.
func (c *conversion) errorInside(whole []byte) *chat.Error {
	if c.plan.op.Edit.NoAnswer != nil || !c.plan.request.creates() {
		return nil
	}
	if api := c.plan.request.api; api.Dialect == nil && (api.Resources != nil || c.plan.how == same && c.account.seen.Err == nil) {
		return nil // an object of a family may have an error that is its own
	}
	return chat.ErrorInside(whole)
}

// check refuses a 200 in OpenAI's format that no client could use, or that is an
// error.
func (c *conversion) check(whole []byte) error {
	if e := c.errorInside(whole); e != nil {
		return told(c.account.out, e)
	}
	if !c.plan.request.api.BareData {
		return nil
	}
	if c.account.seen.Finish == chat.Failed {
		return told(c.account.out, chat.FailedGeneration(""))
	}
	if len(whole) == 0 {
		return refuse(http.StatusInternalServerError, "no response body found when transforming response")
	}
	var space [16]jsonedit.Member
	members, err := jsonedit.Object(whole, space[:0])
	switch {
	case err == nil && jsonedit.Find(members, "choices") != nil:
		return nil
	case c.plan.op.Edit.NoAnswer != nil:
		return c.plan.op.Edit.NoAnswer(whole)
	case err != nil:
		return &chat.ResponseError{Message: "failed to decode " + string(c.plan.request.route) + " response"}
	}
	return &chat.ResponseError{Message: "'choices' not in " + string(c.plan.request.route) + " response"}
}
