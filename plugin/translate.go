package plugin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"go-ai-proxy/plugin/extrabody"
	"go-ai-proxy/plugin/form"
	"go-ai-proxy/plugin/promptcache"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// translate makes the body of the outgoing request.
func translate(a *attempt) error {
	var err error
	switch a.how {
	case untouched:
		a.pieces = [][]byte{a.request.body}
		return nil
	case same:
		if a.request.members == nil {
			return passBody(a)
		}
		if a.instance.native() != nil {
			err = spliceNative(a)
		} else {
			err = spliceBody(a)
		}
	case viaChat:
		err = translateChat(a)
	case viaCounter:
		err = translateCount(a)
	case viaBody:
		err = translateBody(a)
	case viaResource:
		err = translateResource(a)
	}
	if err != nil {
		return transformError(a, err)
	}
	if a.endpoint.Logging.Payloads {
		payload := jsonedit.Join(nil, a.pieces)
		a.record.Update(func(d *record.Data) { d.Request = payload })
	}
	return nil
}

// transformError puts a translator's refusal in Kong's words, and names the field
// as the error's param.
func transformError(a *attempt, err error) error {
	var re *chat.RequestError
	if errors.As(err, &re) {
		e := refuse(http.StatusBadRequest, fmt.Sprintf("error transforming to %s: %s", a.name(), re.Error()))
		e.Param = re.Field
		return e
	}
	return err
}

// passBody forwards a body that is not JSON, if there is one.
func passBody(a *attempt) error {
	a.out.Length = a.request.in.ContentLength
	f := a.request.form
	switch {
	case a.request.held != nil:
		var err error
		if f, err = form.New(bytes.NewReader(a.request.held), a.request.in.Header.Get("Content-Type")); err != nil {
			return err
		}
		a.out.Length = int64(len(a.request.held))
	case a.request.unread != nil:
		a.out.Stream = a.request.unread
		return nil
	case f == nil:
		return nil
	}
	a.out.Stream = f
	if a.request.creates() {
		f.Required = a.request.api.Form
	}
	f.Check = func(name, value string) error {
		if name == "model" {
			return a.ownModel(value)
		}
		return checkStreamField(a, value)
	}
	if a.request.model != a.target.Model && a.target.Model != "" && a.request.api.Model != provider.ModelTaken {
		f.Replace = a.target.Model
		switch {
		case a.out.Length < 0:
		case a.request.named:
			a.out.Length += int64(len(a.target.Model) - len(a.request.model))
		default:
			a.out.Length = -1
		}
	}
	return nil
}

// clientJSON is the client's body for a target that takes no forms.
func clientJSON(a *attempt) ([]byte, error) {
	if a.request.held == nil {
		return a.request.body, nil
	}
	return form.AsJSON(bytes.NewReader(a.request.held), a.request.in.Header.Get("Content-Type"))
}

// checkStreamField refuses a form that asks for a stream where none is allowed,
// when the field is found while the form is being sent.
func checkStreamField(a *attempt, value string) error {
	if strings.EqualFold(value, "true") && a.request.api.Streams && a.instance.config.ResponseStreaming == "deny" {
		return refuse(http.StatusBadRequest, textNoStreaming)
	}
	return nil
}

// spliceBody edits the few members that differ and leaves all other bytes alone.
func spliceBody(a *attempt) error {
	space := a.buffers.BorrowParts()
	edits := space.Edits[:0]
	if a.target.Model != "" && (a.needsModel() || a.request.model != "") {
		edits = append(edits, jsonedit.Edit{Key: "model", Value: a.endpoint.ModelJSON(a.target.Model)})
	}
	if a.request.api.Tuned && a.request.sub == "" {
		edits = tuneBody(a, edits)
	}
	if d := a.target.Options.EmbeddingsDimensions; a.request.route == route.Embeddings && d != nil && wins(a, jsonedit.Find(a.request.members, "dimensions") != nil) {
		edits = append(edits, jsonedit.Edit{Key: "dimensions", Value: number(*d)})
	}
	if a.request.api.Streams && a.request.sub == "" {
		edits = streamEdits(a, edits)
	}
	extra := jsonedit.Find(a.request.members, "extra_body")
	if extra != nil {
		edits = append(edits, jsonedit.Edit{Key: "extra_body"})
	}
	body := a.request.body
	if a.op.Edit.Request != nil {
		body = a.op.Edit.Request(nil, a.target, body)
	}
	members, err := membersOf(a.request, body)
	if err != nil {
		return err
	}
	a.pieces = a.op.Edit.Apply(space.Pieces[:0], a.target, body, members, edits)
	return mergeExtraBody(a, extra)
}

