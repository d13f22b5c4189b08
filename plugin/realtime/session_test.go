package realtime

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/leaks"

	"github.com/coder/websocket"
)

func TestMain(m *testing.M) { leaks.VerifyTestMain(m) }

// talk is a session between a client, which is the test, and a provider.
type talk struct {
	t     *testing.T
	conn  *websocket.Conn
	ended chan End
	done  chan error // of Run
}

// newTalk begins a session with a provider that follows script; set changes the
// session before it runs.
func newTalk(t *testing.T, set func(*Session), script func(context.Context, *websocket.Conn)) *talk {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"realtime"}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		script(r.Context(), c)
	}))
	k := &talk{t: t, ended: make(chan End, 1), done: make(chan error, 1)}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := Session{
			Dial: func(ctx context.Context, o *websocket.DialOptions) (*websocket.Conn, error) {
				conn, _, err := websocket.Dial(ctx, up.URL, o)
				return conn, err
			},
			Accept: func(o *websocket.AcceptOptions) (*websocket.Conn, error) { return websocket.Accept(w, r, o) },
			Asked:  r.Header, Ended: func(e End) { k.ended <- e },
		}
		if set != nil {
			set(&s)
		}
		k.done <- s.Run(context.Background())
	}))
	conn, _, err := websocket.Dial(t.Context(), front.URL, &websocket.DialOptions{Subprotocols: []string{"openai-insecure-api-key.KEY", "realtime"}})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	k.conn = conn
	t.Cleanup(func() {
		conn.CloseNow()
		front.Close()
		up.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return k
}

// echo says what it hears.
func echo(ctx context.Context, c *websocket.Conn) {
	for {
		kind, p, err := c.Read(ctx)
		if err != nil || c.Write(ctx, kind, p) != nil {
			return
		}
	}
}

func (k *talk) say(text string) {
	k.t.Helper()
	if err := k.conn.Write(k.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *talk) hear(want string) {
	k.t.Helper()
	_, p, err := k.conn.Read(k.t.Context())
	if err != nil || string(p) != want {
		k.t.Fatalf("heard %d bytes, %.100q, want %.100q: %v", len(p), p, want, err)
	}
}

// end is how the session ended, and what the client was told of it.
func (k *talk) end() (End, websocket.CloseError) {
	k.t.Helper()
	var told websocket.CloseError
	for {
		if _, _, err := k.conn.Read(k.t.Context()); err != nil {
			errors.As(err, &told)
			break
		}
	}
	if err := <-k.done; err != nil {
		k.t.Error(err)
	}
	return <-k.ended, told
}

func TestLongMessagesAreForwardedInPiecesAndTooLongOnesEndTheSession(t *testing.T) {
	k := newTalk(t, func(s *Session) { s.Limit = 2_000_000 }, echo)
	for _, n := range []int{0, 1, firstBuffer - 1, firstBuffer, firstBuffer + 1, maxMessage, maxMessage + 1, 1_900_000} {
		text := strings.Repeat("x", n)
		k.say(text)
		k.hear(text)
	}
	_ = k.conn.Write(t.Context(), websocket.MessageText, make([]byte, 2_100_000)) // may be refused while it is sent
	if end, _ := k.end(); end.From != Client || !errors.Is(end.Err, websocket.ErrMessageTooBig) {
		t.Errorf("it ended with %+v", end)
	}
}

func TestOpeningGetsTheFirstMessageAndHeardEveryAnswer(t *testing.T) {
	var heard []string
	k := newTalk(t, func(s *Session) {
		s.Opening = func(m []byte) ([]byte, string, error) { return append([]byte("opened "), m...), "", nil }
		s.Heard = func(m []byte) { heard = append(heard, string(m)) }
	}, echo)
	if name := k.conn.Subprotocol(); name != "realtime" {
		t.Errorf("subprotocol %q", name)
	}
	k.say("a")
	k.hear("opened a")
	k.say("b")
	k.hear("b")
	k.conn.Close(websocket.StatusNormalClosure, "bye")
	if end, _ := k.end(); end.From != Client || end.Code != websocket.StatusNormalClosure || end.Reason != "bye" {
		t.Errorf("it ended with %+v", end)
	}
	if got := strings.Join(heard, ","); got != "opened a,b" {
		t.Errorf("heard %s", got)
	}
}

func TestClientGetsTheReasonOfARefusedOpening(t *testing.T) {
	why := errors.New("the whole reason")
	k := newTalk(t, func(s *Session) {
		s.Opening = func([]byte) ([]byte, string, error) { return nil, "what it is told", why }
	}, echo)
	k.say("a")
	end, told := k.end()
	if end.From != Client || end.Err != why || told.Code != websocket.StatusPolicyViolation || told.Reason != "what it is told" {
		t.Errorf("it ended with %+v, and the client was told %v", end, told)
	}
}

func TestSessionEndsWhenTheProcessLeaves(t *testing.T) {
	leaving := make(chan struct{})
	k := newTalk(t, func(s *Session) { s.Leaving = leaving }, echo)
	k.say("a")
	k.hear("a")
	close(leaving)
	if end, told := k.end(); end.From != Nobody || told.Code != websocket.StatusServiceRestart {
		t.Errorf("it ended with %+v, and the client was told %v", end, told)
	}
}

func TestIdleSessionsEnd(t *testing.T) {
	machine := lateness.Start(t)
	began := time.Now()
	k := newTalk(t, func(s *Session) { s.Idle = 200 * time.Millisecond }, echo)
	end, told := k.end()
	if d := time.Since(began); end.From != Nobody || told.Code != websocket.StatusGoingAway || !strings.Contains(told.Reason, "nothing was said") || d < 150*time.Millisecond || d > machine.Within(2*time.Second) {
		t.Errorf("it ended with %+v after %v, and the client was told %v", end, d, told)
	}
}

func TestSideThatBreaksOffEndsTheSession(t *testing.T) {
	k := newTalk(t, nil, func(_ context.Context, c *websocket.Conn) { c.CloseNow() })
	end, told := k.end()
	if end.From != Provider || end.Code != NoCode || told.Code != websocket.StatusInternalError {
		t.Errorf("it ended with %+v, and the client was told %v", end, told)
	}
	k = newTalk(t, nil, echo)
	k.conn.CloseNow()
	if end, _ := k.end(); end.From != Client || end.Code != NoCode {
		t.Errorf("it ended with %+v", end)
	}
}

func TestPanicInASessionEndsOnlyTheSession(t *testing.T) {
	k := newTalk(t, func(s *Session) { s.Heard = func([]byte) { panic("a defect") } }, echo)
	k.say("a")
	if end, told := k.end(); end.From != Provider || told.Code != websocket.StatusInternalError {
		t.Errorf("it ended with %+v, and the client was told %v", end, told)
	}
}

func TestSlowReceiverSlowsTheSender(t *testing.T) {
	var sent atomic.Int64
	k := newTalk(t, nil, func(ctx context.Context, c *websocket.Conn) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		piece := make([]byte, 64<<10)
		for range 2000 { // 128 MiB
			if c.Write(ctx, websocket.MessageBinary, piece) != nil {
				return
			}
			sent.Add(int64(len(piece)))
		}
	})
	time.Sleep(500 * time.Millisecond)
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d MiB are on their way to a client that does not read", n>>20)
	}
	k.conn.CloseNow()
	<-k.done
}
