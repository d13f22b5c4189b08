package shim

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go-ai-proxy/test/lateness"
)

// listen has a plugin server listen in the gateway's folder.
func (g *gateway) listen(name string) {
	g.t.Helper()
	l, err := net.Listen("unix", filepath.Join(g.dir, name))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { l.Close() })
}

func TestRequestsWaitForAPluginServerThatIsStarting(t *testing.T) {
	g := startGateway(t, 1, hasty)
	r := startRelay(t, token, hello)
	a := r.access("")
	a.Socket = "plugin.sock"
	g.script(a)
	began := time.Now()
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() {
			if got := g.post("/v1", "{}"); got.StatusCode != 200 || time.Since(began) < 300*time.Millisecond {
				t.Errorf("%d after %v", got.StatusCode, time.Since(began))
			}
		})
	}
	machine := lateness.Start(t)
	time.Sleep(300 * time.Millisecond)
	asked := time.Now()
	want(t, "another request meanwhile", g.post("/_reconfigure", "").StatusCode, 200)
	if took := time.Since(asked); took > machine.Within(time.Second) {
		t.Errorf("the worker stands still: it answered after %v", took)
	}
	g.listen("plugin.sock")
	clients.Wait()
	for _, e := range g.entries(10) {
		want(t, "complaints", len(e.Complaints), 0)
	}
}

func TestRequestsAreRefusedWhenThePluginServerDoesNotStart(t *testing.T) {
	g := startGateway(t, 1, unwaiting)
	r := startRelay(t, token, hello)
	a := r.access("")
	a.Socket = "plugin.sock"
	g.script(a)
	machine := lateness.Start(t)
	for i, least := range []time.Duration{1490 * time.Millisecond, 0, 0} {
		began := time.Now()
		want(t, "status", g.post("/v1", "{}").StatusCode, 503)
		if took := time.Since(began); took < least || i > 0 && took > machine.Within(time.Second) {
			t.Errorf("request %d took %v", i, took)
		}
	}
	want(t, "calls of Go", len(g.calls()), 0)
	var said []string // not by the first entry: nginx may log a refused request after the next one
	for _, e := range g.entries(3) {
		said = append(said, e.Complaints...)
	}
	if len(said) != 1 || !strings.Contains(said[0], "nobody listens on "+filepath.Join(g.dir, "plugin.sock")) {
		t.Errorf("complaints %q", said)
	}
	g.listen("plugin.sock")
	want(t, "status when it has started", g.post("/v1", "{}").StatusCode, 200)
}

func TestCallOfAPluginServerThatEndsIsMadeAgain(t *testing.T) {
	g := startGateway(t, 1, hasty)
	r := startRelay(t, token, hello)
	a := r.access("")
	a.Error, a.Times = "broken pipe", 2
	g.script(a)
	want(t, "status", g.post("/v1", "{}").StatusCode, 200)
	want(t, "calls of Go", len(g.calls()), 3)
	want(t, "complaints", len(g.entries(1)[0].Complaints), 0)
}

func TestOneRequestAsksGoForAll(t *testing.T) {
	g := startGateway(t, 1, hasty)
	r := startRelay(t, token, hello)
	a := r.access("")
	a.Slow = 0.2
	g.script(a)
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() { want(t, "status", g.post("/v1", "{}").StatusCode, 200) })
	}
	clients.Wait()
	want(t, "calls of Go", len(g.calls()), 1)
}

func TestRotatedSecretReachesGo(t *testing.T) {
	g, _ := start(t, hello)
	for _, secret := range []string{"", "one", "one", "two", "two", "one"} { // missing at first
		want(t, "status", g.post("/v1", "{}", "X-Test-Secret", secret).StatusCode, 200)
	}
	var got []string
	versions := map[string]bool{}
	for _, call := range g.calls() {
		_, version, _ := strings.Cut(call, "version ")
		version, secret, _ := strings.Cut(version, " secret ")
		versions[version] = true
		got = append(got, secret)
	}
	want(t, "secrets that Go was given", got, []string{"", "one", "two", "one"})
	want(t, "versions of the configuration", len(versions), 4)
}

