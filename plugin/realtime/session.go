package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
)

const (
	// maxSocketAnswer bounds a provider's message, in bytes: a whole answer in sound.
	maxSocketAnswer = 64 << 20
	// firstBuffer is what a direction of a session begins with, and maxMessage
	// what it holds of one message; longer ones pass in pieces.
	firstBuffer = 4 << 10
	maxMessage  = 256 << 10
	// parting is how long the other side may take to say goodbye.
	parting = 2 * time.Second
)

// takeSocket is what a realtime request says before there is a connection.
func (q *request) takeSocket() error {
	h := q.in.Header
	if q.in.Method != http.MethodGet {
		return notAllowed(q.in.Method, q.route, http.MethodGet)
	}
	if q.in.Upgrade == nil || !strings.EqualFold(h.Get("Upgrade"), "websocket") ||
		h.Get("Sec-Websocket-Version") != "13" || h.Get("Sec-Websocket-Key") == "" {
		return refuse(http.StatusUpgradeRequired, "this route is for WebSockets: send GET with Upgrade: websocket and Sec-WebSocket-Version: 13")
	}
	q.model, _ = q.Query("model")
	q.record.set(func(r *Record) { r.mode = Realtime })
	return nil
}

// modelInQuery says whether the provider wants a model named: not where a call
// is joined, or speech only written down.
// https://platform.openai.com/docs/guides/realtime-server-controls
func (q *request) modelInQuery() bool {
	_, call := q.Query("call_id")
	_, intent := q.Query("intent")
	return !call && (!intent || q.model != "")
}

// socketUpstream is an Upstream that can open WebSockets. When the provider
// refuses, the answer is not nil.
type socketUpstream interface {
	dial(ctx context.Context, out *Outgoing, o *websocket.DialOptions) (*websocket.Conn, *Answer, error)
}

