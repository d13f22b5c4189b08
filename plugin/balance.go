package plugin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// balancing finds the target that answers a request.
type balancing struct {
	exchange *exchange
	pick     balancer.Request
	choice   string // how a semantic choice came about
}

// attempts serves the request from the targets that the balancer picks, until
// one answers, the failover criteria say no, or the attempts are used up.
// Until the first content has gone to the client an attempt may be replaced;
// after it, never.
func (b *balancing) attempts(ctx context.Context) error {
	candidates, err := b.exchange.instance.candidates(b.exchange.request.model, b.exchange.request.route)
	if err != nil {
		return err
	}
	if candidates, err = b.admit(candidates); err != nil {
		return err
	}
	lb := b.exchange.instance.balancer
	b.warm(candidates)
	ranked := b.rank(ctx, candidates)
	pick := &b.pick
	pick.Now, pick.Candidates, pick.Hash, pick.Ranked = time.Now(), candidates, b.hash(), ranked
	var kept *answered // of the last attempt that got an answer
	var last error
	for left := b.exchange.instance.budget(); left > 0; left-- {
		i, ok := lb.Pick(pick)
		if !ok {
			break
		}
		if b.exchange.reply.debugged() {
			b.reasoned(i, pick.Available())
		}
		lb.Exclude(pick, i)
		err := b.try(ctx, pick, i, left > 1 && lb.Left(pick))
		failed, ok := errors.AsType[*attemptError](err)
		if !ok {
			return err
		}
		if ctx.Err() != nil {
			return errClientGone
		}
		failed.consumed = b.exchange.request.consumed()
		last = failed.cause
		if failed.answer != nil {
			kept = failed.answer
		}
		if failed.rest > 0 {
			lb.Rest(i, pick.Now.Add(failed.rest))
		}
		if !failed.replaceable || !b.exchange.instance.retries(failed, b.exchange.request.in.Method) {
			break
		}
	}
	switch {
	case kept != nil:
		return kept.deliver()
	case last != nil:
		return last
	}
	e := refuse(http.StatusServiceUnavailable, "No available targets")
	e.RetryAfter = max(lb.RetryAfter(pick), time.Second)
	return e
}

// warm has the credentials of all candidates fetched that are due, so that a
// failover does not wait for a token.
func (b *balancing) warm(candidates []int) {
	if len(candidates) < 2 {
		return // the attempt itself fetches what it needs
	}
	for _, i := range candidates {
		b.exchange.instance.targets[i].source.Warm(nil)
	}
}

// attemptError is an attempt that failed before the client saw anything of it.
type attemptError struct {
	criterion string // as failover_criteria has it: error, timeout, http_500 …
	sent      bool   // the provider may have begun to work
	consumed  bool   // the client's body was not kept
	rest      time.Duration
	answer    *answered // the provider's answer, if there was one
	cause     error
	// replaceable: attempts are left, and targets for them.
	replaceable bool
}

func (e *attemptError) Error() string { return e.cause.Error() }
func (e *attemptError) Unwrap() error { return e.cause }

// answered is a provider's error answer that the client gets when no other
// attempt does better.
type answered struct {
	attempt *attempt
	body    []byte
	gzipped bool
}

// deliver gives the client that answer after all. The record names its target,
// not the one that was tried last.
func (k *answered) deliver() error {
	a := k.attempt
	a.exchange.seen = nil // an error answer has used nothing
	a.exchange.record.Update(func(d *record.Data) {
		a.endpoint.describe(d)
		d.Options, d.Model = a.target.Options, a.modelLogged()
	})
	return sendProviderError(a, k.body, k.gzipped)
}

