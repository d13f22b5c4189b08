package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/test/lateness"
)

// bothKinds runs a test with each engine.
func bothKinds(t *testing.T, test func(t *testing.T, kind Kind)) {
	for _, kind := range []Kind{BuiltIn, NetHTTP} {
		t.Run(string(kind), func(t *testing.T) { test(t, kind) })
	}
}

// sendRaw sends bytes on a fresh connection and returns what comes until its end.
func sendRaw(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(c) // what came before a reset counts, too
	return string(said)
}

func TestKindsOfEnginesAreNamed(t *testing.T) {
	for name, want := range map[string]Kind{"": BuiltIn, "built-in": BuiltIn, "net/http": NetHTTP} {
		if kind, err := ParseKind(name); kind != want || err != nil {
			t.Errorf("%q: %q, %v", name, kind, err)
		}
	}
	_, err := ParseKind("nethttp")
	if err == nil || !strings.Contains(err.Error(), KindEnv) || !strings.Contains(err.Error(), `"built-in"`) || !strings.Contains(err.Error(), `"net/http"`) {
		t.Errorf("an unknown engine: %v", err)
	}
}

// TestBothEnginesAnswerAlike compares answers but for the order of their header
// fields and the size of their chunks.
func TestBothEnginesAnswerAlike(t *testing.T) {
	many := strings.Repeat("x", 40_000)
	for name, c := range map[string]struct {
		request string
		handler HandlerFunc
	}{
		"whole": {"GET /a%20b?q=1 HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) {
			said := fmt.Sprint(x.Method, x.Target, x.Path, x.RawQuery, x.Host, x.ContentLength, x.Body() == nil, x.Header)
			_ = x.Start(201, http.Header{"X-A": {"1", "2"}, "Content-Type": {"text/x"}}, int64(len(said)))
			_ = x.Write([]byte(said))
		}},
		"a stream": {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) {
			_ = x.Start(200, http.Header{}, -1)
			for range 3 {
				_ = x.Write([]byte("event\n"))
				_ = x.Flush()
			}
		}},
		"much":                   {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) { _ = x.Write([]byte(many)) }},
		"HTTP/1.0":               {"GET / HTTP/1.0\r\n", func(x *Exchange) { _ = x.Write([]byte("ok")) }},
		"HEAD":                   {"HEAD / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) { _ = x.Start(200, http.Header{}, 2); _ = x.Write([]byte("ok")) }},
		"no content":             {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) { _ = x.Start(204, http.Header{}, -1) }},
		"nothing":                {"GET / HTTP/1.1\r\nHost: h\r\n", func(*Exchange) {}},
		"no status of an answer": {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) { _ = x.Start(101, nil, 0) }},
		"OPTIONS *":              {"OPTIONS * HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) { _ = x.Write([]byte(x.Target + x.Path)) }},
		"headers of a connection": {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) {
			_ = x.Start(200, http.Header{"Trailer": {"X"}, "Upgrade": {"x"}, "Keep-Alive": {"x"}, "Bad Name": {"x"}}, 0)
		}},
		"control characters":   {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) { _ = x.Start(200, http.Header{"X-A": {"a\r\nb: \x01c"}}, 0) }},
		"more than the length": {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) { _ = x.Start(200, nil, 2); _ = x.Write([]byte("ok")); _ = x.Write([]byte("more")) }},
		"less than the length": {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) { _ = x.Start(200, nil, 5); _ = x.Write([]byte("ok")) }},
		"aborted": {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) {
			_ = x.Start(200, nil, -1)
			_ = x.Write([]byte("ok"))
			x.Abort()
			_ = x.Write([]byte("no"))
		}},
		"aborted before it begins": {"GET / HTTP/1.1\r\nHost: h\r\n", func(x *Exchange) { x.Abort() }},
		"a body":                   {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-Body: body\r\n", echo},
		"a body in chunks":         {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Body: 4\r\n", echo},
		"a body that stays unread": {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-Body: body\r\n", func(x *Exchange) { _ = x.Write([]byte("ok")) }},
		"100-continue":             {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\nX-Body: body\r\n", echo},
		"100-continue, unasked":    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n", func(x *Exchange) { _ = x.Start(401, nil, 0) }},
		"CONNECT":                  {"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n", echo},
		"HTTP/2":                   {"PRI * HTTP/2.0\r\n", echo},
		"too many fields":          {"GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", maxFields+1), echo},
		"a large header":           {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("y", 20<<10) + "\r\n", echo},
		"a header within":          {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("y", 12<<10) + "\r\n", echo},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[Kind]string{}
			for _, kind := range []Kind{BuiltIn, NetHTTP} {
				addr := serve(t, &Server{Kind: kind, MaxHead: 16 << 10}, c.handler)
				request := c.request + "Connection: close\r\n\r\n"
				if name == "HTTP/2" {
					request = c.request + "\r\nSM\r\n\r\n"
				}
				if _, body, ok := strings.Cut(c.request, "X-Body: "); ok {
					if body = strings.TrimSuffix(body, "\r\n"); body == "4" {
						body = "4\r\nbody\r\n0\r\n\r\n"
					}
					request += body
				}
				answers[kind] = comparable(t, c.request, sendRaw(t, addr, request))
			}
			if answers[BuiltIn] != answers[NetHTTP] {
				t.Errorf("built-in: %.600s\nnet/http: %.600s", answers[BuiltIn], answers[NetHTTP])
			}
		})
	}
}

