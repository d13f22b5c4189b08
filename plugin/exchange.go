package plugin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"go-ai-proxy/plugin/acl"
	"go-ai-proxy/plugin/buffers"
	"go-ai-proxy/plugin/endpoint"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/spending"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
)

// exchange is one client request and its answer on their way through the relay.
// It belongs to the goroutine that serves it.
type exchange struct {
	relay    *Relay
	instance *Instance
	record   *record.Record

	request   request // read-only once it has been read
	internal  internal
	own       reply
	reply     *reply // own, or that of the attempt that answers
	balancing balancing
	caching   caching
	spending  *spending.Spending // nil without budgets
	buffers   buffers.Set
	first     attempt // usually the only one
}

// fork returns an exchange for one of two attempts that are made at once, which shares
// nothing that either changes.
func (x *exchange) fork() *exchange {
	d := x.record.Data()
	d.Tried = slices.Clone(d.Tried)
	f := &exchange{relay: x.relay, instance: x.instance, record: record.New(d), request: x.request, internal: x.internal.take(), balancing: x.balancing, spending: x.spending}
	f.own = reply{sink: x.own.sink, cached: x.own.cached, instance: x.instance, request: &f.request, record: f.record}
	f.reply, f.balancing.exchange, f.balancing.pick = &f.own, f, x.balancing.pick.Clone()
	f.buffers.Keeps = x.buffers.Keeps
	return f
}

// newExchange starts an exchange and its record.
func newExchange(r *Relay, inst *Instance, in *wire.Inbound, out wire.Sink, live record.Live) *exchange {
	x := &exchange{relay: r, instance: inst, record: inst.record()}
	x.request.in, x.request.start = in, time.Now()
	x.own = reply{sink: out, live: live, instance: inst, request: &x.request, record: x.record}
	x.reply = &x.own
	x.balancing.exchange, x.caching.exchange = x, x
	x.buffers.Keeps = inst.keeps
	return x
}

// observed tells the status that the request has ended.
func (x *exchange) observed() {
	x.record.Update(func(d *record.Data) {
		d.Route, d.Status = x.request.in.Kong.Route, x.reply.status
		if began := x.first.began; !began.IsZero() {
			d.Own = began.Sub(x.request.start)
		}
		x.relay.seen.Settle(d)
	})
	if x.reply.streaming {
		x.relay.seen.EndStream()
	}
}

// serve runs the request's phases. The error has not been sent to the client yet.
func (x *exchange) serve(ctx context.Context) error {
	if x.instance.broken != nil {
		return x.instance.broken
	}
	if listed, err := answerModels(x); listed {
		return err
	}
	if err := (&reading{x, &x.request}).read(); err != nil {
		return answerProbe(x, err)
	}
	err := x.balancing.attempts(ctx)
	if err == nil && x.caching.capture != nil {
		x.caching.keep(ctx)
	}
	return err
}

// shows says whether the client may know of a target: it may use it, as far as can
// be known from a request that names no model.
func (x *exchange) shows(t *endpoint.Endpoint) bool {
	acls := x.instance.config.ACLs
	if acls == nil {
		return true
	}
	q := &x.request
	s := &acl.Subject{In: q.in, Target: t.Ruled(), Unseen: !t.FixedModel(), Models: []string{t.Model.Name}}
	ok, _ := s.Admitted(acls)
	return ok
}

// end sends the client the error, if it is still there, and settles the record.
func (x *exchange) end(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, wire.ErrClientGone) {
		x.fail(record.Aborted, refuse(statusClientClosed, textClientClosed))
		return
	}
	e := asClientError(err)
	outcome := record.Refused
	if len(x.record.Data().Tried) > 0 && e.Status >= 500 { // a form may be refused while it is being sent
		outcome = record.Failed
	}
	var said *reported
	var why *unready
	switch {
	case errors.As(err, &said):
		outcome = record.Failed // whatever the status: the provider had begun to answer
		x.reply.finish(outcome, said.Error())
	case errors.As(err, &why):
		x.reply.finish(outcome, why.Error())
	}
	if e.Status >= 500 {
		x.relay.log.Warn().Str("plugin_id", x.instance.config.PluginID).Int("status", e.Status).Str("error", redact(err)).Msg("request failed")
	}
	x.fail(outcome, e)
}

// fail ends the request with an error of the relay's own. After the first byte of
// a stream it is sent as the format's error event.
func (x *exchange) fail(outcome record.Outcome, e *chat.Error) {
	x.reply.finish(outcome, e.Message)
	if outcome == record.Aborted {
		x.reply.sink.Abort()
		return
	}
	if x.reply.started {
		if x.reply.encoder != nil || x.reply.streaming {
			x.reply.errorEvent(e)
			return
		}
		x.reply.sink.Abort()
		return
	}
	if q := &x.request; outcome == record.Failed && q.stream && q.api != nil && q.api.InStream != nil && q.api.InStream(e) {
		meta := chat.Meta{ID: x.reply.identify(), Created: q.start.Unix(), Model: q.model}
		if x.reply.sendFailedStream(http.Header{}, e, &meta) != nil {
			x.reply.sink.Abort()
		}
		return
	}
	x.reply.sendError(e)
}

// answerProbe answers a client whose request was refused, but only asked what is
// there. It returns the refusal of any other.
func answerProbe(x *exchange, refused error) error {
	asked := x.request.asked()
	allow, probed := x.instance.table.Probe(&asked, refused)
	if !probed {
		return refused
	}
	x.reply.finish(record.Completed, "")
	if allow == "" {
		return x.reply.send(http.StatusOK, http.Header{}, nil)
	}
	return x.reply.send(http.StatusNoContent, http.Header{"Allow": {allow}}, nil)
}
