package shim

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
)

const (
	recordHeader  = "X-Go-AI-Proxy-Record"
	unknownHeader = "X-Go-AI-Proxy-Unknown"
	token         = "i1.6d6163"
)

// hello is a relay's answer with its record in a header.
func hello(w http.ResponseWriter, _ seen) {
	w.Header().Set(recordHeader, `{"meta":{"provider_name":"openai"},"usage":{"total_tokens":37,"cost":0.00037},"tried_targets":[{"port":443}]}`)
	io.WriteString(w, "hello")
}

const (
	patient = 20 * time.Second // for a test that is to see a record
	// forgiving gives up a question, and has as long for the next ones.
	forgiving = 3 * time.Second
	hasty     = 5 * time.Millisecond
	// talkative is hasty, and says after a second what it has counted.
	talkative = 6 * time.Millisecond
	// unwaiting is hasty, and does not wait long for a plugin server.
	unwaiting = 7 * time.Millisecond
	// asShipped is what the handler says.
	asShipped = 0
)

// start gives a gateway whose Go names a relay that answers with serve.
func start(t *testing.T, serve func(http.ResponseWriter, seen)) (*gateway, *relay) {
	g := startGateway(t, 1, patient)
	r := startRelay(t, token, serve)
	g.script(r.access(""))
	return g, r
}

