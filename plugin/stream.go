package plugin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// deliverStream gives the client the answer event by event. Events that arrived
// together are written together, and everything is written before a read that
// would block. from translates them; nil if the formats are the same.
func deliverStream(ctx context.Context, a *attempt, events frame.Reader, from chat.Stream) error {
	s := newStream(a, from)
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
	if errors.Is(err, errLost) {
		return err
	}
	return s.close(ctx, err)
}

// maxHeld is how many bytes of events are collected before they are written.
const maxHeld = 16 << 10

// stream is one streamed answer on its way to the client.
type stream struct {
	reply   *reply     // to the client, with the record
	seen    *chat.Seen // what the answer has said so far
	op      *provider.Operation
	api     *provider.API
	status  int  // of the provider's answer
	hidden  bool // the stream has a usage chunk that the client did not ask for
	usage   bool // the client asked for one, and the API has no such chunk
	counted bool // usage was counted when the answer was made
	// replaceable says that another attempt may replace this one before the first
	// content.
	replaceable bool

	attempt *attempt // is asked for headers, and what its end means

	read  bool // an event with data came
	ended bool // the client has been sent everything
	// shown says that content has been sent: the attempt can no longer be replaced.
	shown   bool
	from    chat.Stream  // nil when the formats are the same
	resting chat.Resting // from, if it implements chat.Resting
	buf     []byte       // what will be written to the client next
	lent    *[]byte      // the pooled buffer behind buf
	inner   []byte       // the payload that an event wrapped
	count   lastCount
}

// newStream prepares the delivery of a's answer.
func newStream(a *attempt, from chat.Stream) *stream {
	p := &a.plan
	s := &stream{
		reply: a.reply, seen: &a.account.seen, op: p.op, api: p.request.api, status: a.answer.Status,
		hidden: a.out.hidden, usage: p.request.usage && p.op.Edit.RefusesStreamOptions(p.target), counted: p.request.reads(), replaceable: a.replaceable,

		attempt: a,
	}
	if from != nil {
		s.translate(from)
	}
	if p.endpoint.Logging.Payloads {
		a.account.seen.Collect = a.reply.collect
	}
	return s
}

// translate has the events translated by from.
func (s *stream) translate(from chat.Stream) {
	meta := s.attempt.plan.meta(s.reply.identify())
	s.from = meta.Properties.Stream(from)
	s.resting, _ = s.from.(chat.Resting)
	s.reply.encoder = s.api.Dialect.NewEncoder(meta)
}

// take translates one event of the provider into the client's bytes.
func (s *stream) take(ev frame.Event) error {
	if s.lent == nil {
		s.lent = eventBuffers.Get().(*[]byte)
		s.buf = (*s.lent)[:0]
	}
	for s.from != nil || s.api.BareData {
		line, rest, several := severalValues(ev.Data)
		if !several {
			break
		}
		ev.Data = line
		if err := s.takeOne(ev); err != nil || s.ended {
			return err
		}
		ev.Data = rest
	}
	return s.takeOne(ev)
}

