// Package monitor shows what the gateway does: metrics for Prometheus, the state of
// each target, and a page that shows both and the last requests. Begin is called for
// each request and Settle for each settled record. The package never sees prompts,
// answers or keys, and keeps nothing that could contain them.
//
// Start with Monitor. metrics.go has the metrics, board.go the last hour and the last
// requests, server.go the listener, page/ the page.
package monitor

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"go-ai-proxy/plugin/record"
)

// Source tells Monitor the current state.
type Source interface {
	// Targets returns the targets of all configurations, each with its health.
	Targets() []Target
	// Configurations returns how many configurations are served.
	Configurations() int
	// IdleConnections is how many connections to providers are kept for later requests.
	IdleConnections() int
	// Budgets returns the budgets of all configurations, which may have one more than once.
	Budgets() []Budget
}

// Target is a target as the balancer sees it now.
type Target struct {
	Plugin    string `json:"plugin"` // Kong's id of the plugin
	RouteType string `json:"route_type"`
	Target    string `json:"target"` // its name in metrics and records
	Provider  string `json:"provider"`
	Model     string `json:"model"` // as configured; "" if the client chooses

	// Available is false while the circuit breaker keeps requests away.
	Available bool `json:"available"`
	// ClosedFor and RestingFor are the milliseconds until the target is tried again:
	// after failures, and after the provider's Retry-After.
	ClosedFor  int64 `json:"closed_for_ms"`
	RestingFor int64 `json:"resting_for_ms"`
	// Down says that health checks found the target dead; both counts are of them.
	Down         bool  `json:"down"`
	Checks       int64 `json:"health_checks"`
	FailedChecks int64 `json:"health_checks_failed"`
	// CredentialsRefusedFor are the milliseconds until the target is asked again after
	// it refused its credentials.
	CredentialsRefusedFor int64 `json:"credentials_refused_for_ms"`
	InFlight              int64 `json:"in_flight"`
	// Latency and PerToken are the balancer's averages in milliseconds, 0 if unknown.
	Latency          float64 `json:"latency_ms"`
	PerToken         float64 `json:"time_per_token_ms"`
	PromptTokens     int64   `json:"prompt_tokens"`
	CompletionTokens int64   `json:"completion_tokens"`
	Cost             float64 `json:"cost"`
}

// Budget is a budget as this process knows it now, without those who have it.
type Budget struct {
	Plugin     string  `json:"plugin"`
	Budget     string  `json:"budget"` // its name
	Unit       string  `json:"unit"`   // tokens or cost
	OnExceeded string  `json:"on_exceeded"`
	Limit      float64 `json:"limit"`
	// Used is what the one has used, in this window, that has used most.
	Used float64 `json:"used"`
	// Counters is how many have used something in this window.
	Counters int    `json:"counters"`
	Exceeded uint64 `json:"exceeded"` // requests that were refused or got another target
	Warned   uint64 `json:"warned"`
}

// budgets returns the budgets of source, each once.
func budgets(source Source) []Budget {
	seen := map[[2]string]bool{}
	return slices.DeleteFunc(source.Budgets(), func(b Budget) bool {
		key := [2]string{b.Plugin, b.Budget}
		again := seen[key]
		seen[key] = true
		return again
	})
}

// Monitor collects what is shown. It is safe for concurrent use.
type Monitor struct {
	source  Source
	version string
	began   time.Time
	metrics *metrics
	board   boards
}

// New returns a Monitor that asks source. version is shown on the page. dropped holds
// counters of what was lost, by the name of their metric.
func New(source Source, version string, dropped map[string]func() uint64) *Monitor {
	m := &Monitor{source: source, version: version, began: time.Now()}
	m.metrics = newMetrics(source, dropped)
	return m
}

// Begin is called for each request that begins.
func (m *Monitor) Begin() { m.metrics.open.Inc() }

// BeginStream is called when the answer to a request begins as a stream.
func (m *Monitor) BeginStream() { m.metrics.streams.Inc() }

// EndStream is called when a stream that began has ended.
func (m *Monitor) EndStream() { m.metrics.streams.Dec() }

// Settle is called once for each request that has begun, when its answer has ended,
// with its record. It keeps nothing of d.
func (m *Monitor) Settle(d *record.Data) {
	m.metrics.open.Dec()
	m.metrics.count(d)
	m.board.add(d)
}

// Metrics returns all that /metrics exports.
func (m *Monitor) Metrics() prometheus.Gatherer { return m.metrics.registry }

// current returns the targets of source, each once: an older configuration of a
// plugin may not be closed yet.
func current(source Source) []Target {
	seen := map[[3]string]bool{}
	return slices.DeleteFunc(source.Targets(), func(t Target) bool {
		key := [3]string{t.Plugin, t.RouteType, t.Target}
		again := seen[key]
		seen[key] = true
		return again
	})
}
