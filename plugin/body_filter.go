package plugin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// deliver gives the provider's answer to the client.
func deliver(ctx context.Context, a *attempt) error {
	if a.plan.how == untouched {
		return passThrough(ctx, a)
	}
	if err := checkStatus(a.plan.request, a.answer.Status); err != nil {
		return err
	}
	body, err := a.inflated()
	if err != nil {
		return err
	}
	if a.plan.how == viaCounter && slices.Contains(noCounter, a.answer.Status) {
		return deliverEstimate(a)
	}
	if a.answer.Status >= 300 {
		return deliverError(ctx, a, body)
	}
	is, kind, body := contentOf(&a.plan, a.answer, body)
	switch as := deliveries[a.plan.how][is]; as {
	case byEvent:
		return deliverStream(ctx, a, frame.New(kind, body, frame.MaxEvent), nil)
	case byChatEvent:
		return deliverStream(ctx, a, frame.New(kind, body, frame.MaxEvent), a.plan.op.Chat.NewStream(a.plan.target))
	case wholeAsEvents:
		return deliverWholeAsStream(ctx, a, body)
	case byByte:
		return deliverBytes(ctx, a, body, a.plan.request.outputReader())
	case resourceWhole:
		return deliverResource(ctx, a, body)
	case refused:
		return noAnswer("error", "the provider answered with a page (text/html): correct model.options.upstream_url")
	default:
		return deliverWhole(a, as, body)
	}
}

// deliverError asks again without what the provider has refused, if that is known; other
// errors are kept for the client.
func deliverError(ctx context.Context, a *attempt, body io.Reader) error {
	whole, err := a.readWhole(body)
	if err != nil {
		return err
	}
	again, err := a.lessen(ctx, whole)
	switch {
	case err != nil:
		return err
	case again:
		return deliver(ctx, a)
	}
	return a.failedWith(whole)
}

// deliverWholeAsStream gives the client a whole answer as the stream that it asked for.
// What is several values after all is read one by one.
func deliverWholeAsStream(ctx context.Context, a *attempt, body io.Reader) error {
	whole, err := a.readWhole(body)
	if err != nil {
		return err
	}
	whole = frame.Unmarked(whole)
	if jsonedit.Valid(whole) != nil {
		return deliverStream(ctx, a, frame.New(frame.Array, bytes.NewReader(whole), frame.MaxEvent), a.plan.op.Chat.NewStream(a.plan.target))
	}
	return deliverStream(ctx, a, frame.Single(whole), chat.Replay(a.plan.op.Chat, a.plan.target))
}

// passThrough forwards an answer byte by byte, for the route type preserve. Only a
// JSON answer is held in memory.
func passThrough(ctx context.Context, a *attempt) error {
	kind, known := frame.KindOf(wire.First(a.answer.Header, "Content-Type"), frame.Array)
	if !known || kind != frame.Array || a.plan.request.hasNoAnswerBody(a.answer.Status) {
		return deliverBytes(ctx, a, a.answer.Body, nil)
	}
	whole, err := readAnswer(a.buffers, a.answer.Body, a.answer.Length())
	if err != nil {
		return err
	}
	h := clientHeaders(&a.out, a.answer)
	a.account.meterWhole(whole, a.answer.Header)
	a.reply.finish(outcomeFor(a.answer.Status), "")
	return a.reply.send(a.answer.Status, h, whole)
}

func outcomeFor(status int) record.Outcome {
	if status >= 400 {
		return record.Failed
	}
	return record.Completed
}

// deliverWhole gives the client the whole answer.
func deliverWhole(a *attempt, as delivery, body io.Reader) error {
	whole, err := a.readWhole(body)
	if err != nil {
		return err
	}
	whole = frame.Unmarked(whole)
	c := conversion{&a.plan, &a.account, a.buffers, a.answer.Header}
	out, err := c.convert(as, whole)
	if err != nil {
		return unusable(a, err)
	}
	if a.filtered() {
		return a.withhold(func() error { return sendWhole(a, out) })
	}
	return sendWhole(a, out)
}