func echo(x *Exchange) {
	var body []byte
	if r := x.Body(); r != nil {
		body, _ = io.ReadAll(r)
	}
	_ = x.Start(200, http.Header{}, int64(len(body)))
	_ = x.Write(body)
}

// comparable is an answer without what may differ.
func comparable(t *testing.T, request, said string) string {
	t.Helper()
	if said == "" {
		return "nothing"
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(said)), &http.Request{Method: method})
	interim := 0
	for ; err == nil && resp.StatusCode == http.StatusContinue; interim++ {
		_, said, _ = strings.Cut(said, "\r\n\r\n")
		resp, err = http.ReadResponse(bufio.NewReader(strings.NewReader(said)), &http.Request{Method: method})
	}
	if err != nil {
		t.Fatalf("%v in %q", err, said)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode >= 400 && resp.Header.Get("Content-Type") != "" { // the words are each engine's own
		body, resp.ContentLength = nil, -1
		resp.Header.Del("Content-Length")
	}
	resp.Header.Del("Date")
	return fmt.Sprint(interim, resp.StatusCode, resp.Header, resp.ContentLength, resp.TransferEncoding, resp.Close, string(body), err)
}

func TestBothEnginesNoticeAClientThatLeaves(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind Kind) {
		ended := make(chan error, 1)
		addr := serve(t, &Server{Kind: kind}, func(x *Exchange) {
			_ = x.Write([]byte("hello"))
			_ = x.Flush()
			select {
			case <-x.Context().Done():
				ended <- x.Context().Err()
			case <-time.After(20 * time.Second):
				ended <- errors.New("nobody left")
			}
			x.Abort()
		})
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		_, _ = c.Read(make([]byte, 100))
		c.Close()
		if err := <-ended; err != context.Canceled {
			t.Error(err)
		}
	})
}

func TestBothEnginesBoundTheTimeOfAClient(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind Kind) {
		const limit = 50 * time.Millisecond
		failed := make(chan error, 4)
		// Two servers: on a busy machine, the head of a request that is to have a body may
		// be late, too.
		heads := serve(t, &Server{Kind: kind, HeadTimeout: limit, IdleTimeout: limit}, func(*Exchange) {})
		addr := serve(t, &Server{Kind: kind, ReadTimeout: limit, WriteTimeout: limit}, func(x *Exchange) {
			if x.Path == "/write" {
				_ = x.Start(200, nil, -1)
				var err error
				for much := make([]byte, 1<<20); err == nil; {
					err = x.Write(much)
				}
				failed <- err
				return
			}
			_, err := io.ReadAll(x.Body())
			failed <- err
		})
		machine := lateness.Start(t)
		began := time.Now()
		for name, half := range map[string]string{"a head": "GET / HTTP/1.1\r\nHo", "nothing": ""} {
			if said := sendRaw(t, heads, half); strings.HasPrefix(said, "HTTP/1.1 200") {
				t.Errorf("%s: %q", name, said)
			}
		}
		sendRaw(t, addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
		if err := <-failed; !isTimeout(err) {
			t.Errorf("a body that does not come: %v", err)
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "GET /write HTTP/1.1\r\nHost: h\r\n\r\n")
		if err := <-failed; !isTimeout(err) {
			t.Errorf("an answer that is not read: %v", err)
		}
		if took := time.Since(began); took > machine.Within(4*time.Second) {
			t.Errorf("took %v", took)
		}
	})
}

