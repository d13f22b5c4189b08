package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go-ai-proxy/plugin/balancer"
	"go-ai-proxy/plugin/buffers"
	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/failover"
	"go-ai-proxy/plugin/promptcache"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// attempt is one try at one target. It starts from the client's original request;
// nothing of a failed attempt reaches the next one.
type attempt struct {
	instance *Instance
	relay    *Relay
	request  *request
	internal *internal // the request in the internal form
	reply    *reply    // to the client
	record   *record.Record
	buffers  *buffers.Set
	endpoint *endpoint.Endpoint
	target   *target.Target
	provider *provider.Provider // the provider, in the variant that serves the target
	op       *provider.Operation
	how      relation       // of the bodies
	asked    *provider.Call // viaResource, viaCounter, an operation instead: what the provider is asked
	left     []string       // the client's hosted tools that the provider does not have
	needs    [][2]string    // headers that the translated request needs
	fitted   []string       // values of the header of the operation's Fit
	hidden   bool           // the stream has a usage chunk that the client did not ask for
	// replaceable says that another attempt may replace this one.
	replaceable bool
	startWithin time.Duration // until the first content of a stream; 0 is no limit
	began       time.Time     // start of the call to the provider
	took        time.Duration // sessions only: the time to connect
	seen        chat.Seen     // what the answer has said so far
	billed      bool          // whether seen's usage counts has been decided
	pieces      [][]byte
	lessened    int // how often it was made again with less
	url         url.URL
	signed      credentials.Outgoing // the request as the credentials signed it
	out         wire.Outgoing
	answer      *wire.Answer
	parked      *parked // the answer, when it is an error
}

// prepare makes an attempt at t and its outgoing request, from the client's
// request.
func prepare(ctx context.Context, x *exchange, t *endpoint.Endpoint) (*attempt, error) {
	a := &x.first
	if a.request != nil { // an earlier attempt uses it, and its answer may still be delivered
		a = new(attempt)
	}
	a.instance, a.relay, a.request, a.endpoint = x.instance, x.relay, &x.request, t
	a.reply, a.record, a.buffers, a.internal = x.reply, x.record, &x.buffers, &x.internal
	a.reply.seen = &a.seen
	resolved, err := t.Resolve(a.request, x.request.model)
	if err != nil {
		return nil, err
	}
	a.target = resolved
	if of := t.Provider.Asked; of != nil && !a.foreign() {
		resolved = of(resolved, a.request.in.RawQuery)
		a.target = resolved
	}
	price := t.Price(resolved.Options, resolved.Model)
	x.record.Update(func(d *record.Data) {
		d.SetAside()
		t.Describe(d)
		d.Options, d.Price, d.LeftOut, d.PromptCache = resolved.Options, price, nil, promptcache.Done{}
		d.Model = a.modelLogged()
	})
	a.provider = t.Provider
	if t.Provider.Variant != nil {
		a.provider = t.Provider.Variant(resolved)
	}
	if err := relate(a); err != nil {
		return nil, err
	}
	if err := a.checkModel(); err != nil {
		return nil, err
	}
	if a.how == estimated {
		return a, nil
	}
	if err := translate(a); err != nil {
		return nil, err
	}
	leaveRefused(a)
	if err := address(a); err != nil {
		return nil, err
	}
	return a, authorize(ctx, a)
}

// unspecified is the request_model of a form that names none, as Kong logs it.
const unspecified = "UNSPECIFIED"

// modelLogged is the model's name in the record.
func (a *attempt) modelLogged() string {
	if a.target.Model == "" && (a.request.form != nil || a.request.held != nil) {
		return unspecified
	}
	return cmp.Or(a.target.Model, a.endpoint.Model.Name)
}

// name is the target's name in Kong's messages.
func (a *attempt) name() string { return a.endpoint.Model.Provider + "://" + string(a.request.route) }

// checkModel refuses a model other than the configured one.
func (a *attempt) checkModel() error {
	name := a.target.Model
	switch {
	case a.request.api.Body == provider.TakeRaw, name == "" && (a.request.api.Model == provider.ModelTaken || a.request.form != nil || !a.request.creates()):
		return nil
	case name == "" && a.request.api.Model == provider.ModelInQuery && !a.request.modelInQuery():
		return nil
	case name == "" && a.request.api.Model == provider.ModelIgnored:
		return nil
	case name == "":
		return refuse(http.StatusBadRequest, textNoModel)
	}
	return a.ownModel(a.request.model)
}

