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

	"go-ai-proxy/plugin/buffers"
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

// translation makes the body of the provider's request from that of the client's.
type translation struct {
	plan    *plan
	out     *outgoing // gets the body, and what goes with it
	reply   *reply
	buffers *buffers.Set
}

// translate makes the body of the outgoing request.
func (t *translation) translate() error {
	p := t.plan
	var err error
	switch p.how {
	case untouched:
		t.out.pieces = [][]byte{p.request.body}
		return nil
	case same:
		if p.request.members == nil {
			return t.passBody()
		}
		if p.instance.native() != nil {
			err = t.spliceNative()
		} else {
			err = t.spliceBody()
		}
	case viaChat:
		err = t.translateChat()
	case viaCounter:
		err = t.translateCount()
	case viaBody:
		err = t.translateBody()
	case viaResource:
		err = t.translateResource()
	}
	if err != nil {
		return t.transformError(err)
	}
	if p.endpoint.Logging.Payloads {
		payload := jsonedit.Join(nil, t.out.pieces)
		t.reply.record.Update(func(d *record.Data) { d.Request = payload })
	}
	return nil
}

// transformError puts a translator's refusal in Kong's words, and names the field
// as the error's param.
func (t *translation) transformError(err error) error {
	var re *chat.RequestError
	if errors.As(err, &re) {
		e := refuse(http.StatusBadRequest, fmt.Sprintf("error transforming to %s: %s", t.plan.name(), re.Error()))
		e.Param = re.Field
		return e
	}
	return err
}

// passBody forwards a body that is not JSON, if there is one.
func (t *translation) passBody() error {
	p := t.plan
	t.out.call.Length = p.request.in.ContentLength
	f := p.request.form
	switch {
	case p.request.held != nil:
		var err error
		if f, err = form.New(bytes.NewReader(p.request.held), p.request.in.Header.Get("Content-Type")); err != nil {
			return err
		}
		t.out.call.Length = int64(len(p.request.held))
	case p.request.unread != nil:
		t.out.call.Stream = p.request.unread
		return nil
	case f == nil:
		return nil
	}
	t.out.call.Stream = f
	if p.request.creates() {
		f.Required = p.request.api.Form
	}
	f.Check = func(name, value string) error { // a field that is found while the form is being sent
		switch {
		case name == "model":
			return p.ownModel(value)
		case strings.EqualFold(value, "true") && p.request.api.Streams && p.instance.config.ResponseStreaming == "deny":
			return refuse(http.StatusBadRequest, textNoStreaming)
		}
		return nil
	}
	if p.request.model != p.target.Model && p.target.Model != "" && p.request.api.Model != provider.ModelTaken {
		f.Replace = p.target.Model
		switch {
		case t.out.call.Length < 0:
		case p.request.named:
			t.out.call.Length += int64(len(p.target.Model) - len(p.request.model))
		default:
			t.out.call.Length = -1
		}
	}
	return nil
}

// spliceBody edits the few members that differ and leaves all other bytes alone.
func (t *translation) spliceBody() error {
	p := t.plan
	space := t.buffers.BorrowParts()
	edits := space.Edits[:0]
	if p.target.Model != "" && (p.needsModel() || p.request.model != "") {
		edits = append(edits, jsonedit.Edit{Key: "model", Value: p.endpoint.ModelJSON(p.target.Model)})
	}
	if p.request.api.Tuned && p.request.sub == "" {
		edits = t.tuneBody(edits)
	}
	if d := p.target.Options.EmbeddingsDimensions; p.request.route == route.Embeddings && d != nil && p.wins(jsonedit.Find(p.request.members, "dimensions") != nil) {
		edits = append(edits, jsonedit.Edit{Key: "dimensions", Value: number(*d)})
	}
	if p.request.api.Streams && p.request.sub == "" {
		edits = t.streamEdits(edits)
	}
	extra := jsonedit.Find(p.request.members, "extra_body")
	if extra != nil {
		edits = append(edits, jsonedit.Edit{Key: "extra_body"})
	}
	body := p.request.body
	if p.op.Edit.Request != nil {
		body = p.op.Edit.Request(nil, p.target, body)
	}
	members, err := p.request.membersOf(body)
	if err != nil {
		return err
	}
	t.out.pieces = p.op.Edit.Apply(space.Pieces[:0], p.target, body, members, edits)
	return t.mergeExtraBody(extra)
}

