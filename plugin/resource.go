package plugin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// needsModel says whether the body must name a model. Of assistants only the
// creation does; threads and runs take one if they want to.
func (a *attempt) needsModel() bool {
	return a.creates() && (a.api.Model == provider.ModelNeeded || a.family == "assistants")
}

// translateBody takes a body that is no chat's to the provider's format.
func (a *attempt) translateBody() error {
	client, err := a.asJSON()
	if err != nil {
		return err
	}
	body, err := a.op.Body.AppendRequest(nil, a.target, client)
	if err != nil {
		return err
	}
	a.pieces = [][]byte{body}
	return a.mergeExtraBody(jsonedit.Lookup(client, "extra_body"))
}

// clientCall is the client's request as a Resource sees it.
func (a *attempt) clientCall() (*provider.Call, error) {
	body, err := a.asJSON()
	if err != nil {
		return nil, err
	}
	return &provider.Call{Method: a.in.Method, Path: a.sub, Query: a.in.RawQuery, Body: body}, nil
}

// translateResource makes the provider's request of a REST operation.
func (a *attempt) translateResource() error {
	client, err := a.clientCall()
	if err != nil {
		return err
	}
	call, err := a.op.Resource.Request(a.target, client, a.meta())
	if err != nil {
		return err
	}
	a.ask(call)
	return nil
}

// ask makes call the next request.
func (a *attempt) ask(call *provider.Call) {
	a.asked, a.pieces, a.out = call, nil, Outgoing{}
	if call.Body != nil {
		a.pieces = [][]byte{call.Body}
	}
}

// How often a provider is asked whether something is ready that the client
// waits for, and for how long at the most.
const (
	pollPause = 2 * time.Second
	pollTime  = 10 * time.Minute
)

// deliverResource gives the client what a Resource makes of the answer.
func (a *attempt) deliverResource(ctx context.Context, whole []byte, gzipped bool) error {
	client, err := a.clientCall()
	if err != nil {
		return err
	}
	reply, err := a.op.Resource.Answer(a.target, client, whole, a.meta(), &a.seen)
	for began := time.Now(); err == nil && reply.Wait; {
		if time.Since(began) > pollTime {
			return refuse(http.StatusGatewayTimeout, textTimeout)
		}
		if whole, err = a.poll(ctx, reply.Next); err != nil {
			return err
		}
		reply, err = a.op.Resource.Answer(a.target, client, whole, a.meta(), &a.seen)
	}
	var told *chat.Error
	switch {
	case errors.As(err, &told):
		a.finish(record.Failed, told.Message)
		return a.sendErrorAs(told, gzipped)
	case err != nil:
		return err
	case reply.Next != nil:
		return a.follow(ctx, reply.Next)
	}
	a.settleSeen()
	if a.endpoint.Logging.Payloads {
		a.record.Update(func(d *record.Data) { d.Answer = reply.Body })
	}
	a.finish(record.Completed, "")
	h := a.clientHeaders()
	h["Content-Type"] = []string{cmp.Or(reply.ContentType, "application/json; charset=utf-8")}
	return a.sendEncoded(http.StatusOK, h, reply.Body, gzipped && reply.ContentType == "")
}

// poll waits a little and returns the answer to call.
func (a *attempt) poll(ctx context.Context, call *provider.Call) ([]byte, error) {
	t := time.NewTimer(a.relay.pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil, errClientGone
	case <-t.C:
	}
	if err := a.again(ctx, call); err != nil {
		return nil, err
	}
	body, _, err := inflate(a.answer)
	if err != nil {
		return nil, err
	}
	whole, err := a.readAnswer(body, a.answer.Length())
	switch {
	case err != nil:
		return nil, transportFailure(err)
	case a.answer.Status >= 300:
		return nil, a.failedWith(whole, false)
	}
	return whole, nil
}

// again asks the provider once more within the same attempt. Credentials go
// along: the host is the same.
func (a *attempt) again(ctx context.Context, call *provider.Call) error {
	a.answer.Body.Close()
	a.ask(call)
	if err := a.address(); err != nil {
		return err
	}
	if err := a.authorize(ctx); err != nil {
		return err
	}
	err := a.call(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errClientGone
	}
	return transportFailure(err)
}

// follow asks the same provider for what its first answer only named, and
// passes the answer on.
func (a *attempt) follow(ctx context.Context, next *provider.Call) error {
	if err := a.again(ctx, next); err != nil {
		return err
	}
	body, gzipped, err := inflate(a.answer)
	if err != nil {
		return err
	}
	if a.answer.Status >= http.StatusBadRequest {
		whole, err := a.readAnswer(body, a.answer.Length())
		if err != nil {
			return transportFailure(err)
		}
		return a.failedWith(whole, gzipped)
	}
	return a.deliverBytes(ctx, body)
}
