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

	"go-ai-proxy/plugin/buffers"
	"go-ai-proxy/plugin/inflate"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// deliver gives the provider's answer to the client.
func deliver(ctx context.Context, a *attempt) error {
	if a.how == untouched {
		return passThrough(ctx, a)
	}
	if err := checkStatus(a); err != nil {
		return err
	}
	body, gzipped, err := inflated(a.answer)
	if err != nil {
		return err
	}
	if a.how == viaCounter && slices.Contains(noCounter, a.answer.Status) {
		return deliverEstimate(a)
	}
	if a.answer.Status >= 300 {
		whole, err := readAnswer(a.buffers, body, a.answer.Length())
		if err != nil {
			return transportFailure(err)
		}
		again, err := lessen(ctx, a, whole)
		switch {
		case err != nil:
			return err
		case again:
			return deliver(ctx, a)
		}
		return a.failedWith(whole, gzipped)
	}
	is, kind, body := contentOf(a, body)
	switch deliveries[a.how][is] {
	case byEvent:
		return deliverStream(ctx, a, frame.New(kind, body, frame.MaxEvent), nil)
	case byChatEvent:
		return deliverStream(ctx, a, frame.New(kind, body, frame.MaxEvent), a.op.Chat.NewStream(a.target))
	case wholeAsEvents:
		return deliverWholeAsStream(ctx, a, body)
	case byByte:
		return deliverBytes(ctx, a, body, clientHeaders, batchOutput(a))
	case chatWhole:
		return deliverWhole(a, body, gzipped, convertChat)
	case bodyWhole:
		return deliverWhole(a, body, gzipped, convertBody)
	case countWhole:
		return deliverWhole(a, body, gzipped, convertCount)
	case resourceWhole:
		return deliverResource(ctx, a, body, gzipped)
	case refused:
		return noAnswer("error", "the provider answered with a page (text/html): correct model.options.upstream_url")
	}
	return deliverWhole(a, body, gzipped, unchanged)
}

// deliverWholeAsStream gives the client a whole answer as the stream that it asked for.
// What is several values after all is read one by one.
func deliverWholeAsStream(ctx context.Context, a *attempt, body io.Reader) error {
	whole, err := readAnswer(a.buffers, body, a.answer.Length())
	if err != nil {
		return transportFailure(err)
	}
	whole = frame.Unmarked(whole)
	if jsonedit.Valid(whole) != nil {
		return deliverStream(ctx, a, frame.New(frame.Array, bytes.NewReader(whole), frame.MaxEvent), a.op.Chat.NewStream(a.target))
	}
	return deliverStream(ctx, a, frame.Single(whole), chat.Replay(a.op.Chat, a.target))
}

// passThrough forwards an answer byte by byte, for the route type preserve. Only a
// JSON answer is held in memory.
func passThrough(ctx context.Context, a *attempt) error {
	kind, known := frame.KindOf(wire.First(a.answer.Header, "Content-Type"), frame.Array)
	if !known || kind != frame.Array || hasNoBody(a) {
		return deliverBytes(ctx, a, a.answer.Body, encodedHeaders, nil)
	}
	whole, err := readAnswer(a.buffers, a.answer.Body, a.answer.Length())
	if err != nil {
		return err
	}
	h := encodedHeaders(a)
	meterWhole(a, whole)
	a.reply.finish(outcomeFor(a.answer.Status), "")
	return a.reply.send(a.answer.Status, h, whole)
}

// hasNoBody says that the answer has no body, whatever its Content-Length: that is
// the length of what GET would return.
func hasNoBody(a *attempt) bool {
	return a.request.in.Method == http.MethodHead || a.answer.Status == http.StatusNoContent || a.answer.Status == http.StatusNotModified
}

func outcomeFor(status int) record.Outcome {
	if status >= 400 {
		return record.Failed
	}
	return record.Completed
}

