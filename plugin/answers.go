package plugin

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/responsecache"
	"go-ai-proxy/plugin/wire"
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
	c := inst.config.ResponseCache
	if c == nil {
		return nil
	}
	scope, err := json.Marshal(inst.config)
	if err != nil { // a scope that many have would mix their answers
		scope = []byte(newID())
	}
	o := responsecache.Options{
		TTL: time.Duration(c.TTL * float64(time.Second)), Entries: c.MaxEntries, Bytes: c.MaxBytes, Scope: scope,
		Consumer: c.Per == nil || slices.Contains(*c.Per, "consumer"), Group: c.Per != nil && slices.Contains(*c.Per, "consumer_group"),
		AnyTemperature: c.AnyTemperature,
	}
	if c.Redis {
		o.Redis = inst.relay.answers
	}
	return responsecache.New(o)
}

// recall answers from the cache, if it has the answer; otherwise it sees to it that keep
// can put the answer there.
func recall(ctx context.Context, b *balancing, candidates []int) (answered bool, err error) {
	x, answers := b.exchange, b.exchange.instance.answers
	if answers == nil || !isKept(&x.request) {
		return false, nil
	}
	note := func(state string) { // before the answer begins: the record goes with its header
		x.reply.cached = state
		x.record.Update(func(d *record.Data) { d.ResponseCache = state })
	}
	note(cacheBypass)
	asked, ok := cacheRequest(b, candidates)
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
			return true, replay(b, candidates[0], e)
		}
		note(cacheMiss)
	}
	b.capture = &capture{Sink: x.reply.sink, key: key}
	x.reply.sink = b.capture
	return false, nil
}

// isKept says whether answers to such requests may be kept: text and vectors.
func isKept(q *request) bool {
	return keepsAnswers(q.route) && q.in.Method == http.MethodPost && q.sub == "" && q.members != nil && q.api.Count == nil && q.in.Upgrade == nil
}

// keepsAnswers says whether answers of a route type may be kept.
func keepsAnswers(t route.Type) bool {
	return t == route.Chat || t == route.Completions || t == route.Responses || t == route.Embeddings
}

// cacheRequest is all that the answer depends on. ok is false if a target's model cannot be
// known.
func cacheRequest(b *balancing, candidates []int) (r *responsecache.Request, ok bool) {
	inst, q := b.exchange.instance, &b.exchange.request
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
	for _, name := range slices.Sorted(maps.Keys(q.in.Header)) {
		if unknown && isCredential(name) || changesAnswer(name) {
			r.Credentials = append(r.Credentials, name)
			r.Credentials = append(r.Credentials, q.in.Header[name]...)
		}
	}
	return r, true
}

// isCredential says whether a header may tell clients apart that Kong does not know.
func isCredential(name string) bool {
	return name == "Authorization" || name == "Cookie" || strings.HasSuffix(name, "Key") || strings.HasSuffix(name, "Token")
}

// changesAnswer says whether a client's header changes what a provider answers: versions
// and betas.
func changesAnswer(name string) bool {
	return strings.HasSuffix(name, "-Beta") || strings.HasSuffix(name, "-Version") || strings.HasPrefix(name, "X-Amzn-") || strings.HasSuffix(name, "-Organization") || strings.HasSuffix(name, "-Project")
}

// replay gives the client a kept answer. Its usage and cost are recorded as saved.
func replay(b *balancing, i int, e *responsecache.Entry) error {
	x := b.exchange
	x.record.Update(func(d *record.Data) {
		t := x.instance.targets[i]
		t.describe(d)
		d.Options, d.Price = nil, nil
		d.Provider, d.Model, d.ResponseModel = e.Provider, e.Model, e.ResponseModel
		d.Saved = record.Saved{Usage: e.Usage, Cost: e.Cost}
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
	if err := x.reply.startStream(http.StatusOK, h); err != nil {
		return err
	}
	if err := x.reply.write(e.Body); err != nil {
		return err
	}
	return x.reply.flush()
}

// keep puts the answer into the cache, if it is a whole one.
func keep(ctx context.Context, b *balancing, err error) {
	c := b.capture
	if c == nil || err != nil || c.spoilt || c.status != http.StatusOK || ctx.Err() != nil {
		return
	}
	d := b.exchange.record.Data()
	if d.Outcome != record.Completed {
		return
	}
	b.exchange.instance.answers.Put(ctx, c.key, &responsecache.Entry{
		Header: c.header, Body: c.body, Stream: c.stream,
		Provider: d.Provider, Model: d.Model, ResponseModel: d.ResponseModel, Usage: d.Usage, Cost: d.Cost(),
	})
}

// capture is a sink that keeps what the client is sent.
type capture struct {
	wire.Sink
	key    responsecache.Key
	status int
	header http.Header
	body   []byte
	stream bool
	spoilt bool // it cannot be kept: it is cut off, or too large
}

// keptHeaders are the headers of an answer that are kept with it.
var keptHeaders = []string{"Content-Type", "Content-Encoding", "X-Accel-Buffering", "Cache-Control", headerModel, headerLeftOut}

func (c *capture) Start(status int, header http.Header, length int64) error {
	c.status, c.stream = status, length < 0
	c.header = http.Header{}
	for _, name := range keptHeaders {
		if v := header[name]; v != nil {
			c.header[name] = slices.Clone(v)
		}
	}
	return c.Sink.Start(status, header, length)
}

func (c *capture) Write(p []byte) error {
	if len(c.body)+len(p) > responsecache.MaxEntry {
		c.spoilt, c.body = true, nil
	}
	if !c.spoilt {
		c.body = append(c.body, p...)
	}
	err := c.Sink.Write(p)
	c.spoilt = c.spoilt || err != nil
	return err
}

func (c *capture) Flush() error {
	err := c.Sink.Flush()
	c.spoilt = c.spoilt || err != nil
	return err
}

func (c *capture) Abort() {
	c.spoilt = true
	c.Sink.Abort()
}
