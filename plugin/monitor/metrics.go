package monitor

import (
	"cmp"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"go-ai-proxy/plugin/record"
)

// Names and labels follow OpenTelemetry's conventions for generative AI where they
// have one, in the form that OpenTelemetry's Prometheus exporter gives them; units
// are seconds and tokens. Names that the conventions do not have begin with go_ai_proxy_.
// https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
var (
	// byTarget are the labels of what one target did. The model is the configured
	// one: names that clients choose would create an unlimited number of series.
	byTarget  = []string{"route", "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "target"}
	byRequest = append(byTarget[:len(byTarget):len(byTarget)], "outcome", "status")
	byToken   = append(byTarget[:len(byTarget):len(byTarget)], "gen_ai_token_type")
	byAttempt = []string{"route", "gen_ai_provider_name", "target", "outcome"}
)

// The bounds of histograms: those that the conventions name.
var (
	durations = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	firsts    = []float64{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	perTokens = []float64{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5}
	owns      = []float64{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1}
	sizes     = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

// metrics holds everything that is exported.
type metrics struct {
	registry *prometheus.Registry
	shown    *prometheus.Registry // of those that totals are made of
	open     prometheus.Gauge
	streams  prometheus.Gauge

	requests, tokens, cost, unpriced, estimated, attempts, failovers *prometheus.CounterVec
	hedged, hedgedTokens, hedgedCost, replacedTokens, replacedCost   *prometheus.CounterVec
	affinity, prompts                                                *prometheus.CounterVec
	answers, savedTokens, savedCost                                  *prometheus.CounterVec
	duration, first, perToken, usage, own                            *prometheus.HistogramVec

	mu     sync.RWMutex
	series map[seriesKey]*series
	tries  map[tryKey]prometheus.Counter
}

// maxSeries bounds the combinations of labels; further ones are counted as "other".
// Routes and targets come from the configuration, so only a very large one, or one
// that changes all the time, gets there.
const maxSeries = 5000

// seriesKey identifies the series of one kind of request.
type seriesKey struct {
	route   string
	target  record.Label
	outcome record.Outcome
	status  int
}

// tryKey is the same for attempts.
type tryKey struct {
	route, provider, target, outcome string
	failover                         bool
}

// series are the metrics of one kind of request, looked up once.
type series struct {
	requests, cost, unpriced, estimated                             prometheus.Counter
	input, output, cached, cacheWrite, reasoning, audioIn, audioOut prometheus.Counter
	duration, first, perToken, sizeIn, sizeOut, own                 prometheus.Observer
}

func newMetrics(source Source, dropped map[string]func() uint64) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), shown: prometheus.NewRegistry(), series: map[seriesKey]*series{}, tries: map[tryKey]prometheus.Counter{}}
	counter := func(name, help string, labels []string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		if _, ok := counted[name]; ok || summed[name] != nil {
			m.shown.MustRegister(c)
		}
		return c
	}
	histogram := func(name, help string, bounds []float64, labels []string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
		m.registry.MustRegister(h)
		return h
	}
	m.open = prometheus.NewGauge(prometheus.GaugeOpts{Name: "go_ai_proxy_requests_open", Help: "Requests in progress, streams among them."})
	m.streams = prometheus.NewGauge(prometheus.GaugeOpts{Name: "go_ai_proxy_streams_open", Help: "Streamed answers in progress."})
	idle := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "go_ai_proxy_upstream_connections_idle", Help: "Connections to providers that are kept for later requests."},
		func() float64 { return float64(source.IdleConnections()) })
	m.registry.MustRegister(m.open, m.streams, idle, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &targetCollector{source}, &budgetCollector{source})
	m.requests = counter("go_ai_proxy_requests_total", "Requests, by how they ended and by the status that the client got.", byRequest)
	m.tokens = counter("go_ai_proxy_tokens_total", "Tokens by kind; cached, cache_write and audio are part of input or output, reasoning of output.", byToken)
	m.cost = counter("go_ai_proxy_cost_total", "Cost by the prices that are known, in their currency.", byTarget)
	m.unpriced = counter("go_ai_proxy_unpriced_total", "Requests whose cost is not known, because the price list of their target has no price of their model.", byTarget)
	m.estimated = counter("go_ai_proxy_estimated_total", "Requests whose tokens are estimated, in part or all.", byTarget)
	m.attempts = counter("go_ai_proxy_attempts_total", "Calls to providers, by result: ok, http_NNN, error, timeout, invalid_header, slow_start, content_filter, cancelled.", byAttempt)
	m.failovers = counter("go_ai_proxy_failovers_total", "Calls that another call replaced, by the failover criterion that it met.", byAttempt)
	m.hedged = counter("go_ai_proxy_hedged_total", "Requests that were sent to two targets at once, by the two and by which of them answered: first or hedge.", []string{"route", "first", "hedge", "winner"})
	m.hedgedTokens = counter("go_ai_proxy_hedged_tokens_total", "Tokens of the calls that were cancelled because the other one answered, beside go_ai_proxy_tokens_total.", []string{"route", "first", "hedge"})
	m.hedgedCost = counter("go_ai_proxy_hedged_cost_total", "Cost of those calls, beside go_ai_proxy_cost_total.", []string{"route", "first", "hedge"})
	m.replacedTokens = counter("go_ai_proxy_replaced_tokens_total", "Tokens that providers counted in answers that failed and were replaced by another target's, beside go_ai_proxy_tokens_total.", []string{"route", "target"})
	m.replacedCost = counter("go_ai_proxy_replaced_cost_total", "Cost of those answers, beside go_ai_proxy_cost_total.", []string{"route", "target"})
	m.affinity = counter("go_ai_proxy_affinity_total", "Requests of conversations, by what named them and by whether they went to their own target: home, busy, unavailable.", []string{"route", "key", "placement"})
	m.answers = counter("go_ai_proxy_response_cache_total", "Requests where answers are kept: hit, miss, bypass.", []string{"route", "state"})
	m.savedTokens = counter("go_ai_proxy_saved_tokens_total", "Tokens that kept answers would have used, by kind.", []string{"route", "gen_ai_token_type"})
	m.savedCost = counter("go_ai_proxy_saved_cost_total", "What kept answers would have cost, by the known prices.", []string{"route"})
	m.prompts = counter("go_ai_proxy_prompt_cache_total", "Requests for which the provider's prompt cache was to be asked for: added, client (the client did), short.", []string{"route", "target", "state"})
	m.duration = histogram("gen_ai_client_operation_duration_seconds", "From the request to the end of the answer.", durations, byTarget)
	m.first = histogram("gen_ai_server_time_to_first_token_seconds", "From the request to the first content of a stream.", firsts, byTarget)
	m.perToken = histogram("gen_ai_server_time_per_output_token_seconds", "Time per token of output after the first, of streams.", perTokens, byTarget)
	m.usage = histogram("gen_ai_client_token_usage", "Tokens per request.", sizes, byToken)
	m.own = histogram("go_ai_proxy_gateway_duration_seconds", "What the gateway took by itself: from the request, whole, to the call of the provider.", owns, byTarget)
	for name, lost := range dropped {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: "What was lost because nobody took it in time."},
			func() float64 { return float64(lost()) }))
	}
	return m
}