// spliceNative puts the target's model and options into a body of the same format,
// and changes what the provider wants in another way than the client writes it.
// All other bytes stay.
func (t *translation) spliceNative() error {
	p := t.plan
	space := t.buffers.BorrowParts()
	edits := space.Edits[:0]
	named := p.request.api.Model == provider.ModelNeeded || p.request.api.Model == provider.ModelTaken && p.request.model != ""
	if named && p.target.Model != "" {
		edits = append(edits, jsonedit.Edit{Key: p.request.api.ModelMember(), Value: p.endpoint.ModelJSON(p.target.Model)})
	}
	if p.request.stream && !p.request.api.StreamsByPath() {
		edits = append(edits, jsonedit.Edit{Key: "stream", Value: []byte("true")})
	}
	body := p.request.body
	if p.request.api.Remodel != nil && p.request.model != p.target.Model {
		body = p.request.api.Remodel(body, p.target.Model)
	}
	if p.op.Edit.Request != nil {
		body = p.op.Edit.Request(nil, p.target, body)
	}
	if prompts := p.instance.prompts; prompts != nil {
		var done promptcache.Done
		body, done = prompts.Body(p.op.Caching, p.target, body)
		t.reply.record.Update(func(d *record.Data) { d.PromptCache = done })
	}
	var err error
	if body, edits, err = t.fit(body, edits); err != nil {
		return err
	}
	members, err := p.request.membersOf(body)
	if err != nil {
		return err
	}
	if p.op.Tune != nil {
		edits = append(edits, p.op.Tune(p.target, members)...)
	}
	t.out.pieces = p.op.Edit.Apply(space.Pieces[:0], p.target, body, members, edits)
	return nil
}

// fit makes body one that the provider takes, if it serves a part of the format.
func (t *translation) fit(body []byte, edits []jsonedit.Edit) ([]byte, []jsonedit.Edit, error) {
	p := t.plan
	f := p.op.Edit.Fit
	if f == nil {
		return body, edits, nil
	}
	body, known, left, err := f.Body(p.target.Model, body, p.request.in.Header[f.Header])
	if err != nil {
		return nil, nil, err
	}
	t.leaveOut(left)
	if f.Member == "" {
		t.out.fitted = known
	} else if len(known) > 0 {
		list, _ := json.Marshal(known)
		edits = append(edits, jsonedit.Edit{Key: f.Member, Value: list})
	}
	return body, edits, nil
}

// tuneBody puts the target's tuning options into a body of OpenAI's.
func (t *translation) tuneBody(edits []jsonedit.Edit) []jsonedit.Edit {
	p := t.plan
	o := provider.Settings{MaxTokens: cmp.Or(p.request.api.Limit, "max_tokens"), Temperature: "temperature", TopP: "top_p", TopK: "top_k"}.Yielding(p.target, p.request.members).Options
	o = provider.Settings{MaxTokens: "max_completion_tokens"}.Yielding(&target.Target{Options: o}, p.request.members).Options
	if o.MaxTokens != nil {
		if jsonedit.Find(p.request.members, "max_completion_tokens") != nil {
			edits = append(edits, jsonedit.Edit{Key: "max_completion_tokens"})
		}
		edits = append(edits, jsonedit.Edit{Key: cmp.Or(p.request.api.Limit, "max_tokens"), Value: number(*o.MaxTokens)})
	}
	if o.Temperature != nil && p.op.Tunes(p.target, "temperature") {
		edits = append(edits, jsonedit.Edit{Key: "temperature", Value: float(*o.Temperature)})
	}
	if o.TopP != nil && p.op.Tunes(p.target, "top_p") {
		edits = append(edits, jsonedit.Edit{Key: "top_p", Value: float(*o.TopP)})
	}
	if o.TopK != nil && p.request.api.Limit == "" { // Responses have no top_k
		edits = append(edits, jsonedit.Edit{Key: "top_k", Value: number(*o.TopK)})
	}
	if tier := p.tier(); tier != "" && p.wins(jsonedit.Find(p.request.members, "service_tier") != nil) {
		edits = append(edits, jsonedit.Edit{Key: "service_tier", Value: jsonedit.AppendString(nil, tier)})
	}
	return edits
}