// spliceNative puts the target's model and options into a body of the same format,
// and changes what the provider wants in another way than the client writes it.
// All other bytes stay.
func spliceNative(a *attempt) error {
	space := a.buffers.BorrowParts()
	edits := space.Edits[:0]
	named := a.request.api.Model == provider.ModelNeeded || a.request.api.Model == provider.ModelTaken && a.request.model != ""
	if named && a.target.Model != "" {
		edits = append(edits, jsonedit.Edit{Key: a.request.api.ModelMember(), Value: a.endpoint.ModelJSON(a.target.Model)})
	}
	if a.request.stream && !a.request.api.StreamsByPath() {
		edits = append(edits, jsonedit.Edit{Key: "stream", Value: []byte("true")})
	}
	body := a.request.body
	if a.request.api.Remodel != nil && a.request.model != a.target.Model {
		body = a.request.api.Remodel(body, a.target.Model)
	}
	if a.op.Edit.Request != nil {
		body = a.op.Edit.Request(nil, a.target, body)
	}
	if p := a.instance.prompts; p != nil {
		var done promptcache.Done
		body, done = p.Body(a.op.Caching, a.target, body)
		a.record.Update(func(d *record.Data) { d.PromptCache = done })
	}
	var err error
	if body, edits, err = fit(a, body, edits); err != nil {
		return err
	}
	members, err := membersOf(a.request, body)
	if err != nil {
		return err
	}
	if a.op.Tune != nil {
		edits = append(edits, a.op.Tune(a.target, members)...)
	}
	a.pieces = a.op.Edit.Apply(space.Pieces[:0], a.target, body, members, edits)
	return nil
}

// membersOf returns the members of body. If that is still the client's body they are
// known: a body is scanned a second time only when it was changed.
func membersOf(r *request, body []byte) ([]jsonedit.Member, error) {
	if len(body) == len(r.body) && len(body) > 0 && &body[0] == &r.body[0] {
		return r.members, nil
	}
	return jsonedit.Object(body, nil)
}

// fit makes body one that the provider takes, if it serves a part of the format.
func fit(a *attempt, body []byte, edits []jsonedit.Edit) ([]byte, []jsonedit.Edit, error) {
	f := a.op.Edit.Fit
	if f == nil {
		return body, edits, nil
	}
	body, known, left, err := f.Body(a.target.Model, body, a.request.in.Header[f.Header])
	if err != nil {
		return nil, nil, err
	}
	leaveOut(a, left)
	if f.Member == "" {
		a.fitted = known
	} else if len(known) > 0 {
		list, _ := json.Marshal(known)
		edits = append(edits, jsonedit.Edit{Key: f.Member, Value: list})
	}
	return body, edits, nil
}

// tierOf is the configured tier of service: the completions API has none, wherever its
// requests go.
func tierOf(a *attempt) string {
	if a.request.route == route.Completions {
		return ""
	}
	return a.target.Options.ServiceTier
}

// wins says whether a configured value is sent where the client may have sent one.
func wins(a *attempt, sent bool) bool { return !sent || a.target.Options.Overrides() }

// tuneBody puts the target's tuning options into a body of OpenAI's.
func tuneBody(a *attempt, edits []jsonedit.Edit) []jsonedit.Edit {
	o := provider.Settings{MaxTokens: cmp.Or(a.request.api.Limit, "max_tokens"), Temperature: "temperature", TopP: "top_p", TopK: "top_k"}.Yielding(a.target, a.request.members).Options
	o = provider.Settings{MaxTokens: "max_completion_tokens"}.Yielding(&target.Target{Options: o}, a.request.members).Options
	if o.MaxTokens != nil {
		if jsonedit.Find(a.request.members, "max_completion_tokens") != nil {
			edits = append(edits, jsonedit.Edit{Key: "max_completion_tokens"})
		}
		edits = append(edits, jsonedit.Edit{Key: cmp.Or(a.request.api.Limit, "max_tokens"), Value: number(*o.MaxTokens)})
	}
	if o.Temperature != nil && a.op.Tunes(a.target, "temperature") {
		edits = append(edits, jsonedit.Edit{Key: "temperature", Value: float(*o.Temperature)})
	}
	if o.TopP != nil && a.op.Tunes(a.target, "top_p") {
		edits = append(edits, jsonedit.Edit{Key: "top_p", Value: float(*o.TopP)})
	}
	if o.TopK != nil && a.request.api.Limit == "" { // Responses have no top_k
		edits = append(edits, jsonedit.Edit{Key: "top_k", Value: number(*o.TopK)})
	}
	if tier := tierOf(a); tier != "" && wins(a, jsonedit.Find(a.request.members, "service_tier") != nil) {
		edits = append(edits, jsonedit.Edit{Key: "service_tier", Value: jsonedit.AppendString(nil, tier)})
	}
	return edits
}

