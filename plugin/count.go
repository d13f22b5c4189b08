package plugin

import (
	"net/http"
	"net/url"
	"slices"

	"go-ai-proxy/plugin/record"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
)

// headerCount says that the number of tokens that a client asked for is an
// estimate.
const headerCount = "X-Kong-Llm-Token-Count"

// chooseCounter decides how the tokens of a prompt are counted: by the provider's
// own counter, or by an estimate where it has none. The counter is not asked either
// where the configured URL does not show where it is: what is there may answer the
// prompt, which costs.
func chooseCounter(a *attempt) error {
	format := a.request.api.Format
	counter := a.provider.Counter
	if own := a.provider.Native[format]; own != nil {
		counter = own
	}
	a.how, a.op = estimated, a.provider.Operations[route.Chat]
	if a.op == nil {
		return a.noTransformer()
	}
	if counter == nil {
		return nil
	}
	path, placed, err := besidePath(a, counter)
	switch {
	case err != nil:
		return err
	case !placed:
	case counter.Format == format:
		a.how, a.op = same, counter
		if a.instance.native() == nil {
			a.asked = &provider.Call{Method: http.MethodPost, Path: path}
		}
	case counter.Counter != nil && (!counter.Counter.AtHome || atHome(a)):
		a.how, a.op, a.asked = viaCounter, counter, &provider.Call{Method: http.MethodPost, Path: path}
	}
	return nil
}

// atHome says whether the target is at the provider's own host.
func atHome(a *attempt) bool {
	configured := a.target.Options.UpstreamURL
	if configured == "" || a.provider.Base == nil {
		return configured == ""
	}
	base, err := a.provider.Base(a.target)
	if err != nil {
		return false
	}
	own, err := url.Parse(base)
	if err != nil {
		return false
	}
	u, err := a.endpoint.parseBase(configured)
	return err == nil && u.Host == own.Host
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

// noCounter are the statuses with which a server says that it cannot count: it does
// not have the operation, or not for this model.
var noCounter = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}

// cannotCount says whether the provider's answer is that it cannot count a prompt
// that it was sent in translation.
func cannotCount(a *attempt) bool {
	return a.how == viaCounter && slices.Contains(noCounter, a.answer.Status)
}

// deliverEstimate answers with an estimate of the prompt's tokens, and says in the
// record and in a header that it is one.
func deliverEstimate(a *attempt) error {
	r, err := a.request.internal()
	if err != nil {
		return err
	}
	tokens := record.TextTokens(r.PromptLen())
	a.record.Update(func(d *record.Data) { d.Estimated = true })
	a.reply.finish(record.Completed, "")
	h := http.Header{"Content-Type": isJSONInUTF8, headerCount: {"estimated"}}
	return a.reply.send(http.StatusOK, h, a.request.api.Count(nil, tokens))
}
