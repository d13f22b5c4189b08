package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/acl"
	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/buffers"
	"go-ai-proxy/plugin/cluster"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/endpoint"
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
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
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

// exchange is one client request and its answer on their way through the relay.
// It belongs to the goroutine that serves it.
type exchange struct {
	relay    *Relay
	instance *Instance
	record   *record.Record

	request   request // read-only once it has been read
	internal  internal
	own       reply
	reply     *reply // own, or that of the attempt that answers
	balancing balancing
	spending  *spending.Spending // nil without budgets
	buffers   buffers.Set
	first     attempt // usually the only one
	hedging   bool    // the exchange is that of one of two attempts: see race
}

// fork returns an exchange for one of two attempts that are made at once, which shares
// nothing that either changes.
func (x *exchange) fork() *exchange {
	d := x.record.Data()
	d.Tried = slices.Clone(d.Tried)
	f := &exchange{relay: x.relay, instance: x.instance, record: record.New(d), request: x.request, internal: x.internal.take(), balancing: x.balancing, spending: x.spending}
	f.own = reply{sink: x.own.sink, cached: x.own.cached, instance: x.instance, request: &f.request, record: f.record}
	f.reply, f.balancing.exchange, f.balancing.pick = &f.own, f, x.balancing.pick.Clone()
	f.buffers.Keeps = x.buffers.Keeps
	return f
}

// newExchange starts an exchange and its record.
func newExchange(r *Relay, inst *Instance, in *wire.Inbound, out wire.Sink, live record.Live) *exchange {
	x := &exchange{relay: r, instance: inst, record: inst.record()}
	x.request.in, x.request.start = in, time.Now()
	x.own = reply{sink: out, live: live, instance: inst, request: &x.request, record: x.record}
	x.reply = &x.own
	x.balancing.exchange = x
	x.buffers.Keeps = inst.keeps
	return x
}

// observed tells the status that the request has ended.
func (x *exchange) observed() {
	x.record.Update(func(d *record.Data) {
		d.Route, d.Status = x.request.in.Kong.Route, x.reply.status
		if began := x.first.began; !began.IsZero() {
			d.Own = began.Sub(x.request.start)
		}
		x.relay.seen.Settle(d)
	})
	if x.reply.streaming {
		x.relay.seen.EndStream()
	}
}

// serve runs the request's phases. The error has not been sent to the client yet.
func (x *exchange) serve(ctx context.Context) error {
	if x.instance.broken != nil {
		return x.instance.broken
	}
	if listed, err := answerModels(x); listed {
		return err
	}
	if err := (&reading{x, &x.request}).read(); err != nil {
		return answerProbe(x, err)
	}
	err := x.balancing.attempts(ctx)
	keep(ctx, &x.balancing, err)
	return err
}

// shows says whether the client may know of a target: it may use it, as far as can
// be known from a request that names no model.
func (x *exchange) shows(t *endpoint.Endpoint) bool {
	acls := x.instance.config.ACLs
	if acls == nil {
		return true
	}
	q := &x.request
	s := &acl.Subject{In: q.in, Target: t.Ruled(), Unseen: !t.FixedModel(), Models: []string{t.Model.Name}}
	ok, _ := s.Admitted(acls)
	return ok
}

// end sends the client the error, if it is still there, and settles the record.
func (x *exchange) end(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, wire.ErrClientGone) {
		x.fail(record.Aborted, refuse(statusClientClosed, textClientClosed))
		return
	}
	e := asClientError(err)
	outcome := record.Refused
	if len(x.record.Data().Tried) > 0 && e.Status >= 500 { // a form may be refused while it is being sent
		outcome = record.Failed
	}
	var said *reported
	var why *unready
	switch {
	case errors.As(err, &said):
		outcome = record.Failed // whatever the status: the provider had begun to answer
		x.reply.finish(outcome, said.Error())
	case errors.As(err, &why):
		x.reply.finish(outcome, why.Error())
	}
	if e.Status >= 500 {
		x.relay.log.Warn().Str("plugin_id", x.instance.config.PluginID).Int("status", e.Status).Str("error", redact(err)).Msg("request failed")
	}
	x.fail(outcome, e)
}