// deliverWhole gives the client the whole answer, as convert makes it.
func deliverWhole(a *attempt, body io.Reader, gzipped bool, convert func(*attempt, []byte) ([]byte, error)) error {
	whole, err := readAnswer(a.buffers, body, a.answer.Length())
	if err != nil {
		return transportFailure(err)
	}
	whole = frame.Unmarked(whole)
	if form := frame.FormOf(whole); gathered(a) && (form == frame.Events || form == frame.Frames || form == frame.List && a.how == same && a.request.api.Framing == frame.Array) {
		convert = gather
	}
	out, err := convert(a, whole)
	if err != nil {
		return unusable(a, err, gzipped)
	}
	if a.filtered() {
		return a.withhold(func() error { return sendWhole(a, out, gzipped) })
	}
	return sendWhole(a, out, gzipped)
}

// sendWhole gives the client a whole answer that is in its format.
func sendWhole(a *attempt, out []byte, gzipped bool) error {
	if err := a.reply.commit(); err != nil {
		return err
	}
	if a.endpoint.Logging.Payloads {
		a.record.Update(func(d *record.Data) { d.Answer = out })
	}
	a.reply.finish(record.Completed, "")
	h := clientHeaders(a)
	if kind, known := frame.KindOf(wire.First(h, "Content-Type"), frame.SSE); a.how.translates() || known && kind == frame.SSE || gathered(a) && kind != frame.Array && frame.FormOf(out) == frame.Object {
		h["Content-Type"] = isJSONInUTF8
	}
	return a.reply.sendEncoded(a.answer.Status, h, out, gzipped)
}

// unusable is the error for a 2xx that cannot be understood; other errors are
// returned unchanged.
func unusable(a *attempt, err error, gzipped bool) error {
	bad, ok := errors.AsType[*chat.ResponseError](err)
	if !ok {
		return err
	}
	e := untranslatable(a.name(), bad)
	if a.replaceable {
		failed := brokenBy("error", e)
		if a.seen.Err != nil {
			failed.failure.Reason = a.endpoint.Provider.Reasons.Of(a.seen.Err)
		}
		return failed
	}
	a.reply.finish(record.Failed, e.Message)
	return a.reply.sendErrorAs(e, gzipped)
}