// streamEdits makes the member stream explicit and asks for usage in the stream.
func (t *translation) streamEdits(edits []jsonedit.Edit) []jsonedit.Edit {
	p := t.plan
	if !p.request.api.BareData { // Responses: usage is always sent
		if p.request.stream {
			edits = append(edits, jsonedit.Edit{Key: "stream", Value: []byte("true")})
		}
		return edits
	}
	edits = append(edits, jsonedit.Edit{Key: "stream", Value: boolean(p.request.stream)})
	t.out.hidden = p.request.stream && !p.request.usage
	options := jsonedit.Find(p.request.members, "stream_options")
	switch {
	case p.op.Edit.RefusesStreamOptions(p.target), !p.request.stream:
		if options != nil {
			edits = append(edits, jsonedit.Edit{Key: "stream_options"})
		}
	case !p.request.usage:
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
func (t *translation) mergeExtraBody(extra []byte) (err error) {
	p := t.plan
	if len(extra) > 0 {
		t.out.pieces, err = extrabody.Merge(t.out.pieces, extra, &extrabody.Rules{Options: p.target.Options, Stream: p.request.stream, Model: p.ownModel})
	}
	return err
}

// translateChat translates the request by way of the internal form.
func (t *translation) translateChat() error {
	p := t.plan
	r, err := t.chatRequest()
	if err != nil {
		return err
	}
	if prompts := p.instance.prompts; prompts != nil {
		var done promptcache.Done
		r, done = prompts.Chat(p.op.Caching, p.target, r, p.request.in.Header, p.request.members)
		t.reply.record.Update(func(d *record.Data) { d.PromptCache = done })
	}
	body, err := p.op.AppendRequest(t.buffers.Borrow(len(p.request.body) + 1024)[:0], p.target, r)
	if err != nil {
		return err
	}
	if p.op.Needs != nil {
		t.out.needs = p.op.Needs(r)
	}
	if p.op.Caveats != nil {
		if caveats := p.op.Caveats(p.target, r); caveats != nil {
			t.reply.record.Update(func(d *record.Data) { d.Warnings = append(d.Warnings, caveats...) })
		}
	}
	t.out.pieces = [][]byte{body}
	return t.mergeExtraBody([]byte(r.ExtraBody))
}

// chatRequest is the client's request in the internal form, with the target's model
// and options.
func (t *translation) chatRequest() (*chat.Request, error) {
	p := t.plan
	parsed, err := p.internal.of(p.request)
	if err != nil {
		return nil, err
	}
	r := *parsed // shallow: the original serves later attempts, too
	r.Model = p.target.Model
	r.Stream = p.request.stream
	r.Same = p.op.Format == p.request.api.Format
	o := p.target.Options
	if o.MaxTokens != nil && p.wins(r.MaxTokens != "") {
		r.MaxTokens = chat.Number(number(*o.MaxTokens))
	}
	if o.Temperature != nil && p.wins(r.Temperature != "") {
		r.Temperature = chat.Number(float(*o.Temperature))
	}
	if o.TopP != nil && p.wins(r.TopP != "") {
		r.TopP = chat.Number(float(*o.TopP))
	}
	if o.TopK != nil && p.wins(r.TopK != "") {
		r.TopK = chat.Number(number(*o.TopK))
	}
	if tier := p.tier(); tier != "" && p.wins(r.ServiceTier != "") {
		r.ServiceTier = tier
	}
	if len(r.Extra) > 0 {
		r.Extra = extrabody.Own(r.Extra, o)
	}
	// Tools that the provider would have to run and does not have are left out.
	left, err := p.op.Offer(p.target, &r)
	t.leaveOut(left)
	return &r, err
}

// translateCount makes the counter's body of the body that the chat would have.
func (t *translation) translateCount() error {
	p := t.plan
	r, err := t.chatRequest()
	if err != nil {
		return err
	}
	counted := p.provider.Operations[route.Chat]
	if p.op.Counter.Instead {
		counted = counted.Instead.Operation
	}
	body, err := counted.AppendRequest(nil, p.target, r)
	if err != nil {
		return err
	}
	if body, err = p.op.Counter.AppendRequest(nil, p.target, body); err != nil {
		return err
	}
	t.out.ask(&provider.Call{Method: http.MethodPost, Path: t.out.asked.Path, Body: body})
	return nil
}

// leaveOut notes the names of tools that are left out: the record and a header of the
// answer name them.
func (t *translation) leaveOut(names []string) {
	if len(names) > 0 {
		t.out.left = names
		t.reply.record.Update(func(d *record.Data) { d.LeftOut = names })
	}
}

// translateBody translates a body other than chat's to the provider's format.
func (t *translation) translateBody() error {
	p := t.plan
	client, err := p.request.asJSON()
	if err != nil {
		return err
	}
	body, err := p.op.Body.AppendRequest(nil, p.target, client)
	if err != nil {
		return err
	}
	t.out.pieces = [][]byte{body}
	return t.mergeExtraBody(jsonedit.Lookup(client, "extra_body"))
}

// translateResource makes the provider's request for a REST operation.
func (t *translation) translateResource() error {
	p := t.plan
	client, err := p.request.call()
	if err != nil {
		return err
	}
	call, err := p.op.Resource.Request(p.target, client, p.meta(t.reply.identify()))
	if err != nil {
		return err
	}
	t.out.ask(call)
	return nil
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