// ownModel refuses a model that is not the target's.
func (a *attempt) ownModel(model string) error {
	name := a.target.Model
	if model == "" || name == "" || model == name || a.endpoint.HasAlias(model) {
		return nil
	}
	return refuse(http.StatusBadRequest, "cannot use own model - must be: "+name)
}

// call sends the request. An answer is not an error, whatever its status.
func (a *attempt) call(ctx context.Context) error {
	tried := a.tried()
	a.began = time.Now()
	answer, err := a.relay.upstream.Do(ctx, &a.out)
	if err != nil {
		tried.Outcome = failover.CriterionOf(err)
	} else {
		a.answer = answer
		tried.Status, tried.Outcome, tried.IP = answer.Status, "ok", hostOf(answer.Peer)
		if answer.Status >= 400 {
			tried.Outcome = "http_" + strconv.Itoa(answer.Status)
		}
	}
	a.record.Update(func(d *record.Data) { d.Tried = append(d.Tried, tried) })
	return err
}

// tried is the record's entry for the attempt, before it is made.
func (a *attempt) tried() record.Tried {
	return record.Tried{
		Provider: a.endpoint.Model.Provider, Model: a.target.Model, Route: string(a.endpoint.RouteType),
		Scheme: a.out.URL.Scheme, Host: a.out.URL.Hostname(), Path: a.out.URL.EscapedPath(), Port: port(a.out.URL),
		Target: a.endpoint.Label.Target,
	}
}

// meta holds the values that an answer needs and a provider may leave out. They
// are the same for all attempts of a request.
func (a *attempt) meta() chat.Meta {
	m := chat.Meta{ID: a.reply.identify(), Created: a.request.start.Unix(), Model: a.target.Model, Named: a.request.model, IncludeUsage: a.request.usage}
	if a.internal.form != nil {
		m.Tools, m.Properties = a.internal.form.ClientTools(), a.internal.form.Properties()
	}
	if a.op != nil {
		m.Origin = a.op.Own(a.target)
	}
	if a.request.api.PromptFirst {
		m.PromptTokens = record.PromptTokens(a.request.api.Prose(a.request.members), a.request.stream)
	}
	return m
}

// unready is the error of an attempt that failed before anything was sent. In
// OpenAI's format the field is the error's param; other formats can name it in the
// message only.
func (a *attempt) unready(why error) error {
	told := refuse(http.StatusInternalServerError, textBeforeProxy)
	if option, ok := errors.AsType[*target.OptionError](why); ok {
		told.Param = a.instance.pathOf(a.endpoint) + "." + option.Field
		why = fmt.Errorf("%s: %s", told.Param, option.Message)
		if a.instance.native() != nil {
			told.Message += ": " + why.Error()
		}
	}
	return &attemptError{failure: failover.Failure{Criterion: "error"}, cause: &unready{told, why}}
}

// needsModel says whether the body must name a model. Of the assistants APIs, only
// creating an assistant needs it; threads and runs may name one.
func (a *attempt) needsModel() bool {
	return a.request.creates() && (a.request.api.Model == provider.ModelNeeded || a.request.family == "assistants")
}

// ask makes call the attempt's next request to the provider.
func (a *attempt) ask(call *provider.Call) {
	a.asked, a.pieces, a.out = call, nil, wire.Outgoing{}
	if call.Body != nil {
		a.pieces = [][]byte{call.Body}
	}
}

// again sends another request to the provider within the same attempt.
func (a *attempt) again(ctx context.Context, call *provider.Call) error {
	a.ask(call)
	return a.repeat(ctx)
}

// leaveRefused takes out of the request what the target's model has refused before.
func leaveRefused(a *attempt) {
	if rows := a.op.Edit.Refusals; len(rows) > 0 && len(a.pieces) > 0 && a.endpoint.Refused.Used() {
		less, what := a.endpoint.Refused.Recall(rows, a.target.Model, jsonedit.Join(nil, a.pieces), a.request.start)
		a.pieces = [][]byte{less}
		leftOut(a, what...)
	}
}

// maxLess is how often an attempt asks again with less.
const maxLess = 4

// lessen makes the request again without what the answer, an error, says that the model
// does not take. It reports whether there was such a thing.
func lessen(ctx context.Context, a *attempt, answer []byte) (bool, error) {
	if a.lessened >= maxLess || len(a.op.Edit.Refusals) == 0 || len(a.pieces) == 0 || !a.request.creates() {
		return false, nil
	}
	less, what := a.endpoint.Refused.Lessen(a.op.Edit.Refusals, a.target.Model, jsonedit.Join(nil, a.pieces), a.answer.Status, answer, a.request.start)
	if less == nil {
		return false, nil
	}
	a.lessened++
	a.pieces, a.out = [][]byte{less}, wire.Outgoing{}
	leftOut(a, what)
	return true, a.repeat(ctx)
}

