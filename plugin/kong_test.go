package plugin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/config"
)

var testLog = zerolog.Nop()

// worker is one of Kong's workers at the records' socket.
type worker struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// connectWorker greets, and waits to be known.
func connectWorker(t *testing.T, g *Gateway, socket, name, token string) *worker {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "%s %s\n", name, token)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		g.workers.mu.Lock()
		known := g.workers.workers[name] != nil
		g.workers.mu.Unlock()
		if known {
			return &worker{t, c, bufio.NewReader(c)}
		}
		if time.Now().After(end) {
			t.Fatal("the worker is not known")
		}
	}
}

// there is the record of id if it is in the socket now.
func (w *worker) there(id string) map[string]any {
	w.t.Helper()
	raw, err := w.Conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	line, n := make([]byte, maxPushed), 0
	if err := raw.Read(func(fd uintptr) bool {
		n, _ = syscall.Read(int(fd), line) // -1 when there is nothing
		return true
	}); err != nil {
		w.t.Fatal(err)
	}
	return recordIn(w.t, string(line[:max(n, 0)]), id)
}

func (w *worker) ask(id, how string) map[string]any {
	w.t.Helper()
	fmt.Fprintf(w, "%s %s\n", id, how)
	line, err := w.in.ReadString('\n')
	if err != nil {
		w.t.Fatal(err)
	}
	return recordIn(w.t, line, id)
}

// What the log phase is to find must have been written before it can begin: when
// the last byte of the answer is there.
func TestRecordIsThereWhenTheAnswerEnds(t *testing.T) {
	sound := strings.Repeat("sound", 20_000)
	speech := routeConf("audio/v1/audio/speech", "openai", "m", `"upstream_url":"$UP/v1/audio/speech"`)
	next := make(chan struct{})
	for name, c := range map[string]struct {
		conf, body, outcome string
		provider            http.HandlerFunc
	}{
		"a stream": {chatConf, helloStream, "completed", streamed},
		"a stream cut short": {chatConf, helloStream, "upstream_cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			event(w, chunk("hi"))
			panic(http.ErrAbortHandler)
		}},
		"bytes of known length": {speech, `{"input":"x","voice":"alloy"}`, "completed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "audio/mpeg")
			w.Header().Set("Content-Length", fmt.Sprint(len(sound)))
			io.WriteString(w, sound)
		}},
		"bytes of unknown length": {speech, `{"input":"x","voice":"alloy"}`, "completed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "audio/mpeg")
			w.(http.Flusher).Flush()
			io.WriteString(w, sound)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g, a, socket := gatewayFor(t, c.conf, c.provider)
			w := connectWorker(t, g, socket, "7", a.token)
			for i := range 20 {
				id := fmt.Sprint("r", i)
				resp, err := ask(g, t.Context(), a.token+"?shim=1&worker=7&id="+id, c.body)
				if err != nil {
					t.Fatal(err)
				}
				if name == "a slow stream" {
					next <- struct{}{}
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				v := w.there(id)
				if got := resp.Header.Get(headerRecord); got != "#"+id { // the provider was quick
					v = recordIn(t, id+" "+got, id)
				}
				if at(v, "meta.outcome") != c.outcome {
					t.Fatalf("%s: %v, want %s", id, v, c.outcome)
				}
			}
			if v := w.ask("r19", "over"); at(v, "meta.outcome") != c.outcome {
				t.Errorf("what was sent is not kept for a moment: %v", v)
			}
		})
	}
}

func TestLargeRecordsAndUnknownWorkersAsk(t *testing.T) {
	next := make(chan struct{})
	g, a, socket := gateway(t, slowly(next))
	w := connectWorker(t, g, socket, "7", a.token)
	for _, worker := range []string{"", "&worker=8"} {
		resp, err := ask(g, t.Context(), a.token+"?shim=1&id=x"+worker, helloStream)
		if err != nil {
			t.Fatal(err)
		}
		next <- struct{}{}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if v := w.there("x"); v != nil {
			t.Errorf("another worker was sent %v", v)
		}
		if v := w.ask("x", "over"); at(v, "meta.outcome") != "completed" {
			t.Errorf("%v", v)
		}
		if v := w.ask("x", "over"); v != nil {
			t.Errorf("a record was given twice: %v", v)
		}
	}
	for size, pushed := range map[int]bool{maxPushed / 2: true, maxPushed: false} {
		rec := begun()
		rec.logging.Payloads, rec.answer = true, bytes.Repeat([]byte("x"), size)
		g.records.add("large", rec)
		ended(g.records, "large", rec)
		got := g.workers.push("7", "large", rec)
		for end := time.Now().Add(time.Second); pushed && !got && time.Now().Before(end); { // the last answer is still being written
			got = g.workers.push("7", "large", rec)
		}
		if got != pushed {
			t.Errorf("%d bytes were pushed: %v", size, got)
		}
		if pushed {
			w.in.ReadString('\n')
		}
		if v := w.ask("large", "over"); len(at(v, "payload.response").(string)) != size {
			t.Errorf("%d bytes did not come", size)
		}
	}
}

