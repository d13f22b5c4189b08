package plugin

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/monitor"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/route"
)

// openBudgets readies the configured budgets.
func openBudgets(inst *Instance) error {
	for i := range inst.config.Budgets {
		c := &inst.config.Budgets[i]
		window, err := budget.ParseWindow(c.Window)
		if err != nil {
			return fmt.Errorf("config.budgets[%d].window: %w", i+1, err)
		}
		b := &budget.Budget{
			Plugin: inst.config.PluginID, Per: c.Per, Header: c.Header, Window: window, What: c.What, OnExceeded: c.OnExceeded,
			Together: c.OnRedisFailure == config.RedisFailureRefuse,
		}
		if c.Limit.Tokens != nil {
			b.Limit = int64(*c.Limit.Tokens)
		} else {
			b.Cost, b.Limit = true, budget.Cost(*c.Limit.Cost)
		}
		inst.relay.budgets.Open(b)
		inst.budgets = append(inst.budgets, b)
	}
	return nil
}

// budgetNeeds names what the access phase must pass on because a budget counts by it.
func budgetNeeds(budgets []config.Budget) (need []string) {
	for i := range budgets {
		if name := map[string]string{"consumer": wire.NeedConsumer, "group": wire.NeedGroups, "route": wire.NeedRoute}[budgets[i].Per]; name != "" {
			need = append(need, name)
		}
	}
	return need
}

// appendBudgets appends the instance's budgets, as this process knows them now.
func appendBudgets(list []monitor.Budget, inst *Instance, now time.Time) []monitor.Budget {
	for _, b := range inst.budgets {
		u := b.Use(now)
		list = append(list, monitor.Budget{
			Plugin: inst.config.PluginID, Budget: b.Name(), Unit: b.Unit(), OnExceeded: b.OnExceeded, Limit: b.Amount(b.Limit),
			Used: b.Amount(u.Most), Counters: u.Counters, Exceeded: u.Exceeded, Warned: u.Warned,
		})
	}
	return list
}

// spending is what an exchange has reserved of its budgets. Attempts that run at the
// same time may use it.
type spending struct {
	mu   sync.Mutex
	held []held
}

// held is what is reserved for an attempt at a target.
type held struct {
	target *endpoint
	hold   *budget.Hold
}

// overBudget is the error of an attempt that a budget does not allow.
type overBudget struct {
	refusal *chat.Error
	next    bool // another target may be tried
}

func (o *overBudget) Error() string { return o.refusal.Error() }

func (o *overBudget) Unwrap() error { return o.refusal }

// reserve reserves what an attempt at t is estimated to use, of all budgets that it
// counts against. The error is an *overBudget when one of them does not have it left.
func (s *spending) reserve(x *exchange, t *endpoint) error {
	if s == nil || x.request.api.Count != nil {
		return nil
	}
	budgets := x.instance.budgets
	guess := estimateUse(x, t)
	var asks []budget.Ask
	for _, b := range budgets {
		for _, identity := range identities(x, t, b) {
			asks = append(asks, budget.Ask{Budget: b, Identity: identity, Amount: spent(b, guess), Unchecked: !x.request.creates()})
		}
	}
	hold, states, over, down := x.relay.budgets.Reserve(asks)
	x.reply.budgets = states
	x.record.Update(func(d *record.Data) { d.Budgets = states })
	switch {
	case down:
		e := refuse(http.StatusServiceUnavailable, "budgets cannot be checked: Redis does not answer")
		e.RetryAfter = time.Second
		return &overBudget{refusal: e}
	case over >= 0:
		return &overBudget{refusal: overText(&states[over]), next: states[over].Budget.OnExceeded == budget.NextTarget}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, held{t, hold})
	return nil
}

// overText is the error that tells a client of a budget that does not have enough left.
func overText(s *budget.State) *chat.Error {
	b := s.Budget
	e := refuse(http.StatusTooManyRequests, fmt.Sprintf("the budget of this %s is used up: %.6g of %.6g %s per %s are used or reserved, and the request needs more than what is left",
		b.Per, b.Amount(s.Used), b.Amount(b.Limit), b.Unit(), budget.Duration(b.Window)))
	e.RetryAfter = max(s.Reset, time.Second)
	return e
}

// release gives back what is held for a failed attempt at t. If its answer is delivered
// after all, settle counts it.
func (s *spending) release(t *endpoint) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.held {
		if s.held[i].target == t {
			s.held[i].hold.Release()
		}
	}
}