// sendWhole gives the client a whole answer that is in its format.
func sendWhole(a *attempt, out []byte) error {
	if err := a.reply.commit(); err != nil {
		return err
	}
	if a.plan.endpoint.Logging.Payloads {
		a.reply.record.Update(func(d *record.Data) { d.Answer = out })
	}
	a.reply.finish(record.Completed, "")
	h := clientHeaders(&a.out, a.answer)
	if kind, known := frame.KindOf(wire.First(h, "Content-Type"), frame.SSE); a.plan.how.translates() || known && kind == frame.SSE || a.plan.gathered() && kind != frame.Array && frame.FormOf(out) == frame.Object {
		h["Content-Type"] = isJSONInUTF8
	}
	return a.reply.sendEncoded(a.answer.Status, h, out, a.gzipped)
}

// unusable is the error for a 2xx that cannot be understood; other errors are
// returned unchanged.
func unusable(a *attempt, err error) error {
	bad, ok := errors.AsType[*chat.ResponseError](err)
	if !ok {
		return err
	}
	e := untranslatable(a.plan.name(), bad)
	if a.replaceable {
		failed := brokenBy("error", e)
		if a.account.seen.Err != nil {
			failed.failure.Reason = a.plan.endpoint.Provider.Reasons.Of(a.account.seen.Err)
		}
		return failed
	}
	a.reply.finish(record.Failed, e.Message)
	return a.reply.sendErrorAs(e, a.gzipped)
}

// deliverBytes forwards, as it arrives, an answer that is neither JSON nor events:
// audio, images, files. An answer of known length need not be flushed after each
// read. lines, if not nil, reads usage from a batch's output.
func deliverBytes(ctx context.Context, a *attempt, body io.Reader, lines *provider.OutputReader) error {
	a.reply.streaming = false
	length := a.answer.Length() // before its headers change
	h := clientHeaders(&a.out, a.answer)
	if length < 0 {
		h["X-Accel-Buffering"] = []string{"no"}
	}
	if err := a.reply.start(a.answer.Status, h, length); err != nil {
		return err
	}
	if a.account.speaks() { // paid for, whatever becomes of the sound
		a.account.settle()
	}
	complete := sync.OnceFunc(func() {
		if lines != nil {
			lines.End(&a.account.seen)
			a.account.settle()
		}
		a.reply.finish(outcomeFor(a.answer.Status), "")
	})
	buf := byteBuffers.Get().(*[]byte)
	defer byteBuffers.Put(buf)
	for rest := length; ; {
		n, err := body.Read(*buf)
		if n > 0 {
			if lines != nil {
				lines.Read((*buf)[:n], &a.account.seen)
			}
			if rest -= int64(n); rest == 0 { // for Kong the answer ends with its last byte
				complete()
			}
			if err := a.reply.write((*buf)[:n]); err != nil {
				return err
			}
			if length < 0 {
				if err := a.reply.flush(); err != nil {
					return err
				}
			}
		}
		switch {
		case err == io.EOF:
			complete()
			return nil
		case err != nil && ctx.Err() != nil:
			return wire.ErrClientGone
		case err != nil:
			a.reply.finish(record.CutOff, "the provider ended its answer before its end")
			a.reply.sink.Abort()
			return nil
		}
	}
}

// byteBuffers are the buffers of answers that are forwarded byte by byte.
var byteBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// isPage says whether an error is an HTML page, made by a server in front of the
// API. It is in no API's format.
func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// sendProviderError gives the client the provider's error: unchanged when both
// speak the same format or the error is in none, otherwise in the client's format.
func sendProviderError(a *attempt, whole []byte) error {
	whole = a.out.redact(whole)
	h, status := clientHeaders(&a.out, a.answer), a.answer.Status
	if inStream := a.plan.request.api.InStream; a.plan.how == viaChat && a.plan.request.stream && inStream != nil {
		if e := chat.ErrorFrom(a.answer.Status, whole); inStream(e) {
			meta := a.plan.meta(a.reply.identify())
			a.reply.finish(record.Failed, fmt.Sprintf("the provider answered %d", a.answer.Status))
			return a.reply.sendFailedStream(h, e, &meta)
		}
	}
	if !isPage(whole) && (a.plan.how.translates() || a.plan.op.OwnErrors && string(jsonedit.Lookup(whole, "type")) != `"error"`) {
		e := chat.ErrorFrom(status, whole)
		status = e.ClientStatus()
		a.reply.markError(h, status)
		h["Content-Type"] = isJSONInUTF8
		whole = a.reply.appendError(e)
	}
	if a.plan.endpoint.Logging.Payloads {
		a.reply.record.Update(func(d *record.Data) { d.Answer = whole })
	}
	a.reply.finish(record.Failed, fmt.Sprintf("the provider answered %d", a.answer.Status))
	return a.reply.sendEncoded(status, h, whole, a.gzipped)
}

