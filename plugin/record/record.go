// Package record holds what a request leaves in the log: what was counted, what it
// cost, which targets were tried and how it ended. It knows prices and the names
// that Kong logs all this under, and nothing of how a request is served. Read Data
// first, then json.go, which writes it.
package record

import (
	"sync"
	"time"

	"go-ai-proxy/plugin/budget"
	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/promptcache"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/prices"
	"go-ai-proxy/translators/target"
)

// Outcome says how a request ended.
type Outcome string

// The outcomes. A record is Pending until its request has ended.
const (
	Pending   Outcome = "pending"
	Completed Outcome = "completed"      // the provider's answer was delivered to its end
	Refused   Outcome = "refused"        // by the relay itself, nothing was sent to a provider
	Failed    Outcome = "failed"         // the provider answered with an error, or not at all
	CutOff    Outcome = "upstream_cut"   // the provider's stream ended in the middle
	Aborted   Outcome = "client_aborted" // the client went away
	Panicked  Outcome = "internal_error" // a defect of ours
)

// Mode is meta.request_mode.
type Mode string

// The request modes.
const (
	Oneshot  Mode = "oneshot"
	Stream   Mode = "stream"
	Realtime Mode = "realtime"
)

// MessageAborted is the message of a request whose client left.
const MessageAborted = "client closed the request"

// Tried is one attempt, an entry of tried_targets.
type Tried struct {
	Provider, Model, Route string
	Scheme, Host, Path, IP string
	Port                   int
	Status                 int    // 0 when there was no answer
	Outcome                string // "ok", or why the attempt failed
	Target                 string // see Label
	Reason                 string // what the provider's error says, if it is a reason for another target
	Failover               string // the criterion by which another target was asked next
	Spent                  *Spent // beside the record's usage; nil when the attempt used nothing, or is what the record is about
}

// Spent is what an attempt used and cost that another one replaced.
type Spent struct {
	Usage chat.Usage
	Cost  float64
}

// Cancelled is the outcome of an attempt that another one has overtaken.
const Cancelled = "cancelled"

// Hedge is what is recorded of a request that was sent to two targets at once.
type Hedge struct {
	After         time.Duration // between the two
	First, Target string        // labels of the two, the second is the hedge
	Won           bool          // the hedge brought content first
	// Prompt, Completion and Cost are those of the attempt that was cancelled, beside
	// the request's own usage.
	Prompt, Completion int
	Cost               float64
	Estimated          bool // Prompt is
}

// Winner is which of the two answered: first or hedge. It is "" if there was no hedge.
func (h *Hedge) Winner() string {
	switch {
	case h == nil:
		return ""
	case h.Won:
		return "hedge"
	}
	return "first"
}

// Label is what tells a target's numbers from those of others, in metrics. All of it
// comes from the configuration.
type Label struct {
	Operation string // chat, embeddings …: see Operation
	Provider  string
	Model     string // "" if it depends on the request
	Target    string // alias, or provider/model; unique among the targets of a plugin
}

// Saved is what an answer that was kept would have cost.
type Saved struct {
	Usage chat.Usage
	Cost  float64
}

// Affinity says by what the balancer knew a conversation, and whether it went to its
// own target: see balancer.Placement.
type Affinity struct{ Key, Placement string }

// Data is the content of a record.
type Data struct {
	PluginID      string
	Logging       config.Logging   // what of this is to be logged
	Provider      string           // of the target that is going to answer
	Options       *target.Options  // of that target; nil when there is none
	Price         *prices.Row      // of its model, from a price list; nil when there is none
	Label         Label            // of that target
	Route         string           // its name, when Kong was asked for it
	Status        int              // of the answer to the client; 0 when it got none
	Category      string           // genai_category
	Algorithm     string           // of the balancer, where there is a choice
	Reason        string           // of the choice, when the client wants to know
	PromptCache   promptcache.Done // where providers are asked to cache prompts
	ResponseCache string           // hit, miss or bypass, where answers are kept
	Saved         *Saved           // by an answer that was kept; nil when none was given
	Affinity      Affinity         // where the balancer goes by conversations
	Tried         []Tried
	Hedge         *Hedge // nil unless the request was hedged

	Model         string // request_model
	ResponseModel string // as the provider names it; "" when it does not
	Mode          Mode
	Outcome       Outcome
	Message       string   // why, when it did not complete
	Warnings      []string // decisions made without full information
	Budgets       []budget.State
	LeftOut       []string // the client's hosted tools that the target does not have

	Started time.Time
	Latency time.Duration // set at the end
	Own     time.Duration // until the first call of a provider; 0 when there was none
	First   time.Duration // to the first content; 0 when none came

	Usage      chat.Usage
	Estimated  bool // some of Usage is estimated
	Said       int  // bytes of a stream's output that the client was given so far
	Modalities bool // usage has the names of input and output, too: images, audio, responses

	Finish   chat.FinishReason
	Request  []byte // payload, nil when it is not logged
	Answer   []byte // payload, nil when it is not logged
	Streamed bool   // Answer is bare text that is logged as a completion
}

// Cost is what the request cost: by the prices that the operator configured, or what the
// provider says, or by those of the built-in list.
func (d *Data) Cost() float64 { return d.costOf(&d.Usage) }

func (d *Data) costOf(u *chat.Usage) float64 {
	if d.reported(u) {
		return u.Cost
	}
	return Cost(d.prices(), u)
}

