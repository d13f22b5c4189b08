package plugin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/gateway"
	"go-ai-proxy/test/ports"
)

// gatewayTo is a Gateway with one instance in front of a provider.
func gatewayTo(t *testing.T, provider http.HandlerFunc) (*gateway.Gateway, *gateway.Access, string) {
	t.Helper()
	return gatewayFor(t, chatConf, provider)
}

// gatewayFor is gatewayTo with a configuration in which $UP is the provider.
func gatewayFor(t *testing.T, conf string, provider http.HandlerFunc) (*gateway.Gateway, *gateway.Access, string) {
	t.Helper()
	up := httptest.NewServer(provider)
	g, err := gateway.New(NewRelay(testSchema, zerolog.Nop(), enginetest.Kind), zerolog.Nop(), enginetest.Kind)
	if err != nil {
		t.Fatal(err)
	}
	dir := ports.Dir(t)
	_, port := g.Addr()
	socket := filepath.Join(dir, fmt.Sprintf(gateway.RecordSocket, port))
	closeRecords, err := g.ServeIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := g.Open([]byte(strings.ReplaceAll(conf, "$UP", up.URL)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		closeRecords()
		a.Close()
		up.CloseClientConnections()
		g.Drain()
		up.Close()
	})
	return g, a, socket
}

// headerRecord is where the shim finds the record of a request, or its id.
const headerRecord = "X-Go-Ai-Proxy-Record"

func ask(g *gateway.Gateway, ctx context.Context, token, body string) (*http.Response, error) {
	_, port := g.Addr()
	req, _ := http.NewRequestWithContext(ctx, "POST", fmt.Sprintf("http://127.0.0.1:%d/chat", port), strings.NewReader(body))
	if token != "" {
		req.Header.Set("Proxy-Authorization", token)
	}
	return http.DefaultClient.Do(req)
}

// shimAsks asks for a record as the shim does.
func shimAsks(t *testing.T, socket, id, token string) map[string]any {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "7 %s\n%s left\n", token, id)
	line, _ := bufio.NewReader(c).ReadString('\n')
	return recordIn(t, line, id)
}

// recordIn is the record in a line of the records' socket; nil when there is none.
func recordIn(t *testing.T, line, id string) map[string]any {
	t.Helper()
	text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), id+" ")
	if line != "" && !ok {
		t.Fatalf("%q is no answer to %s", line, id)
	}
	var v map[string]any
	if text != "" {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// recordHeader is the header with the record or its id, without who was asked, which
// stands before it.
func recordHeader(h http.Header) string {
	text := h.Get(headerRecord)
	if words := strings.SplitN(text, " ", 5); len(words) == 5 && text[0] != '{' {
		return words[4]
	}
	return text
}

// slowly is streamed with a stop after the first event.
func slowly(next chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, chunk("well, "))
		<-next
		streamed(w, r)
	}
}

func TestRecordGoesInTheHeaderOrByID(t *testing.T) {
	next := make(chan struct{})
	g, a, socket := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if strings.Contains(string(b), `"stream":true`) {
			slowly(next)(w, r)
			return
		}
		answer(w, r)
	})
	resp, err := ask(g, t.Context(), a.Header(nil)+"?shim=1&id=r1", hello)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var rec map[string]any
	if err := json.Unmarshal([]byte(recordHeader(resp.Header)), &rec); err != nil || at(rec, "usage.prompt_tokens") != 7.0 {
		t.Errorf("%v %v", resp.Header, err)
	}
	if v := shimAsks(t, socket, "r1", a.Header(nil)); at(v, "usage.prompt_tokens") != 7.0 {
		t.Errorf("a record that went in the header is not kept for a client that left before it arrived: %v", v)
	}
	resp, err = ask(g, t.Context(), a.Header(nil)+"?shim=1&id=r2", helloStream)
	if err != nil {
		t.Fatal(err)
	}
	close(next)
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if got := recordHeader(resp.Header); got != "#r2" {
		t.Fatalf("header %q", got)
	}
	if v := shimAsks(t, socket, "r2", "1.forged"); v != nil {
		t.Errorf("a forged token got %v", v)
	}
	if v := shimAsks(t, socket, "r2", a.Header(nil)); at(v, "usage.prompt_tokens") != 7.0 || at(v, "meta.outcome") != "completed" {
		t.Errorf("%v", v)
	}
	resp, err = ask(g, t.Context(), a.Header(nil), hello)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if v := recordHeader(resp.Header); v != "" {
		t.Errorf("without the shim a client would see %q", v)
	}
}