// GET / of the Admin API writes Kong's configuration as JSON.
// TestRelayIsToldOfPluginsThatKongRemoved, and not of those that Kong has, or of which it
// cannot say.
func TestRelayIsToldOfPluginsThatKongRemoved(t *testing.T) {
	g, _ := start(t, hello)
	r := startRecords(t, g, func(string) string { return "\n" })
	for _, name := range []string{"kept", "gone", "off", "unknown"} {
		g.post("/v1", "{}", "X-Test-Config", name)
	}
	for file, id := range map[string]string{"removed": "plugin-gone", "disabled": "plugin-off", "unknown": "plugin-unknown"} {
		if err := os.WriteFile(filepath.Join(g.dir, file), []byte(id), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	told := func() []string {
		var lines []string
		for _, line := range r.lines() {
			if strings.HasPrefix(line, "removed ") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		slices.Sort(lines)
		return lines
	}
	for end := time.Now().Add(20 * time.Second); len(told()) < 2 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // for what must not come
	want(t, "what the relay was told", told(), []string{"removed plugin-gone", "removed plugin-off"})
}

func TestProcessOfThePluginServerIsNotInKongsConfiguration(t *testing.T) {
	g := startGateway(t, 1, hasty)
	want(t, "configuration", g.post("/_configuration", "").body, `[{"name":"go-ai-proxy"}]function`)
}

func TestSchemaModuleReadsSchemaJSON(t *testing.T) {
	data, err := os.ReadFile("../../schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]string{"beside it": shimDir, "in a checkout": "."} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, 1, hasty)
			if err := os.WriteFile(filepath.Join(g.dir, place, "schema.json"), data, 0o644); err != nil {
				t.Fatal(err)
			}
			var got any
			if body := g.post("/_schema", "").body; json.Unmarshal([]byte(body), &got) != nil || !reflect.DeepEqual(got, schema) {
				t.Errorf("%s", body)
			}
		})
	}
}

// Kong takes a module for missing by the words of the error, and asks several times.
func TestSchemaModuleWithoutSchemaJSONIsOneThatKongDoesNotFind(t *testing.T) {
	g := startGateway(t, 1, hasty)
	for range 2 {
		g.post("/_schema", "")
	}
	log, err := os.ReadFile(filepath.Join(g.dir, "error.log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(log), "module 'kong.plugins.go-ai-proxy.schema' not found") != 2 {
		t.Errorf("%s", log)
	}
}

// What Kong 3.4.2 has of the PDK and of itself, as far as the shim uses it; what it
// has not is asked for before it is called.
var kong34 = strings.Fields(`kong.client.get_consumer kong.configuration kong.configuration.pluginservers kong.configuration.prefix
	kong.configuration.role kong.ctx.shared.authenticated_groups kong.db kong.db.acls kong.db.plugins kong.log.err kong.log.warn
	kong.log.set_serialize_value kong.request.get_uri_captures kong.response.exit kong.response.get_source
	kong.service.request.set_body kong.service.request.clear_header kong.tracing.start_span`)

var guarded34 = strings.Fields("kong.client.get_consumer_groups kong.version_num")

func TestShimUsesWhatKong34Has(t *testing.T) {
	files, err := filepath.Glob("../../" + shimDir + "/*.lua")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	used := regexp.MustCompile(`\bkong\.[a-z_.]*[a-z_]`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(source)) {
			code, _, _ := strings.Cut(line, "--")
			if strings.Contains(code, `"kong.`) || strings.Contains(code, "module '") {
				continue
			}
			for _, name := range used.FindAllString(code, -1) {
				if slices.Contains(guarded34, name) && (strings.Contains(string(source), "if "+name+" then") || strings.Contains(string(source), "("+name+" or 0)")) {
					continue
				}
				if !slices.Contains(kong34, name) {
					t.Errorf("%s: Kong 3.4 has no %s", filepath.Base(file), name)
				}
			}
		}
	}
}
