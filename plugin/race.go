package plugin

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/spending"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// race is an attempt that a second one, the hedge, may overtake: it starts when the
// first one has brought no content after some time. Each runs in an exchange of its
// own, and so shares nothing with the other. The one whose content comes first speaks
// for the client's exchange from then on, and the other is cancelled.
type race struct {
	of    *exchange   // the client's
	first *racer      // runs in the goroutine of the exchange
	timer *time.Timer // starts the hedge; nil if there will be none

	mu     sync.Mutex
	over   bool   // no hedge may start any more
	hedge  *racer // nil unless it was started
	winner *racer
}

// racer is one of the two attempts. What it leaves may be read once it has ended.
type racer struct {
	x        *exchange // its own
	target   int
	began    time.Time
	ctx      context.Context
	cancel   context.CancelFunc
	a        *attempt
	err      error
	panicked any
	ended    chan struct{}
}

// lostWithin is how long an attempt that won waits at most for the other to end, so
// that its record has both. It is cancelled by then, and ends at once but on a host that
// has no time for it.
const lostWithin = 250 * time.Millisecond

// tryHedged is like balancing.try, but hedged, where the configuration and the request
// allow it.
func tryHedged(ctx context.Context, b *balancing, i int, replaceable bool) (*attempt, error) {
	x := b.exchange
	if x.instance.hedge == nil || b.hedged || !hedgeable(x) {
		return b.try(ctx, i, replaceable)
	}
	r := &race{of: x}
	r.first = r.enter(ctx, i)
	if after := hedgeAfter(b, i); after > 0 {
		r.timer = time.AfterFunc(after, func() { r.startHedge(ctx) })
	}
	defer r.join() // after a panic
	r.first.run(replaceable)
	return r.result()
}

// hedgeAfter counts the request, and returns after which time without content from
// target i another target is asked; 0 if that is not known yet.
func hedgeAfter(b *balancing, i int) time.Duration {
	policy := b.exchange.instance.hedge
	if !b.counted {
		b.counted = true
		policy.Count()
	}
	if n := policy.Percentile(); n > 0 {
		return b.exchange.instance.balancer.FirstContent(i, b.exchange.request.stream, n)
	}
	return policy.After()
}

// enter makes an attempt at target i, which has not begun.
func (r *race) enter(ctx context.Context, i int) *racer {
	p := &racer{x: r.of.fork(), target: i, began: time.Now(), ended: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.x.hedging = true
	p.x.own.claim = func() error { return r.claim(p) }
	return p
}

func (p *racer) run(replaceable bool) {
	defer close(p.ended)
	p.a, p.err = p.x.balancing.try(p.ctx, p.target, replaceable)
}

// startHedge runs the second attempt, if there is a target and the budget allows it.
func (r *race) startHedge(ctx context.Context) {
	p := r.enterHedge(ctx)
	if p == nil {
		return
	}
	defer func() {
		if p.panicked != nil {
			r.of.relay.log.Error().Str("stack", string(debug.Stack())).Msg("panic in a hedged attempt")
		}
	}()
	defer close(p.ended)
	defer func() { p.panicked = recover() }()
	p.a, p.err = p.x.balancing.try(p.ctx, p.target, true)
}

func (r *race) enterHedge(ctx context.Context) *racer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.winner != nil {
		return nil
	}
	inst, p := r.of.instance, r.enter(ctx, 0)
	pick := &p.x.balancing.pick
	pick.Now = p.began
	if !inst.balancer.Other(pick) || !inst.hedge.Take() {
		p.cancel()
		return nil
	}
	var ok bool
	if p.target, ok = inst.balancer.Pick(pick); !ok {
		p.cancel()
		return nil
	}
	in := *r.of.request.in // what an attempt changes is its own
	in.Header = in.Header.Clone()
	p.x.request.in, p.x.internal = &in, internal{}
	r.hedge = p
	return p
}

// claim makes p the attempt that answers the client, if no other is. It runs in p's
// goroutine.
func (r *race) claim(p *racer) error {
	r.mu.Lock()
	if r.winner != nil {
		r.mu.Unlock()
		return errLost
	}
	r.winner = p
	lost := r.hedge
	if p == lost {
		lost = r.first
	}
	r.mu.Unlock()
	r.observe(p)
	if lost != nil {
		lost.cancel()
		select {
		case <-lost.ended:
		case <-time.After(lostWithin):
		}
	}
	r.speak(p, lost)
	return nil
}

// observe keeps how long the first content took. The one that was overtaken takes at
// least as long as it has taken so far.
func (r *race) observe(p *racer) {
	inst, stream, now := r.of.instance, p.x.request.stream, time.Now()
	inst.balancer.Began(p.target, stream, now.Sub(p.began))
	if p != r.first {
		inst.balancer.Began(r.first.target, stream, now.Sub(r.first.began))
	}
}

