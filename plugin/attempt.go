package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/buffers"
	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/failover"
	"go-ai-proxy/plugin/inflate"
	"go-ai-proxy/plugin/promptcache"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/provider"
)

// attempt is one try at one target. It starts from the client's original request;
// nothing of a failed attempt reaches the next one.
type attempt struct {
	plan        plan         // how the target is asked
	out         outgoing     // the request to it
	answer      *wire.Answer // nil until there is one
	account     accounting   // what the answer has said, for the record
	reply       *reply       // to the client, with the record
	buffers     *buffers.Set
	startWithin time.Duration // until the first content of a stream; 0 is no limit
	began       time.Time     // start of the call to the provider
	took        time.Duration // sessions only: the time to connect
	parked      *parked       // the answer, when it is an error
	lessened    uint8         // how often the request was made again with less
	gzipped     bool          // the answer came gzipped
	replaceable bool          // another attempt may replace this one
}

// prepare makes an attempt at t and its outgoing request, from the client's
// request.
func prepare(ctx context.Context, x *exchange, t *endpoint.Endpoint) (*attempt, error) {
	a := &x.first
	if a.reply != nil { // an earlier attempt uses it, and its answer may still be delivered
		a = new(attempt)
	}
	p := &a.plan
	a.plan = plan{instance: x.instance, request: &x.request, internal: &x.internal, endpoint: t}
	a.reply, a.buffers = x.reply, &x.buffers
	a.reply.seen = &a.account.seen
	a.account = accounting{plan: p, out: &a.out, reply: a.reply}
	if err := p.resolve(); err != nil {
		return nil, err
	}
	price := t.Price(p.target.Options, p.target.Model)
	x.record.Update(func(d *record.Data) {
		d.SetAside()
		t.Describe(d)
		d.Options, d.Price, d.LeftOut, d.PromptCache = p.target.Options, price, nil, promptcache.Done{}
		d.Model = p.modelLogged()
	})
	if err := p.relate(); err != nil {
		return nil, err
	}
	if err := p.checkModel(); err != nil {
		return nil, err
	}
	if p.how == estimated {
		return a, nil
	}
	a.out.plan, a.out.asked = p, p.beside
	if err := (&translation{p, &a.out, a.reply, a.buffers}).translate(); err != nil {
		return nil, err
	}
	a.out.leaveRefused(x.record)
	if err := a.out.address(); err != nil {
		return nil, err
	}
	return a, a.out.authorize(ctx)
}

// call sends the request. An answer is not an error, whatever its status.
func (a *attempt) call(ctx context.Context) error {
	tried := a.tried()
	a.began = time.Now()
	answer, err := a.plan.instance.relay.upstream.Do(ctx, &a.out.call)
	if err != nil {
		tried.Outcome = failover.CriterionOf(err)
	} else {
		a.answer, a.account.status = answer, answer.Status
		tried.Status, tried.Outcome, tried.IP = answer.Status, "ok", hostOf(answer.Peer)
		if answer.Status >= 400 {
			tried.Outcome = "http_" + strconv.Itoa(answer.Status)
		}
	}
	a.reply.record.Update(func(d *record.Data) { d.Tried = append(d.Tried, tried) })
	return err
}

// tried is the record's entry for the attempt, before it is made.
func (a *attempt) tried() record.Tried {
	return record.Tried{
		Provider: a.plan.endpoint.Model.Provider, Model: a.plan.target.Model, Route: string(a.plan.endpoint.RouteType),
		Scheme: a.out.call.URL.Scheme, Host: a.out.call.URL.Hostname(), Path: a.out.call.URL.EscapedPath(), Port: port(a.out.call.URL),
		Target: a.plan.endpoint.Label.Target,
	}
}

// again sends another request to the provider within the same attempt.
func (a *attempt) again(ctx context.Context, call *provider.Call) error {
	a.out.ask(call)
	return a.repeat(ctx)
}

// maxLess is how often an attempt asks again with less.
const maxLess = 4

// lessen asks again without what the answer, an error, says that the model does not take.
// It reports whether there was such a thing.
func (a *attempt) lessen(ctx context.Context, answer []byte) (bool, error) {
	if a.lessened >= maxLess || !a.out.lessen(a.answer.Status, answer, a.reply.record) {
		return false, nil
	}
	a.lessened++
	return true, a.repeat(ctx)
}

// repeat sends the request as it is now. It carries the credentials: the host is the same.
func (a *attempt) repeat(ctx context.Context) error {
	a.answer.Body.Close()
	if err := a.out.address(); err != nil {
		return err
	}
	if err := a.out.authorize(ctx); err != nil {
		return err
	}
	err := a.call(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return wire.ErrClientGone
	}
	return transportFailure(err)
}

