package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pdk "github.com/Kong/go-pdk"
	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/lines/linestest"
	"go-ai-proxy/test/kong"
	"go-ai-proxy/test/lateness"
	"go-ai-proxy/test/leaks"
	"go-ai-proxy/test/ports"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "parent-test" {
		parentTestProcess(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "keeper-test" {
		keeperTestProcess(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "claim-test" {
		claimTestProcess(os.Args[2])
		return
	}
	leaks.VerifyTestMain(m)
}

// plugin is an instance made of functions.
type plugin struct {
	access func(*Event)
	log    func(*Event)
	closed func()
}

func (p plugin) Access(e *Event) {
	if p.access != nil {
		p.access(e)
	}
}

func (p plugin) Log(e *Event) {
	if p.log != nil {
		p.log(e)
	}
}

func (p plugin) Close() {
	if p.closed != nil {
		p.closed()
	}
}

// counts are the operations on the server's side of its sockets.
type counts struct{ reads, writes atomic.Int64 }

type countedListener struct {
	net.Listener
	counts *counts
}

func (l countedListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{nc.(*net.UnixConn), l.counts}, nil
}

type countedConn struct {
	*net.UnixConn
	counts *counts
}

func (c countedConn) Read(b []byte) (int, error) {
	c.counts.reads.Add(1)
	return c.UnixConn.Read(b)
}

func (c countedConn) Write(b []byte) (int, error) {
	c.counts.writes.Add(1)
	return c.UnixConn.Write(b)
}

// running is a server under test.
type running struct {
	*Server
	worker *kong.Worker
	counts counts
	log    *linestest.Buffer
	stop   func() // ends the server and waits
}

var info = Info{Name: "echo", Version: "1.2.3", Priority: 770, Phases: []string{"access", "log"},
	Schema: []byte(`{"name":"echo","fields":[{"config":{"type":"record","fields":[]}}]}`)}

func serve(t testing.TB, s *Server) *running {
	t.Helper()
	socket := filepath.Join(ports.Dir(t), "echo.socket")
	listener, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: s, log: &linestest.Buffer{}}
	s.Info, s.Logger = info, zerolog.New(r.log).Level(zerolog.InfoLevel)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, countedListener{listener, &r.counts}) }()
	r.worker = &kong.Worker{Socket: socket, Plugin: "echo", Timeout: time.Minute}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		r.worker.Stop()
	})
	t.Cleanup(r.stop)
	return r
}

func always(p plugin) func([]byte) (Instance, error) {
	return func([]byte) (Instance, error) { return p, nil }
}

func request() *kong.Request {
	in := httptest.NewRequest("POST", "http://api.example.com/chat/gpt?x=1", strings.NewReader("{}"))
	in.Header.Set("X-Test", "yes")
	return kong.NewRequest(in, &kong.Route{Path: "~/chat/(?<model>[a-z]+)$"})
}

func access(r *running, conf kong.Conf) (*kong.Request, kong.Event) {
	request := request()
	defer request.End()
	kong.InPhase(request, "access")
	return request, r.worker.Event(conf, "access", request)
}

var conf = kong.Conf{"__plugin_id": "p1", "__seq__": 1}

// toRelay makes the calls that send a request to the relay.
func toRelay(k *pdk.PDK) error {
	return errors.Join(
		k.Service.SetTarget("127.0.0.1", 9000),
		k.ServiceRequest.SetScheme("http"),
		k.ServiceRequest.SetHeader("Proxy-Authorization", "token"),
		k.ServiceRequest.ClearHeader("Cookie"))
}

