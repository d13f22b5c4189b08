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
	return a.request.creates() && (a.request.api.Model == provider.ModelNeeded || a.request.family == "assistants")
}

// translateBody takes a body that is no chat's to the provider's format.
func translateBody(a *attempt) error {
	client, err := clientJSON(a)
	if err != nil {
		return err
	}
	body, err := a.op.Body.AppendRequest(nil, a.target, client)
	if err != nil {
		return err
	}
	a.pieces = [][]byte{body}
	return mergeExtraBody(a, jsonedit.Lookup(client, "extra_body"))
}

// clientCall is the client's request as a Resource sees it.
func clientCall(a *attempt) (*provider.Call, error) {
	body, err := clientJSON(a)
	if err != nil {
		return nil, err
	}
	return &provider.Call{Method: a.request.in.Method, Path: a.request.sub, Query: a.request.in.RawQuery, Body: body}, nil
}

// translateResource makes the provider's request of a REST operation.
func translateResource(a *attempt) error {
	client, err := clientCall(a)
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
func deliverResource(ctx context.Context, a *attempt, whole []byte, gzipped bool) error {
	client, err := clientCall(a)
	if err != nil {
		return err
	}
	reply, err := a.op.Resource.Answer(a.target, client, whole, a.meta(), &a.seen)
	for began := time.Now(); err == nil && reply.Wait; {
		if time.Since(began) > pollTime {
			return refuse(http.StatusGatewayTimeout, textTimeout)
		}
		if whole, err = poll(ctx, a, reply.Next); err != nil {
			return err
		}
		reply, err = a.op.Resource.Answer(a.target, client, whole, a.meta(), &a.seen)
	}
	var told *chat.Error
	switch {
	case errors.As(err, &told):
		a.exchange.finish(record.Failed, told.Message)
		return a.exchange.reply.sendErrorAs(told, gzipped)
	case err != nil:
		return err
	case reply.Next != nil:
		return follow(ctx, a, reply.Next)
	}
	settleSeen(a)
	if a.endpoint.Logging.Payloads {
		a.exchange.record.Update(func(d *record.Data) { d.Answer = reply.Body })
	}
	a.exchange.finish(record.Completed, "")
	h := clientHeaders(a)
	h["Content-Type"] = []string{cmp.Or(reply.ContentType, "application/json; charset=utf-8")}
	return a.exchange.reply.sendEncoded(http.StatusOK, h, reply.Body, gzipped && reply.ContentType == "")
}

// poll waits a little and returns the answer to call.
func poll(ctx context.Context, a *attempt, call *provider.Call) ([]byte, error) {
	t := time.NewTimer(a.exchange.relay.pause)
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
	whole, err := a.exchange.readAnswer(body, a.answer.Length())
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
		return errClientGone
	}
	return transportFailure(err)
}

// follow asks the same provider for what its first answer only named, and
// passes the answer on.
func follow(ctx context.Context, a *attempt, next *provider.Call) error {
	if err := a.again(ctx, next); err != nil {
		return err
	}
	body, gzipped, err := inflate(a.answer)
	if err != nil {
		return err
	}
	if a.answer.Status >= http.StatusBadRequest {
		whole, err := a.exchange.readAnswer(body, a.answer.Length())
		if err != nil {
			return transportFailure(err)
		}
		return a.failedWith(whole, gzipped)
	}
	return deliverBytes(ctx, a, body)
}
