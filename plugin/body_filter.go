package plugin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/provider"
)

// deliver gives the provider's answer to the client.
func (a *attempt) deliver(ctx context.Context) error {
	if a.how == untouched {
		return a.passThrough(ctx, a.answer.Body)
	}
	if err := a.checkStatus(); err != nil {
		return err
	}
	body, gzipped, err := inflate(a.answer)
	if err != nil {
		return err
	}
	switch {
	case a.answer.Status >= 300:
		whole, err := a.readAnswer(body, a.answer.Length())
		if err != nil {
			return transportFailure(err)
		}
		return a.failedWith(whole, gzipped)
	}
	contentType := wire.First(a.answer.Header, "Content-Type")
	kind, known := frame.KindOf(contentType, frame.SSE)
	switch {
	case a.how == viaChat && a.stream && known:
		return a.deliverStream(ctx, frame.New(kind, body, frame.MaxEvent))
	case a.how == same && kind == frame.SSE && (a.stream && known || contentType != "" && known),
		a.how == same && a.stream && known && (kind == a.surface.framing || a.op.Unwrap != nil && kind == frame.EventStream):
		return a.deliverStream(ctx, frame.New(kind, body, frame.MaxEvent))
	case a.how == same && !a.surface.bareData && strings.HasPrefix(contentType, "text/html") && !strings.HasSuffix(a.sub, "/content"):
		return noAnswer("error", "the provider answered with a page (text/html): correct model.options.upstream_url")
	case a.how == same && !a.surface.bareData && (!known || kind == frame.Lines || strings.HasSuffix(a.sub, "/content")):
		return a.deliverBytes(ctx, body)
	}
	return a.deliverWhole(ctx, body, gzipped)
}

// passThrough forwards an answer byte for byte, as preserve wants it. What is
// no JSON is not held.
func (a *attempt) passThrough(ctx context.Context, body io.Reader) error {
	if kind, known := frame.KindOf(wire.First(a.answer.Header, "Content-Type"), frame.Array); !known || kind != frame.Array {
		return a.deliverBytes(ctx, body)
	}
	whole, err := a.readAnswer(body, a.answer.Length())
	if err != nil {
		return err
	}
	h := a.encodedHeaders()
	a.meterWhole(whole)
	a.finish(outcomeFor(a.answer.Status), "")
	return a.send(a.answer.Status, h, whole)
}

func outcomeFor(status int) Outcome {
	if status >= 400 {
		return Failed
	}
	return Completed
}

// deliverWhole gives the client the whole answer, translated or as it came.
func (a *attempt) deliverWhole(ctx context.Context, body io.Reader, gzipped bool) error {
	whole, err := a.readAnswer(body, a.answer.Length())
	if err != nil {
		return transportFailure(err)
	}
	if a.how == viaResource {
		return a.unusable(a.deliverResource(ctx, whole, gzipped), gzipped)
	}
	out, err := a.convert(whole)
	if err != nil {
		return a.unusable(err, gzipped)
	}
	if a.endpoint.Logging.Payloads {
		a.record.set(func(r *Record) { r.answer = out })
	}
	a.finish(Completed, "")
	h := a.clientHeaders()
	if a.how != same || h["Content-Type"] == nil {
		h["Content-Type"] = isJSONInUTF8
	}
	return a.sendEncoded(a.answer.Status, h, out, gzipped)
}

// unusable answers a 2xx that nobody can make sense of; other errors stay.
func (a *attempt) unusable(err error, gzipped bool) error {
	bad, ok := errors.AsType[*chat.ResponseError](err)
	if !ok {
		return err
	}
	e := refuse(http.StatusInternalServerError, fmt.Sprintf("transformation failed from type %s: %s", a.name(), bad.Message))
	if a.replaceable {
		return &attemptError{criterion: "error", sent: true, cause: e}
	}
	a.finish(Failed, e.Message)
	return a.sendErrorAs(e, gzipped)
}

