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
func (q *request) takeForm(most int64) error {
	if q.in.Body == nil {
		return refuse(http.StatusBadRequest, "the request has no body: send multipart/form-data")
	}
	src, size, err := q.inflated()
	if err != nil {
		return err
	}
	_, zipped := src.(zippedBody)
	if src, err = within(src, q.passLimit(zipped), q.in.ContentLength); err != nil {
		return err
	}
	q.in.Body, q.in.ContentLength = src, size
	translated, passed := q.instance.formTargets(q.api, q.route)
	switch {
	case translated && !passed:
		return q.takeFormAsJSON(most)
	case translated, size >= 0 && size <= most && q.instance.repeats(q.route):
		return q.takeFormWhole(most)
	}
	if q.form, err = form.New(passing{src}, wire.First(q.in.Header, "Content-Type")); err != nil {
		return err
	}
	fields, err := q.form.Peek()
	if err != nil {
		return err
	}
	return q.meetFields(fields)
}

// takeFormWhole holds a form that more than one target may have to be sent.
func (q *request) takeFormWhole(most int64) error {
	if err := q.readBody(most); err != nil {
		return err
	}
	f, err := form.New(bytes.NewReader(q.body), wire.First(q.in.Header, "Content-Type"))
	if err != nil {
		return err
	}
	fields, err := f.Look(len(q.body) + 1)
	if err != nil {
		return err
	}
	q.hold()
	return q.meetFields(fields)
}

// meetFields takes in what a form says of the model and of streams.
func (q *request) meetFields(fields map[string]string) error {
	q.model, q.named = fields["model"]
	return q.wantStream(strings.EqualFold(fields["stream"], "true"))
}

// hold keeps the body that was read for all targets to be sent. It is not given
// back: unlike the pieces of a request, what is sent as a stream may be read on
// by net/http when the answer has begun.
func (q *request) hold() { q.held, q.body, q.borrowed = q.body, nil, nil }

// takeFormAsJSON reads a form as the JSON that the same request would be.
func (q *request) takeFormAsJSON(most int64) error {
	src, err := within(q.in.Body, most, q.in.ContentLength)
	if err != nil {
		return err
	}
	if q.body, err = form.AsJSON(src, wire.First(q.in.Header, "Content-Type")); err != nil {
		return err
	}
	return q.parseJSON("application/json")
}