// release frees what was made of the client's body: no other attempt will be made,
// and a stream may last long.
func (a *attempt) release() {
	a.plan.internal.free()
	a.out.pieces, a.out.call.Pieces = nil, nil
	a.buffers.GiveBack(a.plan.request.body)
}

// criterion is the result of a delivered attempt, in the words of
// failover_criteria; "" when all went well.
func (a *attempt) criterion(end record.Outcome) string {
	switch {
	case end == record.Completed:
		return ""
	case a.answer != nil && a.answer.Status >= 400:
		return "http_" + strconv.Itoa(a.answer.Status)
	}
	return "error" // broken off, an error event after the first content, or an answer that makes no sense
}

// run makes the attempt and delivers its answer. When it returns an *attemptError,
// nothing has been sent to the client.
func (a *attempt) run(ctx context.Context) error {
	if a.plan.request.api.Body == provider.TakeSocket {
		return (&session{attempt: a}).run(ctx)
	}
	if a.plan.how == estimated {
		return deliverEstimate(a)
	}
	if a.startWithin > 0 && a.plan.request.stream {
		return a.runWithin(ctx)
	}
	return a.callAndDeliver(ctx, ctx)
}

// runWithin is run for a stream whose first content must come within startWithin.
func (a *attempt) runWithin(ctx context.Context) error {
	call, cancel := context.WithCancel(ctx)
	defer cancel()
	late, began, claim := time.AfterFunc(a.startWithin, cancel), false, a.reply.claim
	a.reply.claim = func() error {
		if began = late.Stop(); !began {
			return errLost
		}
		if claim != nil {
			return claim()
		}
		return nil
	}
	err := a.callAndDeliver(ctx, call)
	a.reply.claim = nil
	if began || late.Stop() {
		return err
	}
	return brokenBy(failover.SlowStart, refuse(http.StatusGatewayTimeout, textTimeout))
}

// callAndDeliver calls the provider, for as long as call lasts, and delivers the answer.
func (a *attempt) callAndDeliver(ctx, call context.Context) error {
	if err := a.call(call); err != nil {
		var own *chat.Error
		switch {
		case ctx.Err() != nil || errors.Is(err, wire.ErrClientGone):
			return wire.ErrClientGone
		case errors.As(err, &own):
			return own
		}
		return transportFailure(err)
	}
	defer func() { a.answer.Body.Close() }() // of the last answer, when there were several
	return deliver(ctx, a)
}

// recordFailure adds what failed to the record of the attempt's last call.
func recordFailure(a *attempt, f *failover.Failure) {
	if a == nil || a.began.IsZero() {
		return
	}
	a.reply.record.Update(func(d *record.Data) {
		t := &d.Tried[len(d.Tried)-1]
		t.Reason = string(f.Reason)
		if t.Outcome == "ok" || f.Criterion == failover.SlowStart { // the answer began well
			t.Outcome = f.Criterion
		}
	})
}

// inflated returns the answer's body without gzip.
func (a *attempt) inflated() (io.Reader, error) {
	body, gzipped, err := inflate.Answer(a.answer.Header, a.answer.Body)
	if err == nil {
		a.gzipped = gzipped
		return body, nil
	}
	if unasked, ok := errors.AsType[inflate.NotAskedError](err); ok {
		return nil, noAnswer("error", unasked.Error())
	}
	return nil, transportFailure(cutShort(err))
}

// readWhole reads the answer from body, which is not gzipped.
func (a *attempt) readWhole(body io.Reader) ([]byte, error) {
	whole, err := readAnswer(a.buffers, body, a.answer.Length())
	if err != nil {
		return nil, transportFailure(err)
	}
	return whole, nil
}

// filtered says whether another target is to be asked because the answer has been
// withheld for what it says.
func (a *attempt) filtered() bool {
	return a.replaceable && a.account.seen.Finish == chat.ContentFilter && a.account.seen.TextLen == 0 && a.plan.instance.policy.Has(failover.Filtered)
}

// withhold is the error of a filtered answer, which deliver gives to the client if no
// other attempt does better.
func (a *attempt) withhold(deliver func() error) error {
	a.parked = &parked{late: deliver}
	failed := brokenBy(failover.Filtered, refuse(http.StatusBadGateway, "the provider's content filter left nothing of the answer"))
	failed.failure.Reason = chat.Filtered
	return failed
}

// usage is what the provider counted, without estimates.
func (a *attempt) usage() balancer.Sample {
	u := &a.account.seen.Usage
	return balancer.Sample{Prompt: u.Prompt, Completion: u.Completion, Cost: a.reply.record.Cost(u)}
}