// count adds a settled record.
func (m *metrics) count(d *record.Data) {
	s := m.of(seriesKey{d.Route, d.Label, d.Outcome, d.Status})
	s.requests.Inc()
	s.duration.Observe(d.Latency.Seconds())
	if d.Own > 0 {
		s.own.Observe(d.Own.Seconds())
	}
	if d.First > 0 {
		s.first.Observe(d.First.Seconds())
		if d.Usage.Completion > 1 && d.Latency > d.First {
			s.perToken.Observe((d.Latency - d.First).Seconds() / float64(d.Usage.Completion-1))
		}
	}
	s.count(d)
	if d.ResponseCache != "" {
		m.answers.WithLabelValues(d.Route, d.ResponseCache).Inc()
	}
	if s := d.Saved; s != nil && s.Usage.Any() {
		m.savedTokens.WithLabelValues(d.Route, "input").Add(float64(s.Usage.Prompt))
		m.savedTokens.WithLabelValues(d.Route, "output").Add(float64(s.Usage.Completion))
		m.savedCost.WithLabelValues(d.Route).Add(s.Cost)
	}
	if d.PromptCache.State != "" {
		m.prompts.WithLabelValues(d.Route, d.Label.Target, d.PromptCache.State).Inc()
	}
	if d.Affinity.Placement != "" {
		m.affinity.WithLabelValues(d.Route, d.Affinity.Key, d.Affinity.Placement).Inc()
	}
	if h := d.Hedge; h != nil {
		m.hedged.WithLabelValues(d.Route, h.First, h.Target, h.Winner()).Inc()
		m.hedgedTokens.WithLabelValues(d.Route, h.First, h.Target).Add(float64(h.Prompt + h.Completion))
		m.hedgedCost.WithLabelValues(d.Route, h.First, h.Target).Add(h.Cost)
	}
	for i := range d.Tried {
		t := &d.Tried[i]
		if s := t.Spent; s != nil {
			m.replacedTokens.WithLabelValues(d.Route, t.Target).Add(float64(s.Usage.TotalTokens()))
			m.replacedCost.WithLabelValues(d.Route, t.Target).Add(s.Cost)
		}
		m.attempt(tryKey{route: d.Route, provider: t.Provider, target: t.Target, outcome: t.Outcome}, t.Failover, i < len(d.Tried)-1 && t.Outcome != record.Cancelled)
	}
}