// leftOut puts into the record that the target's model refuses what was left out.
func leftOut(a *attempt, what ...string) {
	a.record.Update(func(d *record.Data) {
		for _, w := range what {
			d.Warnings = append(d.Warnings, "the model refuses "+w+": left out")
		}
	})
}

// repeat sends the request as it is now. It carries the credentials: the host is the same.
func (a *attempt) repeat(ctx context.Context) error {
	a.answer.Body.Close()
	if err := address(a); err != nil {
		return err
	}
	if err := authorize(ctx, a); err != nil {
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

// foreign says that the client speaks a provider's own format and the target is of
// another provider. What is meant for the former is not sent to the latter.
func (a *attempt) foreign() bool {
	return a.instance.native() != nil && a.instance.config.LLMFormat != a.endpoint.Model.Provider
}

// release frees what was made of the client's body: no other attempt will be made,
// and a stream may last long.
func (a *attempt) release() {
	a.internal.free()
	a.pieces, a.out.Pieces = nil, nil
	a.buffers.GiveBack(a.request.body)
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
	if a.request.api.Body == provider.TakeSocket {
		return serveSocket(ctx, a)
	}
	if a.how == estimated {
		return deliverEstimate(a)
	}
	if a.startWithin > 0 && a.request.stream {
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
	a.record.Update(func(d *record.Data) {
		t := &d.Tried[len(d.Tried)-1]
		t.Reason = string(f.Reason)
		if t.Outcome == "ok" || f.Criterion == failover.SlowStart { // the answer began well
			t.Outcome = f.Criterion
		}
	})
}

// filtered says whether another target is to be asked because the answer has been
// withheld for what it says.
func (a *attempt) filtered() bool {
	return a.replaceable && a.seen.Finish == chat.ContentFilter && a.seen.TextLen == 0 && a.instance.policy.Has(failover.Filtered)
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
	u := &a.seen.Usage
	return balancer.Sample{Prompt: u.Prompt, Completion: u.Completion, Cost: a.record.Cost(u)}
}

// sample is the cost and latency of the answered attempt. Only a complete answer
// has a latency: a target that breaks off early must not count as fast.
func (a *attempt) sample(end record.Outcome, now time.Time) balancer.Sample {
	x := a.usage()
	switch {
	case a.took > 0:
		x.Latency = a.took
	case end == record.Completed && len(a.instance.targets) > 1 && a.request.api.Count == nil: // latency matters only when there is a choice
		x.Latency = now.Sub(a.began)
	}
	return x
}

// failedWith makes the error of an attempt that the provider answered with an
// error status.
func (a *attempt) failedWith(body []byte, gzipped bool) *attemptError {
	a.parked = &parked{body: body, gzipped: gzipped}
	e := chat.ErrorFrom(a.answer.Status, body)
	failed := brokenBy("http_"+strconv.Itoa(a.answer.Status), e)
	failed.failure.Reason, failed.rest = a.endpoint.Provider.Reasons.Of(e), failover.RetryAfter(a.answer.Header, time.Now())
	return failed
}

// told makes the error of an attempt whose answer, of status 200, is the error e.
func (a *attempt) told(e *chat.Error) *attemptError {
	own := *e
	own.Message = string(redactKeys(a, []byte(own.Message)))
	if own.Status = own.ClientStatus(); own.Status < 400 {
		own.Status = http.StatusBadGateway
	}
	failed := brokenBy("error", &reported{&own})
	failed.failure.Reason = a.endpoint.Provider.Reasons.Of(e)
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
	body    []byte
	gzipped bool
	late    func() error // instead of both: delivers an answer without content
}

// deliverParked delivers the parked answer. The record names its target, not the
// last one tried.
func (a *attempt) deliverParked() error {
	a.record.Update(func(d *record.Data) {
		d.SetAside()
		a.endpoint.Describe(d)
		d.Options, d.Price, d.Model = a.target.Options, a.endpoint.Price(a.target.Options, a.target.Model), a.modelLogged()
	})
	if a.parked.late != nil {
		a.reply.seen = &a.seen
		a.record.Update(func(d *record.Data) { d.TakeBack(a.endpoint.Label.Target) })
		settleSeen(a)
		return a.parked.late()
	}
	a.reply.seen = nil // an error answer has no usage
	return sendProviderError(a, a.parked.body, a.parked.gzipped)
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
