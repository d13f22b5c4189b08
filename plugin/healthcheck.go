package plugin

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/health"
	"go-ai-proxy/plugin/wire"
)

// healthcheck asks one target of an instance, again and again, whether it lives.
type healthcheck struct {
	instance *Instance
	index    int // of the target
	target   *endpoint.Endpoint
}

// watch has the instance's targets checked.
func watch(inst *Instance) {
	if inst.relay.prober == nil || inst.config.Balancer.Healthchecks == nil {
		return
	}
	c := &inst.config.Balancer.Healthchecks.Active
	for i, t := range inst.targets {
		if !t.Checked() {
			continue
		}
		h := &healthcheck{inst, i, t}
		inst.unwatch = append(inst.unwatch, inst.relay.prober.Watch(health.Target{
			Key: t.Identity, Interval: time.Duration(c.Interval) * time.Millisecond,
			Timeout:  time.Duration(cmp.Or(c.Timeout, min(5000, c.Interval))) * time.Millisecond,
			Failures: cmp.Or(c.Failures, 2), Successes: cmp.Or(c.Successes, 1),
			Probe: h.probe,
			Alive: func(since time.Time) bool { return inst.balancer.AnsweredSince(i, since) },
			Tell:  h.tell,
		}))
	}
}

// tell tells the balancer what a check has found, and the log when the target goes down or
// comes up.
func (h *healthcheck) tell(asked bool, err error, down bool) {
	inst, i, now := h.instance, h.index, time.Now()
	was := inst.balancer.Health(i, now).Down
	if asked {
		inst.balancer.Checked(i, err == nil, h.path() == "", now)
	}
	if was == down {
		return
	}
	inst.balancer.SetDown(i, down)
	event, text := inst.relay.log.Info(), "health checks: the target is up again"
	if down {
		event, text = inst.relay.log.Warn().Str("error", redact(err)), "health checks: the target is down, others are used while there are any"
	}
	event.Str("plugin_id", inst.config.PluginID).Str("target", inst.targets[i].Label.Target).Msg(text)
}

// probe asks the target whether it lives: by a GET of the configured path, without
// credentials, or by a request for one token.
func (h *healthcheck) probe(ctx context.Context) error {
	ask := h.askForOneToken
	if h.path() != "" {
		ask = h.askForPath
	}
	answer, err := ask(ctx)
	if err != nil {
		return err
	}
	return health.Judge(answer)
}

func (h *healthcheck) path() string { return h.instance.config.Balancer.Healthchecks.Active.Path }

func (h *healthcheck) askForPath(ctx context.Context) (*wire.Answer, error) {
	t := h.target
	base, err := t.ParseBase(t.Model.Options.UpstreamURL)
	if err != nil {
		return nil, err
	}
	return h.instance.relay.upstream.Do(ctx, &wire.Outgoing{
		Method: http.MethodGet, URL: &url.URL{Scheme: base.Scheme, Host: base.Host, Path: h.path()},
		Header: http.Header{"Accept-Encoding": takesIdentity}, Timeouts: t.Timeouts,
	})
}

// oneToken is the request of a check without a path.
var oneToken = []byte(`{"messages":[{"role":"user","content":"ping"}],"max_tokens":1}`)

func (h *healthcheck) askForOneToken(ctx context.Context) (*wire.Answer, error) {
	in := &wire.Inbound{
		Method: http.MethodPost, Path: "/chat/completions", Header: http.Header{"Content-Type": isJSON}, Body: bytes.NewReader(oneToken), ContentLength: int64(len(oneToken)),
	}
	x := newExchange(h.instance.relay, h.instance, in, nil, nil) // nobody waits for an answer
	defer func() { x.buffers.GiveBack(nil) }()
	if err := (&reading{x, &x.request}).read(); err != nil {
		return nil, err
	}
	a, err := prepare(ctx, x, h.target)
	if err != nil {
		return nil, err
	}
	if err := a.call(ctx); err != nil {
		return nil, err
	}
	return a.answer, nil
}
