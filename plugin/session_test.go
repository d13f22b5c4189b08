package plugin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/gateway"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/test/lateness"
)

// talk is a realtime session between a client and a scripted provider.
type talk struct {
	*bench
	conn *websocket.Conn
	ctx  context.Context
}

const realtimeRoute = "realtime/v1/realtime"

// provider is a WebSocket server that a script drives.
func socketServer(script func(ctx context.Context, c *websocket.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"realtime"}, InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		script(context.Background(), c)
	}
}

func echo(ctx context.Context, c *websocket.Conn) {
	for {
		kind, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		if c.Write(ctx, kind, p) != nil {
			return
		}
	}
}

func newTalk(t *testing.T, conf, query string, provider http.HandlerFunc, o *websocket.DialOptions) *talk {
	t.Helper()
	b := newBench(t, conf, provider).elsewhere()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	conn, resp, err := websocket.Dial(ctx, b.front.URL+"/realtime"+query, o)
	if err != nil {
		t.Fatalf("%v %v", err, resp)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { conn.CloseNow() })
	return &talk{b, conn, ctx}
}

func (k *talk) say(text string) {
	k.t.Helper()
	if err := k.conn.Write(k.ctx, websocket.MessageText, []byte(text)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *talk) hear(want string) {
	k.t.Helper()
	_, p, err := k.conn.Read(k.ctx)
	if err != nil || string(p) != want {
		k.t.Fatalf("heard %.200q %v, want %.200q", p, err, want)
	}
}

// closing is how the other side closed.
func (k *talk) closing() (websocket.StatusCode, string) {
	k.t.Helper()
	for {
		if _, _, err := k.conn.Read(k.ctx); err != nil {
			var e websocket.CloseError
			if !errors.As(err, &e) {
				return -1, err.Error()
			}
			return e.Code, e.Reason
		}
	}
}

func TestRealtimeMessagesAreForwardedBothWaysAndCountedOnce(t *testing.T) {
	done := `{"type":"response.done","event_id":"e","response":{"id":"r","usage":{"total_tokens":30,"input_tokens":20,"output_tokens":10,"input_token_details":{"text_tokens":5,"audio_tokens":15,"cached_tokens":4},"output_token_details":{"text_tokens":3,"audio_tokens":7}}}}`
	k := newTalk(t, routeConf(realtimeRoute, "openai", "gpt-realtime", `"input_cost":10,"output_cost":20`), "?model=gpt-realtime",
		socketServer(func(ctx context.Context, c *websocket.Conn) {
			c.Write(ctx, websocket.MessageText, []byte(`{"type":"session.created","session":{"model":"gpt-realtime-2026"}}`))
			for range 2 {
				if _, p, err := c.Read(ctx); err != nil || string(p) != `{"type":"response.create"}` {
					t.Errorf("%s %v", p, err)
				}
				c.Write(ctx, websocket.MessageText, []byte(`{"type":"response.output_audio.delta","delta":"AAAA"}`))
				c.Write(ctx, websocket.MessageText, []byte(done))
			}
			c.Read(ctx)
		}), nil)
	k.hear(`{"type":"session.created","session":{"model":"gpt-realtime-2026"}}`)
	for range 2 {
		k.say(`{"type":"response.create"}`)
		k.hear(`{"type":"response.output_audio.delta","delta":"AAAA"}`)
		k.hear(done)
	}
	k.conn.Close(websocket.StatusNormalClosure, "bye")
	r, _ := k.asked()
	if r.URL.RequestURI() != "/v1/realtime?model=gpt-realtime" || r.Header.Get("Authorization") != "Bearer CANARY-KEY" {
		t.Errorf("asked %s %v", r.URL, r.Header)
	}
	rec := k.record()
	for path, want := range map[string]any{
		"meta.request_mode": "realtime", "meta.outcome": "completed", "meta.response_model": "gpt-realtime-2026",
		"usage.input_tokens": 40.0, "usage.output_tokens": 20.0, "usage.total_tokens": 60.0, "usage.input_tokens_details.audio_tokens_count": 30.0,
		"usage.output_tokens_details.audio_tokens": 14.0, "usage.input_tokens_details.cached_tokens": 8.0, "usage.cost": 0.0008, "tried_targets.0.status": 101.0,
	} {
		if got := at(rec, path); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	if len(k.records) != 0 {
		t.Error("there is more than one record")
	}
}

func TestRealtimePathsOfAzure(t *testing.T) {
	for _, c := range []struct{ version, query, want string }{
		{"2025-04-01-preview", "", "/openai/realtime?deployment=dep&api-version=2025-04-01-preview"},
		{"2025-04-01-preview", "?deployment=other", "/openai/realtime?deployment=dep&api-version=2025-04-01-preview"},
		{"2023-05-15", "", "/openai/v1/realtime?model=dep"},
		{"v1", "?model=gpt-realtime", "/openai/v1/realtime?model=dep"},
		{"2025-08-28", "", "/openai/v1/realtime?model=dep"},
	} {
		k := newTalk(t, routeConf(realtimeRoute, "azure", "gpt-realtime", `"azure_instance":"i","azure_deployment_id":"dep","azure_api_version":"`+c.version+`"`), c.query, socketServer(echo), nil)
		k.say("x")
		k.hear("x")
		if r, _ := k.asked(); r.URL.RequestURI() != c.want {
			t.Errorf("%s: asked %s, want %s", c.version, r.URL.RequestURI(), c.want)
		}
		k.conn.Close(websocket.StatusNormalClosure, "")
	}
}

func TestKeysInSubprotocolsAreNotForwarded(t *testing.T) {
	k := newTalk(t, routeConf(realtimeRoute, "openai", "m", ""), "", socketServer(echo), &websocket.DialOptions{
		Subprotocols: []string{"realtime", "openai-insecure-api-key.CLIENT-SECRET", "openai-beta.realtime-v1"},
		HTTPHeader:   http.Header{"Cookie": {"CLIENT-SECRET"}, "Authorization": {"Bearer CLIENT-SECRET"}, "Openai-Beta": {"realtime=v1"}, "Origin": {"https://page.example"}},
	})
	if k.conn.Subprotocol() != "realtime" {
		t.Errorf("subprotocol %q", k.conn.Subprotocol())
	}
	r, _ := k.asked()
	if all := fmt.Sprint(r.Header, r.URL); strings.Contains(all, "CLIENT-SECRET") || strings.Contains(all, "page.example") {
		t.Errorf("reached the provider: %s", all)
	}
	if got := strings.Join(r.Header["Sec-Websocket-Protocol"], ","); got != "realtime,openai-beta.realtime-v1" || r.Header.Get("OpenAI-Beta") != "realtime=v1" {
		t.Errorf("subprotocols %q %v", got, r.Header)
	}
}

func TestCloseCodesAreForwarded(t *testing.T) {
	for _, c := range []struct {
		code    websocket.StatusCode
		reason  string
		outcome string
	}{
		{websocket.StatusNormalClosure, "bye", "completed"},
		{websocket.StatusGoingAway, "", "completed"},
		{4008, "session expired", "failed"},
		{websocket.StatusInternalError, strings.Repeat("x", 123), "failed"},
	} {
		k := newTalk(t, routeConf(realtimeRoute, "openai", "m", ""), "", socketServer(func(ctx context.Context, s *websocket.Conn) { s.Close(c.code, c.reason) }), nil)
		code, reason := k.closing()
		if code != c.code || !strings.HasPrefix(c.reason, reason) || len(reason) < len(c.reason)-3 {
			t.Errorf("the client was told %d %q, want %d %q", code, reason, c.code, c.reason)
		}
		if rec := k.record(); at(rec, "meta.outcome") != c.outcome {
			t.Errorf("%d: record %v", c.code, rec)
		}
		// and the other way
		told := make(chan websocket.StatusCode, 1)
		k = newTalk(t, routeConf(realtimeRoute, "openai", "m", ""), "", socketServer(func(ctx context.Context, s *websocket.Conn) {
			_, _, err := s.Read(ctx)
			told <- websocket.CloseStatus(err)
		}), nil)
		k.conn.Close(c.code, c.reason)
		if code := <-told; code != c.code {
			t.Errorf("the provider was told %d, want %d", code, c.code)
		}
		if rec := k.record(); at(rec, "meta.outcome") != "completed" {
			t.Errorf("%d: record %v", c.code, rec)
		}
	}
}

func TestSessionEndsWhenOneSideVanishes(t *testing.T) {
	told := make(chan error, 1)
	k := newTalk(t, routeConf(realtimeRoute, "openai", "m", ""), "", socketServer(func(ctx context.Context, s *websocket.Conn) {
		_, _, err := s.Read(ctx)
		told <- err
	}), nil)
	machine := lateness.Start(t)
	gone := time.Now()
	k.conn.CloseNow()
	if err := <-told; websocket.CloseStatus(err) != websocket.StatusGoingAway || time.Since(gone) > machine.Within(50*time.Millisecond) {
		t.Errorf("the provider was told %v after %v", err, time.Since(gone))
	}
	if rec := k.record(); at(rec, "meta.outcome") != "client_aborted" {
		t.Errorf("record %v", rec)
	}
	k = newTalk(t, routeConf(realtimeRoute, "openai", "m", ""), "", socketServer(func(ctx context.Context, s *websocket.Conn) { s.CloseNow() }), nil)
	if code, _ := k.closing(); code != websocket.StatusInternalError {
		t.Errorf("the client was told %d", code)
	}
	if rec := k.record(); at(rec, "meta.outcome") != "upstream_cut" {
		t.Errorf("record %v", rec)
	}
}

func TestRefusedUpgradesAreHTTPAnswers(t *testing.T) {
	refused := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":{"message":"bad key"}}`)
	}
	for _, c := range []struct {
		name, query string
		provider    http.HandlerFunc
		status      int
		want        string
	}{
		{"by the provider", "", refused, 401, "bad key"},
		{"another model", "?model=other", socketServer(echo), 400, "cannot use own model"},
		{"no WebSocket there", "", answer, 502, ""},
	} {
		b := newBench(t, routeConf(realtimeRoute, "openai", "m", ""), c.provider).elsewhere()
		_, resp, err := websocket.Dial(context.Background(), b.front.URL+"/rt"+c.query, nil)
		if err == nil || resp == nil || resp.StatusCode != c.status {
			t.Errorf("%s: %v %v", c.name, err, resp)
			continue
		}
		body := make([]byte, 1000)
		n, _ := resp.Body.Read(body)
		if !strings.Contains(string(body[:n]), c.want) {
			t.Errorf("%s: %s", c.name, body[:n])
		}
		b.record()
	}
}

func TestSessionMovesToTheNextTargetBeforeTheUpgrade(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }))
	defer down.Close()
	target := func(url string, weight int) string {
		return fmt.Sprintf(`{"weight":%d,"route_type":"realtime/v1/realtime","model":{"provider":"openai","name":"m","options":{"upstream_url":"%s/v1/realtime"}},"auth":{},"logging":{"log_statistics":true}}`, weight, url)
	}
	conf := `{"balancer":{"algorithm":"priority","failover_criteria":["http_503"]},"targets":[` + target(down.URL, 100) + `,` + target("$UP", 1) + `]}`
	b := newBench(t, conf, socketServer(echo))
	conn, _, err := websocket.Dial(context.Background(), b.front.URL+"/rt?intent=x&model=m", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(websocket.StatusNormalClosure, "")
	if rec := b.record(); at(rec, "tried_targets.0.status") != 503.0 && at(rec, "tried_targets.1.status") != 101.0 {
		t.Errorf("record %v", rec)
	}
}