// count adds the tokens and the cost of a record.
func (s *series) count(d *record.Data) {
	u := &d.Usage
	if u.Prompt > 0 {
		s.sizeIn.Observe(float64(u.Prompt))
	}
	if u.Completion > 0 {
		s.sizeOut.Observe(float64(u.Completion))
	}
	for _, kind := range [...]struct {
		c prometheus.Counter
		n int
	}{
		{s.input, u.Prompt}, {s.output, u.Completion}, {s.cached, u.Cached}, {s.cacheWrite, u.CacheWrite},
		{s.reasoning, u.Reasoning}, {s.audioIn, u.PromptAudio}, {s.audioOut, u.CompletionAudio},
	} {
		if kind.n > 0 {
			kind.c.Add(float64(kind.n))
		}
	}
	if cost := d.Cost(); cost > 0 {
		s.cost.Add(cost)
	}
	if d.Unpriced() {
		s.unpriced.Inc()
	}
	if d.Estimated {
		s.estimated.Inc()
	}
}

// of returns the series of a kind of request.
func (m *metrics) of(k seriesKey) *series {
	m.mu.RLock()
	s := m.series[k]
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s = m.series[k]; s != nil {
		return s
	}
	if len(m.series) >= maxSeries {
		k.route, k.target = other, record.Label{Operation: other, Provider: other, Model: other, Target: other}
		if s = m.series[k]; s != nil {
			return s
		}
	}
	s = m.make(k)
	m.series[k] = s
	return s
}

// other replaces values that are not counted separately.
const other = "other"

func (m *metrics) make(k seriesKey) *series {
	model := k.target.Model
	if model == "" {
		model = other // the client chooses
	}
	target := []string{k.route, k.target.Operation, k.target.Provider, model, k.target.Target}
	with := func(more ...string) []string { return append(target[:len(target):len(target)], more...) }
	token := func(kind string) prometheus.Counter { return m.tokens.WithLabelValues(with(kind)...) }
	return &series{
		requests: m.requests.WithLabelValues(with(string(k.outcome), strconv.Itoa(k.status))...),
		cost:     m.cost.WithLabelValues(target...), unpriced: m.unpriced.WithLabelValues(target...), estimated: m.estimated.WithLabelValues(target...),
		input: token("input"), output: token("output"), cached: token("cached"), cacheWrite: token("cache_write"),
		reasoning: token("reasoning"), audioIn: token("audio_input"), audioOut: token("audio_output"),
		duration: m.duration.WithLabelValues(target...), first: m.first.WithLabelValues(target...), perToken: m.perToken.WithLabelValues(target...),
		sizeIn: m.usage.WithLabelValues(with("input")...), sizeOut: m.usage.WithLabelValues(with("output")...),
		own: m.own.WithLabelValues(target...),
	}
}

