//go:build unix && !race

package standalone

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/lines"
	"go-ai-proxy/plugin/server"
)

// plainRoute is a route with what every configuration has. NAME, PROVIDER, URL, OPTIONS
// and MORE are replaced.
const plainRoute = `
      - name: NAME
        paths: ["/NAME"]
        plugins:
          - name: go-ai-proxy
            config:
              route_type: llm/v1/chat
              auth: {header_name: Authorization, header_value: "Bearer sk-x"}
              logging: {log_statistics: true}
              model: {provider: PROVIDER, name: mock-1, options: {upstream_url: "URL"OPTIONS}}MORE
`

// allOff is what a configuration may say of the features that it does not use.
const allOff = `
              response_streaming: allow
              model_name_header: false
              debug: false
              propagate_trace: false
              cache: {auto: false}`

// allOn is a route that uses every feature.
const allOn = `
      - name: on
        paths: ["/on"]
        plugins:
          - name: go-ai-proxy
            config:
              response_cache: {ttl: 60, per: [], any_temperature: true}
              cache: {auto: true}
              budgets: [{per: route, limit: {tokens: 1000000}, window: 1d}]
              acls: {allow: [{match: [{type: path, values: ["/on"]}]}]}
              balancer:
                algorithm: affinity
                hedge: {after: 500ms, budget: 5%}
                failover_criteria: [error, timeout, http_529, overloaded, slow_start]
                first_token_timeout: 1000
                max_fails: 3
                healthchecks: {active: {interval: 60000}}
              targets:
                - route_type: llm/v1/chat
                  auth: {header_name: Authorization, header_value: "Bearer sk-x"}
                  logging: {log_statistics: true, price_file: built_in}
                  model: {provider: openai, name: mock-1, options: {upstream_url: "URL"}}
                - route_type: llm/v1/chat
                  auth: {header_name: Authorization, header_value: "Bearer sk-x"}
                  logging: {log_statistics: true, price_file: built_in}
                  model: {provider: openai, name: mock-2, options: {upstream_url: "URL"}}
`

const site0 = "_format_version: \"3.0\"\nservices:\n  - name: ai\n    url: http://localhost:32000\n    routes:"

// routeOf returns a route to the peers' provider, whose format is OpenAI's or Anthropic's.
func routeOf(name, provider, base, more string) string {
	path, options := "/v1/chat/completions", ""
	if provider == "anthropic" {
		path, options = "/v1/messages", `, max_tokens: 4096, anthropic_version: "2023-06-01"`
	}
	return strings.NewReplacer("NAME", name, "PROVIDER", provider, "URL", base+path, "OPTIONS", options, "MORE", more).Replace(plainRoute)
}

// startGateway serves the routes, and returns where.
func startGateway(t testing.TB, routes ...string) string {
	server.TuneCollector()
	file := filepath.Join(t.TempDir(), "kong.yml")
	if err := os.WriteFile(file, []byte(site0+strings.Join(routes, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	relay := plugin.NewRelay(testSchema, zerolog.Nop(), engine.BuiltIn)
	relay.CheckHealth()
	s := &site{source: &source{relay: relay, file: file}, stderr: io.Discard, log: zerolog.Nop(), kind: engine.BuiltIn}
	first, err := s.source.read()
	if err != nil {
		t.Fatal(err)
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	entries := lines.Entries(io.Discard, zerolog.Nop())
	s.handler = &handler{relay: relay, out: entries, log: zerolog.Nop()}
	s.use(first)
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error)
	go func() { end <- s.serve(ctx, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-end; err != nil {
			t.Error(err)
		}
		entries.Close(time.Second)
		relay.Close()
	})
	return s.listener.Addr().String()
}

// cost is what requests have used.
type cost struct {
	cpu            time.Duration
	objects, bytes uint64
}

func used() (c cost) {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return cost{time.Duration(u.Utime.Nano() + u.Stime.Nano()), m.Mallocs, m.TotalAlloc}
}

// costOf is what n requests use, sent by so many clients.
func costOf(t testing.TB, p *peers, address, path string, clients, n int) cost {
	p.send(t, address, path, clients, 500)
	before := used()
	p.send(t, address, path, clients, n)
	after := used()
	return cost{after.cpu - before.cpu, (after.objects - before.objects) / uint64(n), (after.bytes - before.bytes) / uint64(n)}
}

// BenchmarkGateway is a request of 1 KB from one socket to the other: plain and on TLS, in
// the same format and translated. cpu-ns/op is this process's CPU; ns/op is the peers',
// too.
func BenchmarkGateway(b *testing.B) {
	p := startPeers(b)
	plain, secure := "http://"+p.plain, "https://"+p.secure
	address := startGateway(b, routeOf("same", "openai", plain, ""), routeOf("translated", "anthropic", plain, ""),
		routeOf("same-tls", "openai", secure, ""), routeOf("translated-tls", "anthropic", secure, ""), routeOf("off", "openai", plain, allOff))
	for _, name := range []string{"same", "translated", "same-tls", "translated-tls", "off"} {
		b.Run(name, func(b *testing.B) {
			c := costOf(b, p, address, "/"+name, 32, b.N)
			b.ReportMetric(float64(c.cpu.Nanoseconds())/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(c.objects), "objects/op")
			b.ReportMetric(float64(c.bytes), "bytes/op")
		})
	}
}

// A small request allocates within these bounds, from one socket to the other.
func TestGatewayAllocatesWithinItsBounds(t *testing.T) {
	p := startPeers(t)
	address := startGateway(t, routeOf("same", "openai", "http://"+p.plain, ""), routeOf("translated", "anthropic", "http://"+p.plain, ""))
	for path, most := range map[string]cost{"/same": {objects: 30, bytes: 7 << 10}, "/translated": {objects: 56, bytes: 12 << 10}} {
		c := costOf(t, p, address, path, 8, 4000)
		t.Logf("%s: %d objects, %d bytes", path, c.objects, c.bytes)
		if c.objects > most.objects || c.bytes > most.bytes {
			t.Errorf("%s: %d objects of %d bytes in all, more than %d of %d", path, c.objects, c.bytes, most.objects, most.bytes)
		}
	}
}

// What is off, or used by another route only, costs a request nothing.
func TestFeaturesThatAreOffCostNothing(t *testing.T) {
	p := startPeers(t)
	base := "http://" + p.plain
	without, with := startGateway(t, routeOf("absent", "openai", base, "")), startGateway(t, routeOf("off", "openai", base, allOff), strings.ReplaceAll(allOn, "URL", base))
	var absent, off cost
	for range 5 { // the collector empties the pools, sooner or later
		absent, off = costOf(t, p, without, "/absent", 8, 4000), costOf(t, p, with, "/off", 8, 4000)
		t.Logf("absent %d objects, %d bytes; off %d, %d", absent.objects, absent.bytes, off.objects, off.bytes)
		if off.objects <= absent.objects && off.bytes <= absent.bytes+absent.bytes/10 {
			return
		}
	}
	t.Errorf("off: %d objects of %d bytes in all; absent: %d of %d", off.objects, off.bytes, absent.objects, absent.bytes)
}