func TestLongMessagesAreForwardedAndTooLongOnesRefused(t *testing.T) {
	conf := strings.Replace(routeConf(realtimeRoute, "openai", "m", ""), `{"route_type"`, `{"max_request_body_size":2000000,"route_type"`, 1)
	k := newTalk(t, conf, "", socketServer(echo), nil)
	for _, n := range []int{0, 1, 4095, 4096, 4097, 300_000, 1_900_000} {
		text := strings.Repeat("x", n)
		k.say(text)
		k.hear(text)
	}
	k.conn.Write(k.ctx, websocket.MessageBinary, []byte{0, 1, 2})
	if kind, p, err := k.conn.Read(k.ctx); err != nil || kind != websocket.MessageBinary || string(p) != "\x00\x01\x02" {
		t.Errorf("%v %q %v", kind, p, err)
	}
	k.conn.Write(k.ctx, websocket.MessageText, make([]byte, 2_100_000))
	if code, _ := k.closing(); code != websocket.StatusMessageTooBig && code != -1 {
		t.Errorf("the client was told %d", code)
	}
	if rec := k.record(); at(rec, "meta.outcome") != "refused" {
		t.Errorf("record %v", rec)
	}
}

func TestIdleSessionsEndUnlessPinged(t *testing.T) {
	conf := `{"balancer":{"read_timeout":200},"targets":[{"route_type":"realtime/v1/realtime","model":{"provider":"openai","name":"m","options":{}},"auth":{},"logging":{"log_statistics":true}}]}`
	machine := lateness.Start(t)
	began := time.Now()
	k := newTalk(t, conf, "", socketServer(echo), nil)
	code, reason := k.closing()
	if d := time.Since(began); code != websocket.StatusGoingAway || !strings.Contains(reason, "nothing was said") || d < 150*time.Millisecond || d > machine.Within(2*time.Second) {
		t.Errorf("%d %q after %v", code, reason, d)
	}
	k.record()

	conf = strings.Replace(conf, `"read_timeout":200`, `"read_timeout":1500`, 1)
	lateness.Undisturbed(t, 300*time.Millisecond, func() string {
		var pings atomic.Int32
		k := newTalk(t, conf, "", func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{OnPingReceived: func(context.Context, []byte) bool { pings.Add(1); return true }})
			if err == nil {
				echo(context.Background(), c)
				c.CloseNow()
			}
		}, nil)
		defer k.conn.CloseNow()
		heard := make(chan string, 1)
		go func() {
			_, p, _ := k.conn.Read(k.ctx)
			heard <- string(p)
		}()
		for range 18 {
			time.Sleep(100 * time.Millisecond)
			if err := k.conn.Ping(k.ctx); err != nil {
				return err.Error()
			}
		}
		if err := k.conn.Write(k.ctx, websocket.MessageText, []byte("still here")); err != nil {
			return err.Error()
		}
		if got := <-heard; got != "still here" || pings.Load() == 0 {
			return fmt.Sprintf("%q, %d pings reached the provider", got, pings.Load())
		}
		return ""
	})
}

