// Package spending counts requests against budgets: what one reserves before a target is
// asked, and what it has used when it ends. It knows requests and records, and leaves
// counting to package budget. Start with Spending.
package spending

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/monitor"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/plugin/wire"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/prices"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

// Open readies the configured budgets of a plugin in store.
func Open(configured []config.Budget, plugin string, store *budget.Store) (budgets []*budget.Budget, err error) {
	for i := range configured {
		c := &configured[i]
		window, err := budget.ParseWindow(c.Window)
		if err != nil {
			return nil, fmt.Errorf("config.budgets[%d].window: %w", i+1, err)
		}
		b := &budget.Budget{
			Plugin: plugin, Per: c.Per, Header: c.Header, Window: window, What: c.What, OnExceeded: c.OnExceeded,
			Together: c.OnRedisFailure == config.RedisFailureRefuse,
		}
		if c.Limit.Tokens != nil {
			b.Limit = int64(*c.Limit.Tokens)
		} else {
			b.Cost, b.Limit = true, budget.Cost(*c.Limit.Cost)
		}
		store.Open(b)
		budgets = append(budgets, b)
	}
	return budgets, nil
}

// Needs names what the access phase must pass on because a budget counts by it.
func Needs(budgets []config.Budget) (need []string) {
	for i := range budgets {
		if name := map[string]string{"consumer": wire.NeedConsumer, "group": wire.NeedGroups, "route": wire.NeedRoute}[budgets[i].Per]; name != "" {
			need = append(need, name)
		}
	}
	return need
}

// Append appends a plugin's budgets, as this process knows them now.
func Append(list []monitor.Budget, budgets []*budget.Budget, now time.Time) []monitor.Budget {
	for _, b := range budgets {
		u := b.Use(now)
		list = append(list, monitor.Budget{
			Plugin: b.Plugin, Budget: b.Name(), Unit: b.Unit(), OnExceeded: b.OnExceeded, Limit: b.Amount(b.Limit),
			Used: b.Amount(u.Most), Counters: u.Counters, Exceeded: u.Exceeded, Warned: u.Warned,
		})
	}
	return list
}

// Spending is what a request has reserved of its budgets. Attempts that run at the same
// time may use it. A nil Spending reserves nothing.
type Spending struct {
	mu   sync.Mutex
	held []held
}

// held is what is reserved for an attempt at a target.
type held struct {
	target *Target
	hold   *budget.Hold
}

// Request is what of a request decides whose budgets it counts against, and how much it
// is going to use.
type Request struct {
	Kong    *wire.Context
	Header  http.Header
	API     *provider.API
	Route   route.Type
	Members []jsonedit.Member
	Size    int    // of the body, in bytes
	Model   string // as the client named it
	Creates bool   // it makes something new, and is not merely about what there is
}

// Target is what budgets know of a target. It keeps how long answers are, so that there is
// one for each target, which is not copied.
type Target struct {
	Label   record.Label
	Model   string // as configured; "" if the client names it
	Options *target.Options
	Price   func(model string) *prices.Row // from the target's price list; nil for none

	output atomic.Int64 // the tokens of a typical answer, 0 if unknown
}

// OverBudgetError is the error of an attempt that a budget does not allow.
type OverBudgetError struct {
	Refusal *chat.Error
	Next    bool // another target may be tried
}

func (o *OverBudgetError) Error() string { return o.Refusal.Error() }

// Unwrap returns what the client is told.
func (o *OverBudgetError) Unwrap() error { return o.Refusal }

// Reserve reserves what an attempt at t is estimated to use, of all budgets that it
// counts against, and returns what those were. The error is an *OverBudgetError when one
// of them does not have it left.
func (s *Spending) Reserve(store *budget.Store, budgets []*budget.Budget, q *Request, t *Target) ([]budget.State, error) {
	guess := estimate(q, t)
	var asks []budget.Ask
	for _, b := range budgets {
		for _, identity := range identities(q, t, b) {
			asks = append(asks, budget.Ask{Budget: b, Identity: identity, Amount: spent(b, guess), Unchecked: !q.Creates})
		}
	}
	hold, states, over, down := store.Reserve(asks)
	switch {
	case down:
		e := chat.NewError(http.StatusServiceUnavailable, "budgets cannot be checked: Redis does not answer")
		e.RetryAfter = time.Second
		return states, &OverBudgetError{Refusal: e}
	case over >= 0:
		return states, &OverBudgetError{Refusal: overText(&states[over]), Next: states[over].Budget.OnExceeded == budget.NextTarget}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, held{t, hold})
	return states, nil
}