func TestFramesOfAnEventAreExactlyThese(t *testing.T) {
	r := serve(t, &Server{New: always(plugin{access: func(e *Event) {
		_ = e.ServiceRequest.SetScheme("http")
		_ = e.Service.SetTarget("h", 80)
	}})})
	nc, err := net.Dial("unix", r.worker.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()

	// RpcCall{sequence: 1, cmd_start_instance: {name: "echo", config: "{}"}}
	send(t, nc, "\x08\x01\x8a\x02\x0a"+"\x0a\x04echo"+"\x12\x02{}")
	started := receive(t, nc, 1)[0]
	// RpcReturn{sequence: 1, instance_status: {name: "echo", instance_id, started_at}}
	head := "\x08\x01\x8a\x02"
	if !strings.HasPrefix(started, head) || !strings.Contains(started, "\x0a\x04echo\x10") {
		t.Fatalf("answer to start: %q", started)
	}
	id, n := binary.Uvarint([]byte(started[strings.Index(started, "echo\x10")+5:]))
	if n <= 0 || id == 0 {
		t.Fatalf("instance id: %q", started)
	}

	event := "\x08" + string(binary.AppendUvarint(nil, id)) + "\x12\x06access"
	// RpcCall{sequence: 5, cmd_handle_event: {instance_id, event_name}}
	send(t, nc, "\x08\x05\xa2\x02"+string(rune(len(event)))+event)
	got := receive(t, nc, 6)
	want := []string{
		"kong.service.request.set_scheme", "\x0a\x04http",
		"kong.service.set_target", "\x0a\x01h\x10\x50",
		"",         // end of the event
		"\x08\x05", // RpcReturn{sequence: 5}
	}
	if !slices.Equal(got, want) {
		t.Errorf("frames\n%q\nwant\n%q", got, want)
	}
}

func send(t *testing.T, nc net.Conn, frame string) {
	t.Helper()
	if _, err := nc.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, nc net.Conn, count int) (frames []string) {
	t.Helper()
	_ = nc.SetReadDeadline(time.Now().Add(time.Minute))
	for range count {
		frame, err := readFrame(nc, nil)
		if err != nil {
			t.Fatalf("after %q: %v", frames, err)
		}
		frames = append(frames, string(frame[prefix:]))
	}
	return frames
}

func TestAccessEventIsOneWriteAndOneRoundTrip(t *testing.T) {
	prepared, err := Prepare(toRelay)
	if err != nil {
		t.Fatal(err)
	}
	for name, handler := range map[string]func(*Event){
		"prepared": func(e *Event) { e.Send(prepared) },
		"called":   func(e *Event) { _ = toRelay(e.PDK) },
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, &Server{New: always(plugin{access: handler})})
			access(r, conf) // starts the instance, on the same connection
			for range 3 {
				before := r.counts.writes.Load()
				request, e := access(r, conf)
				if e.Err != nil || e.Starts != 0 {
					t.Fatalf("event: %+v", e)
				}
				if e.Trips != 1 {
					t.Errorf("Kong waited %d times, want 1", e.Trips)
				}
				if writes := r.counts.writes.Load() - before; writes != 1 {
					t.Errorf("%d writes, want 1", writes)
				}
				upstream, header := request.Upstream()
				if upstream.Host != "127.0.0.1:9000" || header.Get("Proxy-Authorization") != "token" {
					t.Errorf("request went to %s with %v", upstream.Host, header)
				}
				if len(e.Calls) != 4 {
					t.Errorf("calls: %v", e.Calls)
				}
			}
		})
	}
}

func TestQuestionSendsThePendingCallsWithIt(t *testing.T) {
	var model, ip string
	r := serve(t, &Server{New: always(plugin{access: func(e *Event) {
		_ = e.ServiceRequest.SetHeader("A", "1")
		_ = e.ServiceRequest.SetHeader("B", "2")
		_, named, err := e.Request.GetUriCaptures()
		if err != nil {
			t.Error(err)
		}
		_ = e.ServiceRequest.SetHeader("C", "3")
		ip, err = e.Client.GetIp()
		if err != nil {
			t.Error(err)
		}
		model = string(named["model"])
		_ = e.ServiceRequest.SetHeader("D", "4")
	}})})
	access(r, conf)
	before := r.counts.writes.Load()
	request, e := access(r, conf)
	if e.Err != nil {
		t.Fatal(e.Err)
	}
	if e.Trips != 3 || r.counts.writes.Load()-before != 3 {
		t.Errorf("%d trips, %d writes, want 3: two questions and the end", e.Trips, r.counts.writes.Load()-before)
	}
	if model != "gpt" || ip != "192.0.2.1" {
		t.Errorf("captured model %q, client %q", model, ip)
	}
	_, header := request.Upstream()
	if got := header.Get("A") + header.Get("B") + header.Get("C") + header.Get("D"); got != "1234" {
		t.Errorf("headers set: %q", got)
	}
}