// reported says whether the cost of u is what the provider says: it knows it best, but for
// prices of the operator's own.
func (d *Data) reported(u *chat.Usage) bool {
	own := d.Options != nil && d.Options.Known() || d.Price != nil && d.Price.File != prices.BuiltIn
	return u.Cost > 0 && !own
}

// prices are those of the target: the configured ones, or else those of a price list.
// They are nil when there are none.
func (d *Data) prices() *target.Prices {
	switch {
	case d.Options != nil && d.Options.Known():
		return &d.Options.Prices
	case d.Price != nil:
		return &d.Price.Prices
	}
	return nil
}

// SetAside moves the usage of the record to the attempt that used it: another one is
// going to answer. Tried must be the record's own.
func (d *Data) SetAside() {
	for i := len(d.Tried) - 1; i >= 0 && d.Usage.Any(); i-- {
		if t := &d.Tried[i]; t.Target == d.Label.Target && t.Spent == nil {
			t.Spent = &Spent{Usage: d.Usage, Cost: d.Cost()}
			break
		}
	}
	d.Usage, d.Finish, d.ResponseModel = chat.Usage{}, "", ""
}

// TakeBack makes the usage that was set aside for a target's last attempt the record's
// again.
func (d *Data) TakeBack(target string) {
	for i := len(d.Tried) - 1; i >= 0; i-- {
		if t := &d.Tried[i]; t.Target == target && t.Spent != nil {
			d.Usage, t.Spent = t.Spent.Usage, nil
			return
		}
	}
}

// Unpriced says whether the request used something that no price is known for, although
// a price list was asked.
func (d *Data) Unpriced() bool {
	return d.Logging.PriceFile != "" && d.prices() == nil && d.Usage.Any() && !d.reported(&d.Usage)
}

// Record is what a request leaves in the log, exactly one per request. It is
// written by the goroutine that serves the request; others may read it at any
// time (the shim asks for the record of an aborted stream).
type Record struct {
	mu   sync.Mutex
	data Data
	room [1]Tried // of data.Tried, for the one attempt that most requests make
	// settled is closed when the record will not change any more; nil when
	// nobody waits for that.
	settled chan struct{}
}

// New returns the record of a request that begins, which says what d says.
func New(d Data) *Record { return Begin(func(begun *Data) { *begun = d }) }

// Begin is like New, for one that is filled in where it is.
func Begin(fill func(*Data)) *Record {
	r := &Record{}
	fill(&r.data)
	r.data.Outcome, r.data.Mode = Pending, Oneshot
	if r.data.Tried == nil {
		r.data.Tried = r.room[:0]
	}
	return r
}

// Watch makes Abandon wait for the end of the record. It must be called before
// others know of the record.
func (r *Record) Watch() { r.settled = make(chan struct{}) }

// Update changes the record under its lock. change must only assign: parsing of
// foreign bytes is done before.
func (r *Record) Update(change func(*Data)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.data)
}

// Data returns a copy of the record's data. The slices in it must not be changed.
func (r *Record) Data() Data {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.data
}

// Cost is what u costs at the target that answers.
func (r *Record) Cost(u *chat.Usage) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.data.costOf(u)
}

// Answered returns the status of the last attempt, 0 for none, and what was counted.
func (r *Record) Answered() (status int, u chat.Usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.data.Tried); n > 0 {
		status = r.data.Tried[n-1].Status
	}
	return status, r.data.Usage
}

// Outcome is Pending until the record is settled.
func (r *Record) Outcome() Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.data.Outcome
}

// Settle records how the request ended. Only the first call has an effect; later
// ones return false. An estimate that is not nil replaces the counted usage.
func (r *Record) Settle(outcome Outcome, message string, estimate *chat.Usage) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.data.Outcome != Pending {
		return false
	}
	if estimate != nil {
		r.data.Usage, r.data.Estimated = *estimate, true
	}
	r.settle(outcome, message)
	return true
}

// settle settles a pending record. The lock is held.
func (r *Record) settle(outcome Outcome, message string) {
	r.data.Outcome, r.data.Message = outcome, message
	r.data.Latency = time.Since(r.data.Started)
	if r.settled != nil {
		close(r.settled)
	}
}

// Abandon settles a record that is requested while its request is in progress, as
// that of a client that has left. Before that, the relay has the given time to
// settle it itself.
func (r *Record) Abandon(after time.Duration) {
	select {
	case <-r.settled:
		return
	case <-time.After(after):
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := &r.data; d.Outcome == Pending {
		d.Estimated = EstimateOutput(&d.Usage, d.Said) || d.Estimated
		r.settle(Aborted, MessageAborted)
	}
}

// Adopt takes over what from, a record of the same request, says, with these attempts.
// It returns how from has ended, if it has; the record itself has not.
func (r *Record) Adopt(from *Record, tried []Tried, h *Hedge) (Outcome, string) {
	d := from.Data()
	outcome, message := d.Outcome, d.Message
	d.Outcome, d.Message, d.Latency, d.Tried, d.Hedge = Pending, "", 0, tried, h
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.data.Outcome != Pending {
		return Pending, "" // nobody waits for it any more
	}
	r.data = d
	return outcome, message
}

// PayloadSize is how many bytes of payload the record holds.
func (r *Record) PayloadSize() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.data.Request) + len(r.data.Answer)
}