// deliverBytes passes on an answer that is neither JSON nor events, as it
// comes: sound, pictures, files. One of known length need not be hurried.
func (a *attempt) deliverBytes(ctx context.Context, body io.Reader) error {
	a.streaming = false
	length := a.answer.Length()
	var h http.Header
	if a.how == untouched {
		h = a.encodedHeaders()
	} else {
		h = a.clientHeaders()
	}
	if length < 0 {
		h["X-Accel-Buffering"] = []string{"no"}
	}
	if err := a.startBytes(a.answer.Status, h, length); err != nil {
		return err
	}
	lines := a.batchOutput()
	buf := byteBuffers.Get().(*[]byte)
	defer byteBuffers.Put(buf)
	for {
		n, err := body.Read(*buf)
		if n > 0 {
			if lines != nil {
				lines.Read((*buf)[:n], &a.seen)
			}
			if err := a.client.write((*buf)[:n]); err != nil {
				return err
			}
			if length < 0 {
				if err := a.client.flush(); err != nil {
					return err
				}
			}
		}
		switch {
		case err == io.EOF:
			if lines != nil {
				lines.End(&a.seen)
				a.settleSeen()
			}
			a.finish(outcomeFor(a.answer.Status), "")
			return nil
		case err != nil && ctx.Err() != nil:
			return errClientGone
		case err != nil:
			a.finish(CutOff, "the provider ended its answer before its end")
			a.client.sink.Abort()
			return nil
		}
	}
}

// byteBuffers are for answers that pass.
var byteBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// batchOutput reads the usage out of a file that may be the output of a batch;
// nil for other answers.
func (a *attempt) batchOutput() *openai.BatchOutput {
	if a.family != "files" || a.how != same || !strings.HasSuffix(a.sub, "/content") {
		return nil
	}
	return &openai.BatchOutput{}
}

// encodedHeaders are those of an answer that stays as the provider encoded it.
func (a *attempt) encodedHeaders() http.Header {
	encoding := a.answer.Header["Content-Encoding"]
	h := a.clientHeaders()
	if encoding != nil {
		h["Content-Encoding"] = encoding
	}
	return h
}

// convert returns the client's form of a whole answer and takes its usage.
func (a *attempt) convert(whole []byte) ([]byte, error) {
	switch a.how {
	case viaChat:
		resp, err := a.op.Chat.ParseResponse(a.target, whole)
		if err != nil {
			return nil, err
		}
		a.observeResponse(resp)
		resp.Meta = a.meta()
		return a.surface.dialect.AppendResponse(a.borrow(len(whole) + 512)[:0], resp)
	case viaBody:
		a.meterHeaders()
		meta := a.meta()
		if a.seen.HasUsage {
			meta.PromptTokens = a.seen.Usage.Prompt
		}
		out, err := a.op.Body.AppendResponse(nil, a.target, whole, meta, &a.seen)
		a.settleSeen()
		if encoding, _ := jsonedit.String(jsonedit.Find(a.members, "encoding_format")); encoding == "base64" {
			out = openai.EmbeddingsInBase64(nil, out) // OpenAI's SDKs ask for it
		}
		return out, err
	}
	before := a.seen
	counted := a.readWhole(whole)
	if a.seen.Finish == "" { // otherwise it has a choice, and is as it should be
		if err := a.checkWhole(whole); err != nil {
			a.seen = before
			return nil, err
		}
	}
	if counted {
		a.settleSeen()
	}
	if a.op.Edit.Rewrite != nil {
		return a.op.Edit.Rewrite(nil, whole), nil
	}
	return whole, nil
}

// checkWhole refuses a 200 of the OpenAI format that no client could use.
func (a *attempt) checkWhole(whole []byte) error {
	if !a.surface.bareData {
		return nil
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
		return &chat.ResponseError{Message: "failed to decode " + a.route + " response"}
	}
	return &chat.ResponseError{Message: "'choices' not in " + a.route + " response"}
}

