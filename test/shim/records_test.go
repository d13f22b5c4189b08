package shim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	configuration "go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/engine/enginetest"
	kongside "go-ai-proxy/plugin/gateway"
	"go-ai-proxy/test/lateness"
)

// byID is an answer whose record has an id of its own.
func byID(w http.ResponseWriter, s seen) {
	w.Header().Set(recordHeader, "#"+s.context.Get("id"))
	io.WriteString(w, "hello")
}

func TestRecordThatWasSentIsNotAskedFor(t *testing.T) {
	g := startGateway(t, 1, hasty)
	var sent *records
	r := startRelay(t, token, func(w http.ResponseWriter, s seen) {
		want(t, "worker", s.context.Get("worker") != "", true)
		for _, id := range []string{"another", s.context.Get("id")} {
			sent.push(id, `{"for":"`+s.body+`"}`)
		}
		byID(w, s)
	})
	g.script(r.access(""))
	sent = startRecords(t, g, func(string) string { return "\n" })
	for i := range 50 {
		path := fmt.Sprint("/", i)
		g.post(path, path)
	}
	for _, e := range g.entries(50) { // not in the order of the requests
		want(t, e.URI, e.Record, map[string]any{"for": e.URI})
	}
	want(t, "questions", len(sent.lines()), 0)
	want(t, "connections", sent.accepted, 1)
}

// A record that is sent while its worker is busy with another is not lost.
func TestRecordsOfOtherRequestsAreKeptForThem(t *testing.T) {
	g := startGateway(t, 1, hasty)
	var sent *records
	first := make(chan string, 1)
	quick := make(chan struct{})
	r := startRelay(t, token, func(w http.ResponseWriter, s seen) {
		id := s.context.Get("id")
		if s.body == "first" {
			sent.push(id, `{"for":"first"}`)
			w.Header().Set(recordHeader, "#"+id)
			w.Header().Set("X-Accel-Buffering", "no")
			io.WriteString(w, "hel")
			w.(http.Flusher).Flush()
			first <- id
			<-quick
			io.WriteString(w, "lo")
			return
		}
		sent.push(id, `{"for":"second"}`)
		byID(w, s)
	})
	g.script(r.access(""))
	sent = startRecords(t, g, func(string) string { return "\n" })
	var both sync.WaitGroup
	both.Go(func() { g.post("/first", "first") })
	<-first
	g.post("/second", "second") // its log phase reads both records
	close(quick)
	both.Wait()
	for _, e := range g.entries(2) {
		want(t, e.URI, e.Record, map[string]any{"for": e.URI[1:]})
	}
	want(t, "questions", len(sent.lines()), 0)
}

// blocked is for how long the log phases of all requests so far stood still.
func blocked(all []entry) (sum time.Duration) {
	for _, e := range all {
		sum += time.Duration(e.Milliseconds * float64(time.Millisecond))
	}
	return sum
}

func TestSilentRelayBlocksAWorkerForABoundedTime(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *gateway){
		"nobody accepts": deaf,
		"no answer": func(t *testing.T, g *gateway) {
			startRecords(t, g, func(string) string { time.Sleep(2 * time.Second); return "\n" })
		},
		"no socket": func(*testing.T, *gateway) {},
		"hangs up":  func(t *testing.T, g *gateway) { startRecords(t, g, func(string) string { return "" }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, 1, asShipped)
			r := startRelay(t, token, byID)
			g.script(r.access(""))
			prepare(t, g)
			n := 0
			machine := lateness.Start(t)
			began := time.Now()
			for ; time.Since(began) < 2500*time.Millisecond; n++ {
				want(t, "body", g.post("/v1", "{}").body, "hello")
			}
			all := g.entries(n)
			// Half a second for the first, a second's rest, and what has been
			// saved up for the next. A busy machine adds to each.
			if sum, limit := blocked(all), machine.Within(900*time.Millisecond+time.Duration(n)*time.Millisecond); sum > limit {
				t.Errorf("%d log phases took %v, at most %v wanted", n, sum, limit)
			}
			complaints := 0
			for _, e := range all {
				complaints += len(e.Complaints)
			}
			if most := 1 + int(time.Since(began)/(10*time.Second)); complaints < 1 || complaints > most { // say.lua's SPARE_LOG
				t.Errorf("%d complaints about %d requests", complaints, n)
			}
			t.Logf("%d requests, blocked for %v", n, blocked(all))
		})
	}
}