// How often a provider is asked whether the result that the client waits for is
// ready, and for how long at most.
const (
	pollPause = 2 * time.Second
	pollTime  = 10 * time.Minute
)

// deliverResource gives the client what the operation's Resource makes of the
// answer.
func deliverResource(ctx context.Context, a *attempt, body io.Reader) error {
	whole, err := a.readWhole(body)
	if err != nil {
		return err
	}
	return unusable(a, answerResource(ctx, a, whole))
}

func answerResource(ctx context.Context, a *attempt, whole []byte) error {
	client, err := a.plan.request.call()
	if err != nil {
		return err
	}
	reply, err := a.plan.op.Resource.Answer(a.plan.target, client, whole, a.plan.meta(a.reply.identify()), &a.account.seen)
	for began := time.Now(); err == nil && reply.Wait; {
		if time.Since(began) > pollTime {
			return refuse(http.StatusGatewayTimeout, textTimeout)
		}
		if whole, err = poll(ctx, a, reply.Next); err != nil {
			return err
		}
		reply, err = a.plan.op.Resource.Answer(a.plan.target, client, whole, a.plan.meta(a.reply.identify()), &a.account.seen)
	}
	var told *chat.Error
	switch {
	case errors.As(err, &told):
		a.reply.finish(record.Failed, told.Message)
		return a.reply.sendErrorAs(told, a.gzipped)
	case err != nil:
		return err
	case reply.Next != nil:
		return follow(ctx, a, reply.Next)
	}
	a.account.settle()
	if a.plan.endpoint.Logging.Payloads {
		a.reply.record.Update(func(d *record.Data) { d.Answer = reply.Body })
	}
	a.reply.finish(record.Completed, "")
	h := clientHeaders(&a.out, a.answer)
	h["Content-Type"] = []string{cmp.Or(reply.ContentType, "application/json; charset=utf-8")}
	return a.reply.sendEncoded(http.StatusOK, h, reply.Body, a.gzipped && reply.ContentType == "")
}

// poll waits a little, sends call and returns its answer.
func poll(ctx context.Context, a *attempt, call *provider.Call) ([]byte, error) {
	t := time.NewTimer(a.plan.instance.relay.pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil, wire.ErrClientGone
	case <-t.C:
	}
	if err := a.again(ctx, call); err != nil {
		return nil, err
	}
	body, err := a.inflated()
	if err != nil {
		return nil, err
	}
	whole, err := a.readWhole(body)
	switch {
	case err != nil:
		return nil, err
	case a.answer.Status >= 300:
		return nil, a.failedWith(whole)
	}
	return whole, nil
}

// follow requests from the same provider what its first answer only referred to,
// and forwards that answer.
func follow(ctx context.Context, a *attempt, next *provider.Call) error {
	if err := a.again(ctx, next); err != nil {
		return err
	}
	body, err := a.inflated()
	if err != nil {
		return err
	}
	if a.answer.Status >= http.StatusBadRequest {
		return deliverError(ctx, a, body)
	}
	return deliverBytes(ctx, a, body, nil)
}

// noCounter are the statuses with which a server says that it cannot count: it does
// not have the operation, or not for this model.
var noCounter = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}

// headerCount says that the number of tokens that a client asked for is an
// estimate.
const headerCount = "X-Kong-Llm-Token-Count"

// deliverEstimate answers with an estimate of the prompt's tokens, and says in the
// record and in a header that it is one.
func deliverEstimate(a *attempt) error {
	r, err := a.plan.internal.of(a.plan.request)
	if err != nil {
		return err
	}
	tokens := record.TextTokens(r.PromptLen())
	a.reply.record.Update(func(d *record.Data) { d.Estimated = true })
	a.reply.finish(record.Completed, "")
	h := http.Header{"Content-Type": isJSONInUTF8, headerCount: {"estimated"}}
	return a.reply.send(http.StatusOK, h, a.plan.request.api.Count(nil, tokens))
}