// fail ends the request with an error of the relay's own. After the first byte of
// a stream it is sent as the format's error event.
func (x *exchange) fail(outcome record.Outcome, e *chat.Error) {
	x.reply.finish(outcome, e.Message)
	if outcome == record.Aborted {
		x.reply.sink.Abort()
		return
	}
	if x.reply.started {
		if x.reply.encoder != nil || x.reply.streaming {
			x.reply.errorEvent(e)
			return
		}
		x.reply.sink.Abort()
		return
	}
	if q := &x.request; outcome == record.Failed && q.stream && q.api != nil && q.api.InStream != nil && q.api.InStream(e) {
		meta := chat.Meta{ID: x.reply.identify(), Created: q.start.Unix(), Model: q.model}
		if x.reply.sendFailedStream(http.Header{}, e, &meta) != nil {
			x.reply.sink.Abort()
		}
		return
	}
	x.reply.sendError(e)
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

// Budgets implements monitor.Budgeted.
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

// listed is a model that clients may name, and the first target that serves it.
type listed struct {
	provider.Model
	target *endpoint.Endpoint
}

// answerModels answers a client that asks which models the route serves, or for
// one of them, and says whether that is what it asked. Nothing is sent to a
// provider.
func answerModels(x *exchange) (bool, error) {
	inst, asked := x.instance, x.request.asked()
	var all []listed
	find := func(id string) int {
		if all == nil {
			all = listModels(x)
		}
		if i := slices.IndexFunc(all, func(m listed) bool { return m.is(id) }); i >= 0 {
			return i
		}
		return slices.IndexFunc(all, func(m listed) bool { return m.target.HasAlias(id) })
	}
	id, ok := inst.table.Models(&asked, func(id string) bool { return find(id) >= 0 })
	if !ok {
		return false, nil
	}
	writer := inst.table.Format().Models
	i := find(id)
	var body []byte
	switch {
	case id == "":
		models := make([]provider.Model, len(all))
		for i := range all {
			models[i] = all[i].Model
		}
		body = writer.AppendModels(nil, models)
	case i < 0:
		e := refuse(http.StatusNotFound, fmt.Sprintf("The model '%s' does not exist or you do not have access to it.", id))
		e.Code, e.Param = "model_not_found", "model"
		return true, e
	default:
		model := all[i].Model
		if !all[i].is(id) {
			model.ID = id // what a pattern stands for
		}
		body = writer.AppendModel(nil, &model)
		x.record.Update(all[i].target.Describe)
	}
	x.reply.finish(record.Completed, "")
	return true, x.reply.send(http.StatusOK, http.Header{"Content-Type": isJSONInUTF8}, body)
}

// answerProbe answers a client whose request was refused, but only asked what is
// there. It returns the refusal of any other.
func answerProbe(x *exchange, refused error) error {
	asked := x.request.asked()
	allow, probed := x.instance.table.Probe(&asked, refused)
	if !probed {
		return refused
	}
	x.reply.finish(record.Completed, "")
	if allow == "" {
		return x.reply.send(http.StatusOK, http.Header{}, nil)
	}
	return x.reply.send(http.StatusNoContent, http.Header{"Allow": {allow}}, nil)
}

// listModels returns the models that the request's client may name, each once, in
// the order of the targets. A target whose model depends on the request has none to
// list, unless it has an alias.
func listModels(x *exchange) []listed {
	all := []listed{}
	for _, t := range x.instance.targets {
		if t.RouteType == route.Preserve || !x.shows(t) {
			continue
		}
		for _, id := range t.Names() {
			i := slices.IndexFunc(all, func(m listed) bool { return m.ID == id })
			if i < 0 {
				i = len(all)
				all = append(all, listed{provider.Model{ID: id, Owner: t.Model.Provider}, t})
			}
			if !slices.Contains(all[i].Routes, t.RouteType) {
				all[i].Routes = append(all[i].Routes, t.RouteType)
			}
		}
	}
	return all
}

// is says whether id names the model.
func (m *listed) is(id string) bool {
	plain := m.target.Provider.PlainModel
	return m.ID == id || plain != nil && plain(m.ID) == plain(id)
}