// What a client sends in time may take longer than one read, and its answer
// longer than the limit of a read.
func TestBothEnginesLimitEachReadOnly(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind Kind) {
		const limit = 800 * time.Millisecond
		addr := serve(t, &Server{Kind: kind, ReadTimeout: limit, WriteTimeout: limit}, func(x *Exchange) {
			body, err := io.ReadAll(x.Body())
			time.Sleep(limit + limit/8)
			if err == nil {
				err = x.Context().Err()
			}
			_ = x.Write(fmt.Append(body, err))
		})
		lateness.Undisturbed(t, limit/4, func() string {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n")
			for range 12 {
				time.Sleep(limit / 10)
				_, _ = io.WriteString(c, "x")
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				return err.Error()
			}
			body, _ := io.ReadAll(resp.Body)
			return strings.TrimPrefix(string(body), "xxxxxxxxxxxx<nil>")
		})
	})
}

func TestBothEnginesTellBrokenChunksFromAClientThatLeft(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind Kind) {
		read := make(chan error, 1)
		addr := serve(t, &Server{Kind: kind}, func(x *Exchange) {
			_, err := io.ReadAll(x.Body())
			read <- err
		})
		for body, malformed := range map[string]bool{"zz\r\n": true, "1\r\n{}\r\n": true, "0\r\nno trailer\r\n\r\n": true, "5\r\nab": false} {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"+body)
			_ = c.(*net.TCPConn).CloseWrite()
			if err := <-read; err == nil || errors.Is(err, wire.ErrMalformed) != malformed {
				t.Errorf("%q: %v", body, err)
			}
			c.Close()
		}
	})
}

// upgraded answers an upgrade and gives back what it is sent, until it ends.
func upgraded(x *Exchange) {
	w, r := x.Upgrade()
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		x.Abort()
		return
	}
	defer conn.Close()
	_, _ = io.Copy(conn, buffered)
}

func TestBothEnginesUpgradeAndWaitForIt(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind Kind) {
		s := &Server{Kind: kind}
		addr := serve(t, s, upgraded)
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ")
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "echo" {
			t.Fatal(resp, err)
		}
		_, _ = io.WriteString(c, "late")
		got := make([]byte, len("early late"))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != "early late" {
			t.Errorf("%q, %v", got, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Errorf("Shutdown with an open session: %v", err)
		}
		_ = s.Close()
		if _, err := r.ReadByte(); err == nil || isTimeout(err) {
			t.Errorf("after Close: %v", err)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown at the end: %v", err)
		}
	})
}

func TestBothEnginesSurviveAPanicAndDoNotCallItAnAnswer(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind Kind) {
		var logs bytes.Buffer
		s := &Server{Kind: kind, Handler: HandlerFunc(func(x *Exchange) {
			if x.Path == "/bad" {
				_ = x.Write([]byte("half"))
				panic("a defect")
			}
		}), Log: zerolog.New(&logs)}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(l) }()
		said := sendRaw(t, l.Addr().String(), "GET /bad HTTP/1.1\r\nHost: h\r\n\r\n")
		if strings.HasSuffix(said, "0\r\n\r\n") {
			t.Errorf("said %q", said)
		}
		if said := sendRaw(t, l.Addr().String(), "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(said, "HTTP/1.1 200") {
			t.Errorf("the next: %q", said)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != ErrClosed {
			t.Error(err)
		}
		if n := strings.Count(logs.String(), `"panic":"a defect"`); n != 1 {
			t.Errorf("logged %d times: %s", n, &logs)
		}
	})
}

func TestBothEnginesSendProvidersNoHeaderOfTheirOwn(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind Kind) {
		var got http.Header
		up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
		defer up.Close()
		client := NewClient(nil, "", kind)
		defer client.Close()
		out := outgoing(t, "GET", up.URL)
		out.Header = nil
		a, err := client.Do(context.Background(), out)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if len(got) > 0 {
			t.Errorf("%v", got)
		}
		if _, byNetHTTP := a.Body.(*idleBody); byNetHTTP != (kind == NetHTTP) {
			t.Errorf("the body is a %T", a.Body)
		}
	})
}