// isPage says whether an error is a page that a server before the API made. It
// is in nobody's format.
func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// sendProviderError gives the client the provider's error: unchanged in the
// same format or in none, otherwise in the client's.
func (a *attempt) sendProviderError(whole []byte, gzipped bool) error {
	a.finish(Failed, fmt.Sprintf("the provider answered %d", a.answer.Status))
	whole = a.redact(whole)
	h := a.clientHeaders()
	if !isPage(whole) && (a.how == viaChat || a.how == viaBody || a.how == viaResource || a.op.OwnErrors && string(jsonedit.Lookup(whole, "type")) != `"error"`) {
		a.markError(h, a.answer.Status)
		h["Content-Type"] = isJSONInUTF8
		whole = a.appendError(chat.ErrorFrom(a.answer.Status, whole))
	}
	if a.endpoint.Logging.Payloads {
		a.record.set(func(r *Record) { r.answer = whole })
	}
	return a.sendEncoded(a.answer.Status, h, whole, gzipped)
}

// deliverStream gives the client the answer event by event. Events that
// arrived together are written together; nothing is held back while another
// read would block.
func (a *attempt) deliverStream(ctx context.Context, events frame.Reader) error {
	s := &stream{attempt: a, op: a.op, surface: a.surface, hidden: a.hidden, usage: a.usage}
	if a.how == viaChat {
		s.from = a.op.Chat.NewStream(a.target)
		s.resting, _ = s.from.(chat.Resting)
		a.encoder = a.surface.dialect.NewEncoder(a.meta())
	}
	if a.endpoint.Logging.Payloads {
		a.seen.Collect = a.collect
	}
	defer events.Release()
	var err error
	for err == nil && !s.ended && !s.failedAtOnce() {
		var ev frame.Event
		if ev, err = events.Next(); err != nil {
			break
		}
		if err = s.take(ev); err == nil && (!events.Buffered() || len(s.buf) > maxHeld) {
			err = s.flush()
		}
	}
	return s.close(ctx, err)
}

// maxHeld is how many bytes of events are collected before they are written.
const maxHeld = 16 << 10

// stream is one streamed answer on its way to the client.
type stream struct {
	*attempt
	// The attempt's, beside what else is looked at for every event: that of a
	// thousand streams is not in the processor's cache.
	op      *provider.Operation
	surface *surface
	hidden  bool
	usage   bool

	counted bool // usage has come since the record was told
	ended   bool // the client has all there is
	// shown: content has come, from now on the attempt cannot be replaced.
	shown   bool
	from    chat.Stream  // nil in the same format
	resting chat.Resting // from, where it is one
	buf     []byte       // what the client is given next
	lent    *[]byte      // where buf came from
	inner   []byte       // what an event wrapped
	count   lastCount
}

// take turns one event of the provider into the client's bytes.
func (s *stream) take(ev frame.Event) error {
	if s.lent == nil {
		s.takeBuffer()
	}
	if s.from != nil {
		deltas, err := s.from.Next(ev)
		for i := range deltas {
			s.observe(&deltas[i])
			s.buf = s.encoder.Append(s.buf, &deltas[i])
		}
		if s.resting != nil {
			s.resting.Rest()
		}
		return err
	}
	if s.op.Unwrap != nil {
		if ev.Type, ev.Data = s.op.Unwrap(s.inner[:0], ev); len(ev.Data) == 0 {
			return nil
		}
		s.inner = ev.Data
	}
	if len(ev.Data) == 0 {
		if !s.surface.bareData {
			s.buf = append(s.buf, ev.Raw...)
		}
		return nil
	}
	if s.op.Meter != nil {
		s.op.Meter.Event(ev, &s.seen)
		s.note(s.seen.Content)
		s.counted = s.counted || s.seen.HasUsage
		if s.seen.Err != nil {
			ev.Data, ev.Raw = s.redact(ev.Data), s.redact(ev.Raw)
		}
	}
	switch {
	case s.seen.UsageOnly && s.hidden:
	case s.surface.bareData:
		if s.seen.Ended {
			s.appendUsage()
		} else if s.usage && s.op.Edit.NoStreamOptions {
			s.count.see(ev.Data, &s.seen)
		}
		data := ev.Data
		if s.op.Edit.Rewrite != nil {
			data = s.op.Edit.Rewrite(nil, data)
		}
		s.buf = frame.AppendSSE(s.buf, nil, data)
	case s.op.Unwrap != nil:
		s.buf = frame.AppendSSE(s.buf, ev.Type, ev.Data)
	default:
		s.buf = append(s.buf, ev.Raw...)
	}
	s.ended = s.surface.bareData && s.seen.Ended
	return nil
}