// A worker that stands still must not hold up the relay, and loses nothing.
func TestWorkerThatDoesNotReadMustAskAfterwards(t *testing.T) {
	g, a, socket := gateway(t, answer)
	w := connectWorker(t, g, socket, "7", a.token)
	var asks []string
	total := 0
	began := time.Now()
	for ; total < 20 || len(asks) < 20; total++ {
		id := fmt.Sprint("r", total)
		rec := begun()
		rec.logging.Payloads, rec.answer = true, bytes.Repeat([]byte("x"), 8<<10)
		g.records.add(id, rec)
		ended(g.records, id, rec)
		if !g.workers.push("7", id, rec) {
			asks = append(asks, id)
		}
		if total > 10_000 {
			t.Fatal("the socket holds more than 80 MB")
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("%d records took %v", total, took)
	}
	for range total - len(asks) {
		if _, err := w.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range asks {
		if w.ask(id, "over") == nil {
			t.Errorf("%s is lost", id)
		}
	}
}

func TestStrangersAreHungUpAtTheRecordsSocket(t *testing.T) {
	g, a, socket := gateway(t, answer)
	for name, said := range map[string]string{
		"no token":                  "7\n",
		"a forged token":            "7 1.AAAAAAAAAAAAAAAAAAAAAAAA\nx over\n",
		"a line that does not end":  strings.Repeat("7", 1<<20),
		"silence":                   "",
		"half a line":               "7 " + a.token,
		"a question that is no end": "7 " + a.token + "\n" + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(2 * greetingTime))
			began := time.Now()
			n, err := io.WriteString(c, said)
			if err == nil {
				_, err = io.Copy(io.Discard, c)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("still connected after %v, %d bytes", time.Since(began), n)
			}
			if n > 512<<10 && len(said) > n {
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
	_ = g
}

func TestRecordSocketClosesItsConnections(t *testing.T) {
	s := newRecordSocket(newRecords(), func(string) bool { return true }, testLog)
	closeRecords, err := s.serve(t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	w := s.add(far)
	closeRecords()
	if _, err := near.Write([]byte("x")); err == nil {
		t.Error("a connection is open")
	}
	if s.add(far) != nil {
		t.Error("a connection that was accepted meanwhile is served")
	}
	_ = w
}

func TestModelInAHeaderHasNoControlCharacters(t *testing.T) {
	target := &config.Target{}
	target.Model.Provider, target.Model.Name = "openai", "m"
	e := newEndpoint(target, nil, nil, Timeouts{})
	for model, want := range map[string]string{"m": "openai/m", "a\x00b\r\nX-Evil: 1": "openai/a b  X-Evil: 1", "é": "openai/é"} {
		if got := e.modelAsHeader(model); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", model, got, want)
		}
	}
}

func TestLargeHeadersOfAProviderReachNoKong(t *testing.T) {
	g, a, socket := gateway(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "r")
		for i := range 10 {
			w.Header().Set(fmt.Sprint("X-Large-", i), strings.Repeat("x", 1000))
		}
		answer(w, r)
	})
	w := connectWorker(t, g, socket, "7", a.token)
	resp, err := ask(g, context.Background(), a.token+"?shim=1&worker=7&id=x", hello)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var head bytes.Buffer
	resp.Header.Write(&head)
	if head.Len() > 4<<10-100 || resp.Header.Get("X-Request-Id") != "r" {
		t.Errorf("%d bytes of headers: %v", head.Len(), resp.Header)
	}
	v := w.there("x")
	if got := resp.Header.Get(headerRecord); got != "#x" {
		v = recordIn(t, "x "+got, "x")
	}
	warnings, _ := at(v, "meta.warnings").([]any)
	if len(warnings) != 1 || !strings.Contains(fmt.Sprint(warnings), "headers of the answer were dropped") {
		t.Errorf("record %v", v)
	}
}