func TestExitEndsTheRequestAfterWhatWasSetBefore(t *testing.T) {
	prepared, err := Prepare(func(k *pdk.PDK) error {
		err := k.Response.SetHeader("X-Set", "before")
		k.Response.Exit(403, []byte("no"), map[string][]string{"X-Exit": {"yes"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, handler := range map[string]func(*Event){
		"prepared": func(e *Event) { e.Send(prepared) },
		"called": func(e *Event) {
			_ = e.Response.SetHeader("X-Set", "before")
			e.Response.Exit(403, []byte("no"), nil)
			if err := e.ServiceRequest.SetHeader("X-After", "1"); err == nil {
				t.Error("no error after exit")
			}
			if _, err := e.Client.GetIp(); err == nil {
				t.Error("no error for a question after exit")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, &Server{New: always(plugin{access: handler})})
			for range 3 {
				request, e := access(r, conf)
				if e.Err != nil || request.ExitStatus() != 403 {
					t.Fatalf("status %d, event %+v", request.ExitStatus(), e)
				}
				if len(e.Calls) != 2 || e.Trips != 1 {
					t.Errorf("%d trips, calls %v", e.Trips, e.Calls)
				}
			}
		})
	}
}

func TestPanicIsAnsweredAndLoggedWithItsStack(t *testing.T) {
	var nothing *Server
	r := serve(t, &Server{New: always(plugin{
		access: func(e *Event) {
			_ = e.ServiceRequest.SetHeader("Unfinished", "1")
			_ = nothing.Info.Name
		},
		log: func(*Event) { panic("secret-prompt") },
	})})
	for range 2 {
		request, e := access(r, conf)
		if e.Err != nil || request.ExitStatus() != 500 {
			t.Fatalf("status %d, event %+v", request.ExitStatus(), e)
		}
		if len(e.Calls) != 2 {
			t.Errorf("calls: %v, want the log line and the exit", e.Calls)
		}
		if errors := request.Errors(); len(errors) != 1 || errors[0] != "echo: internal error in access" {
			t.Errorf("Kong's error log: %q", errors)
		}
		kong.InPhase(request, "log")
		if e := r.worker.Event(conf, "log", request); e.Err != nil || e.Starts != 0 {
			t.Errorf("log event: %+v", e)
		}
	}
	log := r.log.String()
	if !strings.Contains(log, "invalid memory address") || !strings.Contains(log, "server_test.go") {
		t.Errorf("log has no reason or stack: %s", log)
	}
	if strings.Contains(log, "secret-prompt") {
		t.Error("log has the panic's own text")
	}
}

func TestFailedCallEndsTheEventAndNotTheServer(t *testing.T) {
	bad := true
	r := serve(t, &Server{New: always(plugin{access: func(e *Event) {
		if bad {
			_ = e.ServiceRequest.SetScheme("gopher")
		}
		_ = e.ServiceRequest.SetHeader("A", "1")
	}})})
	if _, e := access(r, conf); e.Err == nil || !strings.Contains(e.Err.Error(), "invalid scheme") {
		t.Fatalf("event: %+v", e)
	}
	bad = false
	if _, e := access(r, conf); e.Err != nil {
		t.Fatalf("event: %+v", e)
	}
}

func TestUnknownInstanceMakesKongRestartIt(t *testing.T) {
	r := serve(t, &Server{New: always(plugin{access: func(e *Event) { e.Send(Calls{}) }})})
	if _, e := access(r, conf); e.Err != nil || e.Starts != 1 {
		t.Fatalf("event: %+v", e)
	}
	r.instances.closeAll() // as if the process had been restarted
	if _, e := access(r, conf); e.Err != nil || e.Starts != 1 {
		t.Fatalf("event: %+v", e)
	}
	if _, e := access(r, conf); e.Err != nil || e.Starts != 0 {
		t.Fatalf("event: %+v", e)
	}
}

func TestRefusedConfigurationIsInKongsErrorLog(t *testing.T) {
	for name, open := range map[string]func([]byte) (Instance, error){
		"config.model: unknown": func([]byte) (Instance, error) { return nil, errors.New("config.model: unknown") },
		"internal error":        func([]byte) (Instance, error) { panic("bug") },
	} {
		r := serve(t, &Server{New: open})
		request, e := access(r, conf)
		if e.Err != nil || request.ExitStatus() != 500 {
			t.Fatalf("status %d, event %+v", request.ExitStatus(), e)
		}
		if errors := request.Errors(); len(errors) != 1 || !strings.Contains(errors[0], name) {
			t.Errorf("Kong's error log: %q", errors)
		}
	}
}

func TestPrepareRefusesQuestions(t *testing.T) {
	for _, record := range []func(*pdk.PDK) error{
		func(k *pdk.PDK) error { _, err := k.Client.GetIp(); return err },
		func(k *pdk.PDK) error { _, _ = k.Client.GetIp(); return nil },
	} {
		if _, err := Prepare(record); err == nil || !strings.Contains(err.Error(), "kong.client.get_ip") {
			t.Errorf("error: %v", err)
		}
	}
}

func TestListOfMethodsWithoutResultIsComplete(t *testing.T) {
	for _, name := range []string{"kong.service.set_target", "kong.service.request.set_header", "kong.ctx.shared.set",
		"kong.log.err", "kong.log.set_serialize_value", "kong.response.exit", "kong.nginx.set_ctx"} {
		if !withoutResult[name] {
			t.Errorf("%s is taken for a question", name)
		}
	}
	for _, name := range []string{"kong.service.set_upstream", "kong.ctx.shared.get", "kong.client.get_ip"} {
		if withoutResult[name] {
			t.Errorf("%s is not taken for a question", name)
		}
	}
}

func TestShutdownLetsOpenEventsEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	closed := make(chan struct{})
	r := serve(t, &Server{New: always(plugin{
		access: func(e *Event) {
			close(entered)
			<-leave
			_ = toRelay(e.PDK)
		},
		closed: func() { close(closed) },
	})})
	result := make(chan kong.Event)
	go func() {
		_, e := access(r, conf)
		result <- e
	}()
	<-entered
	stopped := make(chan struct{})
	go func() {
		r.stop()
		close(stopped)
	}()
	select {
	case <-stopped:
		t.Fatal("the server did not wait")
	case <-closed:
		t.Fatal("the instance was closed in use")
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	if e := <-result; e.Err != nil || len(e.Calls) != 4 {
		t.Errorf("event: %+v", e)
	}
	<-stopped
	<-closed
}

func TestShutdownIsBounded(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := serve(t, &Server{Drain: 30 * time.Millisecond, New: always(plugin{
		access: func(*Event) {
			close(entered)
			<-leave
		},
	})})
	result := make(chan kong.Event)
	go func() {
		_, e := access(r, conf)
		result <- e
	}()
	<-entered
	machine := lateness.Start(t)
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > machine.Within(3*time.Second) {
		t.Errorf("shutdown took %v", took)
	}
	close(leave)
	if e := <-result; e.Err == nil {
		t.Error("the event ended well")
	}
}

func TestNextServerTakesTheSocketWhileTheLastStillRuns(t *testing.T) {
	first := serve(t, &Server{New: always(plugin{})})
	socket := first.worker.Socket
	if mode := must(os.Stat(socket)).Mode().Perm(); mode != 0o600 {
		t.Errorf("socket has mode %o", mode)
	}
	if _, e := access(first, conf); e.Err != nil {
		t.Fatal(e.Err)
	}
	listener, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, e := access(first, conf); e.Err != nil {
		t.Errorf("connections of the first: %v", e.Err)
	}
	first.stop()
	nc, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	_ = nc.Close()
}

func TestListenReplacesAStaleFileAndTakesLongPaths(t *testing.T) {
	dir := ports.Dir(t)
	for name := filepath.Join(dir, "x"); len(name) < 107; name += "x" {
		if len(name) < 100 {
			continue
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		listener, err := Listen(name)
		if err != nil {
			t.Fatalf("path of %d: %v", len(name), err)
		}
		nc, err := net.Dial("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.Close()
		_ = listener.Close()
	}
	if _, err := Listen(filepath.Join(dir, "missing", "a.socket")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error: %v", err)
	}
}

func TestDumpIsWhatKongExpects(t *testing.T) {
	var out bytes.Buffer
	if err := info.Dump(&out, "/usr/local/kong/echo.socket"); err != nil {
		t.Fatal(err)
	}
	got, err := kong.ParseInfo(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got.Priority != 770 || got.Version != "1.2.3" || !slices.Equal(got.Phases, info.Phases) {
		t.Errorf("info: %+v", got)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