// streamEdits makes the member stream explicit and asks for usage in the stream.
func streamEdits(a *attempt, edits []jsonedit.Edit) []jsonedit.Edit {
	if !a.request.api.BareData { // Responses: usage is always sent
		if a.request.stream {
			edits = append(edits, jsonedit.Edit{Key: "stream", Value: []byte("true")})
		}
		return edits
	}
	edits = append(edits, jsonedit.Edit{Key: "stream", Value: boolean(a.request.stream)})
	a.hidden = a.request.stream && !a.request.usage
	options := jsonedit.Find(a.request.members, "stream_options")
	switch {
	case a.op.Edit.RefusesStreamOptions(a.target), !a.request.stream:
		if options != nil {
			edits = append(edits, jsonedit.Edit{Key: "stream_options"})
		}
	case !a.request.usage:
		value := []byte(`{"include_usage":true}`)
		if len(options) > 0 && options[0] == '{' {
			if merged, err := jsonedit.Merge(nil, options, value); err == nil {
				value = merged
			}
		}
		edits = append(edits, jsonedit.Edit{Key: "stream_options", Value: value})
	}
	return edits
}

// mergeExtraBody merges the client's extra_body into the provider's body.
func mergeExtraBody(a *attempt, extra []byte) (err error) {
	if len(extra) > 0 {
		a.pieces, err = extrabody.Merge(a.pieces, extra, &extrabody.Rules{Options: a.target.Options, Stream: a.request.stream, Model: a.ownModel})
	}
	return err
}

// translateChat translates the request by way of the internal form.
func translateChat(a *attempt) error {
	r, err := chatRequest(a)
	if err != nil {
		return err
	}
	if p := a.instance.prompts; p != nil {
		var done promptcache.Done
		r, done = p.Chat(a.op.Caching, a.target, r, a.request.in.Header, a.request.members)
		a.record.Update(func(d *record.Data) { d.PromptCache = done })
	}
	body, err := a.op.AppendRequest(a.buffers.Borrow(len(a.request.body) + 1024)[:0], a.target, r)
	if err != nil {
		return err
	}
	if a.op.Needs != nil {
		a.needs = a.op.Needs(r)
	}
	if a.op.Caveats != nil {
		if caveats := a.op.Caveats(a.target, r); caveats != nil {
			a.record.Update(func(d *record.Data) { d.Warnings = append(d.Warnings, caveats...) })
		}
	}
	a.pieces = [][]byte{body}
	return mergeExtraBody(a, []byte(r.ExtraBody))
}

// chatRequest is the client's request in the internal form, with the target's model
// and options.
func chatRequest(a *attempt) (*chat.Request, error) {
	parsed, err := a.internal.of(a.request)
	if err != nil {
		return nil, err
	}
	r := *parsed // shallow: the original serves later attempts, too
	r.Model = a.target.Model
	r.Stream = a.request.stream
	r.Same = a.op.Format == a.request.api.Format
	o := a.target.Options
	if o.MaxTokens != nil && wins(a, r.MaxTokens != "") {
		r.MaxTokens = chat.Number(number(*o.MaxTokens))
	}
	if o.Temperature != nil && wins(a, r.Temperature != "") {
		r.Temperature = chat.Number(float(*o.Temperature))
	}
	if o.TopP != nil && wins(a, r.TopP != "") {
		r.TopP = chat.Number(float(*o.TopP))
	}
	if o.TopK != nil && wins(a, r.TopK != "") {
		r.TopK = chat.Number(number(*o.TopK))
	}
	if tier := tierOf(a); tier != "" && wins(a, r.ServiceTier != "") {
		r.ServiceTier = tier
	}
	if len(r.Extra) > 0 {
		r.Extra = extrabody.Own(r.Extra, o)
	}
	// Tools that the provider would have to run and does not have are left out.
	left, err := a.op.Offer(a.target, &r)
	leaveOut(a, left)
	return &r, err
}

// translateCount makes the counter's body of the body that the chat would have.
func translateCount(a *attempt) error {
	r, err := chatRequest(a)
	if err != nil {
		return err
	}
	counted := a.provider.Operations[route.Chat]
	if a.op.Counter.Instead {
		counted = counted.Instead.Operation
	}
	body, err := counted.AppendRequest(nil, a.target, r)
	if err != nil {
		return err
	}
	if body, err = a.op.Counter.AppendRequest(nil, a.target, body); err != nil {
		return err
	}
	a.ask(&provider.Call{Method: http.MethodPost, Path: a.asked.Path, Body: body})
	return nil
}

// leaveOut notes the names of tools that are left out: the record and a header of the
// answer name them.
func leaveOut(a *attempt, names []string) {
	if len(names) > 0 {
		a.left = names
		a.record.Update(func(d *record.Data) { d.LeftOut = names })
	}
}

func boolean(b bool) []byte {
	if b {
		return yes
	}
	return no
}

var yes, no = []byte("true"), []byte("false")

func number(n int) []byte { return strconv.AppendInt(nil, int64(n), 10) }

func float(f float64) []byte { return strconv.AppendFloat(nil, f, 'g', -1, 64) }

// translateBody translates a body other than chat's to the provider's format.
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

// clientCall is the client's request in the form that a Resource takes.
func clientCall(a *attempt) (*provider.Call, error) {
	body, err := clientJSON(a)
	if err != nil {
		return nil, err
	}
	return &provider.Call{Method: a.request.in.Method, Path: a.request.sub, Query: a.request.in.RawQuery, Body: body}, nil
}

// translateResource makes the provider's request for a REST operation.
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
