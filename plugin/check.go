package plugin

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"go-ai-proxy/plugin/health"
	"go-ai-proxy/plugin/wire"
)

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
		inst.unwatch = append(inst.unwatch, inst.relay.prober.Watch(health.Target{
			Key: t.identity, Interval: time.Duration(c.Interval) * time.Millisecond,
			Timeout:  time.Duration(cmp.Or(c.Timeout, min(5000, c.Interval))) * time.Millisecond,
			Failures: cmp.Or(c.Failures, 2), Successes: cmp.Or(c.Successes, 1),
			Probe: func(ctx context.Context) error { return check(ctx, inst, t, c.Path) },
			Alive: func(since time.Time) bool { return inst.balancer.AnsweredSince(i, since) },
			Tell:  func(asked bool, err error, down bool) { tellCheck(inst, i, asked, err, down) },
		}))
	}
}

// tellCheck tells the balancer what a health check of target i has found, and the log
// when the target goes down or comes up.
func tellCheck(inst *Instance, i int, asked bool, err error, down bool) {
	now := time.Now()
	was := inst.balancer.Health(i, now).Down
	if asked {
		inst.balancer.Checked(i, err == nil, inst.config.Balancer.Healthchecks.Active.Path == "", now)
	}
	if was == down {
		return
	}
	inst.balancer.SetDown(i, down)
	event, text := inst.relay.log.Info(), "health checks: the target is up again"
	if down {
		event, text = inst.relay.log.Warn().Str("error", redact(err)), "health checks: the target is down, others are used while there are any"
	}
	event.Str("plugin_id", inst.config.PluginID).Str("target", inst.targets[i].label.Target).Msg(text)
}

// check asks a target whether it lives: by a GET of path, without credentials, or by a
// request for one token. Whatever it answers shows that it does, but 404 and 5xx.
func check(ctx context.Context, inst *Instance, t *endpoint, path string) error {
	ask := askForOneToken
	if path != "" {
		ask = askForPath
	}
	answer, err := ask(ctx, inst, t, path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxCheck) // so that the connection can be kept
	if answer.Status >= 500 || answer.Status == http.StatusNotFound {
		return fmt.Errorf("the target answered %d", answer.Status)
	}
	return nil
}

// maxCheck is how much of an answer to a check is read, in bytes.
const maxCheck = 64 << 10

func askForPath(ctx context.Context, inst *Instance, t *endpoint, path string) (*wire.Answer, error) {
	base, err := t.parseBase(t.Model.Options.UpstreamURL)
	if err != nil {
		return nil, err
	}
	return inst.relay.upstream.Do(ctx, &wire.Outgoing{
		Method: http.MethodGet, URL: &url.URL{Scheme: base.Scheme, Host: base.Host, Path: path},
		Header: http.Header{"Accept-Encoding": takesIdentity}, Timeouts: t.timeouts,
	})
}

// oneToken is the request of a check without a path.
var oneToken = []byte(`{"messages":[{"role":"user","content":"ping"}],"max_tokens":1}`)

func askForOneToken(ctx context.Context, inst *Instance, t *endpoint, _ string) (*wire.Answer, error) {
	in := &wire.Inbound{
		Method: http.MethodPost, Path: "/chat/completions", Header: http.Header{"Content-Type": isJSON}, Body: bytes.NewReader(oneToken), ContentLength: int64(len(oneToken)),
	}
	x := newExchange(inst.relay, inst, in, nil, nil) // nobody waits for an answer
	defer func() { x.buffers.GiveBack(nil) }()
	if err := newReading(x).read(); err != nil {
		return nil, err
	}
	a, err := prepare(ctx, x, t)
	if err != nil {
		return nil, err
	}
	if err := a.call(ctx); err != nil {
		return nil, err
	}
	return a.answer, nil
}