// observe keeps what a delta says for the record.
func (s *stream) observe(d *chat.Delta) {
	switch d.Kind {
	case chat.TextDelta, chat.ThinkingDelta, chat.RefusalDelta:
		s.seen.TextLen += len(d.Text)
		s.note(len(d.Text) > 0)
		if s.seen.Collect != nil && d.Kind == chat.TextDelta {
			s.seen.Collect(d.Text)
		}
	case chat.ToolStart, chat.ToolArguments:
		s.note(true)
	case chat.Start:
		s.seen.Model = string(d.Model)
	case chat.UsageDelta:
		s.seen.Usage, s.seen.HasUsage, s.counted = *d.Usage, true, true
	case chat.Finish:
		s.seen.Finish = d.Reason
	case chat.ErrorDelta:
		d.Err.Message = string(s.redact([]byte(d.Err.Message)))
		s.seen.Err = d.Err
		s.ended = true
	case chat.End:
		s.seen.Ended = true
		s.ended = true
	}
}

// maxCollected bounds what is kept of a streamed answer, in bytes.
const maxCollected = 16 << 20

// collect keeps the text of a streamed answer for the log.
func (q *request) collect(text []byte) {
	q.record.set(func(r *Record) {
		r.stream = true
		if len(r.answer) > maxCollected {
			return
		}
		r.answer = append(r.answer, text...)
	})
}

// note takes down when the first content came.
func (s *stream) note(content bool) {
	if content && !s.shown {
		s.shown = true
		d := max(time.Since(s.start), 1)
		s.record.set(func(r *Record) { r.first = d })
	}
}

// release lets go of what was made of the client's body: no other attempt will
// be made, and a stream may last.
func (a *attempt) release() {
	a.request.parsed, a.pieces, a.out.Pieces = nil, nil, nil
	a.giveBack(false)
}

// begin sends the header of the stream.
func (s *stream) begin() error {
	s.streaming = true
	s.release()
	s.record.set(func(r *Record) { r.mode = Stream })
	h := s.clientHeaders()
	contentType := wire.First(s.answer.Header, "Content-Type")
	if s.from != nil || s.op.Unwrap != nil || s.surface.bareData || contentType == "" {
		contentType = cmp.Or(s.surface.media, "text/event-stream")
	}
	asStream(h, contentType)
	return s.startStream(s.answer.Status, h)
}

// failedAtOnce says that an error came before the client was given anything: it
// is told with a status, and not in a stream.
func (s *stream) failedAtOnce() bool { return s.seen.Err != nil && !s.shown && !s.client.started }

// maxReplaceable bounds the bytes that are held back for another target to take
// over.
const maxReplaceable = 256 << 10

// flush gives the client what there is. While another target could still take
// over, nothing is given before the first content.
func (s *stream) flush() error {
	if s.failedAtOnce() || s.replaceable && !s.shown && !s.ended && len(s.buf) < maxReplaceable {
		return nil
	}
	if !s.client.started {
		if err := s.begin(); err != nil {
			return err
		}
	}
	if len(s.buf) == 0 {
		s.giveBuffer()
		return nil
	}
	if err := s.client.write(s.buf); err != nil {
		return err
	}
	if s.counted {
		s.progress()
	}
	s.giveBuffer()
	return s.client.flush()
}

// eventBuffers are for events on their way.
var eventBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

func (s *stream) takeBuffer() {
	s.lent = eventBuffers.Get().(*[]byte)
	s.buf = (*s.lent)[:0]
}

// giveBuffer lets go of what was written: a stream that waits holds no buffer.
func (s *stream) giveBuffer() {
	if s.lent != nil && cap(s.buf) <= maxHeld {
		*s.lent = s.buf
		eventBuffers.Put(s.lent)
	}
	s.buf, s.lent = nil, nil
}

// progress keeps the record's counts up to what the client was given, for one
// that is asked for when the client leaves.
func (s *stream) progress() {
	s.counted = false
	s.record.set(func(r *Record) {
		if r.outcome == Pending {
			r.usage = s.seen.Usage
		}
	})
}