// takeOne translates an event whose data is one value.
func (s *stream) takeOne(ev frame.Event) error {
	if !s.read && len(ev.Data) > 0 {
		s.read = true
		if s.attempt.plan.readable() && chat.IsWhole(ev.Data) {
			s.translate(chat.Replay(s.op.Chat, s.attempt.plan.target))
		}
	}
	if s.from != nil {
		ev.Data = jsonedit.Flat(ev.Data)
		deltas, err := s.from.Next(ev)
		for i := range deltas {
			s.observe(&deltas[i])
			s.buf = s.reply.encoder.Append(s.buf, &deltas[i])
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
		if !s.api.BareData {
			s.buf = append(s.buf, ev.Raw...)
		}
		return nil
	}
	if s.op.Meter != nil {
		before := s.seen.Err
		s.op.Meter.Event(ev, s.seen)
		s.note(s.seen.Content)
		if s.seen.Err != nil {
			ev.Data, ev.Raw = s.attempt.out.redact(ev.Data), s.attempt.out.redact(ev.Raw)
		}
		if before == nil && s.seen.Err != nil && (s.api.BareData || jsonedit.IsArray(ev.Data)) && jsonedit.Lookup(ev.Data, "error") == nil {
			s.rephraseError()
			return nil
		}
	}
	switch {
	case s.seen.UsageOnly && s.hidden:
	case s.api.BareData:
		if s.seen.Ended {
			s.appendUsage()
		} else if s.usage {
			s.count.see(ev.Data, s.seen)
		}
		data := ev.Data
		if s.op.Edit.Rewrite != nil {
			data = s.op.Edit.Rewrite(nil, data)
		}
		s.buf = frame.AppendSSE(s.buf, nil, data)
	case s.op.Unwrap != nil:
		s.buf = frame.AppendSSE(s.buf, ev.Type, ev.Data)
	default:
		s.forward(ev)
	}
	s.ended = s.api.BareData && s.seen.Ended
	return nil
}

// rephraseError writes an error that came in a form which clients of the format do not
// know as one, and ends the stream.
func (s *stream) rephraseError() {
	e := *s.seen.Err
	e.Message = string(s.attempt.out.redact([]byte(e.Message)))
	s.buf = append(s.buf, s.reply.errorFrame(&e)...)
	s.ended = true
}

// forward appends an event of the client's format, as it is but for what the provider's
// Edit corrects in it.
func (s *stream) forward(ev frame.Event) {
	if s.op.Edit.Rewrite != nil {
		if data := s.op.Edit.Rewrite(nil, ev.Data); &data[0] != &ev.Data[0] {
			s.buf = frame.AppendSSE(s.buf, ev.Type, data)
			return
		}
	}
	s.buf = append(s.buf, frame.Unmarked(ev.Raw)...)
}

// severalValues splits the data of an event that has several JSON values, one a line:
// some servers leave out the blank line between events. It returns the first and the
// others.
func severalValues(data []byte) (line, rest []byte, several bool) {
	i := bytes.IndexByte(data, '\n')
	if i < 0 || jsonedit.Valid(data[:i]) != nil {
		return nil, nil, false
	}
	return data[:i], data[i+1:], true
}

// observe keeps what a delta says for the record.
func (s *stream) observe(d *chat.Delta) {
	if d.Kind == chat.Finish && d.Reason == chat.Failed {
		*d = chat.Delta{Kind: chat.ErrorDelta, Err: chat.FailedGeneration(string(d.Text))}
	}
	switch d.Kind {
	case chat.TextDelta, chat.ThinkingDelta, chat.RefusalDelta:
		s.seen.TextLen += len(d.Text)
		s.note(len(d.Text) > 0)
		if s.seen.Collect != nil && d.Kind == chat.TextDelta {
			s.seen.Collect(d.Text)
		}
	case chat.ToolStart, chat.ToolArguments:
		s.seen.TextLen += len(d.Name) + len(d.Text)
		s.note(true)
	case chat.RunStart:
		s.note(true)
	case chat.Start:
		s.seen.Model = string(d.Model)
	case chat.UsageDelta:
		s.seen.Usage, s.seen.HasUsage = *d.Usage, true
	case chat.Finish:
		s.seen.Finish = d.Reason
	case chat.ErrorDelta:
		d.Err.Message = string(s.attempt.out.redact([]byte(d.Err.Message)))
		s.seen.Err = d.Err
		s.ended = true
	case chat.End:
		s.seen.Ended = true
		s.ended = true
	}
}

// maxCollected is how much of a streamed answer's text is kept, in bytes.
const maxCollected = 16 << 20

// note records when the first content arrived.
func (s *stream) note(content bool) {
	if content && !s.shown {
		s.shown = true
		s.reply.noteFirst()
	}
}

// begin sends the header of the stream.
func (s *stream) begin() error {
	if err := s.reply.commit(); err != nil {
		return err
	}
	s.reply.streaming = true
	if m := s.reply.instance.relay.seen; m != nil {
		m.BeginStream()
	}
	s.reply.record.Update(func(d *record.Data) { d.Mode = record.Stream })
	s.attempt.release() // no other attempt will be made
	h := clientHeaders(&s.attempt.out, s.attempt.answer)
	contentType := wire.First(h, "Content-Type")
	if s.from != nil || s.op.Unwrap != nil || s.api.BareData || contentType == "" {
		contentType = cmp.Or(s.api.Media, "text/event-stream")
	}
	asStream(h, contentType)
	return s.reply.start(s.status, h, -1)
}

// failedAtOnce says that an error came before anything was sent to the client: it
// is answered with a status, not in a stream.
func (s *stream) failedAtOnce() bool {
	return s.seen.Err != nil && !s.shown && !s.reply.started
}

// maxReplaceable is how many bytes are held back so that another target can take
// over.
const maxReplaceable = 256 << 10

// flush writes what is collected to the client. While another target could still
// take over, nothing is written before the first content; an answer that ends without
// any is close's.
func (s *stream) flush() error {
	if s.failedAtOnce() || s.replaceable && !s.shown && len(s.buf) < maxReplaceable {
		return nil
	}
	if !s.reply.started {
		if err := s.begin(); err != nil {
			return err
		}
	}
	if len(s.buf) == 0 {
		s.giveBuffer()
		return nil
	}
	if err := s.reply.write(s.buf); err != nil {
		return err
	}
	s.progress()
	s.giveBuffer()
	return s.reply.flush()
}

// eventBuffers are the buffers that events are written from.
var eventBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// giveBuffer returns the buffer after a write: a stream that waits holds none.
func (s *stream) giveBuffer() {
	if s.lent != nil && cap(s.buf) <= maxHeld {
		*s.lent = s.buf
		eventBuffers.Put(s.lent)
	}
	s.buf, s.lent = nil, nil
}

// progress updates the record's counts to what the client has been sent, for a
// record that is requested when the client leaves.
func (s *stream) progress() {
	if s.counted {
		return
	}
	s.reply.record.Update(func(d *record.Data) {
		if d.Outcome == record.Pending {
			d.Usage, d.Said = s.seen.Usage, s.seen.TextLen
		}
	})
}

// close settles how the stream ended. A stream that the provider cut off ends with
// the format's error event and without an end marker.
func (s *stream) close(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, wire.ErrClientGone) {
		s.attempt.account.settle()
		return wire.ErrClientGone
	}
	something := s.reply.started || len(s.buf) > 0
	complete := s.seen.Ended || s.seen.Finish != "" || !s.api.BareData && !s.api.Ends && s.from == nil && something
	if !s.reply.started && !s.shown && (s.seen.Err != nil || err != nil && err != io.EOF || !complete) {
		return s.failedEarly(err)
	}
	if complete && !s.reply.started && s.seen.Err == nil && s.attempt.filtered() {
		return s.attempt.withhold(s.complete)
	}
	if err := s.reply.commit(); err != nil {
		return err
	}
	s.replaceable = false
	var failure *chat.Error
	switch {
	case s.seen.Err != nil:
		s.attempt.account.settle()
		s.reply.finish(record.Failed, (&reported{s.seen.Err}).Error())
		if s.api.Fails && s.from == nil && !s.seen.Ended {
			s.rephraseError()
		}
		return s.flush()
	case (err == nil || err == io.EOF) && complete:
		return s.complete()
	case err == nil || err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		failure = refuse(http.StatusBadGateway, "the provider ended the stream before its end")
	default:
		failure = asClientError(s.brokenOff(err).cause)
	}
	s.attempt.account.settle()
	s.reply.finish(record.CutOff, failure.Message)
	if !s.reply.started {
		if err := s.begin(); err != nil {
			return err
		}
	}
	if err := s.reply.write(s.buf); err != nil {
		return err
	}
	s.reply.errorEvent(failure)
	return nil
}