// sample is the cost and latency of the answered attempt. Only a complete answer
// has a latency: a target that breaks off early must not count as fast.
func (a *attempt) sample(end record.Outcome, now time.Time) balancer.Sample {
	x := a.usage()
	switch {
	case a.took > 0:
		x.Latency = a.took
	case end == record.Completed && len(a.plan.instance.targets) > 1 && a.plan.request.api.Count == nil: // latency matters only when there is a choice
		x.Latency = now.Sub(a.began)
	}
	return x
}

// failedWith makes the error of an attempt that the provider answered with an
// error status.
func (a *attempt) failedWith(body []byte) *attemptError {
	a.parked = &parked{body: body}
	e := chat.ErrorFrom(a.answer.Status, body)
	failed := brokenBy("http_"+strconv.Itoa(a.answer.Status), e)
	failed.failure.Reason, failed.rest = a.plan.endpoint.Provider.Reasons.Of(e), failover.RetryAfter(a.answer.Header, time.Now())
	return failed
}

// told makes the error of an attempt whose answer to out, of status 200, is the error e.
func told(out *outgoing, e *chat.Error) *attemptError {
	own := *e
	own.Message = string(out.redact([]byte(own.Message)))
	if own.Status = own.ClientStatus(); own.Status < 400 {
		own.Status = http.StatusBadGateway
	}
	failed := brokenBy("error", &reported{&own})
	failed.failure.Reason = out.plan.endpoint.Provider.Reasons.Of(e)
	return failed
}

// brokenBy makes the error of an attempt that the provider may have worked on.
func brokenBy(criterion string, cause error) *attemptError {
	return &attemptError{failure: failover.Failure{Criterion: criterion, Sent: true}, cause: cause}
}

// attemptError is an attempt that failed before anything was sent to the client.
type attemptError struct {
	failure failover.Failure
	rest    time.Duration // for which the provider asks to be left alone
	cause   error
	// replaceable says that attempts are left, and targets for them.
	replaceable bool
}

func (e *attemptError) Error() string { return e.cause.Error() }

func (e *attemptError) Unwrap() error { return e.cause }

// parked is a provider's error answer, kept to be delivered if no other attempt
// does better.
type parked struct {
	body []byte
	late func() error // instead: delivers an answer without content
}

// deliverParked delivers the parked answer. The record names its target, not the
// last one tried.
func (a *attempt) deliverParked() error {
	a.reply.record.Update(func(d *record.Data) {
		d.SetAside()
		a.plan.endpoint.Describe(d)
		d.Options, d.Price, d.Model = a.plan.target.Options, a.plan.endpoint.Price(a.plan.target.Options, a.plan.target.Model), a.plan.modelLogged()
	})
	if a.parked.late != nil {
		a.reply.seen = &a.account.seen
		a.reply.record.Update(func(d *record.Data) { d.TakeBack(a.plan.endpoint.Label.Target) })
		a.account.settle()
		return a.parked.late()
	}
	a.reply.seen = nil // an error answer has no usage
	return sendProviderError(a, a.parked.body)
}

func transportFailure(err error) *attemptError {
	e := brokenBy(failover.CriterionOf(err), err)
	var t *wire.TransportError
	if errors.As(err, &t) && t.Phase == wire.Connecting {
		e.failure.Sent = false
	}
	return e
}

// noAnswer is the error of an attempt whose answer is unusable.
func noAnswer(criterion, text string) *attemptError {
	return brokenBy(criterion, refuse(http.StatusBadGateway, text))
}

// maxAnswer is the largest answer that is held in memory, in bytes.
const maxAnswer = 256 << 20

// readAnswer reads the whole body, of length bytes or -1. For an answer that is
// cut off it returns a transport error.
func readAnswer(lent *buffers.Set, body io.Reader, length int64) ([]byte, error) {
	b, err := lent.ReadAll(body, length, maxAnswer)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, inflate.ErrBomb), errors.Is(err, inflate.ErrThin):
		return nil, refuse(http.StatusBadGateway, "the provider's answer is "+err.Error())
	case errors.Is(err, buffers.ErrTooMuch):
		return nil, refuse(http.StatusBadGateway, fmt.Sprintf("the provider's answer is larger than %d bytes", maxAnswer))
	}
	return nil, fmt.Errorf("reading the provider's answer: %w", cutShort(err))
}

// cutShort turns an error of reading an answer into a transport error.
func cutShort(err error) error {
	var t *wire.TransportError
	if errors.As(err, &t) {
		return err
	}
	return &wire.TransportError{Phase: wire.Reading, Err: err}
}

func port(u *url.URL) int {
	if p, err := strconv.Atoi(u.Port()); err == nil {
		return p
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}
