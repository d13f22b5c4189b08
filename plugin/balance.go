package plugin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/acl"
	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/failover"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/spending"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
)

// balancing finds the target that answers a request.
type balancing struct {
	exchange *exchange
	pick     balancer.Request
	choice   string // the reason for a semantic choice
	// ordinary are the candidates for any request, reserved those with fallback_for.
	ordinary, reserved []int
	counted, hedged    bool // the request has been counted as one that may be hedged, and was
	racing             bool // the exchange is that of one of two attempts: see race
}

// attempts tries the targets that the balancer picks, until one answers, the
// failover criteria forbid another attempt, or none is left. An attempt may be
// replaced until the first content has been sent to the client, never after it.
func (b *balancing) attempts(ctx context.Context) error {
	x, inst := b.exchange, b.exchange.instance
	candidates, err := inst.index.Candidates(x.request.model, x.request.route)
	if err != nil {
		return err
	}
	if candidates, err = b.admit(candidates); err != nil {
		return err
	}
	if inst.answers != nil {
		if answered, err := x.caching.recall(ctx, candidates); answered {
			return err
		}
	}
	if len(candidates) > 1 { // a failover must not wait for a token; the first attempt fetches its own
		for _, i := range candidates {
			inst.targets[i].Source.Warm(nil)
		}
	}
	b.ordinary, b.reserved = inst.reserve(candidates)
	ranked := b.rank(ctx, b.ordinary)
	pick := &b.pick
	pick.Now, pick.Candidates, pick.Hash, pick.Ranked = time.Now(), b.ordinary, b.hash(), ranked
	var parked *attempt // the last attempt whose answer was an error
	var last, spent error
	because := "" // the criterion by which another target is asked
	for left := inst.budget(); left > 0; left-- {
		i, ok := inst.balancer.Pick(pick)
		if !ok {
			break
		}
		if because != "" {
			b.failedOver(because)
		}
		if inst.affinity != nil {
			b.placed(i)
		}
		if x.reply.debugged() {
			b.reasoned(i, pick.Available())
		}
		inst.balancer.Exclude(pick, i)
		a, err := b.try(ctx, i, left > 1 && (inst.balancer.Left(pick) || len(b.reserved) > 0))
		if over, is := errors.AsType[*spending.OverBudgetError](err); is && over.Next {
			left++ // it was not tried
			spent = over
			b.leaveOut(i)
			continue
		}
		failed, ok := errors.AsType[*attemptError](err)
		if !ok {
			return err
		}
		if ctx.Err() != nil {
			return wire.ErrClientGone
		}
		last = failed.cause
		if a != nil && a.parked != nil && (parked == nil || parked.parked.late == nil) {
			parked = a
		}
		if failed.rest > 0 {
			inst.balancer.Rest(i, pick.Now.Add(failed.rest))
		}
		if because = b.mayReplace(failed); because == "" {
			break
		}
		b.narrow(i, &failed.failure)
	}
	switch {
	case parked != nil:
		x.reply = parked.reply
		return parked.deliverParked()
	case last != nil:
		return last
	case spent != nil:
		return spent
	}
	e := refuse(http.StatusServiceUnavailable, "No available targets")
	e.RetryAfter = max(inst.balancer.RetryAfter(pick), time.Second)
	return e
}

// mayReplace returns the criterion by which another target may be asked after a
// failed attempt, or "".
func (b *balancing) mayReplace(failed *attemptError) string {
	if !failed.replaceable {
		return ""
	}
	failed.failure.Consumed = b.exchange.request.consumed()
	return b.exchange.instance.policy.Allows(&failed.failure, b.exchange.request.in.Method)
}

// narrow sets who may be asked after target i failed with f: the targets that are kept
// for such failures, or else those that are kept for none. What will not go away by
// asking again is not asked of i again.
func (b *balancing) narrow(i int, f *failover.Failure) {
	if f.Lasts() {
		b.leaveOut(i)
	}
	b.pick.Candidates = b.ordinary
	if kept := b.keptFor(f); len(kept) > 0 {
		if b.pick.Candidates = kept; !b.exchange.instance.balancer.Other(&b.pick) {
			b.pick.Candidates = b.ordinary
		}
	}
}

// leaveOut removes target i from the candidates: the balancer would choose it again
// when all others have been tried.
func (b *balancing) leaveOut(i int) {
	isIt := func(j int) bool { return j == i }
	b.ordinary = slices.DeleteFunc(slices.Clone(b.ordinary), isIt)
	b.reserved = slices.DeleteFunc(b.reserved, isIt)
	b.pick.Candidates = slices.DeleteFunc(slices.Clone(b.pick.Candidates), isIt)
}

