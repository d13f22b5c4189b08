package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"

	"github.com/coder/websocket"
)

func dialTest(t testing.TB, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	return c, bufio.NewReader(c)
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// response reads an answer whole.
func response(t testing.TB, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func TestAClientThatLeavesIsNoticedAtOnce(t *testing.T) {
	machine := lateness.Start(t)
	for _, how := range []string{"closes", "ends its side", "resets"} {
		entered, left := make(chan bool, 1), make(chan time.Time, 1)
		addr := serve(t, &Server{}, func(x *Exchange) {
			entered <- true
			select {
			case <-x.Context().Done():
				left <- time.Now()
			case <-time.After(20 * time.Second):
				left <- time.Now()
			}
			x.Abort()
		})
		for _, body := range []string{"", "Content-Length: 2\r\n", "Content-Length: 9\r\n"} {
			c, _ := dialTest(t, addr)
			send(t, c, "POST / HTTP/1.1\r\nHost: a\r\n"+body+"\r\n")
			<-entered
			time.Sleep(5 * time.Millisecond)
			gone := time.Now()
			switch how {
			case "closes":
				c.Close()
			case "ends its side":
				_ = c.(*net.TCPConn).CloseWrite()
			case "resets":
				_ = c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
			if d := (<-left).Sub(gone); d > machine.Within(50*time.Millisecond) {
				t.Errorf("%s, %q: noticed after %v", how, body, d)
			}
			c.Close()
		}
	}
}

// What was sent in advance is still answered, as by net/http.
func TestRequestsSentBeforeTheClientEndsItsSideAreAnswered(t *testing.T) {
	var served, cancelled atomic.Int32
	addr := serve(t, &Server{}, func(x *Exchange) {
		wait := 30 * time.Millisecond
		if served.Add(1) == 3 {
			wait = 20 * time.Second
		}
		select {
		case <-x.Context().Done():
			cancelled.Add(1)
		case <-time.After(wait):
		}
	})
	c, r := dialTest(t, addr)
	send(t, c, get+get+get)
	_ = c.(*net.TCPConn).CloseWrite()
	for range 3 {
		response(t, r)
	}
	if n := cancelled.Load(); n != 1 { // the last one: nothing follows it
		t.Errorf("%d requests were cancelled, want the last", n)
	}
}

func TestTheContextEndsWithTheRequest(t *testing.T) {
	kept := make(chan context.Context, 1)
	addr := serve(t, &Server{}, func(x *Exchange) {
		ctx, cancel := context.WithTimeout(x.Context(), time.Minute)
		_ = cancel
		kept <- ctx
	})
	c, r := dialTest(t, addr)
	send(t, c, get)
	response(t, r)
	select {
	case <-(<-kept).Done():
	case <-time.After(20 * time.Second):
		t.Error("a context derived from the request's goes on after it")
	}
}

func TestSlowClientsHoldNothing(t *testing.T) {
	// Two servers: on a busy machine, the head of a request that is to have a body may be
	// late, too.
	const limit = 60 * time.Millisecond
	heads := serve(t, &Server{HeadTimeout: limit, IdleTimeout: limit}, func(*Exchange) {})
	s := &Server{ReadTimeout: limit, WriteTimeout: limit}
	bodies := make(chan error, 1)
	addr := serve(t, s, func(x *Exchange) {
		if x.Path == "/large" {
			var err error
			for range 1000 {
				if err = x.Write(make([]byte, 64<<10)); err != nil {
					break
				}
			}
			bodies <- err
			return
		}
		if b := x.Body(); b != nil {
			_, err := io.ReadAll(b)
			bodies <- err
			x.Abort()
		}
	})
	machine := lateness.Start(t)
	closedWithin := func(c net.Conn, what string) {
		t.Helper()
		start := time.Now()
		_, _ = io.ReadAll(c)
		if d := time.Since(start); d > machine.Within(time.Second) {
			t.Errorf("%s: closed after %v", what, d)
		}
	}
	c, _ := dialTest(t, heads)
	closedWithin(c, "silent")
	c, _ = dialTest(t, heads)
	_, _ = io.WriteString(c, get) // which may be late
	closedWithin(c, "idle")
	c, _ = dialTest(t, heads)
	go func(c net.Conn) { // a byte now and then does not help
		for _, b := range []byte(get) {
			time.Sleep(20 * time.Millisecond)
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
		}
	}(c)
	closedWithin(c, "head in drops")
	c, _ = dialTest(t, addr)
	send(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
	closedWithin(c, "body that stops")
	if err := <-bodies; !isTimeout(err) {
		t.Errorf("body that stops: %v", err)
	}
	c, _ = dialTest(t, addr)
	send(t, c, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
	if err := <-bodies; !isTimeout(err) {
		t.Errorf("client that does not read: %v", err)
	}
}

func TestABodyIsAskedForWhenTheClientWaits(t *testing.T) {
	addr := serve(t, &Server{}, func(x *Exchange) {
		if x.Path == "/refused" {
			_ = x.Start(413, http.Header{}, 0)
			return
		}
		b, _ := io.ReadAll(x.Body())
		_ = x.Start(200, http.Header{}, int64(len(b)))
		_ = x.Write(b)
	})
	c, r := dialTest(t, addr)
	send(t, c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if line, _ := r.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q", line)
	}
	_, _ = r.ReadString('\n')
	send(t, c, "hello")
	if _, body := response(t, r); body != "hello" {
		t.Errorf("%q", body)
	}
	send(t, c, "POST /refused HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if resp, _ := response(t, r); resp.StatusCode != 413 || !resp.Close {
		t.Errorf("%d close=%v", resp.StatusCode, resp.Close)
	}
}

// A refusal reaches a client that is still sending.
func TestARefusalReachesAClientThatStillSends(t *testing.T) {
	addr := serve(t, &Server{LingerTimeout: 10 * time.Second}, func(x *Exchange) { _ = x.Start(413, http.Header{}, 0) })
	c, r := dialTest(t, addr)
	const size = 8 << 20
	send(t, c, fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
	go io.CopyN(c, strings.NewReader(strings.Repeat("x", size)), size)
	if resp, _ := response(t, r); resp.StatusCode != 413 || !resp.Close {
		t.Errorf("%d close=%v", resp.StatusCode, resp.Close)
	}
}

func TestAnAbortedAnswerDoesNotLookComplete(t *testing.T) {
	addr := serve(t, &Server{}, func(x *Exchange) {
		switch x.Path {
		case "/chunked":
			_ = x.Start(200, http.Header{}, -1)
			_ = x.Write([]byte("part"))
			x.Abort()
		case "/sized":
			_ = x.Start(200, http.Header{}, 10)
			_ = x.Write([]byte("part"))
		case "/more":
			_ = x.Start(200, http.Header{}, 2)
			if x.Write([]byte("part")) == nil {
				t.Error("more than the length was taken")
			}
		}
	})
	for _, path := range []string{"/chunked", "/sized", "/more"} {
		c, r := dialTest(t, addr)
		send(t, c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(path, err)
		}
		if b, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || path != "/more" && string(b) != "part" {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
}

func TestAPanicIsLoggedAndEndsTheConnectionAndTheContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	s := &Server{Handler: HandlerFunc(func(x *Exchange) {
		context.AfterFunc(x.Context(), func() { close(ended) })
		panic("oops")
	})}
	go s.Serve(l)
	defer s.Close()
	c, _ := dialTest(t, l.Addr().String())
	send(t, c, get)
	if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the context goes on after its exchange")
	}
}

// counted counts the writes of a connection.
type counted struct {
	net.Conn
	writes *atomic.Int32
}

func (c counted) Write(p []byte) (int, error) { c.writes.Add(1); return c.Conn.Write(p) }

type countedListener struct {
	net.Listener
	writes *atomic.Int32
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return counted{c, l.writes}, err
}

func TestWhatIsFlushedTogetherIsOneWrite(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var writes atomic.Int32
	s := &Server{Handler: HandlerFunc(func(x *Exchange) {
		if x.Path == "/whole" {
			_ = x.Start(200, http.Header{"X": {"1"}}, 6)
			_ = x.Write([]byte("abc"))
			_ = x.Write([]byte("def"))
			return
		}
		_ = x.Start(200, http.Header{}, -1)
		for range 5 {
			_ = x.Write([]byte("data: 1\n\n"))
			_ = x.Write([]byte("data: 2\n\n"))
			_ = x.Flush()
		}
	})}
	go s.Serve(countedListener{l, &writes})
	defer s.Close()
	c, r := dialTest(t, l.Addr().String())
	send(t, c, "GET /whole HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, body := response(t, r); body != "abcdef" || writes.Load() != 1 {
		t.Errorf("%q in %d writes, want 1", body, writes.Load())
	}
	writes.Store(0)
	send(t, c, get)
	if _, body := response(t, r); len(body) != 90 || writes.Load() != 6 { // five and the end
		t.Errorf("%d bytes in %d writes, want 6", len(body), writes.Load())
	}
}

func TestShutdownLetsOpenRequestsFinish(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, finish := make(chan bool), make(chan bool)
	s := &Server{Handler: HandlerFunc(func(x *Exchange) {
		if x.Path == "/slow" {
			entered <- true
			<-finish
		}
	})}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	idle, ir := dialTest(t, l.Addr().String())
	send(t, idle, get)
	response(t, ir)
	c, r := dialTest(t, l.Addr().String())
	send(t, c, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	if err := <-ended; err != ErrClosed {
		t.Errorf("Serve: %v", err)
	}
	if _, err := ir.ReadByte(); err != io.EOF {
		t.Errorf("idle connection: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it still accepts: %v", err)
	}
	select {
	case <-down:
		t.Fatal("Shutdown did not wait")
	case <-time.After(30 * time.Millisecond):
	}
	finish <- true
	if resp, _ := response(t, r); resp.StatusCode != 200 || !resp.Close {
		t.Errorf("%d close=%v", resp.StatusCode, resp.Close)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

func TestCloseEndsOpenRequests(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan bool)
	s := &Server{Handler: HandlerFunc(func(x *Exchange) {
		entered <- true
		<-x.Context().Done()
	})}
	go s.Serve(l)
	c, _ := dialTest(t, l.Addr().String())
	send(t, c, get)
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	s.Close()
	select {
	case <-s.empty:
	case <-time.After(20 * time.Second):
		t.Error("the request goes on")
	}
}

func TestWebSocketsTakeTheConnectionOver(t *testing.T) {
	addr := serve(t, &Server{ReadTimeout: 50 * time.Millisecond, WriteTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond}, func(x *Exchange) {
		w, r := x.Upgrade()
		if r.Header.Get("X-Refuse") != "" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Ours", "1")
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		conn.SetReadLimit(-1)
		for {
			kind, b, err := conn.Read(x.Context())
			if err != nil {
				return
			}
			if err := conn.Write(x.Context(), kind, b); err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("X-Ours") != "1" {
		t.Errorf("%v", resp.Header)
	}
	for i := range 3 {
		if i == 2 {
			time.Sleep(120 * time.Millisecond) // no deadline of the server's is left
		}
		want := strings.Repeat("x", 1+i*100000)
		conn.SetReadLimit(-1)
		if err := conn.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.Read(ctx); err != nil || string(got) != want {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	_ = conn.Close(websocket.StatusNormalClosure, "")
	// A frame that comes with the request is not lost, and a refusal is an answer.
	c, r := dialTest(t, addr)
	const ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	send(t, c, ask+"\r\n\x81\x82\x00\x00\x00\x00hi")
	resp, err = http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Connection") != "Upgrade" {
		t.Fatalf("%v %v", resp, err)
	}
	frame := make([]byte, 4)
	if _, err := io.ReadFull(r, frame); err != nil || string(frame) != "\x81\x02hi" {
		t.Errorf("%q %v", frame, err)
	}
	c.Close()
	c, r = dialTest(t, addr)
	send(t, c, ask+"X-Refuse: 1\r\n\r\n")
	if resp, body := response(t, r); resp.StatusCode != 403 || body != "no\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}