// Kong's log phase asks for a session's record when the session is over.
func TestSessionThroughTheGatewayLeavesItsRecord(t *testing.T) {
	up := httptest.NewServer(socketServer(echo))
	defer up.Close()
	g, err := gateway.New(NewRelay(testSchema, zerolog.Nop(), enginetest.Kind), zerolog.Nop(), enginetest.Kind)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Drain()
	a, err := g.Open([]byte(routeConf(realtimeRoute, "openai", "m", `"upstream_url":"`+strings.Replace(up.URL, "http", "ws", 1)+`/v1/realtime"`)))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	host, port := a.Addr()
	conn, resp, err := websocket.Dial(t.Context(), fmt.Sprintf("ws://%s:%d/rt", host, port), &websocket.DialOptions{
		HTTPHeader: http.Header{"Proxy-Authorization": {a.Header(&wire.Context{Shim: true, RequestID: "r1"})}},
	})
	if err != nil {
		t.Fatal(err, resp)
	}
	if got := recordHeader(resp.Header); got != "#r1" || resp.Header.Get("X-Kong-LLM-Model") != "openai/m" {
		t.Errorf("headers %v", resp.Header)
	}
	k := &talk{&bench{t: t}, conn, t.Context()}
	done := `{"type":"response.done","response":{"usage":{"input_tokens":2,"output_tokens":3,"total_tokens":5}}}`
	k.say(done)
	k.hear(done)
	conn.Close(websocket.StatusNormalClosure, "")
	rec := g.Record("r1")
	if rec == nil {
		t.Fatal("no record")
	}
	if text := string(rec.Append(nil)); !strings.Contains(text, `"total_tokens":5`) || !strings.Contains(text, `"request_mode":"realtime"`) {
		t.Errorf("record %s", text)
	}
	if _, resp, err := websocket.Dial(t.Context(), fmt.Sprintf("ws://%s:%d/rt", host, port), nil); err == nil || resp.StatusCode != 403 {
		t.Errorf("a stranger got %v", resp)
	}
}