// close settles how the stream ended. A stream that the provider cut off gets
// the format's error event and no end marker.
func (s *stream) close(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, errClientGone) {
		s.settleSeen()
		return errClientGone
	}
	something := s.client.started || len(s.buf) > 0
	complete := s.seen.Ended || s.seen.Finish != "" || !s.surface.bareData && !s.surface.ends && s.from == nil && something
	if !s.client.started && !s.shown && (s.seen.Err != nil || err != nil && err != io.EOF || !complete) {
		return s.failedEarly(err)
	}
	var failure *chat.Error
	switch {
	case s.seen.Err != nil:
		s.settleSeen()
		s.finish(Failed, (&reported{s.seen.Err}).Error())
		return s.flush()
	case (err == nil || err == io.EOF) && complete:
		if !s.seen.Ended {
			s.appendEnd()
		}
		s.settleSeen()
		s.finish(Completed, "")
		s.ended = true // nothing is held back any more, also where no content came
		return s.flush()
	case err == nil || err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		failure = refuse(http.StatusBadGateway, "the provider ended the stream before its end")
	default:
		failure = asClientError(s.brokenOff(err).cause)
	}
	s.settleSeen()
	s.finish(CutOff, failure.Message)
	if !s.client.started {
		if err := s.begin(); err != nil {
			return err
		}
	}
	if err := s.client.write(s.buf); err != nil {
		return err
	}
	s.errorEvent(failure)
	return nil
}

// failedEarly is a stream that brought an error, or nothing at all, before any
// content: another attempt may be made in its place.
func (s *stream) failedEarly(err error) error {
	switch {
	case s.seen.Err != nil:
		own := *s.seen.Err
		own.Message = string(s.redact([]byte(own.Message)))
		if own.Status < 400 {
			own.Status = http.StatusBadGateway
		}
		return &attemptError{criterion: "error", sent: true, cause: &reported{&own}}
	case err != nil && err != io.EOF:
		return s.brokenOff(err)
	}
	return noAnswer("error", "the provider's answer was empty")
}

// brokenOff is a stream that could not be read to its end.
func (s *stream) brokenOff(err error) *attemptError {
	var bad *chat.ResponseError
	if errors.As(err, &bad) {
		return &attemptError{criterion: "error", sent: true, cause: s.untranslatable(bad)}
	}
	return transportFailure(cutShort(err))
}

// untranslatable says, in Kong's words, that a 200 cannot be understood.
func (a *attempt) untranslatable(bad *chat.ResponseError) *chat.Error {
	return refuse(http.StatusInternalServerError, fmt.Sprintf("transformation failed from type %s: %s", a.name(), bad.Message))
}

// appendEnd writes the end marker that a provider's format does without.
func (s *stream) appendEnd() {
	switch {
	case s.from != nil:
		s.buf = s.encoder.Append(s.buf, &chat.Delta{Kind: chat.End})
	case s.surface.bareData:
		s.appendUsage()
		s.buf = frame.AppendSSE(s.buf, nil, []byte("[DONE]"))
	}
}

// appendUsage writes the chunk of usage that the client asked for, if none came.
func (s *stream) appendUsage() {
	if len(s.count.data) > 0 {
		s.buf = frame.AppendSSE(s.buf, nil, s.count.data)
	}
}

// lastCount is the chunk of usage that a client asked for, of a provider that
// cannot be asked and counts in its other chunks: the last of them without its
// choices.
type lastCount struct {
	data []byte
	came bool // one came by itself
}

func (u *lastCount) see(data []byte, seen *chat.Seen) {
	if u.came = u.came || seen.UsageOnly; u.came || !seen.HasUsage {
		u.data = nil
		return
	}
	members, err := jsonedit.Object(data, nil)
	if err == nil && jsonedit.IsObject(jsonedit.Find(members, "usage")) {
		u.data = jsonedit.Join(u.data[:0], jsonedit.Splice(nil, data, members, []jsonedit.Edit{{Key: "choices", Value: []byte("[]")}}))
	}
}
