package plugin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// gateway is a Gateway with one instance in front of a provider.
func gateway(t *testing.T, provider http.HandlerFunc) (*Gateway, *Access, string) {
	t.Helper()
	return gatewayFor(t, chatConf, provider)
}

// gatewayFor is gateway with a configuration in which $UP is the provider.
func gatewayFor(t *testing.T, conf string, provider http.HandlerFunc) (*Gateway, *Access, string) {
	t.Helper()
	up := httptest.NewServer(provider)
	g, err := NewGateway(zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, port := g.Addr()
	socket := filepath.Join(dir, fmt.Sprintf(RecordSocket, port))
	closeRecords, err := g.ServeRecords(dir)
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
		g.drain()
		up.Close()
	})
	return g, a, socket
}

func ask(g *Gateway, ctx context.Context, token, body string) (*http.Response, error) {
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

func TestNobodyGetsInWithoutAToken(t *testing.T) {
	g, a, _ := gateway(t, answer)
	for name, c := range map[string]struct {
		token  string
		status int
		ask    bool // the shim is told to ask access anew
	}{
		"none":            {"", 403, false},
		"forged":          {"1.AAAAAAAAAAAAAAAAAAAAAAAA", 503, true},
		"another id":      {"zz." + strings.SplitN(a.token, ".", 2)[1], 503, true},
		"good":            {a.token, 200, false},
		"with a context":  {a.token + "?path=%2Fx&ip=127.0.0.1", 200, false},
		"with a bad one":  {a.token + "?path=%zz", 503, true},
		"closed instance": {"closed", 503, true},
	} {
		token := c.token
		if token == "closed" {
			other, _ := g.Open([]byte(chatConf))
			token = other.token
			other.Close()
		}
		resp, err := ask(g, t.Context(), token, hello)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status || (resp.Header.Get(headerUnknown) != "") != c.ask {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
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
	g, a, socket := gateway(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if strings.Contains(string(b), `"stream":true`) {
			slowly(next)(w, r)
			return
		}
		answer(w, r)
	})
	resp, err := ask(g, t.Context(), a.token+"?shim=1&id=r1", hello)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var rec map[string]any
	if err := json.Unmarshal([]byte(resp.Header.Get(headerRecord)), &rec); err != nil || at(rec, "usage.prompt_tokens") != 7.0 {
		t.Errorf("%v %v", resp.Header, err)
	}
	if v := shimAsks(t, socket, "r1", a.token); at(v, "usage.prompt_tokens") != 7.0 {
		t.Errorf("a record that went in the header is not kept for a client that left before it arrived: %v", v)
	}
	resp, err = ask(g, t.Context(), a.token+"?shim=1&id=r2", helloStream)
	if err != nil {
		t.Fatal(err)
	}
	close(next)
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if got := resp.Header.Get(headerRecord); got != "#r2" {
		t.Fatalf("header %q", got)
	}
	if v := shimAsks(t, socket, "r2", "1.forged"); v != nil {
		t.Errorf("a forged token got %v", v)
	}
	if v := shimAsks(t, socket, "r2", a.token); at(v, "usage.prompt_tokens") != 7.0 || at(v, "meta.outcome") != "completed" {
		t.Errorf("%v", v)
	}
	resp, err = ask(g, t.Context(), a.token, hello)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if v := resp.Header.Get(headerRecord); v != "" {
		t.Errorf("without the shim a client would see %q", v)
	}
}

func TestRecordOfAnAbortedRequestSaysSo(t *testing.T) {
	for _, phase := range []string{"before the header", "in the stream"} {
		t.Run(phase, func(t *testing.T) {
			began := make(chan struct{})
			g, a, socket := gateway(t, func(w http.ResponseWriter, r *http.Request) {
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
				time.Sleep(20 * time.Millisecond)
				cancel()
			}()
			if resp, err := ask(g, ctx, a.token+"?shim=1&id=x", helloStream); err == nil {
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			v := shimAsks(t, socket, "x", a.token)
			if at(v, "meta.outcome") != "client_aborted" {
				t.Errorf("%v", v)
			}
			if n, _ := at(v, "usage.completion_tokens").(float64); phase == "in the stream" && n != 2 {
				t.Errorf("%v completion tokens", n)
			}
		})
	}
}

func TestContextSurvivesItsWay(t *testing.T) {
	want := Context{Shim: true, Path: "/a b/%2F?x=1&y", ClientIP: "::1", RequestID: "r", Captures: map[string]string{"m&n": "ü=%"},
		Consumer: Consumer{ID: "i", Username: "u s", CustomID: "c"}, Groups: []string{"g1", "g2"}, GroupIDs: []string{"1"}}
	got, err := decodeContext(encodeContext(&want))
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v\n%v\n%v", err, got, want)
	}
}

func FuzzContext(f *testing.F) {
	f.Add("shim=1&path=%2F&c.model=x&groups=a&groups=b")
	f.Add("%zz=1&&=&c.=")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := decodeContext(s)
		if err != nil {
			return
		}
		again, err := decodeContext(encodeContext(&c))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
			t.Errorf("%q: %v, then %v (%v)", s, c, again, err)
		}
	})
}