// attempt counts a call to a provider, and the failover that followed it, by the
// criterion that allowed it.
func (m *metrics) attempt(k tryKey, criterion string, replaced bool) {
	m.try(k).Inc()
	if replaced {
		k.failover, k.outcome = true, cmp.Or(criterion, k.outcome)
		m.try(k).Inc()
	}
}

func (m *metrics) try(k tryKey) prometheus.Counter {
	m.mu.RLock()
	c := m.tries[k]
	m.mu.RUnlock()
	if c != nil {
		return c
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.tries) >= maxSeries {
		k.route, k.provider, k.target = other, other, other
	}
	if c = m.tries[k]; c == nil {
		vec := m.attempts
		if k.failover {
			vec = m.failovers
		}
		c = vec.WithLabelValues(k.route, k.provider, k.target, k.outcome)
		m.tries[k] = c
	}
	return c
}

// targetCollector exports what the balancer knows now.
type targetCollector struct{ source Source }

var (
	targetLabels = []string{"plugin", "route_type", "target", "gen_ai_provider_name", "gen_ai_request_model"}
	available    = prometheus.NewDesc("go_ai_proxy_target_available", "1, or 0 while the circuit breaker keeps requests away.", targetLabels, nil)
	inFlight     = prometheus.NewDesc("go_ai_proxy_target_requests_in_flight", "Calls in progress.", targetLabels, nil)
	refused      = prometheus.NewDesc("go_ai_proxy_target_credentials_refused", "1 while the target is avoided because it refuses its credentials.", targetLabels, nil)
	down         = prometheus.NewDesc("go_ai_proxy_target_down", "1 while the target is avoided because health checks found it dead.", targetLabels, nil)
	checked      = prometheus.NewDesc("go_ai_proxy_health_checks_total", "Health checks, by result: ok or failed.", append(targetLabels[:len(targetLabels):len(targetLabels)], "result"), nil)
	latency      = prometheus.NewDesc("go_ai_proxy_target_latency_seconds", "The latency that the balancer expects.", targetLabels, nil)
)

// Describe implements prometheus.Collector.
func (c *targetCollector) Describe(to chan<- *prometheus.Desc) {
	to <- available
	to <- inFlight
	to <- refused
	to <- down
	to <- checked
	to <- latency
}

// Collect implements prometheus.Collector.
func (c *targetCollector) Collect(to chan<- prometheus.Metric) {
	for _, t := range current(c.source) {
		labels := []string{t.Plugin, t.RouteType, t.Target, t.Provider, t.Model}
		up, denied := 0.0, 0.0
		if t.Available {
			up = 1
		}
		if t.CredentialsRefusedFor > 0 {
			denied = 1
		}
		to <- prometheus.MustNewConstMetric(available, prometheus.GaugeValue, up, labels...)
		to <- prometheus.MustNewConstMetric(inFlight, prometheus.GaugeValue, float64(t.InFlight), labels...)
		to <- prometheus.MustNewConstMetric(refused, prometheus.GaugeValue, denied, labels...)
		dead := 0.0
		if t.Down {
			dead = 1
		}
		to <- prometheus.MustNewConstMetric(down, prometheus.GaugeValue, dead, labels...)
		if t.Checks > 0 {
			to <- prometheus.MustNewConstMetric(checked, prometheus.CounterValue, float64(t.Checks-t.FailedChecks), append(labels[:len(labels):len(labels)], "ok")...)
			to <- prometheus.MustNewConstMetric(checked, prometheus.CounterValue, float64(t.FailedChecks), append(labels[:len(labels):len(labels)], "failed")...)
		}
		to <- prometheus.MustNewConstMetric(latency, prometheus.GaugeValue, t.Latency/float64(time.Second/time.Millisecond), labels...)
	}
}
