package plugin

import (
	"context"
	"errors"
	"net/http"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
)

// needsModel says whether the body must name a model. Of assistants only the
// creation does; threads and runs take one if they want to.
func (a *attempt) needsModel() bool {
	return a.creates() && (a.surface.model == modelNeeded || a.family == "assistants")
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
	if a.asked, err = a.op.Resource.Request(a.target, client); err != nil {
		return err
	}
	if a.asked.Body != nil {
		a.pieces = [][]byte{a.asked.Body}
	}
	return nil
}

// deliverResource gives the client what a Resource makes of the answer.
func (a *attempt) deliverResource(ctx context.Context, whole []byte) error {
	client, err := a.clientCall()
	if err != nil {
		return err
	}
	reply, err := a.op.Resource.Answer(a.target, client, whole, a.meta(), &a.seen)
	var told *chat.Error
	switch {
	case errors.As(err, &told):
		a.finish(Failed, told.Message)
		return a.sendErrorAs(told, false)
	case err != nil:
		return err
	case reply.Next != nil:
		return a.follow(ctx, reply.Next)
	}
	a.settleSeen()
	if a.endpoint.Logging.Payloads {
		a.record.set(func(r *Record) { r.answer = reply.Body })
	}
	a.finish(Completed, "")
	h := a.clientHeaders()
	h["Content-Type"] = []string{"application/json; charset=utf-8"}
	if reply.ContentType != "" {
		h["Content-Type"] = []string{reply.ContentType}
	}
	return a.send(http.StatusOK, h, reply.Body)
}

// follow asks the same provider for what its first answer only named, and
// passes the answer on. Credentials go along: the host is the same.
func (a *attempt) follow(ctx context.Context, next *provider.Call) error {
	a.answer.Body.Close()
	a.asked, a.pieces, a.out = next, nil, Outgoing{}
	if next.Body != nil {
		a.pieces = [][]byte{next.Body}
	}
	if err := a.address(); err != nil {
		return err
	}
	if err := a.authorize(ctx); err != nil {
		return err
	}
	if err := a.call(ctx); err != nil {
		if ctx.Err() != nil {
			return errClientGone
		}
		return transportFailure(err)
	}
	defer a.answer.Body.Close()
	body, gzipped, err := inflate(a.answer)
	if err != nil {
		return err
	}
	if a.answer.Status >= http.StatusBadRequest {
		whole, err := readAnswer(body, a.answer.Length())
		if err != nil {
			return transportFailure(err)
		}
		return a.failedWith(whole, gzipped)
	}
	return a.deliverBytes(ctx, body)
}