// What a session has used counts for its target, as any answer's usage does.
func TestUsageOfASessionCountsForTheBalancer(t *testing.T) {
	target := func(model string) string {
		return `{"route_type":"` + realtimeRoute + `","auth":{},"model":{"provider":"openai","name":"` + model + `"}}`
	}
	conf := `{"balancer":{"algorithm":"lowest-usage"},"targets":[` + target("m0") + "," + target("m1") + `]}`
	done := `{"type":"response.done","response":{"usage":{"input_tokens":2000,"output_tokens":3000,"total_tokens":5000}}}`
	k := newTalk(t, conf, "", socketServer(echo), nil)
	session := func(say string) (asked string) {
		conn, _, err := websocket.Dial(k.ctx, k.front.URL+"/realtime", nil)
		if err != nil {
			t.Fatal(err)
		}
		one := &talk{k.bench, conn, k.ctx}
		one.say(say)
		one.hear(say)
		conn.Close(websocket.StatusNormalClosure, "")
		k.record()
		r, _ := k.asked()
		return r.URL.Query().Get("model")
	}
	k.say(done)
	k.hear(done)
	k.conn.Close(websocket.StatusNormalClosure, "")
	k.record()
	r, _ := k.asked()
	first := r.URL.Query().Get("model")
	for range 6 {
		if next := session(`{"type":"session.updated"}`); next == first {
			t.Fatalf("%s was asked again after it had used 5,000 tokens, and the other none", next)
		}
	}
}
