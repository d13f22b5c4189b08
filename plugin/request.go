package plugin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"go-ai-proxy/plugin/form"
	"go-ai-proxy/plugin/routes"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// request is what a client wants. It is filled while the request is read and
// read-only from then on: what an attempt learns is kept in the attempt.
type request struct {
	in      *wire.Inbound
	start   time.Time // when it had been read
	api     *provider.API
	route   route.Type
	body    []byte            // as received, inflated; attempts translate from here
	members []jsonedit.Member // of body; nil when it is not JSON
	form    *form.Reader      // instead of body: a multipart form that is forwarded as it arrives
	unread  io.Reader         // instead of body: anything else that is forwarded as it arrives
	held    []byte            // instead of body: a multipart form that some target needs as JSON
	model   string            // as the client named it; "" when it named none
	named   bool              // the form named the model before its files
	family  string            // REST: "files", "threads" …
	sub     string            // REST: the path below it, "/file-1/content"
	stream  bool              // the client gets a stream
	usage   bool              // the client asked for usage in the stream
	gzip    bool              // the client takes gzip
	query   url.Values
}

// asked returns what is examined to find out what the request is for.
func (q *request) asked() routes.Request {
	return routes.Request{Method: q.in.Method, Path: q.in.Path, Whole: q.in.Kong.Path, RawQuery: q.in.RawQuery, Captures: q.in.Kong.Captures}
}

// asJSON is the client's body for a target that takes no forms.
func (q *request) asJSON() ([]byte, error) {
	if q.held == nil {
		return q.body, nil
	}
	return form.AsJSON(bytes.NewReader(q.held), q.in.Header.Get("Content-Type"))
}

// call is the request in the form that a Resource takes.
func (q *request) call() (*provider.Call, error) {
	body, err := q.asJSON()
	if err != nil {
		return nil, err
	}
	return &provider.Call{Method: q.in.Method, Path: q.sub, Query: q.in.RawQuery, Body: body}, nil
}

// membersOf returns the members of body. If that is still the client's body they are
// known: a body is scanned a second time only when it was changed.
func (q *request) membersOf(body []byte) ([]jsonedit.Member, error) {
	if len(body) == len(q.body) && len(body) > 0 && &body[0] == &q.body[0] {
		return q.members, nil
	}
	return jsonedit.Object(body, nil)
}

// isName says whether s can be a model's name; names are put into URLs and
// headers.
func isName(s string) bool {
	return strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
}

// creates says whether the request makes something new. REST operations that only
// name something existing need no body and no model.
func (q *request) creates() bool {
	return q.api.Resources == nil || q.sub == "" && q.in.Method == http.MethodPost
}