func TestRelayThatAnswersAgainIsAskedAgain(t *testing.T) {
	g := startGateway(t, 1, hasty)
	r := startRelay(t, token, byID)
	g.script(r.access(""))
	hears := make(chan struct{})
	hear := sync.OnceFunc(func() { close(hears) })
	asked := startRecords(t, g, func(string) string { <-hears; return "{\"it\":\"works\"}\n" })
	t.Cleanup(hear)
	began := time.Now()
	for range 10 {
		g.post("/v1", "{}")
	}
	// One, and one for each second of rest, if the machine is that busy.
	if n, most := len(asked.lines()), 1+int(time.Since(began)/time.Second); n < 1 || n > most {
		t.Errorf("%d questions to a relay that does not answer", n)
	}
	hear()
	n := 10
	for end := time.Now().Add(20 * time.Second); ; n++ {
		g.post("/v1", "{}")
		if all := g.entries(n + 1); all[n].Record != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it is not asked any more")
		}
		time.Sleep(50 * time.Millisecond)
	}
	want(t, "connections", asked.accepted, 1)
}

// A worker that had no more time for an answer asks again once it has come, not
// only when its rest is over.
func TestLateAnswerEndsTheRest(t *testing.T) {
	g := startGateway(t, 1, forgiving)
	r := startRelay(t, token, byID)
	g.script(r.access(""))
	late := make(chan struct{})
	answer := sync.OnceFunc(func() { close(late) })
	questions := 0
	asked := startRecords(t, g, func(string) string {
		if questions++; questions == 1 {
			<-late
		}
		return "{\"it\":\"works\"}\n"
	})
	t.Cleanup(answer)
	g.post("/v1", "{}")
	g.post("/v1", "{}")
	for i, e := range g.entries(2) {
		want(t, fmt.Sprint("record ", i), e.Record, nil)
	}
	answer()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) { // until it is in the socket
		asked.mu.Lock()
		n := asked.answered
		asked.mu.Unlock()
		if n > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the late answer is not written")
		}
	}
	for range 10 {
		g.post("/v1", "{}")
	}
	for i, e := range g.entries(12)[2:] {
		want(t, fmt.Sprint("record ", i), e.Record, map[string]any{"it": "works"})
	}
}

// A warning that is not repeated says afterwards how often it would have been.
func TestLostRecordsAreCounted(t *testing.T) {
	g := startGateway(t, 1, talkative)
	r := startRelay(t, token, byID)
	g.script(r.access(""))
	stop := make(chan struct{})
	startRecords(t, g, func(string) string { <-stop; return "\n" })
	t.Cleanup(func() { close(stop) })
	for range 5 {
		g.post("/v1", "{}")
	}
	said := g.entries(5)[0].Complaints
	want(t, "first warning", said, []string{"warn: no AI record in the log entry: the relay did not answer in time"})
	counted := 0
	for end := time.Now().Add(20 * time.Second); counted < 5 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		counted = 0
		for _, e := range g.entries(5) {
			counted += len(e.Complaints)
		}
		said = lines(filepath.Join(g.dir, "complaints"))
		for _, line := range said {
			n := 0
			_, more, _ := strings.Cut(line, "not asked for now (")
			fmt.Sscanf(more, "%d times since the last warning)", &n)
			counted += n
		}
	}
	if counted != 5 || len(said) == 0 {
		t.Errorf("%d of 5 lost records are counted; what is said afterwards is %q", counted, said)
	}
}

// What comes of a relay and of headers is bounded and clean before it is logged.
func TestComplaintsAreBounded(t *testing.T) {
	g := startGateway(t, 1, hasty)
	g.script(access{Error: strings.Repeat("long\\n\\u0000", 1000)})
	for range 20 {
		want(t, "status", g.post("/v1", "{}").StatusCode, 503)
	}
	var complaints []string
	for _, e := range g.entries(20) {
		complaints = append(complaints, e.Complaints...)
	}
	if len(complaints) != 1 || len(complaints[0]) > 500 || strings.ContainsAny(complaints[0], "\n\x00") {
		t.Errorf("complaints %q", complaints)
	}
}

// prompts are those that a provider was sent.
type prompts struct{ sync.Map }

var prompt = regexp.MustCompile(`"content":"([^"]*)"`)

// provider answers in chunks, and keeps the prompts.
func provider(t *testing.T, stop <-chan struct{}) (*httptest.Server, *prompts) {
	asked := &prompts{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if m := prompt.FindSubmatch(body); m != nil {
			asked.Store(string(m[1]), true)
		}
		if !bytes.Contains(body, []byte(`"stream":true`)) {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-stop:
			}
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for _, delta := range []string{`{"content":"a"}`, `{"content":"b"}`, `{"content":"c"}`} {
			fmt.Fprintf(w, "data: {\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":%s}]}\n\n", delta)
			w.(http.Flusher).Flush()
			select {
			case <-time.After(2 * time.Millisecond):
			case <-stop:
			}
		}
		io.WriteString(w, "data: {\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(up.Close)
	return up, asked
}