// complete ends the stream that has said everything.
func (s *stream) complete() error {
	if !s.seen.Ended {
		s.appendEnd()
	}
	s.attempt.account.settle()
	s.reply.finish(record.Completed, "")
	s.replaceable = false // nothing is held back any more, even without content
	return s.flush()
}

// failedEarly is the error of a stream that failed, or was empty, before any
// content: another attempt may replace it.
func (s *stream) failedEarly(err error) error {
	switch {
	case s.seen.Err != nil:
		return told(&s.attempt.out, s.seen.Err)
	case err != nil && err != io.EOF:
		return s.brokenOff(err)
	}
	return noAnswer("error", "the provider's answer was empty")
}

// brokenOff is the error of a stream that could not be read to its end.
func (s *stream) brokenOff(err error) *attemptError {
	var bad *chat.ResponseError
	var told *frame.ExceptionError
	switch {
	case errors.As(err, &bad):
		return brokenBy("error", untranslatable(s.attempt.plan.name(), bad))
	case errors.As(err, &told):
		e := chat.ErrorFrom(http.StatusBadGateway, told.Data)
		e.Code = cmp.Or(e.Code, told.Type)
		failed := brokenBy("error", e)
		failed.failure.Reason = s.attempt.plan.endpoint.Provider.Reasons.Of(e)
		return failed
	}
	return transportFailure(cutShort(err))
}

// untranslatable is the error, in Kong's words, for a 200 that cannot be
// understood.
func untranslatable(name string, bad *chat.ResponseError) *chat.Error {
	return refuse(http.StatusInternalServerError, fmt.Sprintf("transformation failed from type %s: %s", name, bad.Message))
}

// appendEnd writes the end marker that the client's format has and the provider's
// does not.
func (s *stream) appendEnd() {
	switch {
	case s.from != nil:
		s.buf = s.reply.encoder.Append(s.buf, &chat.Delta{Kind: chat.End})
	case s.api.BareData:
		s.appendUsage()
		s.buf = frame.AppendSSE(s.buf, nil, []byte("[DONE]"))
	}
}

// appendUsage writes the usage chunk that the client asked for, if none came.
func (s *stream) appendUsage() {
	if len(s.count.data) > 0 {
		s.buf = frame.AppendSSE(s.buf, nil, s.count.data)
	}
}

// lastCount makes the usage chunk that a client asked for when the provider cannot
// be asked for one but counts in its other chunks: it is the last of those,
// without its choices.
type lastCount struct {
	data []byte
	came bool // the provider sent one itself
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
