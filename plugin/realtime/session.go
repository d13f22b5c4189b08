// Package realtime forwards the messages of a WebSocket session between a client
// and a provider. It knows what a session is and how it ends; the caller decides
// who is called, with which headers, and what is recorded.
package realtime

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"
)

// Parting is how long the other side may take to close the session.
const Parting = 2 * time.Second

// maxAnswer bounds a provider's message, in bytes: a whole answer in sound.
const maxAnswer = 64 << 20

// Session is a WebSocket on both sides. Messages are forwarded unchanged; each
// direction waits for its receiver before it reads on. Run calls the functions,
// Opening and Heard possibly at the same time.
type Session struct {
	// Dial connects to the provider; then Accept takes over the client's
	// connection. Run returns their errors.
	Dial   func(context.Context, *websocket.DialOptions) (*websocket.Conn, error)
	Accept func(*websocket.AcceptOptions) (*websocket.Conn, error)
	// Asked are the headers of the client's request.
	Asked http.Header
	// Limit bounds a message of the client, in bytes; 0 is no limit.
	Limit int64
	// Idle is how long both may be silent; 0 is for ever.
	Idle time.Duration
	// Leaving ends the session when it is closed: the process is about to end.
	Leaving <-chan struct{}
	// Opening, if set, checks and changes the client's first message. An error ends
	// the session; told is the text that the client gets.
	Opening func(message []byte) (changed []byte, told string, err error)
	// Heard, if set, is called with each message of the provider that is held
	// whole.
	Heard func(message []byte)
	// Ended is called with how the session ended, before both sides are closed.
	Ended func(End)
	Log   zerolog.Logger

	near, far *websocket.Conn // the client's and the provider's
	last      atomic.Int64    // when a frame came, unix nanoseconds
}

// Side is one end of a session.
type Side int

// The sides.
const (
	Nobody Side = iota // it was too quiet, or the process is leaving
	Client
	Provider
)

// NoCode is the Code of an end without a close frame.
const NoCode websocket.StatusCode = -1

// End is how a session ended.
type End struct {
	From   Side
	Code   websocket.StatusCode // of the close frame
	Reason string               // beside it
	Err    error
}

// Run connects to the provider, takes over the client's connection, and forwards
// messages until one side ends the session.
func (s *Session) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.connect(ctx); err != nil {
		return err
	}
	defer s.far.CloseNow()
	if err := s.accept(ctx); err != nil {
		return err
	}
	defer s.near.CloseNow()
	s.touch()
	ended := make(chan End, 3)
	var pumps sync.WaitGroup
	pumps.Go(func() { s.fromClient(ctx, ended) })
	pumps.Go(func() { s.fromProvider(ctx, ended) })
	quiet := s.watch(ended)
	var end End
	select {
	case end = <-ended:
	case <-s.Leaving:
		end = End{Nobody, websocket.StatusServiceRestart, "the gateway is restarting", nil}
	}
	quiet()
	s.Ended(end)
	late := time.AfterFunc(Parting, cancel)
	s.part(end)
	late.Stop()
	cancel()
	pumps.Wait()
	return nil
}

func (s *Session) connect(ctx context.Context) (err error) {
	s.far, err = s.Dial(ctx, &websocket.DialOptions{
		Subprotocols:   subprotocols(s.Asked),
		OnPingReceived: s.pinged(ctx, func() *websocket.Conn { return s.near }),
	})
	if err != nil {
		return err
	}
	s.far.SetReadLimit(maxAnswer)
	return nil
}

// subprotocols returns those that the client offers, without the API key that a
// browser can send nowhere else.
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

// accept takes over the client's connection. It does not check the Origin:
// admission is Kong's task, and the Host to compare with would be ours.
func (s *Session) accept(ctx context.Context) (err error) {
	o := &websocket.AcceptOptions{InsecureSkipVerify: true, OnPingReceived: s.pinged(ctx, func() *websocket.Conn { return s.far })}
	if name := s.far.Subprotocol(); name != "" {
		o.Subprotocols = []string{name}
	}
	if s.near, err = s.Accept(o); err != nil {
		return err
	}
	limit := s.Limit
	if limit == 0 {
		limit = -1
	}
	s.near.SetReadLimit(limit)
	return nil
}

func (s *Session) touch() { s.last.Store(time.Now().UnixNano()) }

// pinged answers a ping, and pings the other side, too: a session is alive only
// while both sides are.
func (s *Session) pinged(ctx context.Context, other func() *websocket.Conn) func(context.Context, []byte) bool {
	var busy atomic.Bool
	return func(context.Context, []byte) bool {
		s.touch()
		conn := other()
		if conn != nil && busy.CompareAndSwap(false, true) {
			go func() {
				defer s.rescue()
				defer busy.Store(false)
				ctx, cancel := context.WithTimeout(ctx, Parting)
				defer cancel()
				_ = conn.Ping(ctx) // who does not answer is noticed by its reader
			}()
		}
		return true
	}
}

// rescue stops a panic in one session from ending the process.
func (s *Session) rescue() {
	if p := recover(); p != nil {
		s.Log.Error().Str("stack", string(debug.Stack())).Msg("panic in a session")
	}
}

// watch ends a session in which nothing arrives for the read timeout. The returned
// function stops the watch.
func (s *Session) watch(ended chan<- End) (stop func()) {
	idle := s.Idle
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
		ended <- End{Nobody, websocket.StatusGoingAway, fmt.Sprintf("nothing was said for %v", idle), nil}
	})
	return func() { t.Stop() }
}

// part closes both connections, and forwards one side's close reason to the other.
func (s *Session) part(end End) {
	code, reason := end.Code, end.Reason
	if len(reason) > 120 { // a close frame holds no more
		reason = strings.ToValidUTF8(reason[:120], "")
	}
	switch {
	case end.From == Client:
		if code == websocket.StatusPolicyViolation {
			_ = s.near.Close(code, reason)
		}
		if code < 0 || code == websocket.StatusPolicyViolation {
			code, reason = websocket.StatusGoingAway, ""
		}
		_ = s.far.Close(code, reason)
	case end.From == Provider:
		if code < 0 {
			code, reason = websocket.StatusInternalError, "the provider's connection broke off"
		}
		_ = s.near.Close(code, reason)
	default:
		_ = s.near.Close(code, reason)
		_ = s.far.Close(code, "")
	}
}
