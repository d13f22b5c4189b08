package plugin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/cluster"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/engine"
	"go-ai-proxy/plugin/gateway"
	"go-ai-proxy/plugin/health"
	"go-ai-proxy/plugin/monitor"
	"go-ai-proxy/plugin/pricelist"
	"go-ai-proxy/plugin/realtime"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/resp"
	"go-ai-proxy/plugin/responsecache"
	"go-ai-proxy/plugin/semantic"
	"go-ai-proxy/plugin/spending"
	"go-ai-proxy/plugin/upstream"
	"go-ai-proxy/plugin/warnings"
	"go-ai-proxy/plugin/wire"
)

// Relay serves the requests of all instances of the plugin.
type Relay struct {
	schema   *config.Schema
	log      zerolog.Logger
	upstream wire.Upstream
	states   *balancer.Store // state of targets, kept across configurations

	pause time.Duration // between two polls of a result that is not ready

	leaving chan struct{} // closed when sessions must end

	embeddings *semantic.Cache
	prices     pricelist.Store
	budgets    budget.Store
	prober     *health.Prober       // nil when nobody is checked
	paid       record.Paid          // ids of what has been counted and can be read again
	node       *cluster.Node        // nil when states are not shared
	answers    *responsecache.Redis // where configurations with redis keep answers; nil for none

	seen      *monitor.Monitor // nil when nobody looks
	mu        sync.Mutex
	instances []*Instance // that are open
}

// Show has the relay's requests and targets shown at addr: see package monitor.
// Nothing is shown, and the listener is nil, if addr is empty or "off". It must be
// called before the first configuration. dropped counts what is lost, by name of a
// metric.
func (r *Relay) Show(addr string, dropped map[string]func() uint64) (*monitor.Listener, error) {
	if addr == "" || addr == "off" {
		return nil, nil
	}
	m := monitor.New(r, Version, dropped)
	l, err := monitor.Listen(m, addr, os.Getenv, r.log)
	if err == nil {
		r.seen = m
	}
	return l, err
}

// NewRelay returns a relay that calls providers over HTTP with the engine of that
// kind. Configurations are checked against schema.
func NewRelay(schema *config.Schema, log zerolog.Logger, kind engine.Kind) *Relay {
	resp.LogTo(log)
	return &Relay{
		schema: schema, log: log, upstream: upstream.New(kind), states: balancer.NewStore(), pause: pollPause, leaving: make(chan struct{}),
		embeddings: semantic.NewCache(embeddingsKept, embeddingsKeptFor),
	}
}

// Schema is the schema of the relay's configurations.
func (r *Relay) Schema() *config.Schema { return r.schema }

// RedisEnv is the environment variable that holds the URL of the Redis through
// which nodes share the state of targets.
const RedisEnv = "GO_AI_PROXY_REDIS"

// Share makes the relay share usage, latency and health of targets, and what is used of
// budgets, with other nodes, through the Redis at url (redis://…, rediss://… for TLS).
// Share does not wait for Redis, and no request does without a budget. An empty url shares nothing.
func (r *Relay) Share(url string) error {
	if url == "" {
		return nil
	}
	err := r.budgets.Share(url, r.log)
	if err != nil {
		return fmt.Errorf("%s: %w", RedisEnv, err)
	}
	if r.node, err = cluster.Join(url, r.states, r.log); err != nil {
		return fmt.Errorf("%s: %w", RedisEnv, err)
	}
	if r.answers, err = responsecache.OpenRedis(url, r.log); err != nil {
		return fmt.Errorf("%s: %w", RedisEnv, err)
	}
	return nil
}

// Start connects the relay with what the environment names, and begins to check the
// health of targets. It shares with other nodes through the Redis of RedisEnv, and shows
// what happens at the address of monitor.AddrEnv, or at addr: see Share and Show, and
// CheckHealth. It must be called before the first configuration.
func (r *Relay) Start(addr string, dropped map[string]func() uint64) (*monitor.Listener, error) {
	r.CheckHealth()
	if err := r.Share(os.Getenv(RedisEnv)); err != nil {
		return nil, err
	}
	return r.Show(cmp.Or(os.Getenv(monitor.AddrEnv), addr), dropped)
}

// CheckHealth makes the relay check the targets whose configuration asks for it. It
// must be called before the first configuration.
func (r *Relay) CheckHealth() { r.prober = health.New(r.log) }

// Close stops sharing and checking, and ends idle connections to providers.
func (r *Relay) Close() {
	if r.node != nil {
		r.node.Close()
	}
	r.budgets.Close()
	if r.prober != nil {
		r.prober.Close()
	}
	if r.answers != nil {
		r.answers.Close()
	}
	if c, ok := r.upstream.(interface{ Close() }); ok {
		c.Close()
	}
}