func TestRecordOfAnAbortedRequestSaysSo(t *testing.T) {
	for _, phase := range []string{"before the header", "in the stream"} {
		t.Run(phase, func(t *testing.T) {
			began := make(chan struct{})
			g, a, socket := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if phase == "in the stream" {
					w.Header().Set("Content-Type", "text/event-stream")
					event(w, chunk("four by"))
				}
				close(began)
				<-r.Context().Done()
			})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-began
				if phase == "before the header" {
					cancel()
				}
			}()
			if resp, err := ask(g, ctx, a.Header(nil)+"?shim=1&id=x", helloStream); err == nil {
				readUntil(resp.Body, "four by")
				cancel()
				resp.Body.Close()
			}
			v := shimAsks(t, socket, "x", a.Header(nil))
			if at(v, "meta.outcome") != "client_aborted" {
				t.Errorf("%v", v)
			}
			if n, _ := at(v, "usage.completion_tokens").(float64); phase == "in the stream" && n != 2 {
				t.Errorf("%v completion tokens", n)
			}
		})
	}
}

// worker is one of Kong's workers at the records' socket.
type worker struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// connectWorker greets, and waits to be known.
func connectWorker(t *testing.T, socket, name, token string) *worker {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	fmt.Fprintf(c, "%s %s\n", name, token)
	w := &worker{t, c, bufio.NewReader(c)}
	if v := w.ask("none", "over"); v != nil { // whose answer says that the worker is known
		t.Fatalf("%v is no request's record", v)
	}
	return w
}

// there is the record of id if it is in the socket now.
func (w *worker) there(id string) map[string]any {
	w.t.Helper()
	raw, err := w.Conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	line, n := make([]byte, 64<<10), 0
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
func TestRecordIsReadyWhenTheAnswerEnds(t *testing.T) {
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
			w := connectWorker(t, socket, "7", a.Header(nil))
			request := func(id string) (pushed map[string]any) {
				resp, err := ask(g, t.Context(), a.Header(nil)+"?shim=1&worker=7&id="+id, c.body)
				if err != nil {
					t.Fatal(err)
				}
				if name == "a slow stream" {
					next <- struct{}{}
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				pushed = w.there(id)
				if got := recordHeader(resp.Header); got != "#"+id { // the provider was quick
					pushed = recordIn(t, id+" "+got, id)
				}
				return pushed
			}
			// The worker has been answered, which may not have ended yet on the relay's
			// side: it pushes nothing meanwhile.
			inARow := 0
			eventually(t, "no record is pushed", func() bool {
				inARow++
				if request(fmt.Sprint("first", inARow)) == nil {
					inARow = 0
				}
				return inARow == 3
			})
			for i := range 20 {
				id := fmt.Sprint("r", i)
				if v := request(id); at(v, "meta.outcome") != c.outcome {
					t.Fatalf("%s: %v, want %s", id, v, c.outcome)
				}
			}
			if v := w.ask("r19", "over"); at(v, "meta.outcome") != c.outcome {
				t.Errorf("what was sent is not kept for a moment: %v", v)
			}
		})
	}
}

func TestWorkerAsksForTheRecordOfAnotherWorkersRequest(t *testing.T) {
	next := make(chan struct{})
	g, a, socket := gatewayTo(t, slowly(next))
	w := connectWorker(t, socket, "7", a.Header(nil))
	for _, worker := range []string{"", "&worker=8"} {
		resp, err := ask(g, t.Context(), a.Header(nil)+"?shim=1&id=x"+worker, helloStream)
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
}

func TestLargeProviderHeadersAreDroppedBeforeKong(t *testing.T) {
	g, a, socket := gatewayTo(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "r")
		for i := range 10 {
			w.Header().Set(fmt.Sprint("X-Large-", i), strings.Repeat("x", 1000))
		}
		answer(w, r)
	})
	w := connectWorker(t, socket, "7", a.Header(nil))
	resp, err := ask(g, context.Background(), a.Header(nil)+"?shim=1&worker=7&id=x", hello)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var head bytes.Buffer
	resp.Header.Write(&head)
	if head.Len() > 4<<10-100 || resp.Header.Get("X-Request-Id") != "r" {
		t.Errorf("%d bytes of headers: %v", head.Len(), resp.Header)
	}
	var v map[string]any
	if got := recordHeader(resp.Header); got != "#x" {
		v = recordIn(t, "x "+got, "x")
	} else { // pushed already or not: its line is the next
		v = w.ask("x", "over")
	}
	warnings, _ := at(v, "meta.warnings").([]any)
	if len(warnings) != 1 || !strings.Contains(fmt.Sprint(warnings), "headers of the answer were dropped") {
		t.Errorf("record %v", v)
	}
}
