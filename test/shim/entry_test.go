package shim

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const named = "api.openai.com 443 162.159.1.1 /v1/chat/completions "

// says is a relay that answers with status and a record header.
func says(status int, record string) func(http.ResponseWriter, seen) {
	return func(w http.ResponseWriter, _ seen) {
		w.Header().Set(recordHeader, record)
		w.WriteHeader(status)
		io.WriteString(w, "answer")
	}
}

func TestEntryNamesTheProviderInsteadOfTheRelay(t *testing.T) {
	const record = `{"meta":{"provider_name":"openai"},"tried_targets":[{"provider":"openai","host":"api.openai.com","port":443,"ip":"162.159.1.1","upstream_uri":"/v1/chat/completions","status":200,"outcome":"ok"}]}`
	const failedOver = `{"meta":{},"tried_targets":[{"provider":"a","host":"one","port":1,"ip":"10.0.0.1","upstream_uri":"/a","status":500,"outcome":"http_500"},{"provider":"b","host":"two","port":2,"ip":"10.0.0.2","upstream_uri":"/b","status":200,"outcome":"ok"}]}`
	last := map[string]any{"ip": "162.159.1.1", "port": 443.0}
	for name, c := range map[string]struct {
		header, late string
		tries        []map[string]any
		uri, host    string
		recorded     bool
	}{
		"whole":            {named + record, "", []map[string]any{last}, "/v1/chat/completions", "api.openai.com", true},
		"streamed":         {named + "#r1", record, []map[string]any{last}, "/v1/chat/completions", "api.openai.com", true},
		"nothing logged":   {named, "", []map[string]any{last}, "/v1/chat/completions", "api.openai.com", false},
		"no address":       {"h 80 - / ", "", []map[string]any{{"ip": "h", "port": 80.0}}, "/", "h", false},
		"nobody was asked": {`{"meta":{}}`, "", nil, "/relay", "127.0.0.1", true},
		"failed over": {"two 2 10.0.0.2 /b " + failedOver, "", []map[string]any{
			{"host": "one", "ip": "10.0.0.1", "port": 1.0, "code": 500.0, "state": "failed"}, {"host": "two", "ip": "10.0.0.2", "port": 2.0, "code": 200.0}}, "/b", "two", true},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := start(t, says(200, c.header))
			startRecords(t, g, func(string) string { return c.late + "\n" })
			a := g.post("/v1", "{}")
			want(t, "header", a.Header.Get(recordHeader), "")
			e := g.entries(1)[0]
			if c.tries == nil {
				c.tries = []map[string]any{{"ip": "127.0.0.1", "port": float64(g.port)}}
			}
			want(t, "tries", e.Tries, c.tries)
			want(t, "upstream_uri", e.Upstream, c.uri)
			want(t, "hostname", e.Hostname, c.host)
			want(t, "complaints", len(e.Complaints), 0)
			if (e.Record != nil) != c.recorded {
				t.Errorf("record %v", e.Record)
			}
			if _, there := e.Headers["proxy-authorization"]; there {
				t.Error("the entry has the token to the relay")
			}
		})
	}
}

// A broken record costs nothing where no plugin asks for the log entry.
func TestRecordIsDecodedForThoseWhoLog(t *testing.T) {
	g, _ := start(t, says(200, named+"{"))
	g.post("/v1", "{}", "X-Test-Unlogged", "1")
	want(t, "complaints unlogged", len(g.entries(1)[0].Complaints), 0)
	g.post("/v1", "{}")
	if e := g.entries(2)[1]; e.Record != nil {
		t.Errorf("record %v", e.Record)
	}
}

func TestServerErrorsAreInTheErrorLogWithTheirReason(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		header     string
		want       string
		wantRecord bool
	}{
		"in the record":      {502, named + `{"meta":{"error":"no AWS region"}}`, "no AWS region", true},
		"without a record":   {500, named + `{"kong":{"error":"no AWS region"}}`, "no AWS region", false},
		"nobody was asked":   {500, `{"kong":{"error":"unresolved vault reference"}}`, "unresolved vault reference", false},
		"the provider's":     {503, named, "the provider's answer says why", false},
		"the client's own":   {400, named + `{"meta":{"error":"bad"}}`, "", true},
		"a control in it":    {500, named + `{"kong":{"error":"a\nb"}}`, "a b", false},
		"nothing to be told": {200, named + `{"kong":{"error":"x"}}`, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			g, r := start(t, says(c.status, c.header))
			for range 3 {
				g.post("/v1", "{}")
			}
			all := g.entries(3)
			if (all[0].Record != nil) != c.wantRecord {
				t.Errorf("record %v", all[0].Record)
			}
			var said []string
			for _, e := range all {
				said = append(said, e.Complaints...)
			}
			if c.want == "" {
				want(t, "complaints", len(said), 0)
				return
			}
			want(t, "complaints", len(said), 1) // the others are counted
			ofOne := func(s seen) bool {        // whichever nginx logged first
				return strings.Contains(said[0], ": "+c.want+" (request "+s.context.Get("id")+")")
			}
			if !strings.Contains(said[0], "request failed with") || !slices.ContainsFunc(r.requests(), ofOne) {
				t.Errorf("%q", said[0])
			}
		})
	}
}

func TestTracedRequestHasASpan(t *testing.T) {
	const own = `{"meta":{"provider_name":"openai"},"kong":{"span":{"gen_ai.operation.name":"chat","gen_ai.usage.input_tokens":7,"gen_ai.response.finish_reasons":["stop"],"error.type":"failed"},"events":[{"server.address":"a"},{"server.address":"b"}]}}`
	for name, c := range map[string]struct {
		header, late, trace string
		spans               int
	}{
		"whole":       {named + own, "", "sampled", 2},
		"streamed":    {named + "#r1", own, "sampled", 2},
		"not sampled": {named + `{"meta":{}}`, "", "no", 1},
		"not traced":  {named + `{"meta":{}}`, "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			g, r := start(t, says(200, c.header))
			asked := startRecords(t, g, func(string) string { return c.late + "\n" })
			g.post("/v1", "{}", "X-Test-Trace", c.trace)
			e := g.entries(1)[0]
			want(t, "spans", len(e.Spans), c.spans)
			want(t, "said to the relay", r.requests()[0].context.Has("traced"), c.trace == "sampled")
			for _, line := range asked.lines() {
				want(t, "question", line, "r1 over traced\n")
			}
			if _, there := e.Record["kong"]; there || e.Record == nil {
				t.Errorf("record %v", e.Record)
			}
			if c.spans == 2 {
				want(t, "span", e.Spans[1], map[string]any{
					"name": "kong.gen_ai", "parent": "root", "kind": 3.0, "status": 2.0,
					"attributes": map[string]any{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7.0, "gen_ai.response.finish_reasons": "stop", "error.type": "failed"},
					"events":     []any{map[string]any{"server.address": "a"}, map[string]any{"server.address": "b"}},
				})
			}
		})
	}
}

func TestBodiesThatAreWrittenToFilesAreToldOnce(t *testing.T) {
	g, _ := start(t, hello)
	g.post("/v1", "{}")
	for range 3 {
		g.post("/v1", strings.Repeat("x", 100<<10))
	}
	var said []string
	for _, e := range g.entries(4) {
		said = append(said, e.Complaints...)
	}
	if len(said) != 1 || !strings.Contains(said[0], "nginx_proxy_client_body_buffer_size") {
		t.Errorf("complaints %q", said)
	}
	if left, err := filepath.Glob(filepath.Join(g.dir, "body", "*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}