// try makes one attempt at target i, and tells the balancer how it ended
// whatever happens. Nothing of an attempt before is left in q.
func (b *balancing) try(ctx context.Context, pick *balancer.Request, i int, replaceable bool) error {
	lb := b.exchange.instance.balancer
	b.exchange.reply.encoder = nil
	verdict := balancer.Neutral // of a panic
	defer func() { lb.Done(pick, i, verdict, pick.Now) }()
	a, err := b.exchange.prepare(ctx, b.exchange.instance.targets[i])
	if err == nil {
		a.replaceable = replaceable && b.repeatsBroken()
		err = a.run(ctx)
	}
	pick.Now = time.Now()
	failed, isFailed := errors.AsType[*attemptError](err)
	gone := ctx.Err() != nil || errors.Is(err, errClientGone)
	criterion := refusedHere
	switch {
	case isFailed:
		failed.replaceable = replaceable
		criterion = failed.criterion
	case err == nil:
		end := b.exchange.record.Outcome()
		gone = gone || end == record.Aborted
		criterion = a.criterion(end)
		lb.Learn(i, a.sample(end, pick.Now), pick.Now)
	}
	verdict = b.exchange.instance.verdict(criterion, gone)
	switch {
	case gone || criterion == "":
	case slices.Contains(requestsFault, criterion):
		lb.Refuse(pick, i, pick.Now)
	default:
		lb.Fail(pick, i, pick.Now)
	}
	return err
}

// refusedHere is the criterion of an attempt that came to nothing before the
// provider was called: its target cannot do what the client wants.
const refusedHere = "refused"

// requestsFault are the ends of an attempt that may be the request's own fault:
// a client that sends nonsense must not make a good target look bad.
var requestsFault = []string{refusedHere, "http_400", "http_404", "http_409", "http_413", "http_415", "http_422"}

// criterion is what the end of a delivered attempt says of its target, in the
// words of failover_criteria; "" when all went well.
func (a *attempt) criterion(end record.Outcome) string {
	switch {
	case end == record.Completed:
		return ""
	case a.answer != nil && a.answer.Status >= 400:
		return "http_" + strconv.Itoa(a.answer.Status)
	}
	return "error" // broken off, an error event after the first content, or no sense in it
}

// run makes one attempt and delivers its answer. An *attemptError says that
// the client has seen nothing of it.
func (a *attempt) run(ctx context.Context) error {
	if a.request.api.Body == provider.TakeSocket {
		return serveSocket(ctx, a)
	}
	if err := a.call(ctx); err != nil {
		var own *chat.Error
		switch {
		case ctx.Err() != nil || errors.Is(err, errClientGone):
			return errClientGone
		case errors.As(err, &own):
			return own
		}
		return transportFailure(err)
	}
	defer func() { a.answer.Body.Close() }() // of the last, where there were several
	return deliver(ctx, a)
}

func transportFailure(err error) *attemptError {
	e := &attemptError{criterion: outcomeOf(err), cause: err, sent: true}
	var t *wire.TransportError
	if errors.As(err, &t) && t.Phase == wire.Connecting {
		e.sent = false
	}
	return e
}

// retries says whether the configuration wants another attempt after this
// failure. As in nginx, what may have been acted upon is repeated only for
// idempotent methods or with non_idempotent.
func (inst *Instance) retries(e *attemptError, method string) bool {
	criteria := inst.config.Balancer.FailoverCriteria
	if !slices.Contains(criteria, e.criterion) {
		return false
	}
	if e.sent && e.consumed {
		return false // the body went by and is not there any more
	}
	idempotent := method != http.MethodPost && method != http.MethodPatch && method != "LOCK"
	return !e.sent || idempotent || slices.Contains(criteria, "non_idempotent")
}

// consumed says that the client's body goes by and is not kept.
func (q *request) consumed() bool { return q.form != nil || q.unread != nil }

// repeatsBroken says whether the configuration wants another attempt when an
// answer has begun and breaks off. Where it does not, nothing need be held back.
func (b *balancing) repeatsBroken() bool {
	e := attemptError{criterion: "error", sent: true, consumed: b.exchange.request.consumed()}
	if b.exchange.instance.retries(&e, b.exchange.request.in.Method) {
		return true
	}
	e.criterion = "timeout"
	return b.exchange.instance.retries(&e, b.exchange.request.in.Method)
}

// verdict is what an attempt's end says of its target's health. 403 and 404
// never count, other statuses only when they are failover criteria.
func (inst *Instance) verdict(criterion string, gone bool) balancer.Verdict {
	switch {
	case gone:
		return balancer.Neutral
	case criterion == "":
		return balancer.Good
	case slices.Contains([]string{"error", "timeout", "invalid_header"}, criterion):
		return balancer.Bad
	case criterion == "http_403", criterion == "http_404":
		return balancer.Neutral
	case slices.Contains(inst.config.Balancer.FailoverCriteria, criterion):
		return balancer.Bad
	}
	return balancer.Neutral
}

