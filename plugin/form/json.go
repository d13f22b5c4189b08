package plugin

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
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
	translated, passed := q.instance.formTargets(q.surface, q.route)
	switch {
	case translated && !passed:
		return q.takeFormAsJSON(most)
	case translated, size >= 0 && size <= most && q.instance.repeats(q.route):
		return q.takeFormWhole(most)
	}
	if q.form, err = newForm(src, wire.First(q.in.Header, "Content-Type")); err != nil {
		return err
	}
	fields, err := q.form.peek()
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
	f, err := newForm(bytes.NewReader(q.body), wire.First(q.in.Header, "Content-Type"))
	if err != nil {
		return err
	}
	fields, err := f.look(len(q.body) + 1)
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

// repeats says whether a request of a route may be sent to more than one target.
func (inst *Instance) repeats(route string) bool {
	return inst.budget() > 1 && len(inst.byRoute[route]) > 1
}

// formTargets says whether forms of a route are translated for some of its
// targets, and whether they pass to some.
func (inst *Instance) formTargets(s *surface, route string) (translated, passed bool) {
	for _, i := range inst.byRoute[route] {
		op := inst.targets[i].provider.Find(s.format, route)
		same := op != nil && op.Format == s.format
		translated, passed = translated || !same, passed || same
	}
	return translated, passed
}

// takeFormAsJSON reads a form as the JSON that the same request would be.
func (q *request) takeFormAsJSON(most int64) error {
	src, err := within(q.in.Body, most, q.in.ContentLength)
	if err != nil {
		return err
	}
	if q.body, err = formAsJSON(src, wire.First(q.in.Header, "Content-Type")); err != nil {
		return err
	}
	return q.parseJSON("application/json")
}

// asJSON is the client's body for a target that takes no forms.
func (a *attempt) asJSON() ([]byte, error) {
	if a.held == nil {
		return a.body, nil
	}
	return formAsJSON(bytes.NewReader(a.held), a.in.Header.Get("Content-Type"))
}

// formAsJSON is the JSON body that says what a form does, as OpenAI's API takes
// it for the same operations: pictures are data URLs in `images`, other files
// are objects with an image_url.
// https://platform.openai.com/docs/api-reference/images/createEdit
func formAsJSON(src io.Reader, contentType string) ([]byte, error) {
	boundary, err := boundaryOf(contentType)
	if err != nil {
		return nil, err
	}
	r := multipart.NewReader(src, boundary)
	fields := object{}
	fields.open('{')
	images := object{}
	images.open('[')
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, formError(err)
		}
		name := strings.TrimSuffix(p.FormName(), "[]")
		switch {
		case p.FileName() != "" && name == "image":
			images.item()
			images.buf, err = appendFile(images.buf, p)
		case p.FileName() != "":
			fields.key(name)
			fields.buf, err = appendFile(fields.buf, p)
		default:
			err = appendField(&fields, name, p)
		}
		if err != nil {
			return nil, formError(err)
		}
	}
	if len(images.buf) > 1 {
		fields.key("images")
		fields.buf = append(append(fields.buf, images.buf...), ']')
	}
	fields.close('}')
	return fields.buf, nil
}

func formError(err error) error {
	var own *chat.Error
	if errors.As(err, &own) {
		return own
	}
	return refuse(http.StatusBadRequest, "multipart form: "+err.Error())
}

// appendFile writes a file as an object with a data URL, without holding it twice.
func appendFile(dst []byte, p *multipart.Part) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	if err != nil || strings.ContainsAny(kind, "\"\\") {
		kind = "application/octet-stream"
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(p, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if found, _, _ := strings.Cut(http.DetectContentType(head[:n]), ";"); kind == "application/octet-stream" || strings.HasPrefix(found, "image/") {
		kind = found
	}
	w := &appending{append(dst, `{"image_url":"data:`+kind+`;base64,`...)}
	e := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.Copy(e, io.MultiReader(bytes.NewReader(head[:n]), p)); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return append(w.buf, `"}`...), nil
}

type appending struct{ buf []byte }

func (a *appending) Write(p []byte) (int, error) {
	a.buf = append(a.buf, p...)
	return len(p), nil
}

// maxText bounds a form's field that is no file, in bytes.
const maxText = 1 << 20

// appendField writes a field: a number or a truth value as such, JSON where the
// field is an object, and otherwise a string.
func appendField(o *object, name string, p *multipart.Part) error {
	b, err := io.ReadAll(io.LimitReader(p, maxText+1))
	if err != nil {
		return err
	}
	if len(b) > maxText {
		return fmt.Errorf("the field %q is too long", name)
	}
	o.item()
	o.buf = append(jsonedit.AppendString(o.buf, name), ':')
	value := string(b)
	_, notNumber := strconv.Atoi(value)
	object := len(b) > 0 && b[0] == '{' && jsonedit.Valid(b) == nil
	if name != "prompt" && (notNumber == nil || value == "true" || value == "false" || object) {
		if notNumber == nil {
			value = strconv.Itoa(first(strconv.Atoi(value)))
		}
		o.buf = append(o.buf, value...)
		return nil
	}
	o.buf = jsonedit.AppendString(o.buf, value)
	return nil
}

func first(n int, _ error) int { return n }
