package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/coder/websocket"

	"go-ai-proxy/plugin/failover"
	"go-ai-proxy/plugin/realtime"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
)

// dialer is an Upstream that can open WebSockets. When the provider refuses, Dial
// returns its answer with the error.
type dialer interface {
	Dial(ctx context.Context, out *wire.Outgoing, o *websocket.DialOptions) (*websocket.Conn, *wire.Answer, error)
}

var errNoSockets = errors.New("the engine towards providers has no WebSockets")

// session is an attempt whose client and provider exchange messages over WebSockets.
type session struct {
	attempt *attempt
	heard   chat.Seen // what the provider has said; may still grow when the session is recorded
}

// run connects to the provider, takes over the client's connection, and forwards
// messages until one side ends the session.
func (s *session) run(ctx context.Context) error {
	a, p := s.attempt, &s.attempt.plan
	relay := p.instance.relay
	both := realtime.Session{
		Dial: s.dial, Accept: s.accept, Asked: p.request.in.Header,
		Limit: int64(p.instance.config.MaxRequestBodySize), Idle: a.out.call.Timeouts.Read, Leaving: relay.leaving,
		Ended: s.settle, Log: relay.log,
	}
	if p.op.Opening != nil {
		both.Opening = s.open
	}
	if p.op.Meter != nil {
		both.Heard = s.hear
	}
	if err := both.Run(ctx); err != nil {
		return err
	}
	a.account.seen.Usage, a.account.seen.HasUsage = s.heard.Usage, s.heard.HasUsage
	return nil
}

// dial connects to the provider. A refusal is handled like any error answer.
func (s *session) dial(ctx context.Context, o *websocket.DialOptions) (*websocket.Conn, error) {
	a := s.attempt
	upstream, ok := a.plan.instance.relay.upstream.(dialer)
	if !ok {
		return nil, errNoSockets
	}
	tried := a.tried()
	a.began = time.Now()
	dialing, cancel := ctx, context.CancelFunc(func() {})
	if limit := a.out.call.Timeouts.Connect + a.out.call.Timeouts.Read; limit > 0 {
		dialing, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	a.out.call.Header.Del("Content-Type")
	a.out.call.Header.Del("Origin") // it names the client's page and our host
	conn, answer, err := upstream.Dial(dialing, &a.out.call, o)
	a.took = time.Since(a.began)
	switch {
	case err == nil:
		tried.Status, tried.Outcome = answer.Status, "ok"
	case answer != nil:
		tried.Status, tried.Outcome = answer.Status, fmt.Sprintf("http_%d", answer.Status)
	default:
		tried.Outcome = failover.CriterionOf(err)
	}
	a.reply.record.Update(func(d *record.Data) { d.Tried = append(d.Tried, tried) })
	switch {
	case err == nil:
		a.answer, a.account.status = answer, answer.Status
		return conn, nil
	case ctx.Err() != nil:
		return nil, wire.ErrClientGone
	case answer == nil:
		return nil, transportFailure(err)
	}
	a.answer = answer
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	answer.Body.Close()
	if answer.Status < 300 {
		return nil, transportFailure(&wire.TransportError{Phase: wire.Reading, Err: errors.New("the provider did not switch protocols")})
	}
	return nil, a.failedWith(body)
}

// maxRefusal is how much of a refused handshake's answer is read, in bytes.
const maxRefusal = 1 << 20

// accept takes over the client's connection.
func (s *session) accept(o *websocket.AcceptOptions) (*websocket.Conn, error) {
	a := s.attempt
	w, r := a.plan.request.in.Upgrade()
	h := clientHeaders(&a.out, a.answer)
	nameModel(&a.plan, h)
	a.reply.announce(h)
	for k, v := range h {
		if !strings.HasPrefix(k, "Sec-Websocket-") {
			w.Header()[k] = v
		}
	}
	a.reply.started = true
	conn, err := websocket.Accept(w, r, o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", wire.ErrClientGone, err)
	}
	return conn, nil
}

// open returns the client's first message as the provider gets it. On an
// error, told is the text for the client.
func (s *session) open(message []byte) (changed []byte, told string, err error) {
	if changed, err = s.attempt.plan.op.Opening(s.attempt.plan.target, message); err != nil {
		return nil, asClientError(err).Message, err
	}
	return changed, "", nil
}

// hear records the usage in a message of the provider.
func (s *session) hear(message []byte) {
	reply, seen := s.attempt.reply, &s.heard
	before := *seen
	s.attempt.plan.op.Meter.Event(frame.Event{Data: message}, seen)
	if seen.Content && !before.Content {
		reply.noteFirst()
	}
	if seen.Usage != before.Usage {
		reply.record.Update(func(d *record.Data) {
			if d.Outcome == record.Pending {
				d.Usage, d.ResponseModel = seen.Usage, seen.Model
			}
		})
	}
}

// settle records how the session ended.
func (s *session) settle(end realtime.End) {
	reply := s.attempt.reply
	good := end.Code == websocket.StatusNormalClosure || end.Code == websocket.StatusGoingAway || end.Code == websocket.StatusNoStatusRcvd
	switch {
	case end.From == realtime.Nobody:
		reply.finish(record.Completed, end.Reason)
	case end.Code == websocket.StatusPolicyViolation && end.From == realtime.Client, errors.Is(end.Err, websocket.ErrMessageTooBig):
		reply.finish(record.Refused, end.Err.Error())
	case end.From == realtime.Client && end.Code == realtime.NoCode:
		reply.finish(record.Aborted, textClientClosed)
	case end.From == realtime.Client || good:
		reply.finish(record.Completed, "")
	case end.Code == realtime.NoCode:
		reply.finish(record.CutOff, "the provider's connection broke off")
	default:
		reply.finish(record.Failed, fmt.Sprintf("the provider closed the session: %d %s", end.Code, end.Reason))
	}
}
