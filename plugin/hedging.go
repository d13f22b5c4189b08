package plugin

import (
	"context"
	"errors"
	"slices"
	"time"

	"go-ai-proxy/plugin/hedge"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/spending"
	"go-ai-proxy/translators/chat"
)

// race is an attempt at a target that a second one, the hedge, may overtake. Each runs in
// an exchange of its own, and so shares nothing with the other; that of the winner is the
// client's from then on.
type race struct {
	of            *exchange // the client's
	pair          hedge.Race
	first, second *racer // second is nil unless it was started
	joined        bool
}

// racer is one of the two attempts. What it leaves may be read once it has ended.
type racer struct {
	*hedge.Racer
	x      *exchange // its own
	target int
	a      *attempt
	err    error
}

// tryHedged is like balancing.tryOne, but hedged.
func tryHedged(ctx context.Context, b *balancing, i int, replaceable bool) (*attempt, error) {
	x := b.exchange
	r := &race{of: x}
	r.first = r.enter(ctx, i)
	r.pair.First = r.first.Racer
	if after := hedgeAfter(b, i); after > 0 {
		r.pair.HedgeAfter(after, func() *hedge.Racer { return r.enterHedge(ctx) }, func() { r.second.try(true) }, func(stack []byte) {
			x.relay.log.Error().Str("stack", string(stack)).Msg("panic in a hedged attempt")
		})
	}
	defer r.join() // after a panic
	r.first.Run(func() { r.first.try(replaceable) })
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
	p := &racer{Racer: hedge.NewRacer(ctx), x: r.of.fork(), target: i}
	p.x.balancing.racing = true
	p.x.own.claim = func() error { return r.claim(p) }
	return p
}

// enterHedge makes the second attempt, if there is a target and the budget allows it.
func (r *race) enterHedge(ctx context.Context) *hedge.Racer {
	inst, p := r.of.instance, r.enter(ctx, 0)
	pick, ok := &p.x.balancing.pick, false
	pick.Now = p.Began
	if inst.balancer.Other(pick) && inst.hedge.Take() {
		p.target, ok = inst.balancer.Pick(pick)
	}
	if !ok {
		p.Cancel()
		return nil
	}
	in := *r.of.request.in // what an attempt changes is its own
	in.Header = in.Header.Clone()
	p.x.request.in, p.x.internal = &in, internal{}
	r.second = p
	return p.Racer
}

func (p *racer) try(replaceable bool) {
	p.a, p.err = p.x.balancing.tryOne(p.Ctx, p.target, replaceable)
}

// claim makes p the attempt that answers the client, if no other is. It runs in p's
// goroutine.
func (r *race) claim(p *racer) error {
	beaten, ok := r.pair.Claim(p.Racer, func() { r.observe(p) })
	if !ok {
		return errLost
	}
	var lost *racer
	switch {
	case beaten == nil:
	case p == r.first:
		lost = r.second
	default:
		lost = r.first
	}
	r.speak(p, lost)
	return nil
}

// observe keeps how long the first content took. The one that was overtaken takes at
// least as long as it has taken so far.
func (r *race) observe(p *racer) {
	inst, stream, now := r.of.instance, p.x.request.stream, time.Now()
	inst.balancer.Began(p.target, stream, now.Sub(p.Began))
	if p != r.first {
		inst.balancer.Began(r.first.target, stream, now.Sub(r.first.Began))
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
	f.record, f.own.record = x.record, x.record
	f.own.live, f.own.claim = x.own.live, nil
	x.reply = &f.own
	if settled != record.Pending {
		f.own.finish(settled, message)
	}
}

// cancelled says whether the attempt was, or is going to be, ended by the other one.
func (p *racer) cancelled() bool {
	if !p.Ended() {
		return true
	}
	_, failed := errors.AsType[*attemptError](p.err)
	_, over := errors.AsType[*spending.OverBudgetError](p.err)
	return !failed && !over
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
		After: r.second.Began.Sub(r.first.Began), Won: p == r.second,
		First: inst.targets[r.first.target].Label.Target, Target: inst.targets[r.second.target].Label.Target,
	}
	if !lost.cancelled() {
		return h // it failed by itself
	}
	d.Usage = chat.Usage{}
	if lost.Ended() {
		d.Usage = lost.x.first.account.seen.Usage
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
	if r.joined {
		return
	}
	r.joined = true
	r.pair.Join(r.first.a == nil && r.first.err == nil) // then the first one has panicked
	for _, p := range []*racer{r.first, r.second} {
		if p != nil {
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
	winner := r.pair.Winner()
	if r.second != nil {
		b.hedged = true
		r.of.instance.balancer.Exclude(&b.pick, r.second.target)
		if winner == r.second.Racer {
			if r.second.Panicked != nil {
				panic(r.second.Panicked)
			}
			return r.second.a, r.second.err
		}
	}
	if winner == nil {
		r.lose()
	}
	return r.first.a, r.first.err
}

// lose makes the exchange of the first attempt the client's, when none has brought
// content: its error may be what the client gets.
func (r *race) lose() {
	var others []record.Tried
	if r.second != nil {
		others = r.second.tried(len(r.of.record.Data().Tried))
	}
	r.speak(r.first, nil)
	if r.second == nil {
		return
	}
	r.of.record.Update(func(d *record.Data) { d.Tried = append(d.Tried, others...) })
	if failed, ok := errors.AsType[*attemptError](r.second.err); ok {
		b := &r.of.balancing
		if failed.rest > 0 {
			r.of.instance.balancer.Rest(r.second.target, b.pick.Now.Add(failed.rest))
		}
		b.narrow(r.second.target, &failed.failure)
	}
}