// dial implements socketUpstream. A WebSocket is HTTP/1.1.
func (u *httpUpstream) dial(ctx context.Context, out *Outgoing, o *websocket.DialOptions) (*websocket.Conn, *Answer, error) {
	o.HTTPClient = &http.Client{
		Transport:     u.sockets(out.Timeouts),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	o.HTTPHeader = out.Header
	conn, resp, err := websocket.Dial(ctx, out.URL.String(), o)
	if err == nil {
		return conn, &Answer{Status: resp.StatusCode, Header: resp.Header}, nil
	}
	if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols && resp.Body != nil {
		return nil, &Answer{Status: resp.StatusCode, Header: resp.Header, Body: resp.Body}, err
	}
	return nil, nil, &TransportError{Phase: Connecting, Timeout: isTimeout(err), Err: err}
}

func (u *redirected) dial(ctx context.Context, out *Outgoing, o *websocket.DialOptions) (*websocket.Conn, *Answer, error) {
	dialer, ok := u.Upstream.(socketUpstream)
	if !ok {
		return nil, nil, errNoSockets
	}
	return dialer.dial(ctx, u.redirect(out), o)
}

var errNoSockets = errors.New("the engine towards providers has no WebSockets")

// session is a WebSocket on both sides, and what is known of it. Messages pass
// as they are; each direction waits for its receiver before it reads on.
type session struct {
	*attempt
	near, far *websocket.Conn // the client's and the provider's
	meter     chat.Seen       // of what the provider says
	last      atomic.Int64    // when a frame came, unix nanoseconds
}

// side is one end of a session.
type side int

const (
	nobody side = iota // it was too quiet
	theClient
	theProvider
)

// farewell is how a session ended.
type farewell struct {
	from   side
	code   websocket.StatusCode // of the close frame; -1 when there was none
	reason string
	err    error
}

// serveSocket makes the attempt's connection, takes the client's over, and
// lets both talk until one of them ends it.
func (a *attempt) serveSocket(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &session{attempt: a}
	answer, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer s.far.CloseNow()
	if err := s.accept(ctx, answer); err != nil {
		return err
	}
	defer s.near.CloseNow()
	s.touch()
	ended := make(chan farewell, 3)
	var pumps sync.WaitGroup
	pumps.Go(func() { s.fromClient(ctx, ended) })
	pumps.Go(func() { s.fromProvider(ctx, ended) })
	quiet := s.watch(ended)
	var end farewell
	select {
	case end = <-ended:
	case <-s.relay.leaving:
		end = farewell{nobody, websocket.StatusServiceRestart, "the gateway is restarting", nil}
	}
	quiet()
	s.settle(end)
	late := time.AfterFunc(parting, cancel)
	s.part(end)
	late.Stop()
	cancel()
	pumps.Wait()
	a.seen.Usage, a.seen.HasUsage = s.meter.Usage, s.meter.HasUsage
	return nil
}

// open connects to the provider. A refusal is an answer like any other.
func (s *session) open(ctx context.Context) (*Answer, error) {
	upstream, ok := s.relay.upstream.(socketUpstream)
	if !ok {
		return nil, errNoSockets
	}
	tried := s.tried()
	s.began = time.Now()
	dialing, cancel := ctx, context.CancelFunc(func() {})
	if limit := s.out.Timeouts.Connect + s.out.Timeouts.Read; limit > 0 {
		dialing, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	s.out.Header.Del("Content-Type")
	s.out.Header.Del("Origin") // it is about the page of the client, and us
	conn, answer, err := upstream.dial(dialing, &s.out, &websocket.DialOptions{
		Subprotocols: subprotocols(s.in.Header), OnPingReceived: s.pinged(ctx, func() *websocket.Conn { return s.near }),
	})
	s.took = time.Since(s.began)
	switch {
	case err == nil:
		tried.Status, tried.Outcome = answer.Status, "ok"
	case answer != nil:
		tried.Status, tried.Outcome = answer.Status, fmt.Sprintf("http_%d", answer.Status)
	default:
		tried.Outcome = outcomeOf(err)
	}
	s.record.set(func(r *Record) { r.tried = append(r.tried, tried) })
	switch {
	case err == nil:
		s.far = conn
		s.far.SetReadLimit(maxSocketAnswer)
		return answer, nil
	case ctx.Err() != nil:
		return nil, errClientGone
	case answer == nil:
		return nil, transportFailure(err)
	}
	s.answer = answer
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	answer.Body.Close()
	if answer.Status < 300 {
		return nil, transportFailure(&TransportError{Phase: Reading, Err: errors.New("the provider did not switch protocols")})
	}
	return nil, s.failedWith(body, false)
}

// maxRefusal bounds what is read of a refused handshake's answer, in bytes.
const maxRefusal = 1 << 20

// subprotocols are those that the client offers, without the key that a
// browser has no other place for.
func subprotocols(h http.Header) (names []string) {
	for _, v := range h["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" && !strings.HasPrefix(name, "openai-insecure-api-key.") {
				names = append(names, name)
			}
		}
	}
	return names
}

// accept takes the client's connection over. Where it comes from is not looked
// at: who may come in is Kong's business, and the Host that an origin would be
// compared with is ours.
func (s *session) accept(ctx context.Context, answer *Answer) error {
	s.answer = answer
	w, r := s.in.Upgrade()
	h := s.clientHeaders()
	s.nameModel(h)
	s.announce(h)
	for k, v := range h {
		if !strings.HasPrefix(k, "Sec-Websocket-") {
			w.Header()[k] = v
		}
	}
	o := &websocket.AcceptOptions{InsecureSkipVerify: true, OnPingReceived: s.pinged(ctx, func() *websocket.Conn { return s.far })}
	if name := s.far.Subprotocol(); name != "" {
		o.Subprotocols = []string{name}
	}
	s.client.started = true
	conn, err := websocket.Accept(w, r, o)
	if err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	s.near = conn
	limit := int64(s.instance.config.MaxRequestBodySize)
	if limit == 0 {
		limit = -1
	}
	s.near.SetReadLimit(limit)
	return nil
}

func (s *session) touch() { s.last.Store(time.Now().UnixNano()) }

// pinged answers a ping, and pings the other side, too: a session is as alive
// as both.
func (s *session) pinged(ctx context.Context, other func() *websocket.Conn) func(context.Context, []byte) bool {
	var busy atomic.Bool
	return func(context.Context, []byte) bool {
		s.touch()
		conn := other()
		if conn != nil && busy.CompareAndSwap(false, true) {
			go func() {
				defer s.rescue()
				defer busy.Store(false)
				ctx, cancel := context.WithTimeout(ctx, parting)
				defer cancel()
				_ = conn.Ping(ctx) // who does not answer is noticed by its reader
			}()
		}
		return true
	}
}

// rescue keeps a defect in one session from ending the process.
func (s *session) rescue() {
	if p := recover(); p != nil {
		s.relay.log.Error().Str("stack", string(debug.Stack())).Msg("panic in a session")
	}
}

// watch ends a session in which nothing came for the read timeout. The
// function that it returns ends the watch.
func (s *session) watch(ended chan<- farewell) (stop func()) {
	idle := s.out.Timeouts.Read
	if idle <= 0 {
		return func() {}
	}
	var t *time.Timer
	var mu sync.Mutex
	mu.Lock()
	defer mu.Unlock()
	t = time.AfterFunc(idle, func() {
		mu.Lock()
		defer mu.Unlock()
		left := idle - time.Since(time.Unix(0, s.last.Load()))
		if left > 0 {
			t.Reset(left)
			return
		}
		ended <- farewell{nobody, websocket.StatusGoingAway, fmt.Sprintf("nothing was said for %v", idle), nil}
	})
	return func() { t.Stop() }
}

// fromClient passes on what the client says.
func (s *session) fromClient(ctx context.Context, ended chan<- farewell) {
	first := s.op.Opening != nil
	s.pump(ctx, theClient, s.near, s.far, ended, func(message []byte) ([]byte, error) {
		if !first {
			return message, nil
		}
		first = false
		return s.op.Opening(s.target, message)
	})
}

// fromProvider passes on what the provider says, and counts.
func (s *session) fromProvider(ctx context.Context, ended chan<- farewell) {
	shown := false
	s.pump(ctx, theProvider, s.far, s.near, ended, func(message []byte) ([]byte, error) {
		if s.op.Meter == nil {
			return message, nil
		}
		before := s.meter.Usage
		s.op.Meter.Event(frame.Event{Data: message}, &s.meter)
		if s.meter.Content && !shown {
			shown = true
			d := max(time.Since(s.start), 1)
			s.record.set(func(r *Record) { r.first = d })
		}
		if s.meter.Usage != before {
			s.record.set(func(r *Record) {
				if r.outcome == Pending {
					r.usage, r.response = s.meter.Usage, s.meter.Model
				}
			})
		}
		return message, nil
	})
}

// pump passes messages from one side to the other until the first cannot be
// read. When the other cannot be written to, its own pump says why.
func (s *session) pump(ctx context.Context, of side, from, to *websocket.Conn, ended chan<- farewell, look func([]byte) ([]byte, error)) {
	end := farewell{from: of, code: -1, err: errors.New("internal error")}
	defer func() { ended <- end }()
	defer s.rescue()
	buf := make([]byte, firstBuffer)
	for {
		kind, r, err := from.Reader(ctx)
		var n int
		whole := false
		if err == nil {
			s.touch()
			buf, n, whole, err = readMessage(r, buf)
		}
		if err != nil {
			end = farewellOf(of, err)
			return
		}
		if whole {
			message, err := look(buf[:n])
			if err != nil {
				end = farewell{of, websocket.StatusPolicyViolation, asClientError(err).Message, err}
				return
			}
			err = to.Write(ctx, kind, message)
			if err == nil {
				if len(buf) > maxMessage/4 {
					buf = make([]byte, firstBuffer)
				}
				continue
			}
		} else {
			rest := &failing{from: r}
			if pass(ctx, to, kind, buf[:n], rest) == nil {
				continue
			}
			if rest.err != nil {
				end = farewellOf(of, rest.err)
				return
			}
		}
		<-ctx.Done() // the other pump has the reason
		end = farewell{from: of, code: -1, err: ctx.Err()}
		return
	}
}

// readMessage reads a message into buf, which grows; whole is false when it is
// longer than what is held.
func readMessage(r io.Reader, buf []byte) (_ []byte, n int, whole bool, err error) {
	for {
		if n == len(buf) {
			if n >= maxMessage && !bytes.Contains(buf[:512], []byte(`"response.done"`)) {
				return buf, n, false, nil
			}
			buf = append(buf, make([]byte, len(buf))...)
		}
		m, err := r.Read(buf[n:])
		n += m
		if err == io.EOF {
			return buf, n, true, nil
		}
		if err != nil {
			return buf, n, false, err
		}
	}
}

// pass sends the head of a long message, and the rest as it comes.
func pass(ctx context.Context, to *websocket.Conn, kind websocket.MessageType, head []byte, rest io.Reader) error {
	w, err := to.Writer(ctx, kind)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	if _, err := io.CopyBuffer(w, rest, head); err != nil {
		return err
	}
	return w.Close()
}

// farewellOf is how a side ended that cannot be read any more.
func farewellOf(of side, err error) farewell {
	var frame websocket.CloseError
	if errors.As(err, &frame) {
		return farewell{of, frame.Code, frame.Reason, err}
	}
	return farewell{of, -1, "", err}
}

// settle makes the record of how the session ended.
func (s *session) settle(end farewell) {
	good := end.code == websocket.StatusNormalClosure || end.code == websocket.StatusGoingAway || end.code == websocket.StatusNoStatusRcvd
	switch {
	case end.from == nobody:
		s.finish(Completed, end.reason)
	case end.code == websocket.StatusPolicyViolation && end.from == theClient, errors.Is(end.err, websocket.ErrMessageTooBig):
		s.finish(Refused, end.err.Error())
	case end.from == theClient && end.code < 0:
		s.finish(Aborted, textClientClosed)
	case end.from == theClient || good:
		s.finish(Completed, "")
	case end.code < 0:
		s.finish(CutOff, "the provider's connection broke off")
	default:
		s.finish(Failed, fmt.Sprintf("the provider closed the session: %d %s", end.code, end.reason))
	}
}

// part ends both connections: what one side said when it left, the other is
// told.
func (s *session) part(end farewell) {
	code, reason := end.code, end.reason
	if len(reason) > 120 { // a close frame holds no more
		reason = strings.ToValidUTF8(reason[:120], "")
	}
	switch {
	case end.from == theClient:
		if code == websocket.StatusPolicyViolation {
			_ = s.near.Close(code, reason)
		}
		if code < 0 || code == websocket.StatusPolicyViolation {
			code, reason = websocket.StatusGoingAway, ""
		}
		_ = s.far.Close(code, reason)
	case end.from == theProvider:
		if code < 0 {
			code, reason = websocket.StatusInternalError, "the provider's connection broke off"
		}
		_ = s.near.Close(code, reason)
	default:
		_ = s.near.Close(code, reason)
		_ = s.far.Close(code, "")
	}
}
