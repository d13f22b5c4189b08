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

// serveSocket connects to the attempt's provider, takes over the client's
// connection, and forwards messages until one side ends the session.
func serveSocket(ctx context.Context, a *attempt) error {
	s := realtime.Session{
		Dial: func(ctx context.Context, o *websocket.DialOptions) (*websocket.Conn, error) {
			return dialSocket(ctx, a, o)
		},
		Accept: func(o *websocket.AcceptOptions) (*websocket.Conn, error) { return acceptSocket(a, o) },
		Asked:  a.request.in.Header,
		Limit:  int64(a.instance.config.MaxRequestBodySize), Idle: a.out.Timeouts.Read, Leaving: a.relay.leaving,
		Ended: func(end realtime.End) { settleSession(a.reply, end) }, Log: a.relay.log,
	}
	if a.op.Opening != nil {
		s.Opening = func(message []byte) ([]byte, string, error) { return openSession(a, message) }
	}
	var heard chat.Seen // it may still grow when the session has ended and is recorded
	if a.op.Meter != nil {
		s.Heard = func(message []byte) { countHeard(a.reply, a.op.Meter, message, &heard) }
	}
	if err := s.Run(ctx); err != nil {
		return err
	}
	a.seen.Usage, a.seen.HasUsage = heard.Usage, heard.HasUsage
	return nil
}

// dialSocket connects to the provider. A refusal is handled like any error answer.
func dialSocket(ctx context.Context, a *attempt, o *websocket.DialOptions) (*websocket.Conn, error) {
	upstream, ok := a.relay.upstream.(dialer)
	if !ok {
		return nil, errNoSockets
	}
	tried := a.tried()
	a.began = time.Now()
	dialing, cancel := ctx, context.CancelFunc(func() {})
	if limit := a.out.Timeouts.Connect + a.out.Timeouts.Read; limit > 0 {
		dialing, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	a.out.Header.Del("Content-Type")
	a.out.Header.Del("Origin") // it names the client's page and our host
	conn, answer, err := upstream.Dial(dialing, &a.out, o)
	a.took = time.Since(a.began)
	switch {
	case err == nil:
		tried.Status, tried.Outcome = answer.Status, "ok"
	case answer != nil:
		tried.Status, tried.Outcome = answer.Status, fmt.Sprintf("http_%d", answer.Status)
	default:
		tried.Outcome = failover.CriterionOf(err)
	}
	a.record.Update(func(d *record.Data) { d.Tried = append(d.Tried, tried) })
	switch {
	case err == nil:
		a.answer = answer
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
	return nil, a.failedWith(body, false)
}

// maxRefusal is how much of a refused handshake's answer is read, in bytes.
const maxRefusal = 1 << 20

// acceptSocket takes over the client's connection.
func acceptSocket(a *attempt, o *websocket.AcceptOptions) (*websocket.Conn, error) {
	w, r := a.request.in.Upgrade()
	h := clientHeaders(a)
	nameModel(a, h)
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

// openSession returns the client's first message as the provider gets it. On an
// error, told is the text for the client.
func openSession(a *attempt, message []byte) (changed []byte, told string, err error) {
	if changed, err = a.op.Opening(a.target, message); err != nil {
		return nil, asClientError(err).Message, err
	}
	return changed, "", nil
}

// countHeard records the usage in a message of the provider.
func countHeard(p *reply, meter chat.Meter, message []byte, seen *chat.Seen) {
	before := *seen
	meter.Event(frame.Event{Data: message}, seen)
	if seen.Content && !before.Content {
		p.noteFirst()
	}
	if seen.Usage != before.Usage {
		p.record.Update(func(d *record.Data) {
			if d.Outcome == record.Pending {
				d.Usage, d.ResponseModel = seen.Usage, seen.Model
			}
		})
	}
}

// settleSession records how the session ended.
func settleSession(p *reply, end realtime.End) {
	good := end.Code == websocket.StatusNormalClosure || end.Code == websocket.StatusGoingAway || end.Code == websocket.StatusNoStatusRcvd
	switch {
	case end.From == realtime.Nobody:
		p.finish(record.Completed, end.Reason)
	case end.Code == websocket.StatusPolicyViolation && end.From == realtime.Client, errors.Is(end.Err, websocket.ErrMessageTooBig):
		p.finish(record.Refused, end.Err.Error())
	case end.From == realtime.Client && end.Code == realtime.NoCode:
		p.finish(record.Aborted, textClientClosed)
	case end.From == realtime.Client || good:
		p.finish(record.Completed, "")
	case end.Code == realtime.NoCode:
		p.finish(record.CutOff, "the provider's connection broke off")
	default:
		p.finish(record.Failed, fmt.Sprintf("the provider closed the session: %d %s", end.Code, end.Reason))
	}
}