// Serve answers one request and returns its record, however it ended. live may be
// nil.
func (r *Relay) Serve(ctx context.Context, inst *Instance, in *wire.Inbound, out wire.Sink, live record.Live) (rec *record.Record) {
	x := newExchange(r, inst, in, out, live)
	rec = x.record
	rec.Update(func(d *record.Data) { d.Started = x.request.start })
	if len(inst.budgets) > 0 {
		x.spending = &spending.Spending{}
		defer x.spending.Settle(rec)
	}
	if live != nil {
		rec.Watch()
		live.Begin(rec)
	}
	if r.seen != nil {
		r.seen.Begin()
		defer x.observed()
	}
	defer func() {
		if p := recover(); p != nil {
			r.log.Error().Str("stack", string(debug.Stack())).Msg("panic while serving a request")
			x.fail(record.Panicked, refuse(http.StatusInternalServerError, "internal error"))
		}
	}()
	if err := x.serve(ctx); err != nil {
		x.end(ctx, err)
	}
	x.internal.free()
	x.buffers.GiveBack(nil)
	return rec
}

// Open implements gateway.Relay.
func (r *Relay) Open(config []byte) (gateway.Instance, error) {
	inst, err := r.NewInstance(config)
	switch {
	case inst.broken != nil:
		r.log.Error().Str("plugin_id", inst.config.PluginID).Err(err).Msg("configuration refused")
	case err != nil:
		r.log.Error().Str("plugin_id", inst.config.PluginID).Err(err).Msg("a target can serve no request")
	}
	return inst, err
}

// Leave implements gateway.Relay.
func (r *Relay) Leave() time.Duration {
	close(r.leaving)
	return realtime.Parting
}

// NewInstance compiles a configuration as Kong sends it, and always returns an
// instance. When the configuration cannot work, the instance answers every request
// with 500 and the reason; err is the same reason, to be logged once. err also
// names targets that can serve no request; only requests to those are refused.
// Options without effect are logged as warnings.
func (r *Relay) NewInstance(data []byte) (inst *Instance, err error) {
	c, err := r.schema.Parse(data)
	if err == nil {
		err = c.Check()
	}
	if c == nil {
		c = &config.Config{}
	}
	inst = &Instance{relay: r, config: c}
	r.mu.Lock()
	r.instances = append(r.instances, inst)
	r.mu.Unlock()
	if err == nil {
		err = inst.compile()
	}
	if err != nil {
		inst.broken = refuse(http.StatusInternalServerError, "the configuration of go-ai-proxy cannot work: "+err.Error())
		return inst, err
	}
	targets := inst.checked()
	inst.warnings = slices.Concat(inst.warnings, c.Warnings(), warnings.Of(c, targets))
	for _, w := range inst.warnings {
		r.log.Warn().Str("plugin_id", c.PluginID).Str("field", w.Field).Msg(w.Message)
	}
	return inst, warnings.Impossible(c, targets)
}

// closed forgets an instance.
func (r *Relay) closed(inst *Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instances = slices.DeleteFunc(r.instances, func(i *Instance) bool { return i == inst })
}

// Configurations implements monitor.Source.
func (r *Relay) Configurations() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.instances)
}

// Targets implements monitor.Source. Of several configurations of one plugin the
// newest comes first.
func (r *Relay) Targets() []monitor.Target {
	r.mu.Lock()
	instances := slices.Clone(r.instances)
	r.mu.Unlock()
	var list []monitor.Target
	for _, inst := range slices.Backward(instances) {
		list = inst.appendTargets(list, time.Now())
	}
	return list
}

// Budgets implements monitor.Source.
func (r *Relay) Budgets() []monitor.Budget {
	r.mu.Lock()
	instances := slices.Clone(r.instances)
	r.mu.Unlock()
	var list []monitor.Budget
	for _, inst := range slices.Backward(instances) {
		list = spending.Append(list, inst.budgets, time.Now())
	}
	return list
}

// IdleConnections implements monitor.Source.
func (r *Relay) IdleConnections() int {
	if pool, ok := r.upstream.(interface{ IdleConnections() int }); ok {
		return pool.IdleConnections()
	}
	return 0
}

// Redirect sends every request that is meant for a provider to base instead:
// scheme and host are base's, the rest is unchanged. It must be called before the
// first request. With a mock at base, a configuration can be tried without keys
// and without a network.
func (r *Relay) Redirect(base *url.URL) {
	if c, ok := r.upstream.(interface{ Redirect(*url.URL) }); ok {
		c.Redirect(base)
	}
}