// keptFor returns the targets whose fallback_for names f.
func (b *balancing) keptFor(f *failover.Failure) (kept []int) {
	for _, i := range b.reserved {
		if f.IsFor(b.exchange.instance.targets[i].FallbackFor) {
			kept = append(kept, i)
		}
	}
	return kept
}

// failedOver records by which criterion another target is asked after the last call.
func (b *balancing) failedOver(because string) {
	b.exchange.record.Update(func(d *record.Data) {
		if n := len(d.Tried); n > 0 {
			d.Tried[n-1].Failover = because
		}
	})
}

// try makes an attempt at target i, or two at once where the configuration and the request
// allow that.
func (b *balancing) try(ctx context.Context, i int, replaceable bool) (*attempt, error) {
	x := b.exchange
	if x.instance.hedge != nil && !b.hedged && x.request.hedgeable(x.instance.config.Balancer.Hedge.Images) {
		return tryHedged(ctx, b, i, replaceable)
	}
	return b.tryOne(ctx, i, replaceable)
}

// tryOne makes one attempt at target i and reports its end to the balancer, whatever
// happens. The attempt is nil when it could not be prepared. Nothing of an earlier
// attempt is left in the exchange.
func (b *balancing) tryOne(ctx context.Context, i int, replaceable bool) (*attempt, error) {
	x, inst, pick := b.exchange, b.exchange.instance, &b.pick
	x.reply.encoder = nil
	verdict := balancer.Neutral // stays so after a panic
	defer func() { inst.balancer.Done(pick, i, verdict, pick.Now) }()
	if err := b.reserve(inst.targets[i]); err != nil {
		return nil, err
	}
	a, err := prepare(ctx, x, inst.targets[i])
	if err == nil {
		a.replaceable = b.racing || replaceable && inst.policy.Holds(x.request.in.Method, x.request.consumed())
		if replaceable && inst.policy.Has(failover.SlowStart) && (inst.balancer.Other(pick) || len(b.keptFor(&failover.Failure{Criterion: failover.SlowStart})) > 0) {
			a.startWithin = time.Duration(inst.config.Balancer.FirstTokenTimeout) * time.Millisecond
		}
		err = a.run(ctx)
	}
	pick.Now = time.Now()
	failed, isFailed := errors.AsType[*attemptError](err)
	gone := ctx.Err() != nil || errors.Is(err, wire.ErrClientGone)
	failure := failover.Failure{Criterion: failover.Refused}
	switch {
	case isFailed:
		x.spending.Release(&inst.targets[i].Spends)
		if a != nil && a.account.seen.HasUsage {
			a.account.settle() // the provider has counted something before it failed
			inst.balancer.Learn(i, a.usage(), pick.Now)
		}
		failed.replaceable = replaceable
		failure = failed.failure
		recordFailure(a, &failure)
	case err == nil:
		end := x.record.Outcome()
		gone = gone || end == record.Aborted
		failure.Criterion = a.criterion(end)
		inst.balancer.Learn(i, a.sample(end, pick.Now), pick.Now)
	}
	if gone {
		return a, err
	}
	verdict = inst.policy.Verdict(&failure)
	switch {
	case failure.Criterion == "":
	case failure.MayBeRequests():
		inst.balancer.Refuse(pick, i, pick.Now)
	default:
		inst.balancer.Fail(pick, i, pick.Now)
	}
	b.judgeKey(i, a, &failure)
	return a, err
}

// reserve reserves what an attempt at t is going to use, of the request's budgets.
func (b *balancing) reserve(t *endpoint.Endpoint) error {
	x, q := b.exchange, &b.exchange.request
	if x.spending == nil || q.api.Count != nil {
		return nil
	}
	states, err := x.spending.Reserve(&x.relay.budgets, x.instance.budgets, &spending.Request{
		Kong: &q.in.Kong, Header: q.in.Header, API: q.api, Route: q.route, Members: q.members, Size: len(q.body), Model: q.model, Creates: q.creates(),
	}, &t.Spends)
	x.reply.budgets = states
	x.record.Update(func(d *record.Data) { d.Budgets = states })
	return err
}