// realRelay is a gateway in front of the plugin's own relay.
func realRelay(t *testing.T, workers int) (*gateway, *prompts) {
	t.Helper()
	g := startGateway(t, workers, patient)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	up, asked := provider(t, stop)
	data, err := os.ReadFile("../../schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := configuration.NewSchema(data)
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	relay, err := kongside.New(plugin.NewRelay(schema, log, enginetest.Kind), log, enginetest.Kind)
	if err != nil {
		t.Fatal(err)
	}
	closeRecords, err := relay.ServeIn(g.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeRecords)
	a, err := relay.Open([]byte(`{"route_type":"llm/v1/chat","auth":{"header_name":"Authorization","header_value":"Bearer x"},"logging":{"log_statistics":true},"model":{"provider":"openai","name":"m","options":{"upstream_url":"` + up.URL + `/v1/chat/completions"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	_, port := a.Addr()
	g.script(access{Port: port, Header: a.Header(nil)})
	return g, asked
}

// busy has n other processes ask for the processors, until the test ends.
func busy(t *testing.T, n int) {
	t.Helper()
	for range n {
		c := exec.Command("sh", "-c", "while :; do :; done")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			c.Process.Kill()
			c.Wait()
		})
	}
}

// Every request that reached the provider leaves a record, whenever its client
// leaves and however busy the machine is. The workers are patient: a relay that
// gets no processor for half a second is TestLateAnswerEndsTheRest's.
func TestNoRecordIsLost(t *testing.T) {
	const stream, whole = `{"stream":true,"messages":[{"role":"user","content":"%s"}]}`, `{"messages":[{"role":"user","content":"%s"}]}`
	inTheMiddle := func(i int) time.Duration { return time.Duration(i%100) * 150 * time.Microsecond }
	asItComes := func(i int) time.Duration { return 4*time.Millisecond + time.Duration(i%100)*40*time.Microsecond }
	for name, c := range map[string]struct {
		body string
		stay func(i int) time.Duration // of client i; nil: to the end
		busy int
	}{
		"streams":                                     {stream, nil, 0},
		"streams on a busy machine":                   {stream, nil, 6},
		"clients leave in mid-stream":                 {stream, inTheMiddle, 0},
		"clients leave as answers come":               {whole, asItComes, 0},
		"clients leave as answers come, when busy":    {whole, asItComes, 4},
		"clients leave in mid-stream, and it is busy": {stream, inTheMiddle, 4},
	} {
		t.Run(name, func(t *testing.T) {
			g, asked := realRelay(t, 2)
			busy(t, c.busy)
			var sent atomic.Int64
			var clients sync.WaitGroup
			end := time.Now().Add(time.Second)
			for range 8 {
				clients.Go(func() {
					for i := 0; time.Now().Before(end); i++ {
						ctx, cancel := context.WithCancel(t.Context())
						if c.stay != nil {
							ctx, cancel = context.WithTimeout(t.Context(), c.stay(i))
						}
						name := fmt.Sprint("/", sent.Add(1))
						call(ctx, g.client, g.url+name, fmt.Sprintf(c.body, name))
						cancel()
					}
				})
			}
			clients.Wait()
			g.judge(asked)
		})
	}
}

// judge waits until every request that the provider saw is logged, and looks for
// the records of all.
func (g *gateway) judge(asked *prompts) {
	g.t.Helper()
	var all []entry
	var missing, lost []any
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		all = g.entries(1)
		logged := map[any]bool{}
		lost, missing = nil, nil
		for _, e := range all {
			logged[e.URI] = true
			if _, saw := asked.Load(e.URI); saw && e.Record == nil {
				lost = append(lost, e.URI, e.Complaints)
			}
		}
		n := 0
		asked.Range(func(uri, _ any) bool {
			if n++; !logged[uri] {
				missing = append(missing, uri)
			}
			return true
		})
		if len(missing) == 0 || time.Now().After(end) {
			g.t.Logf("%d entries, the provider saw %d, %d records lost, blocked %v", len(all), n, len(lost)/2, blocked(all))
			break
		}
	}
	if len(missing) > 0 || len(lost) > 0 {
		g.t.Errorf("not logged: %v; without their records: %v", missing, lost)
	}
}

// call makes a request that may be given up.
func call(ctx context.Context, client *http.Client, url, body string) {
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	response, err := client.Do(r)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
}