// overText is the error that tells a client of a budget that does not have enough left.
func overText(s *budget.State) *chat.Error {
	b := s.Budget
	e := chat.NewError(http.StatusTooManyRequests, fmt.Sprintf("the budget of this %s is used up: %.6g of %.6g %s per %s are used or reserved, and the request needs more than what is left",
		b.Per, b.Amount(s.Used), b.Amount(b.Limit), b.Unit(), budget.Duration(b.Window)))
	e.RetryAfter = max(s.Reset, time.Second)
	return e
}

// Release gives back what is held for a failed attempt at t. If its answer is delivered
// after all, Settle counts it.
func (s *Spending) Release(t *Target) {
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

// Settle ends a request: what is held is replaced by what its record says was used.
func (s *Spending) Settle(rec *record.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) == 0 {
		return
	}
	d := rec.Data()
	d.Tried = slices.Clone(d.Tried) // what they have spent is taken from them
	answered := false
	for i := range slices.Backward(s.held) {
		h := &s.held[i]
		if answered || h.target.Label != d.Label { // a target may have been tried twice
			vain := inVain(&d, h.target)
			h.hold.Settle(func(b *budget.Budget) int64 { return spent(b, vain) })
			continue
		}
		answered = true
		h.hold.Settle(func(b *budget.Budget) int64 { return spent(b, &d) })
		if n := int64(d.Usage.Completion); d.Outcome == record.Completed && n > 0 {
			h.target.output.Store((7*h.target.typicalOutput() + n) / 8)
		}
	}
	s.held = nil
}

// inVain is what an attempt at t used that did not answer, and takes it from d: what the
// provider had counted before it failed, or, at the target that a hedged request
// overtook, what that is estimated to have used.
func inVain(d *record.Data, t *Target) *record.Data {
	vain := &record.Data{Options: t.Options, Price: t.Price(t.Model)}
	for i := range slices.Backward(d.Tried) {
		if one := &d.Tried[i]; one.Target == t.Label.Target && one.Spent != nil {
			vain.Usage, one.Spent = one.Spent.Usage, nil
			return vain
		}
	}
	if h := d.Hedge; h != nil && t.Label != d.Label && (t.Label.Target == h.First || t.Label.Target == h.Target) {
		vain.Usage = chat.Usage{Prompt: h.Prompt, Completion: h.Completion, Cost: h.Cost}
	}
	return vain
}

// typicalOutput is how many tokens an answer of the target usually has.
func (t *Target) typicalOutput() int64 {
	if n := t.output.Load(); n > 0 {
		return n
	}
	return 1000
}

// identities are those whose budget b a request counts against: the client's consumer,
// each of its groups … Requests without one share a budget.
func identities(q *Request, t *Target, b *budget.Budget) []string {
	kong := q.Kong
	switch b.Per {
	case "consumer":
		return []string{kong.Consumer.ID + "\x00" + kong.Consumer.Username}
	case "group":
		if len(kong.Groups) > 0 {
			return kong.Groups
		}
	case "header":
		return []string{strings.Join(q.Header.Values(b.Header), ",")}
	case "route":
		return []string{kong.Route}
	case "model":
		return []string{t.Label.Target}
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
	input.Usage.Cost *= float64(u.Prompt) / float64(max(u.Prompt+u.Completion, 1)) // of which the provider tells the sum
	input.Usage.Completion, input.Usage.CompletionAudio, input.Usage.CompletionImage, input.Usage.Images = 0, 0, 0, 0
	if b.What == budget.Input {
		return budget.Cost(input.Cost())
	}
	return budget.Cost(d.Cost() - input.Cost())
}

// maxGuess bounds the estimate of a prompt whose words nobody counts: bodies may hold
// pictures.
const maxGuess = 50_000

// estimate is what a request is going to use, in tokens: for the prompt an estimate, for
// the output the limit that client or target set, or what is typical.
func estimate(q *Request, t *Target) *record.Data {
	d := &record.Data{Options: t.Options, Price: t.Price(cmp.Or(t.Model, q.Model))}
	if !q.Creates {
		return d
	}
	if q.API.Prose != nil {
		d.Usage.Prompt = record.PromptTokens(q.API.Prose(q.Members), true)
	} else {
		d.Usage.Prompt = min(record.TextTokens(q.Size), maxGuess)
	}
	switch q.Route {
	case route.Chat, route.Completions, route.Responses:
		d.Usage.Completion = int(t.typicalOutput())
		if n := budget.OutputLimit(q.Members); n > 0 {
			d.Usage.Completion = n
		}
		if t.Options.MaxTokens != nil {
			d.Usage.Completion = *t.Options.MaxTokens
		}
	}
	return d
}