// judgeKey tells the balancer whether target i accepted its credentials. A key that is
// refused again and again is asked rarely, so that not every request is delayed by it.
// Credentials of the client's own say nothing of the target, nor does what somebody
// else's file is refused for.
func (b *balancing) judgeKey(i int, a *attempt, f *failover.Failure) {
	x, t := b.exchange, b.exchange.instance.targets[i]
	if a == nil || a.answer == nil || t.Auth.AllowOverride || !x.request.creates() {
		return
	}
	log := func(e *zerolog.Event, text string) {
		e.Str("plugin_id", x.instance.config.PluginID).Str("target", t.Label.Target).Msg(text)
	}
	if f.Reason == chat.Auth || f.Criterion == "http_401" {
		if wait := x.instance.balancer.Denied(i, b.pick.Now); wait > 0 {
			log(x.relay.log.Warn().Int64("asked_again_in_ms", wait.Milliseconds()), "the provider refuses the target's credentials: others are used while there are any")
		}
	} else if s := a.answer.Status; s < 500 && s != http.StatusTooManyRequests && x.instance.balancer.Accepted(i) {
		log(x.relay.log.Info(), "the provider accepts the target's credentials again")
	}
}

// hash is the hash of the header that consistent-hashing uses, or of what names the
// conversation. A request without it gets a random one.
func (b *balancing) hash() uint64 {
	inst, q := b.exchange.instance, &b.exchange.request
	switch {
	case inst.affinity != nil:
		if hash, by := inst.affinity.Key(q.in.Header, q.members); by != "" {
			b.exchange.record.Update(func(d *record.Data) { d.Affinity.Key = by })
			return hash
		}
	case inst.config.Balancer.Algorithm != string(balancer.ConsistentHashing):
		return 0
	default:
		if v, ok := q.Header(inst.config.Balancer.HashOnHeader); ok {
			return balancer.Hash(v)
		}
	}
	return balancer.Hash(newID())
}

// placed records whether the conversation stays at its target, of which i was chosen.
func (b *balancing) placed(i int) {
	placement := b.exchange.instance.balancer.Placement(&b.pick, i)
	b.exchange.record.Update(func(d *record.Data) {
		if d.Affinity.Key != "" {
			d.Affinity.Placement = string(placement)
		}
	})
}

// reasoned records why the balancer chose target i, out of how many.
func (b *balancing) reasoned(i, available int) {
	t := b.exchange.instance.targets[i]
	reason := fmt.Sprintf("%d of %d targets available, weight %d", available, len(b.exchange.instance.targets), max(t.Weight, 1))
	if b.choice != "" {
		reason = b.choice + "; " + reason
	}
	b.exchange.record.Update(func(d *record.Data) { d.Reason = reason })
}

// rank orders the candidates by the meaning of the prompt, if the configuration
// asks for that and there is a choice.
func (b *balancing) rank(ctx context.Context, candidates []int) []int {
	if b.exchange.instance.semantic == nil || len(candidates) < 2 {
		return nil
	}
	c := b.exchange.instance.semantic.Rank(ctx, b.exchange.internal.prompt(&b.exchange.request), candidates)
	b.choice = c.Reason
	b.exchange.record.Update(func(d *record.Data) {
		d.Reason = c.Reason
		d.Warnings = append(d.Warnings, c.Warnings...)
	})
	return c.Ranked
}

// admit returns the candidates that the ACLs allow for the request. Deny beats
// allow; when there are allow rules, one must match. Conditions on model and
// provider apply to the target, so a consumer may be allowed one target and denied
// another.
func (b *balancing) admit(candidates []int) ([]int, error) {
	acls := b.exchange.instance.config.ACLs
	if acls == nil || len(acls.Allow) == 0 && len(acls.Deny) == 0 {
		return candidates, nil
	}
	var admitted []int
	why := error(refuse(http.StatusForbidden, acl.Denied))
	for _, i := range candidates {
		s, err := b.subject(b.exchange.instance.targets[i])
		if err != nil { // the target cannot serve the request anyway
			why = err
			continue
		}
		switch ok, unseen := s.Admitted(acls); {
		case ok:
			admitted = append(admitted, i)
		case unseen:
			why = refuse(http.StatusForbidden, acl.Unseen)
		}
	}
	if len(admitted) == 0 {
		return nil, why
	}
	return admitted, nil
}

// subject is what rules see of the request at target t.
func (b *balancing) subject(t *endpoint.Endpoint) (*acl.Subject, error) {
	q := &b.exchange.request
	resolved, err := t.Resolve(q, q.model)
	if err != nil {
		return nil, err
	}
	asked := acl.Request{In: q.in, API: q.api, Model: q.model, Members: q.members, Body: len(q.body) > 0, Unread: q.unread != nil, FormUnknown: q.form != nil && !q.form.Known}
	return asked.At(t.Ruled(), resolved.Model), nil
}