// deliverBytes forwards, as it arrives, an answer that is neither JSON nor events:
// audio, images, files. An answer of known length need not be flushed after each
// read. lines, if not nil, reads usage from a batch's output.
func deliverBytes(ctx context.Context, a *attempt, body io.Reader, headers func(*attempt) http.Header, lines *provider.OutputReader) error {
	a.reply.streaming = false
	length := a.answer.Length() // before its headers change
	h := headers(a)
	if length < 0 {
		h["X-Accel-Buffering"] = []string{"no"}
	}
	if err := a.reply.start(a.answer.Status, h, length); err != nil {
		return err
	}
	if speaks(a) { // paid for, whatever becomes of the sound
		settleSeen(a)
	}
	complete := sync.OnceFunc(func() {
		if lines != nil {
			lines.End(&a.seen)
			settleSeen(a)
		}
		a.reply.finish(outcomeFor(a.answer.Status), "")
	})
	buf := byteBuffers.Get().(*[]byte)
	defer byteBuffers.Put(buf)
	for rest := length; ; {
		n, err := body.Read(*buf)
		if n > 0 {
			if lines != nil {
				lines.Read((*buf)[:n], &a.seen)
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

// batchOutput reads usage from a file that may be a batch's output. It is nil for
// other answers.
func batchOutput(a *attempt) *provider.OutputReader {
	if !a.request.batchOutput() {
		return nil
	}
	return &provider.OutputReader{Output: &a.request.api.Resources.Output}
}

// encodedHeaders are the client's headers of an answer that keeps the provider's
// encoding.
func encodedHeaders(a *attempt) http.Header {
	encoding := a.answer.Header["Content-Encoding"]
	h := clientHeaders(a)
	if encoding != nil {
		h["Content-Encoding"] = encoding
	}
	return h
}

// unchanged returns a whole answer that is in the client's format, and records its usage.
func unchanged(a *attempt, whole []byte) ([]byte, error) {
	meterWhole(a, whole)
	if a.seen.Finish == "" || a.seen.Finish == chat.Failed || a.seen.Err != nil { // with another finish reason it has a choice, and is valid
		if err := checkWhole(a, whole); err != nil {
			return nil, err
		}
	}
	if a.op.Edit.Rewrite != nil {
		whole = a.op.Edit.Rewrite(nil, whole)
	}
	return inEncoding(a, whole), nil
}

// inEncoding returns embeddings in the encoding that the client asked for. OpenAI's SDKs ask
// for base64 by themselves, and read numbers wrongly.
func inEncoding(a *attempt, whole []byte) []byte {
	if a.request.route != route.Embeddings {
		return whole
	}
	if encoding, _ := jsonedit.String(jsonedit.Find(a.request.members, "encoding_format")); encoding == "base64" {
		return openai.EmbeddingsInBase64(nil, whole)
	}
	return whole
}

// convertChat translates a whole answer by way of the internal form, and records its
// usage.
func convertChat(a *attempt, whole []byte) ([]byte, error) {
	resp, err := a.op.Chat.ParseResponse(a.target, whole)
	if err != nil {
		meterWhole(a, whole) // an unusable answer was paid for, too
		if e, ok := errors.AsType[*chat.Error](err); ok {
			return nil, a.told(e)
		}
		if e := errorInside(a, whole); e != nil {
			return nil, a.told(e)
		}
		return nil, err
	}
	return answerWith(a, resp, len(whole))
}

// gather makes a whole answer of a stream that nobody asked for.
func gather(a *attempt, whole []byte) ([]byte, error) {
	kind, _ := frame.FormOf(whole).Framing()
	from := a.op.Chat.NewStream(a.target)
	if holdsWhole(kind, whole) {
		from = chat.Replay(a.op.Chat, a.target)
	}
	events := frame.New(kind, bytes.NewReader(whole), frame.MaxEvent)
	defer events.Release()
	resp, err := chat.Gather(events, from)
	if e, ok := errors.AsType[*chat.Error](err); ok {
		return nil, a.told(e)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, noAnswer("error", "the provider ended the stream before its end")
	}
	if err != nil {
		return nil, err
	}
	return answerWith(a, resp, len(whole))
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

// answerWith writes a response in the client's format, and records its usage. size is
// that of the provider's answer, in bytes.
func answerWith(a *attempt, resp *chat.Response, size int) ([]byte, error) {
	observeResponse(a, resp)
	if why, failed := resp.FailedFor(); failed {
		return nil, a.told(chat.FailedGeneration(why))
	}
	resp.Meta = a.meta()
	resp.Meta.Properties.Restore(resp)
	return a.request.api.Dialect.AppendResponse(a.buffers.Borrow(size + 512)[:0], resp)
}

// convertBody has the operation translate a whole answer, and records its usage.
func convertBody(a *attempt, whole []byte) ([]byte, error) {
	meterHeaders(a)
	meta := a.meta()
	if a.seen.HasUsage {
		meta.PromptTokens = a.seen.Usage.Prompt
	}
	out, err := a.op.Body.AppendResponse(nil, a.target, whole, meta, &a.seen)
	settleSeen(a)
	if err != nil {
		if e := errorInside(a, whole); e != nil {
			return nil, a.told(e)
		}
		return nil, err
	}
	return inEncoding(a, out), nil
}

// convertCount reads the number of tokens from the provider's answer.
func convertCount(a *attempt, whole []byte) ([]byte, error) {
	tokens, err := a.op.Counter.Read(whole)
	if err != nil {
		return nil, err
	}
	return a.request.api.Count(nil, tokens), nil
}

// errorInside returns the error that a whole answer of status 200 is; nil if it is none,
// if the provider has words of its own for that, or if no answer was asked for.
func errorInside(a *attempt, whole []byte) *chat.Error {
	if a.op.Edit.NoAnswer != nil || !a.request.creates() {
		return nil
	}
	if api := a.request.api; api.Dialect == nil && (api.Resources != nil || a.how == same && a.seen.Err == nil) {
		return nil // an object of a family may have an error that is its own
	}
	return chat.ErrorInside(whole)
}

// checkWhole refuses a 200 in OpenAI's format that no client could use, or that is an
// error.
func checkWhole(a *attempt, whole []byte) error {
	if e := errorInside(a, whole); e != nil {
		return a.told(e)
	}
	if !a.request.api.BareData {
		return nil
	}
	if a.seen.Finish == chat.Failed {
		return a.told(chat.FailedGeneration(""))
	}
	if len(whole) == 0 {
		return refuse(http.StatusInternalServerError, "no response body found when transforming response")
	}
	var space [16]jsonedit.Member
	members, err := jsonedit.Object(whole, space[:0])
	switch {
	case err == nil && jsonedit.Find(members, "choices") != nil:
		return nil
	case a.op.Edit.NoAnswer != nil:
		return a.op.Edit.NoAnswer(whole)
	case err != nil:
		return &chat.ResponseError{Message: "failed to decode " + string(a.request.route) + " response"}
	}
	return &chat.ResponseError{Message: "'choices' not in " + string(a.request.route) + " response"}
}

// isPage says whether an error is an HTML page, made by a server in front of the
// API. It is in no API's format.
func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// sendProviderError gives the client the provider's error: unchanged when both
// speak the same format or the error is in none, otherwise in the client's format.
func sendProviderError(a *attempt, whole []byte, gzipped bool) error {
	whole = redactKeys(a, whole)
	h, status := clientHeaders(a), a.answer.Status
	if inStream := a.request.api.InStream; a.how == viaChat && a.request.stream && inStream != nil {
		if e := chat.ErrorFrom(a.answer.Status, whole); inStream(e) {
			meta := a.meta()
			a.reply.finish(record.Failed, fmt.Sprintf("the provider answered %d", a.answer.Status))
			return a.reply.sendFailedStream(h, e, &meta)
		}
	}
	if !isPage(whole) && (a.how.translates() || a.op.OwnErrors && string(jsonedit.Lookup(whole, "type")) != `"error"`) {
		e := chat.ErrorFrom(status, whole)
		status = e.ClientStatus()
		a.reply.markError(h, status)
		h["Content-Type"] = isJSONInUTF8
		whole = a.reply.appendError(e)
	}
	if a.endpoint.Logging.Payloads {
		a.record.Update(func(d *record.Data) { d.Answer = whole })
	}
	a.reply.finish(record.Failed, fmt.Sprintf("the provider answered %d", a.answer.Status))
	return a.reply.sendEncoded(status, h, whole, gzipped)
}

// maxAnswer is the largest answer that is held in memory, in bytes.
const maxAnswer = 256 << 20

// cutShort turns an error of reading an answer into a transport error.
func cutShort(err error) error {
	var t *wire.TransportError
	if errors.As(err, &t) {
		return err
	}
	return &wire.TransportError{Phase: wire.Reading, Err: err}
}

// inflated returns the answer's body without gzip, and whether it was gzipped.
func inflated(ans *wire.Answer) (io.Reader, bool, error) {
	body, gzipped, err := inflate.Answer(ans.Header, ans.Body)
	if err == nil {
		return body, gzipped, nil
	}
	if unasked, ok := errors.AsType[inflate.NotAskedError](err); ok {
		return nil, false, noAnswer("error", unasked.Error())
	}
	return nil, false, transportFailure(cutShort(err))
}

// readAnswer reads the whole body, of length bytes or -1. For an answer that is
// cut off it returns a transport error.
func readAnswer(lent *buffers.Set, body io.Reader, length int64) ([]byte, error) {
	b, err := lent.ReadAll(body, length, maxAnswer)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, inflate.ErrBomb), errors.Is(err, inflate.ErrThin):
		return nil, refuse(http.StatusBadGateway, "the provider's answer is "+err.Error())
	case errors.Is(err, buffers.ErrTooMuch):
		return nil, refuse(http.StatusBadGateway, fmt.Sprintf("the provider's answer is larger than %d bytes", maxAnswer))
	}
	return nil, fmt.Errorf("reading the provider's answer: %w", cutShort(err))
}

// How often a provider is asked whether the result that the client waits for is
// ready, and for how long at most.
const (
	pollPause = 2 * time.Second
	pollTime  = 10 * time.Minute
)

// deliverResource gives the client what the operation's Resource makes of the
// answer.
func deliverResource(ctx context.Context, a *attempt, body io.Reader, gzipped bool) error {
	whole, err := readAnswer(a.buffers, body, a.answer.Length())
	if err != nil {
		return transportFailure(err)
	}
	return unusable(a, answerResource(ctx, a, whole, gzipped), gzipped)
}

func answerResource(ctx context.Context, a *attempt, whole []byte, gzipped bool) error {
	client, err := clientCall(a)
	if err != nil {
		return err
	}
	reply, err := a.op.Resource.Answer(a.target, client, whole, a.meta(), &a.seen)
	for began := time.Now(); err == nil && reply.Wait; {
		if time.Since(began) > pollTime {
			return refuse(http.StatusGatewayTimeout, textTimeout)
		}
		if whole, err = poll(ctx, a, reply.Next); err != nil {
			return err
		}
		reply, err = a.op.Resource.Answer(a.target, client, whole, a.meta(), &a.seen)
	}
	var told *chat.Error
	switch {
	case errors.As(err, &told):
		a.reply.finish(record.Failed, told.Message)
		return a.reply.sendErrorAs(told, gzipped)
	case err != nil:
		return err
	case reply.Next != nil:
		return follow(ctx, a, reply.Next)
	}
	settleSeen(a)
	if a.endpoint.Logging.Payloads {
		a.record.Update(func(d *record.Data) { d.Answer = reply.Body })
	}
	a.reply.finish(record.Completed, "")
	h := clientHeaders(a)
	h["Content-Type"] = []string{cmp.Or(reply.ContentType, "application/json; charset=utf-8")}
	return a.reply.sendEncoded(http.StatusOK, h, reply.Body, gzipped && reply.ContentType == "")
}

// poll waits a little, sends call and returns its answer.
func poll(ctx context.Context, a *attempt, call *provider.Call) ([]byte, error) {
	t := time.NewTimer(a.relay.pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil, wire.ErrClientGone
	case <-t.C:
	}
	if err := a.again(ctx, call); err != nil {
		return nil, err
	}
	body, _, err := inflated(a.answer)
	if err != nil {
		return nil, err
	}
	whole, err := readAnswer(a.buffers, body, a.answer.Length())
	switch {
	case err != nil:
		return nil, transportFailure(err)
	case a.answer.Status >= 300:
		return nil, a.failedWith(whole, false)
	}
	return whole, nil
}

// follow requests from the same provider what its first answer only referred to,
// and forwards that answer.
func follow(ctx context.Context, a *attempt, next *provider.Call) error {
	if err := a.again(ctx, next); err != nil {
		return err
	}
	body, gzipped, err := inflated(a.answer)
	if err != nil {
		return err
	}
	if a.answer.Status >= http.StatusBadRequest {
		whole, err := readAnswer(a.buffers, body, a.answer.Length())
		if err != nil {
			return transportFailure(err)
		}
		again, err := lessen(ctx, a, whole)
		switch {
		case err != nil:
			return err
		case again:
			return deliver(ctx, a)
		}
		return a.failedWith(whole, gzipped)
	}
	return deliverBytes(ctx, a, body, clientHeaders, nil)
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
	r, err := a.internal.of(a.request)
	if err != nil {
		return err
	}
	tokens := record.TextTokens(r.PromptLen())
	a.record.Update(func(d *record.Data) { d.Estimated = true })
	a.reply.finish(record.Completed, "")
	h := http.Header{"Content-Type": isJSONInUTF8, headerCount: {"estimated"}}
	return a.reply.send(http.StatusOK, h, a.request.api.Count(nil, tokens))
}