func want[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

func TestGoIsAskedOncePerWorkerAndConfiguration(t *testing.T) {
	g := startGateway(t, 2, patient)
	r := startRelay(t, token, hello)
	g.script(r.access(""))
	asked := map[string]bool{}
	for i := range 40 {
		config := []string{"a", "b"}[i%2]
		a := g.post("/v1", "{}", "X-Test-Config", config)
		want(t, "status", a.StatusCode, 200)
		asked[a.Header.Get("X-Worker")+" "+config] = true
	}
	want(t, "calls of Go", len(g.calls()), len(asked))
	want(t, "requests at the relay", len(r.requests()), 40)
}

// Kong's ai-prompt-decorator sends the messages only, and keeps the rest for Kong's own
// ai-proxy.
func TestADecoratedRequestKeepsItsOtherMembers(t *testing.T) {
	g, r := start(t, hello)
	const body = `{"messages":[{"role":"user","content":"hi"}],"stream":true,"temperature":0.5}`
	g.post("/v1", body, "X-Test-Ai", "decorate-prompt")
	g.post("/v1", body, "X-Test-Ai", "parse-request") // which changes nothing
	for i, members := range []int{3, 1} {
		var got map[string]any
		if err := json.Unmarshal([]byte(r.requests()[i].body), &got); err != nil {
			t.Fatal(err)
		}
		want(t, "members", len(got), members)
		want(t, "messages", len(got["messages"].([]any)), 2)
	}
}

func TestNewConfigurationAsksGoAgain(t *testing.T) {
	g, _ := start(t, hello)
	g.post("/v1", "{}")
	g.post("/v1", "{}")
	next := startRelay(t, "i2.6d6163", hello)
	g.script(next.access(""))
	g.post("/_reconfigure", "")
	want(t, "status", g.post("/v1", "{}").StatusCode, 200)
	want(t, "calls of Go", len(g.calls()), 2)
	want(t, "requests at the new relay", len(next.requests()), 1)
}

func TestManyConfigurationsLeaveNoMemoryBehind(t *testing.T) {
	g := startGateway(t, 1, patient)
	g.script(access{Port: 1, Header: token + "?need=captures"})
	a := g.post("/_churn", "")
	bytes, err := strconv.ParseFloat(strings.TrimSpace(a.body), 64)
	if err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if calls := len(g.calls()); calls != 10100 {
		t.Fatalf("Go was called %d times", calls)
	}
	if bytes > 100<<10 {
		t.Errorf("10000 configurations left %.0f bytes", bytes)
	}
}

func TestRecordInHeaderGoesToTheLogOnly(t *testing.T) {
	g, _ := start(t, hello)
	a := g.post("/v1", "{}")
	want(t, "body", a.body, "hello")
	for name := range a.Header {
		if strings.HasPrefix(name, "X-Go-Ai-Proxy") {
			t.Errorf("the client sees %s", name)
		}
	}
	want(t, "record", g.entries(1)[0].Record, map[string]any{
		"meta":          map[string]any{"provider_name": "openai"},
		"usage":         map[string]any{"total_tokens": 37.0, "cost": 0.00037},
		"tried_targets": []any{map[string]any{"port": 443.0}},
	})
}

func TestHeadersAreTakenOffInAnyCasing(t *testing.T) {
	g, _ := start(t, func(w http.ResponseWriter, _ seen) {
		w.Header()["x-go-ai-proxy-RECORD"] = []string{`{"a":1}`}
		w.Header()["X-GO-AI-PROXY-unknown"] = []string{"1"}
	})
	a := g.post("/v1", "{}")
	for name := range a.Header {
		if strings.HasPrefix(strings.ToLower(name), "x-go-ai-proxy") {
			t.Errorf("the client sees %s", name)
		}
	}
	want(t, "record", g.entries(1)[0].Record, map[string]any{"a": 1.0})
}

func TestBrokenRecordIsAWarning(t *testing.T) {
	for _, record := range []string{"{", "7", `"text"`, ""} {
		g, _ := start(t, func(w http.ResponseWriter, _ seen) {
			w.Header().Set(recordHeader, record)
			io.WriteString(w, "hello")
		})
		want(t, "body", g.post("/v1", "{}").body, "hello")
		e := g.entries(1)[0]
		if e.Record != nil || (record != "" && len(e.Complaints) != 1) {
			t.Errorf("%q: record %v, complaints %q", record, e.Record, e.Complaints)
		}
	}
}

func TestCredentialsAreHiddenInTheLog(t *testing.T) {
	g, r := start(t, hello)
	g.post("/v1", "{}", "Api-Key", "secret", "Api-Key", "secret too", "X-Amz-Security-Token", "secret", "X-Other", "seen")
	with := g.entries(1)[0].Headers // before the next: entries come in the order of their log phases
	g.post("/v1", "{}")
	without := g.entries(2)[1].Headers
	want(t, "header at the relay", r.requests()[0].header["Api-Key"], []string{"secret", "secret too"})
	for _, name := range []string{"api-key", "x-amz-security-token"} {
		want(t, name, with[name], any("REDACTED"))
		want(t, name, without[name], nil)
	}
	want(t, "x-other", with["x-other"], any("seen"))
}

func TestEventsArriveOneByOne(t *testing.T) {
	next := make(chan struct{})
	g, _ := start(t, func(w http.ResponseWriter, _ seen) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		w.Header().Set(recordHeader, "#r1")
		for i := range 3 {
			fmt.Fprintf(w, "data: {\"n\":%d}\n\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-next:
			case <-time.After(20 * time.Second):
				return
			}
		}
		io.WriteString(w, "data: [DONE]\n\n")
	})
	asked := startRecords(t, g, func(string) string { return `{"usage":{"total_tokens":3}}` + "\n" })

	response, err := g.client.Post(g.url+"/v1", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	events := bufio.NewReader(response.Body)
	for i := range 3 {
		line, err := events.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		want(t, "event", line, fmt.Sprintf("data: {\"n\":%d}\n", i))
		events.ReadString('\n')
		next <- struct{}{} // the next event is written only now
	}
	rest, _ := io.ReadAll(events)
	want(t, "end", string(rest), "data: [DONE]\n\n")
	want(t, "record", g.entries(1)[0].Record, map[string]any{"usage": map[string]any{"total_tokens": 3.0}})
	want(t, "question", asked.lines(), []string{"r1 over\n"})
}

func TestLargeBodyReachesTheRelayWhole(t *testing.T) {
	g, r := start(t, hello)
	body := strings.Repeat("0123456789abcdef", 10<<20/16)
	want(t, "status", g.post("/v1", body).StatusCode, 200)
	if r.requests()[0].body != body {
		t.Error("the body was changed on its way")
	}
}

func TestLargeRecordIsTakenWhole(t *testing.T) {
	g, _ := start(t, func(w http.ResponseWriter, _ seen) { w.Header().Set(recordHeader, "#big") })
	text := strings.Repeat("a payload that was logged ", 1<<20/26)
	startRecords(t, g, func(string) string { return `{"payload":{"request":"` + text + `"}}` + "\n" })
	g.post("/v1", "{}")
	e := g.entries(1)[0]
	if e.Record == nil {
		t.Fatalf("no record: %q", e.Complaints)
	}
	want(t, "payload", e.Record["payload"], any(map[string]any{"request": text}))
	t.Logf("1 MB took %.1f ms", e.Milliseconds)
}

func TestRecordIsAskedWhenTheClientGoesAway(t *testing.T) {
	for name, answered := range map[string]bool{"in mid-stream": true, "before the answer": false} {
		t.Run(name, func(t *testing.T) {
			began, over := make(chan struct{}), make(chan struct{})
			g, r := start(t, func(w http.ResponseWriter, _ seen) {
				if answered {
					w.Header().Set("X-Accel-Buffering", "no")
					w.Header().Set(recordHeader, "#r1")
					io.WriteString(w, "data: 1\n\n")
					w.(http.Flusher).Flush()
				}
				close(began)
				<-over
			})
			defer close(over)
			asked := startRecords(t, g, func(string) string { return `{"counted":"so far"}` + "\n" })

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, "POST", g.url+"/v1", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			came, gone := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(gone)
				response, err := g.client.Do(request)
				if err == nil {
					io.ReadFull(response.Body, make([]byte, len("data: 1")))
					close(came)
					io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
			}()
			<-began
			if answered {
				select {
				case <-came: // nginx has seen the answer begin
				case <-gone:
				}
			}
			cancel()
			<-gone

			e := g.entries(1)[0]
			want(t, "record", e.Record, map[string]any{"counted": "so far"})
			id := "r1"
			if !answered {
				want(t, "status", e.Status, 499)
				id = r.requests()[0].context.Get("id")
			}
			want(t, "question", asked.lines(), []string{id + " left\n"})
		})
	}
}

func TestNoRecordIsNoComplaint(t *testing.T) {
	g, _ := start(t, func(w http.ResponseWriter, _ seen) { w.Header().Set(recordHeader, "#r1") })
	startRecords(t, g, func(string) string { return "\n" })
	g.post("/v1", "{}")
	e := g.entries(1)[0]
	if e.Record != nil || e.Complaints != nil {
		t.Errorf("record %v, complaints %q", e.Record, e.Complaints)
	}
}

func TestLogDoesNotWaitForASlowRelay(t *testing.T) {
	stream := func(w http.ResponseWriter, _ seen) {
		w.Header().Set(recordHeader, "#r1")
		io.WriteString(w, "hello")
	}
	for name, prepare := range map[string]func(*testing.T, *gateway){
		"no socket":      func(*testing.T, *gateway) {},
		"nobody accepts": func(t *testing.T, g *gateway) { deaf(t, g) },
		"hangs up":       func(t *testing.T, g *gateway) { startRecords(t, g, func(string) string { return "" }) },
		"half a line":    func(t *testing.T, g *gateway) { startRecords(t, g, func(string) string { return `{"a":` }) },
		"answers too late": func(t *testing.T, g *gateway) {
			startRecords(t, g, func(string) string { time.Sleep(2 * time.Second); return "{}\n" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, 1, hasty)
			r := startRelay(t, token, stream)
			g.script(r.access(""))
			prepare(t, g)
			machine := lateness.Start(t)
			want(t, "body", g.post("/v1", "{}").body, "hello")
			e := g.entries(1)[0]
			if e.Record != nil || len(e.Complaints) != 1 || !strings.HasPrefix(e.Complaints[0], "warn: ") {
				t.Errorf("record %v, complaints %q", e.Record, e.Complaints)
			}
			if took := time.Duration(e.Milliseconds * float64(time.Millisecond)); took > machine.Within(time.Second) { // 5 ms, and what a busy machine adds
				t.Errorf("log took %v", took)
			}
		})
	}
}

// deaf opens the socket and leaves its callers waiting.
func deaf(t *testing.T, g *gateway) {
	listener, err := net.Listen("unix", g.recordSocket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
}

func TestRestartedRelayIsFoundAgain(t *testing.T) {
	g, old := start(t, hello)
	want(t, "status", g.post("/v1", "{}").StatusCode, 200)

	// Another port: nothing listens on the old one.
	old.Close()
	moved := startRelay(t, "i2.6d6163", hello)
	g.script(moved.access(""))
	a := g.post("/v1", "{}")
	want(t, "status", a.StatusCode, 502)
	want(t, "status", g.post("/v1", "{}").StatusCode, 200)
	want(t, "calls of Go", len(g.calls()), 2)

	// The same port, another key.
	moved.token = "i3.6d6163"
	g.script(moved.access(""))
	a = g.post("/v1", "{}")
	want(t, "status", a.StatusCode, 403)
	want(t, "header", a.Header.Get(unknownHeader), "")
	want(t, "status", g.post("/v1", "{}").StatusCode, 200)
	want(t, "calls of Go", len(g.calls()), 3)

	for i, e := range g.entries(5) {
		if (e.Record != nil) != (e.Status == 200) || (e.Complaints != nil) != (e.Status >= 500) {
			t.Errorf("entry %d: status %d, record %v, complaints %q", i, e.Status, e.Record, e.Complaints)
		}
	}
}

func TestRelayThatLeavesIsSentNoMoreRequests(t *testing.T) {
	for name, leave := range map[string]func(*records){
		"says so":  func(r *records) { r.push("leaving", "") },
		"hangs up": (*records).hangUp,
	} {
		t.Run(name, func(t *testing.T) {
			g, old := start(t, hello)
			r := startRecords(t, g, func(string) string { return "{}\n" })
			g.post("/v1", "{}")
			next := startRelay(t, "i2.6d6163", hello)
			g.script(next.access(""))
			leave(r)
			for range 3 {
				want(t, "status", g.post("/v1", "{}").StatusCode, 200)
			}
			want(t, "requests at the old relay", len(old.requests()), 1)
			want(t, "calls of Go", len(g.calls()), 2)
		})
	}
}

func TestEveryRequestAsksGoWhileTheRelayIsGone(t *testing.T) {
	g, r := start(t, hello)
	r.Close()
	for i := range 3 {
		want(t, "status", g.post("/v1", "{}").StatusCode, 502)
		want(t, "calls of Go", len(g.calls()), i+1)
	}
}

func TestRelaysOwnErrorKeepsTheEntry(t *testing.T) {
	g, _ := start(t, func(w http.ResponseWriter, _ seen) { http.Error(w, "provider is down", http.StatusBadGateway) })
	for range 3 {
		a := g.post("/v1", "{}")
		want(t, "status", a.StatusCode, 502)
		want(t, "body", a.body, "provider is down\n")
	}
	want(t, "calls of Go", len(g.calls()), 1)
}

func TestGoRefuses(t *testing.T) {
	g := startGateway(t, 1, patient)
	refusal := `{"error":{"message":"auth.header_value is not set"}}`
	g.script(access{Exit: 400, Body: refusal})
	for i := range 2 {
		a := g.post("/v1", "{}")
		want(t, "status", a.StatusCode, 400)
		want(t, "body", a.body, refusal)
		want(t, "calls of Go", len(g.calls()), i+1)
	}
	for _, e := range g.entries(2) {
		if e.Source != "exit" || e.Complaints != nil {
			t.Errorf("source %s, complaints %q", e.Source, e.Complaints)
		}
	}
}

func TestNothingIsProxiedWithoutGo(t *testing.T) {
	for name, script := range map[string]access{
		"access fails":             {Error: "connection refused"},
		"Kong gives up":            {Exit: 500, Body: `{"message":"An unexpected error occurred"}`},
		"access sets nothing":      {},
		"access asks for nonsense": {Port: 1, Header: token + "?need=weather"},
	} {
		t.Run(name, func(t *testing.T) {
			g, r := start(t, hello)
			g.script(script)
			a := g.post("/v1", "{}", "Proxy-Authorization", r.token)
			want(t, "status", a.StatusCode, 503)
			var body map[string]map[string]string
			if err := json.Unmarshal([]byte(a.body), &body); err != nil {
				t.Fatalf("%v in %s", err, a.body)
			}
			want(t, "error", body["error"], map[string]string{"type": "api_error", "message": "AI proxy is not available, try again later"})
			want(t, "requests at the relay", len(r.requests()), 0)
			if e := g.entries(1)[0]; len(e.Complaints) != 1 || !strings.HasPrefix(e.Complaints[0], "err: ") {
				t.Errorf("complaints %q", e.Complaints)
			}
			g.script(r.access(""))
			want(t, "status afterwards", g.post("/v1", "{}").StatusCode, 200)
		})
	}
}

func TestForgedHeadersMeanNothing(t *testing.T) {
	g, r := start(t, func(w http.ResponseWriter, _ seen) {})
	g.script(r.access("?need=ip"))
	forged := []string{
		"Proxy-Authorization", token + "?ip=10.0.0.1&consumer.username=admin",
		"Proxy-Authorization", "Basic eDp5",
		recordHeader, `{"usage":{"total_tokens":1}}`,
		unknownHeader, "1",
	}
	for range 2 { // with Go and without
		want(t, "status", g.post("/v1", "{}", forged...).StatusCode, 200)
	}
	want(t, "calls of Go", len(g.calls()), 1)
	for i, s := range r.requests() {
		want(t, "ip", s.context["ip"], []string{"127.0.0.1"})
		if s.context.Has("consumer.username") {
			t.Errorf("request %d: consumer %q", i, s.context.Get("consumer.username"))
		}
	}
	for _, e := range g.entries(2) {
		if e.Record != nil || e.Complaints != nil {
			t.Errorf("record %v, complaints %q", e.Record, e.Complaints)
		}
	}
}

func TestContextSaysWhatKongKnows(t *testing.T) {
	g := startGateway(t, 1, patient)
	r := startRelay(t, token, hello)
	captures := `{"model":"a&ip=1.1.1.1%26=x y+z","wörter":"日本語 💡","line":"a\r\nX-Evil: 1","none":false}`
	query := "?captures=" + url.QueryEscape(captures)
	header := []string{
		"X-Test-Consumer", `{"id":"c1","username":"ann & bob","custom_id":null}`,
		"X-Test-Groups", `["gold","a,b"]`,
		"X-Test-Route", "chat & more",
	}

	g.script(r.access("?path=&ip=&need=captures,path,route,consumer,ip,groups"))
	for range 2 {
		want(t, "status", g.post("/a%20b/%C3%A9//..%2F"+query, "{}", header...).StatusCode, 200)
	}
	g.script(r.access("?path=/from/go"))
	g.post("/_reconfigure", "")
	want(t, "status", g.post("/plain"+query, "{}", header...).StatusCode, 200)
	g.script(r.access("?need=route%2Cconsumer%2Cgroups"))
	g.post("/_reconfigure", "")
	want(t, "status", g.post("/nobody", "{}").StatusCode, 200)

	for i, s := range r.requests() {
		if len(s.context.Get("id")) != 32 {
			t.Errorf("id is %q", s.context.Get("id"))
		}
		s.context.Del("id")
		full := url.Values{
			"shim": {"1"}, "ip": {"127.0.0.1"}, "path": {"/a%20b/%C3%A9//..%2F"},
			"c.model": {"a&ip=1.1.1.1%26=x y+z"}, "c.wörter": {"日本語 💡"}, "c.line": {"a\r\nX-Evil: 1"},
			"route": {"chat & more"}, "consumer.id": {"c1"}, "consumer.username": {"ann & bob"},
			"groups": {"gold", "a,b"},
		}
		switch i {
		case 2:
			full = url.Values{"shim": {"1"}, "path": {"/plain"}}
		case 3:
			full = url.Values{"shim": {"1"}, "path": {"/nobody"}, "route": {"r1"}}
		}
		want(t, "context", s.context, full)
	}
}

func TestWebSocketHasItsRecord(t *testing.T) {
	g := startGateway(t, 1, patient)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() { // a relay that upgrades and echoes one line
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+recordHeader+": #ws\r\n\r\n")
		line, _ := in.ReadString('\n')
		io.WriteString(conn, line)
	}()
	g.script(access{Port: listener.Addr().(*net.TCPAddr).Port, Header: token})
	asked := startRecords(t, g, func(string) string { return `{"meta":{"request_mode":"realtime"}}` + "\n" })

	conn, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "status", response.StatusCode, 101)
	want(t, "header", response.Header.Get(recordHeader), "")
	io.WriteString(conn, "ping\n")
	line, _ := in.ReadString('\n')
	want(t, "echo", line, "ping\n")
	conn.Close()

	e := g.entries(1)[0]
	want(t, "status", e.Status, 101)
	want(t, "record", e.Record, map[string]any{"meta": map[string]any{"request_mode": "realtime"}})
	want(t, "question", asked.lines(), []string{"ws over\n"})
}

func TestHandlerIsWhatKongExpects(t *testing.T) {
	source, err := os.ReadFile("../../kong/plugins/go-ai-proxy/handler.lua")
	if err != nil {
		t.Fatal(err)
	}
	// Below Kong's authentication, traffic and transformation plugins, above
	// its logging plugins and Prometheus.
	for _, line := range []string{"PRIORITY = 770,", `VERSION = "1.0.0",`} {
		if !strings.Contains(string(source), line) {
			t.Errorf("the handler has no %s", line)
		}
	}
}
