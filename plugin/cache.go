package plugin

import (
	"context"
	"encoding/json"
	"net/http"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/responsecache"
	"go-ai-proxy/translators/route"
)

// headerCache tells the client whether the answer is one that was kept: hit, miss or
// bypass.
const headerCache = "X-Kong-Llm-Cache"

// The states of a request, as the header and the record name them.
const (
	cacheHit    = "hit"
	cacheMiss   = "miss"
	cacheBypass = "bypass" // it may not be answered with a kept answer
)

// newAnswers returns the cache of the configuration's answers, nil if it has none.
func newAnswers(inst *Instance) *responsecache.Cache {
	if inst.config.ResponseCache == nil {
		return nil
	}
	scope, err := json.Marshal(inst.config)
	if err != nil { // a scope that many have would mix their answers
		scope = []byte(newID())
	}
	return responsecache.Open(inst.config.ResponseCache, scope, inst.relay.answers)
}

// caching answers an exchange with a kept answer, or keeps the answer that it gets.
type caching struct {
	exchange *exchange
	capture  *responsecache.Capture // of the answer that is to be kept; nil for none
}

// recall answers from the cache, if it has the answer; otherwise it sees to it that keep
// can put the answer there.
func (c *caching) recall(ctx context.Context, candidates []int) (answered bool, err error) {
	x, answers := c.exchange, c.exchange.instance.answers
	if !isKept(&x.request) {
		return false, nil
	}
	note := func(state string) { // before the answer begins: the record goes with its header
		x.reply.cached = state
		x.record.Update(func(d *record.Data) { d.ResponseCache = state })
	}
	note(cacheBypass)
	asked, ok := c.request(candidates)
	if !ok {
		return false, nil
	}
	use := answers.Use(asked)
	if !use.Write {
		return false, nil
	}
	key := answers.Key(asked)
	if use.Read {
		if e := answers.Get(ctx, key); e != nil {
			note(cacheHit)
			return true, c.replay(candidates[0], e)
		}
		note(cacheMiss)
	}
	c.capture = responsecache.NewCapture(x.reply.sink, key, headerModel, headerLeftOut)
	x.reply.sink = c.capture
	return false, nil
}

// isKept says whether answers to such requests may be kept: text and vectors.
func isKept(q *request) bool {
	return responsecache.Keeps(q.route) && q.in.Method == http.MethodPost && q.sub == "" && q.members != nil && q.api.Count == nil && q.in.Upgrade == nil
}

// request is all that the answer depends on. ok is false if a target's model cannot be
// known.
func (c *caching) request(candidates []int) (r *responsecache.Request, ok bool) {
	inst, q := c.exchange.instance, &c.exchange.request
	r = &responsecache.Request{
		Route: q.in.Kong.Route, Path: q.in.Path, Query: q.in.RawQuery, API: string(q.api.Format), Model: q.model,
		Stream: q.stream, Gzip: q.gzip, Members: q.members, CacheControl: q.in.Header["Cache-Control"], Deterministic: q.route == route.Embeddings,
		Consumer: q.in.Kong.Consumer.ID, Groups: q.in.Kong.Groups,
	}
	unknown := r.Consumer == "" && !(inst.config.ResponseCache.Per != nil && len(*inst.config.ResponseCache.Per) == 0)
	for n, i := range candidates {
		t := inst.targets[i]
		resolved, err := t.Resolve(q, q.model)
		if err != nil {
			return nil, false
		}
		options, _ := json.Marshal(resolved.Options) // numbers and strings only: it cannot fail
		r.Targets = append(r.Targets, t.Model.Provider, resolved.Model, string(options))
		unknown = unknown || t.Auth.AllowOverride
		own := resolved.Options.Temperature
		if n > 0 && (own == nil) != (r.Temperature == nil) || own != nil && r.Temperature != nil && *own != *r.Temperature {
			r.MixedOverrides = true
		}
		r.Temperature = own
	}
	r.Headers = responsecache.Distinguishing(q.in.Header, unknown)
	return r, true
}

// replay gives the client a kept answer. Its usage and cost are recorded as saved.
func (c *caching) replay(i int, e *responsecache.Entry) error {
	x := c.exchange
	x.record.Update(func(d *record.Data) {
		t := x.instance.targets[i]
		t.Describe(d)
		d.Options, d.Price = nil, nil
		d.Provider, d.Model, d.ResponseModel = e.Provider, e.Model, e.ResponseModel
		d.Saved = &record.Saved{Usage: e.Usage, Cost: e.Cost}
		if e.Stream {
			d.Mode = record.Stream
		}
		if t.Logging.Payloads {
			d.Request = x.request.body
			if !e.Stream {
				d.Answer = e.Body
			}
		}
	})
	h := make(http.Header, len(e.Header)+4)
	for name, values := range e.Header {
		h[name] = values
	}
	if e.Stream {
		x.reply.noteFirst()
	}
	x.reply.finish(record.Completed, "")
	if !e.Stream {
		return x.reply.send(http.StatusOK, h, e.Body)
	}
	if err := x.reply.start(http.StatusOK, h, -1); err != nil {
		return err
	}
	if err := x.reply.write(e.Body); err != nil {
		return err
	}
	return x.reply.flush()
}

// keep puts the answer into the cache, if it is a whole one.
func (c *caching) keep(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	e, whole := c.capture.Entry()
	d := c.exchange.record.Data()
	if !whole || d.Outcome != record.Completed {
		return
	}
	e.Provider, e.Model, e.ResponseModel, e.Usage, e.Cost = d.Provider, d.Model, d.ResponseModel, d.Usage, d.Cost()
	c.exchange.instance.answers.Put(ctx, c.capture.Key, e)
}