// settle ends an exchange: what is held is replaced by what its record says was used.
func (s *spending) settle(x *exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) == 0 {
		return
	}
	d := x.record.Data()
	d.Tried = slices.Clone(d.Tried) // what they have spent is taken from them
	answered := false
	for i := range slices.Backward(s.held) {
		h := &s.held[i]
		if answered || h.target.label != d.Label { // a target may have been tried twice
			vain := inVain(&d, h.target)
			h.hold.Settle(func(b *budget.Budget) int64 { return spent(b, vain) })
			continue
		}
		answered = true
		h.hold.Settle(func(b *budget.Budget) int64 { return spent(b, &d) })
		if n := int64(d.Usage.Completion); d.Outcome == record.Completed && n > 0 {
			h.target.output.Store((7*typicalOutput(h.target) + n) / 8)
		}
	}
	s.held = nil
}

// inVain is what an attempt at t used that did not answer, and takes it from d: what the
// provider had counted before it failed, or, at the target that a hedged request
// overtook, what that is estimated to have used.
func inVain(d *record.Data, t *endpoint) *record.Data {
	o := &t.Model.Options
	vain := &record.Data{Options: o, Price: priceOf(t, o, t.Model.Name)}
	for i := range slices.Backward(d.Tried) {
		if one := &d.Tried[i]; one.Target == t.label.Target && one.Spent != nil {
			vain.Usage, one.Spent = one.Spent.Usage, nil
			return vain
		}
	}
	if h := d.Hedge; h != nil && t.label != d.Label && (t.label.Target == h.First || t.label.Target == h.Target) {
		vain.Usage = chat.Usage{Prompt: h.Prompt, Completion: h.Completion}
	}
	return vain
}

// typicalOutput is how many tokens an answer of t usually has.
func typicalOutput(t *endpoint) int64 {
	if n := t.output.Load(); n > 0 {
		return n
	}
	return 1000
}

// identities are those whose budget b a request counts against: the client's consumer,
// each of its groups … Requests without one share a budget.
func identities(x *exchange, t *endpoint, b *budget.Budget) []string {
	kong := &x.request.in.Kong
	switch b.Per {
	case "consumer":
		return []string{kong.Consumer.ID + "\x00" + kong.Consumer.Username}
	case "group":
		if len(kong.Groups) > 0 {
			return kong.Groups
		}
	case "header":
		return []string{strings.Join(x.request.in.Header.Values(b.Header), ",")}
	case "route":
		return []string{kong.Route}
	case "model":
		return []string{t.label.Target}
	}
	return []string{""}
}

// spent is what counts of a request against b.
func spent(b *budget.Budget, d *record.Data) int64 {
	u := &d.Usage
	switch {
	case !b.Cost && b.What == budget.Input:
		return int64(u.Prompt)
	case !b.Cost && b.What == budget.Output:
		return int64(u.Completion)
	case !b.Cost:
		return int64(u.TotalTokens())
	case b.What == budget.All:
		return budget.Cost(d.Cost())
	}
	input := record.Data{Options: d.Options, Price: d.Price, Usage: *u}
	input.Usage.Completion, input.Usage.CompletionAudio, input.Usage.CompletionImage, input.Usage.Images = 0, 0, 0, 0
	if b.What == budget.Input {
		return budget.Cost(input.Cost())
	}
	return budget.Cost(d.Cost() - input.Cost())
}

// maxGuess bounds the estimate of a prompt whose words nobody counts: bodies may hold
// pictures.
const maxGuess = 50_000

// estimateUse is what a request is going to use, in tokens: for the prompt an estimate,
// for the output the limit that client or target set, or what is typical.
func estimateUse(x *exchange, t *endpoint) *record.Data {
	q, o := &x.request, &t.Model.Options
	d := &record.Data{Options: o, Price: priceOf(t, o, cmp.Or(t.Model.Name, q.model))}
	if !q.creates() {
		return d
	}
	if q.api.Prose != nil {
		d.Usage.Prompt = record.PromptTokens(q.api.Prose(q.members), true)
	} else {
		d.Usage.Prompt = min(record.TextTokens(len(q.body)), maxGuess)
	}
	switch q.route {
	case route.Chat, route.Completions, route.Responses:
		d.Usage.Completion = int(typicalOutput(t))
		if n := budget.OutputLimit(q.members); n > 0 {
			d.Usage.Completion = n
		}
		if o.MaxTokens != nil {
			d.Usage.Completion = *o.MaxTokens
		}
	}
	return d
}