// mediaType is the body's media type, in lower case and without parameters.
func (q *request) mediaType() string {
	media, _, _ := strings.Cut(wire.First(q.in.Header, "Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// Header, Capture and Query implement the sources of templates.

// Header returns a header of the client's request; "-" and "_" in its name are
// equal.
func (q *request) Header(name string) (string, bool) {
	if v := q.in.Header.Values(name); len(v) > 0 {
		return v[0], true
	}
	name = strings.ReplaceAll(name, "_", "-")
	if v := q.in.Header.Values(name); len(v) > 0 {
		return v[0], true
	}
	for k, v := range q.in.Header {
		if len(v) > 0 && strings.EqualFold(strings.ReplaceAll(k, "_", "-"), name) {
			return v[0], true
		}
	}
	return "", false
}

// Capture returns a named capture of the route's path.
func (q *request) Capture(name string) (string, bool) {
	v, ok := q.in.Kong.Captures[name]
	return v, ok
}

// Query returns the first value of a query parameter.
func (q *request) Query(name string) (string, bool) {
	v := q.query[name]
	if len(v) == 0 {
		return "", false
	}
	return v[0], true
}

// internal is a request in the internal form, from which every translation starts. It is
// made when the first attempt needs it.
type internal struct {
	form *chat.Request
	// What reading has found of a body that is sure to be translated, until form is made
	// of it.
	body   *jsonedit.Value
	parser *jsonedit.Parser
}

// parse finds the members of body as jsonedit.Object does, in the same look as its values.
func (i *internal) parse(body []byte, dst []jsonedit.Member) (members []jsonedit.Member, err error) {
	i.parser = jsonedit.Parsers.Get()
	i.body, members, err = i.parser.Object(body, dst)
	return members, err
}

func (i *internal) of(q *request) (r *chat.Request, err error) {
	switch {
	case i.form != nil:
		return i.form, nil
	case q.api.Dialect == nil:
		return nil, errNoTranslation
	case i.body != nil:
		r, err = q.api.Dialect.ParseRequest(i.body)
		i.free()
	default:
		r, err = chat.ParseRequest(q.api.Dialect, q.body)
	}
	if err != nil {
		return nil, err
	}
	i.form = r
	return r, nil
}

// take returns a copy of i, which from now on is the one that has the parser.
func (i *internal) take() internal {
	taken := *i
	i.body, i.parser = nil, nil
	return taken
}

// free gives up what has been made of the body.
func (i *internal) free() {
	if i.parser != nil {
		jsonedit.Parsers.Put(i.parser)
	}
	*i = internal{}
}

var errNoTranslation = errors.New("the client's format cannot be translated")

// modelInQuery says whether the provider wants the model in the query. It does not
// where a client joins a call, or only transcribes speech.
// https://platform.openai.com/docs/guides/realtime-server-controls
func (q *request) modelInQuery() bool {
	_, call := q.Query("call_id")
	_, intent := q.Query("intent")
	return !call && (!intent || q.model != "")
}

// consumed says that the client's body is forwarded as it arrives and not kept.
func (q *request) consumed() bool { return q.form != nil || q.unread != nil }

// reads says whether the request only fetches what an earlier request made, or
// ends it. The cost of that was counted when it was made, or is counted once: see
// bills.
func (q *request) reads() bool {
	switch {
	case q.in.Method == http.MethodGet || q.in.Method == http.MethodHead || q.in.Method == http.MethodDelete:
		return q.in.Upgrade == nil || q.api.Body != provider.TakeSocket
	case q.api.Resources == nil:
		return false
	}
	return strings.HasSuffix(q.sub, "/cancel") || strings.HasSuffix(q.sub, "/stop")
}

// hedgeable says whether the request may be sent to two targets at once: what it asks
// for has no effect but the answer, and it can be read twice. images says whether that
// is so of images.
func (q *request) hedgeable(images bool) bool {
	if q.api.Body != provider.TakeJSON || q.api.Resources != nil && q.api.Dialect == nil || !q.creates() || q.reads() || q.consumed() {
		return false
	}
	switch {
	case q.route == route.ImageGenerations:
		return images
	case q.api.Dialect == nil && q.route != route.Embeddings && q.route != route.Completions:
		return false
	}
	// What is stored, or continued, at one provider.
	return !jsonedit.IsTrue(jsonedit.Find(q.members, "background")) && jsonedit.Find(q.members, "previous_response_id") == nil && jsonedit.Find(q.members, "conversation") == nil
}

// batchOutput says whether the request downloads a file that may have a batch's usage.
func (q *request) batchOutput() bool {
	return q.api.Resources != nil && q.api.Resources.Output.At(q.sub)
}

// outputReader reads usage from a file that may be a batch's output. It is nil for other
// requests.
func (q *request) outputReader() *provider.OutputReader {
	if !q.batchOutput() {
		return nil
	}
	return &provider.OutputReader{Output: &q.api.Resources.Output}
}

// hasNoAnswerBody says that an answer of that status has no body, whatever its
// Content-Length: that is the length of what GET would return.
func (q *request) hasNoAnswerBody(status int) bool {
	return q.in.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}

// prompt is the text of the user's messages, whose meaning is compared.
func (i *internal) prompt(q *request) string {
	var b strings.Builder
	add := func(text string) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(text)
	}
	if r, err := i.of(q); err == nil {
		for n := range r.Messages {
			m := &r.Messages[n]
			if m.Role != chat.User {
				continue
			}
			for j := range m.Parts {
				if !m.Parts[j].Text.Empty() {
					add(m.Parts[j].Text.String())
				}
			}
		}
	} else {
		for _, name := range []string{"input", "prompt"} {
			value := jsonedit.Find(q.members, name)
			if text, ok := jsonedit.String(value); ok {
				add(text)
			} else if len(value) > 0 && value[0] == '[' {
				add(string(value))
			}
		}
	}
	return b.String()
}