// speak makes p's exchange the client's. lost is the attempt that it has overtaken, or
// nil.
func (r *race) speak(p, lost *racer) {
	x, f := r.of, p.x
	before := len(x.record.Data().Tried)
	tried := slices.Clone(f.record.Data().Tried)
	var hedge *record.Hedge
	if lost != nil {
		others := lost.tried(before)
		if lost.cancelled() {
			for i := range others {
				others[i].Outcome = record.Cancelled
			}
		}
		tried = slices.Insert(tried, before, others...) // the last one is the one that answers
		hedge = r.cost(p, lost)
	}
	settled, message := x.record.Adopt(f.record, tried, hedge)
	f.record, f.own.record, f.first.record = x.record, x.record, x.record
	f.own.live, f.own.claim = x.own.live, nil
	x.reply = &f.own
	if settled != record.Pending {
		f.own.finish(settled, message)
	}
}

// cancelled says whether the attempt was, or is going to be, ended by the other one.
func (p *racer) cancelled() bool {
	select {
	case <-p.ended:
		_, failed := errors.AsType[*attemptError](p.err)
		_, over := errors.AsType[*spending.OverBudgetError](p.err)
		return !failed && !over
	default:
		return true
	}
}

// tried are the attempts that p has made after the first n of its record, with what they
// have used if p failed by itself. What a cancelled one has used is in the record's Hedge.
func (p *racer) tried(n int) []record.Tried {
	d := p.x.record.Data()
	d.Tried = slices.Clone(d.Tried[n:])
	if !p.cancelled() {
		d.SetAside()
	}
	return d.Tried
}

// cost is what was done and what it cost: the tokens of the attempt that was cancelled.
// What it has not told itself is the prompt, as it is estimated.
func (r *race) cost(p, lost *racer) *record.Hedge {
	inst, d := r.of.instance, lost.x.record.Data()
	h := &record.Hedge{
		After: r.hedge.began.Sub(r.first.began), Won: p == r.hedge,
		First: inst.targets[r.first.target].Label.Target, Target: inst.targets[r.hedge.target].Label.Target,
	}
	if !lost.cancelled() {
		return h // it failed by itself
	}
	d.Usage = chat.Usage{}
	select {
	case <-lost.ended:
		d.Usage = lost.x.first.seen.Usage
	default:
	}
	if q := &p.x.request; d.Usage.Prompt == 0 && q.api.Prose != nil {
		d.Usage.Prompt, h.Estimated = record.PromptTokens(q.api.Prose(q.members), q.stream), true
	}
	record.Bound(&d.Usage)
	h.Prompt, h.Completion, h.Cost = d.Usage.Prompt, d.Usage.Completion, d.Cost()
	return h
}

// join ends the race: whatever is under way is waited for. Afterwards the exchange
// belongs to its goroutine alone.
func (r *race) join() {
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Lock()
	joined := r.over
	r.over = true
	r.mu.Unlock()
	if joined {
		return
	}
	if r.first.a == nil && r.first.err == nil && r.hedge != nil { // the first one has panicked
		r.hedge.cancel()
	}
	for _, p := range []*racer{r.first, r.hedge} {
		if p != nil {
			<-p.ended
			p.cancel()
			r.of.buffers.Take(&p.x.buffers)
		}
	}
	r.of.first.began = r.first.x.first.began
}

// result is the end of the race, as that of one attempt at the first target.
func (r *race) result() (*attempt, error) {
	r.join()
	b := &r.of.balancing
	b.pick.Now = time.Now()
	if r.hedge != nil {
		b.hedged = true
		r.of.instance.balancer.Exclude(&b.pick, r.hedge.target)
		if r.winner == r.hedge {
			if r.hedge.panicked != nil {
				panic(r.hedge.panicked)
			}
			return r.hedge.a, r.hedge.err
		}
	}
	if r.winner == nil {
		r.lose()
	}
	return r.first.a, r.first.err
}

// lose makes the exchange of the first attempt the client's, when none has brought
// content: its error may be what the client gets.
func (r *race) lose() {
	var others []record.Tried
	if r.hedge != nil {
		others = r.hedge.tried(len(r.of.record.Data().Tried))
	}
	r.speak(r.first, nil)
	if r.hedge == nil {
		return
	}
	r.of.record.Update(func(d *record.Data) { d.Tried = append(d.Tried, others...) })
	if failed, ok := errors.AsType[*attemptError](r.hedge.err); ok {
		b := &r.of.balancing
		if failed.rest > 0 {
			r.of.instance.balancer.Rest(r.hedge.target, b.pick.Now.Add(failed.rest))
		}
		b.narrow(r.hedge.target, &failed.failure)
	}
}

// hedgeable says whether a request may be sent to two targets at once: what it asks
// for has no effect but the answer, and it can be read twice.
func hedgeable(x *exchange) bool {
	q := &x.request
	if q.api.Body != provider.TakeJSON || q.api.Resources != nil && q.api.Dialect == nil || !q.creates() || q.reads() || q.consumed() {
		return false
	}
	switch {
	case q.route == route.ImageGenerations:
		return x.instance.config.Balancer.Hedge.Images
	case q.api.Dialect == nil && q.route != route.Embeddings && q.route != route.Completions:
		return false
	}
	// What is stored, or continued, at one provider.
	return !jsonedit.IsTrue(jsonedit.Find(q.members, "background")) && jsonedit.Find(q.members, "previous_response_id") == nil && jsonedit.Find(q.members, "conversation") == nil
}
