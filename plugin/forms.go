package plugin

import (
	"bytes"
	"net/http"
	"strings"

	"go-ai-proxy/plugin/form"
	"go-ai-proxy/plugin/wire"
)

// takeForm lets a multipart form pass, and looks at its front for the model.
// Where a target needs it translated, it is held; so is one within
// max_request_body_size that another target may have to be sent.
func (r *reading) takeForm(most int64) error {
	if r.request.in.Body == nil {
		return refuse(http.StatusBadRequest, "the request has no body: send multipart/form-data")
	}
	src, size, err := r.inflated()
	if err != nil {
		return err
	}
	_, zipped := src.(zippedBody)
	if src, err = within(src, r.passLimit(zipped), r.request.in.ContentLength); err != nil {
		return err
	}
	r.request.in.Body, r.request.in.ContentLength = src, size
	translated, passed := r.exchange.instance.formTargets(r.request.api, r.request.route)
	switch {
	case translated && !passed:
		return r.takeFormAsJSON(most)
	case translated, size >= 0 && size <= most && r.exchange.instance.repeats(r.request.route):
		return r.takeFormWhole(most)
	}
	if r.request.form, err = form.New(passing{src}, wire.First(r.request.in.Header, "Content-Type")); err != nil {
		return err
	}
	fields, err := r.request.form.Peek()
	if err != nil {
		return err
	}
	return r.meetFields(fields)
}

// takeFormWhole holds a form that more than one target may have to be sent.
func (r *reading) takeFormWhole(most int64) error {
	if err := r.readBody(most); err != nil {
		return err
	}
	f, err := form.New(bytes.NewReader(r.request.body), wire.First(r.request.in.Header, "Content-Type"))
	if err != nil {
		return err
	}
	fields, err := f.Look(len(r.request.body) + 1)
	if err != nil {
		return err
	}
	r.hold()
	return r.meetFields(fields)
}

// meetFields takes in what a form says of the model and of streams.
func (r *reading) meetFields(fields map[string]string) error {
	r.request.model, r.request.named = fields["model"]
	return r.wantStream(strings.EqualFold(fields["stream"], "true"))
}

// hold keeps the body that was read for all targets to be sent. It is not given
// back: unlike the pieces of a request, what is sent as a stream may be read on
// by net/http when the answer has begun.
func (r *reading) hold() {
	r.request.held, r.request.body = r.request.body, nil
	r.exchange.buffers.borrowed = nil
}

// takeFormAsJSON reads a form as the JSON that the same request would be.
func (r *reading) takeFormAsJSON(most int64) error {
	src, err := within(r.request.in.Body, most, r.request.in.ContentLength)
	if err != nil {
		return err
	}
	if r.request.body, err = form.AsJSON(src, wire.First(r.request.in.Header, "Content-Type")); err != nil {
		return err
	}
	return r.parseJSON("application/json")
}