// budget is how many attempts a request may have.
func (inst *Instance) budget() int {
	if !inst.config.Advanced {
		return 1
	}
	return inst.config.Balancer.Retries + 1
}

// sample is what the answered attempt cost. Only a complete answer says how
// long one takes: a target that breaks off early is not a fast one.
func (a *attempt) sample(end record.Outcome, now time.Time) balancer.Sample {
	u := a.seen.Usage
	x := balancer.Sample{Prompt: u.Prompt, Completion: u.Completion, Cost: record.Cost(a.target.Options, &u)}
	switch {
	case a.took > 0:
		x.Latency = a.took
	case end == record.Completed && len(a.exchange.instance.targets) > 1: // there is a choice to be made by it
		x.Latency = now.Sub(a.began)
	}
	return x
}

// candidates are the indexes of the targets that may serve a request for
// model on the route.
func (inst *Instance) candidates(model string, wanted route.Type) ([]int, error) {
	if model == "" {
		return inst.byRoute[wanted], nil
	}
	if list := inst.byModel[string(wanted)+" "+model]; list != nil {
		return list, nil
	}
	if list := inst.anyModel[wanted]; list != nil {
		return list, nil
	}
	if all := inst.byRoute[wanted]; len(all) == 1 {
		return nil, refuse(http.StatusBadRequest, "cannot use own model - must be: "+inst.targets[all[0]].public())
	}
	return nil, refuse(http.StatusBadRequest, fmt.Sprintf("no target matches model '%s'", model))
}

// public is the model name by which clients ask for the target.
func (t *endpoint) public() string {
	if t.Model.Alias != "" {
		return t.Model.Alias
	}
	return t.Model.Name
}

// index makes the tables of candidates. A target that takes any model, or
// whose name is only known with the request, is in all of them.
func (inst *Instance) index() {
	inst.byRoute, inst.anyModel, inst.byModel = map[route.Type][]int{}, map[route.Type][]int{}, map[string][]int{}
	types := make([]route.Type, len(inst.targets))
	for i, t := range inst.targets {
		types[i] = t.RouteType
		inst.byRoute[t.RouteType] = append(inst.byRoute[t.RouteType], i)
		if t.Model.Alias == "" && (t.Model.Name == "" || !t.Static()) {
			inst.anyModel[t.RouteType] = append(inst.anyModel[t.RouteType], i)
		}
	}
	inst.table = routes.New(inst.config.LLMFormat, types)
	for _, t := range inst.targets {
		for _, name := range []string{t.Model.Alias, t.Model.Name} {
			key := string(t.RouteType) + " " + name
			if name == "" || inst.byModel[key] != nil {
				continue
			}
			for i, other := range inst.targets {
				if other.RouteType == t.RouteType && (other.Model.Alias == name || other.Model.Name == name || slices.Contains(inst.anyModel[t.RouteType], i)) {
					inst.byModel[key] = append(inst.byModel[key], i)
				}
			}
		}
	}
}

// hash is that of the header that consistent-hashing goes by; a request
// without it goes anywhere.
func (b *balancing) hash() uint64 {
	if b.exchange.instance.config.Balancer.Algorithm != string(balancer.ConsistentHashing) {
		return 0
	}
	if v, ok := b.exchange.request.Header(b.exchange.instance.config.Balancer.HashOnHeader); ok {
		return balancer.Hash(v)
	}
	return balancer.Hash(newID())
}

// failedWith is an attempt that the provider answered with an error status.
func (a *attempt) failedWith(body []byte, gzipped bool) *attemptError {
	e := chat.ErrorFrom(a.answer.Status, body)
	return &attemptError{
		criterion: "http_" + strconv.Itoa(a.answer.Status), sent: true, rest: retryAfter(a.answer.Header, time.Now()),
		answer: &answered{attempt: a, body: body, gzipped: gzipped}, cause: e,
	}
}

// maxRest bounds how long a provider's Retry-After keeps a target out.
const maxRest = 5 * time.Minute

// retryAfter is the time that a Retry-After header asks for: seconds or a date
// (RFC 9110 §10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	d := time.Duration(0)
	if n, err := strconv.ParseFloat(v, 64); err == nil {
		d = time.Duration(min(n, maxRest.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRest)
}
