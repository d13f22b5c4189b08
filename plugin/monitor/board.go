package monitor

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go-ai-proxy/plugin/record"
)

// boards are what one board would be, in parts: a request goes to any of them, so that
// requests on many processors do not wait for one lock. They are joined when looked at.
type boards [8]board

func (bs *boards) add(d *record.Data) { bs[rand.IntN(len(bs))].add(d) }

// requests returns the last requests, the newest first.
func (bs *boards) requests() []request {
	all := []request{} // an empty list, not null, for the page
	for i := range bs {
		all = append(all, bs[i].requests()...)
	}
	slices.SortStableFunc(all, func(a, b request) int { return b.At.Compare(a.At) })
	return all[:min(len(all), lastRequests)]
}

// hour returns a target's minutes of the last hour, the oldest first, without those
// in which nothing happened, and its last error.
func (bs *boards) hour(target targetKey, now time.Time) (list []minute, lastError string, at time.Time) {
	var sums [minutes]minute
	for i := range bs {
		for _, m := range bs[i].hour(target, now, &lastError, &at) {
			sums[m.At/60%minutes].add(m)
		}
	}
	from := now.Unix()/60 - minutes + 1
	for n := from; n < from+minutes; n++ {
		if m := sums[n%minutes]; m.At != 0 {
			list = append(list, m)
		}
	}
	return list, lastError, at
}

// version changes whenever something was added.
func (bs *boards) version() (n uint64) {
	for i := range bs {
		n += bs[i].version()
	}
	return n
}

// board remembers the last requests, and each target's last hour by the minute.
type board struct {
	mu       sync.Mutex
	last     [lastRequests]request
	count    int // of all requests; the next goes to last[count % lastRequests]
	targets  map[targetKey]*history
	modified uint64
}

const (
	lastRequests = 50
	minutes      = 60
	maxHistories = 1000 // targets that are remembered
)

// targetKey identifies a target of one plugin: another plugin may have a target of the
// same name.
type targetKey struct{ plugin, target string }

// request is what is shown of a request.
type request struct {
	At         time.Time      `json:"at"`
	Route      string         `json:"route"`
	Operation  string         `json:"operation"`
	Provider   string         `json:"provider"`
	Model      string         `json:"model"`
	Target     string         `json:"target"`
	Status     int            `json:"status"`
	Outcome    record.Outcome `json:"outcome"`
	Mode       record.Mode    `json:"mode"`
	Input      int            `json:"input_tokens"`
	Output     int            `json:"output_tokens"`
	Estimated  bool           `json:"estimated"`
	Cost       float64        `json:"cost"`
	FirstToken float64        `json:"first_token_ms"`
	Latency    int64          `json:"latency_ms"`
	Tried      []tried        `json:"tried"`
	// Hedged is which of two targets answered, first or hedge; "" without a hedge.
	Hedged string `json:"hedged,omitempty"`
	// Placement is of the request's conversation, Answer the state of the response cache.
	Placement string `json:"affinity,omitempty"`
	Answer    string `json:"response_cache,omitempty"`
}

type tried struct {
	Target  string `json:"target"`
	Outcome string `json:"outcome"`
	Reason  string `json:"failover,omitempty"` // the criterion by which another one was asked
}

// minute is what happened at a target within one minute.
type minute struct {
	At       int64   `json:"at"` // unix seconds of its start
	Requests int     `json:"requests"`
	Errors   int     `json:"errors"`
	FirstSum float64 `json:"first_token_ms_sum"`
	Firsts   int     `json:"first_tokens"`
	Cost     float64 `json:"cost"`
	Prompt   int     `json:"prompt_tokens"`
	Cached   int     `json:"cached_tokens"` // of the prompt's
}

func (m *minute) add(other minute) {
	m.At = other.At
	m.Requests += other.Requests
	m.Errors += other.Errors
	m.FirstSum += other.FirstSum
	m.Firsts += other.Firsts
	m.Cost += other.Cost
	m.Prompt += other.Prompt
	m.Cached += other.Cached
}

// history is a target's last hour. The minute of unix minute n is at n % minutes.
type history struct {
	minutes   [minutes]minute
	lastError string
	errorAt   time.Time
}

// add records the parts of d that are shown.
func (b *board) add(d *record.Data) {
	cost := d.Cost()
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &b.last[b.count%lastRequests]
	room := r.Tried[:0]
	*r = request{
		At: d.Started, Route: d.Route, Operation: d.Label.Operation, Provider: d.Label.Provider, Model: d.Label.Model, Target: d.Label.Target,
		Status: d.Status, Outcome: d.Outcome, Mode: d.Mode, Input: d.Usage.Prompt, Output: d.Usage.Completion, Estimated: d.Estimated,
		Cost: cost, FirstToken: milliseconds(d.First), Latency: d.Latency.Milliseconds(),
		Hedged: d.Hedge.Winner(), Placement: d.Affinity.Placement, Answer: d.ResponseCache,
	}
	for i := range d.Tried {
		t := &d.Tried[i]
		room = append(room, tried{t.Target, t.Outcome, t.Failover})
		m := b.minute(targetKey{d.PluginID, t.Target}, d.Started)
		if m == nil {
			continue
		}
		m.Requests++
		if t.Spent != nil {
			m.Cost += t.Spent.Cost
		}
		if t.Outcome != "ok" && t.Outcome != record.Cancelled {
			m.Errors++
			h := b.targets[targetKey{d.PluginID, t.Target}]
			h.lastError, h.errorAt = t.Outcome, d.Started
		}
	}
	r.Tried = room
	b.count++
	b.modified++
	if m := b.minute(targetKey{d.PluginID, d.Label.Target}, d.Started); m != nil && len(d.Tried) > 0 {
		m.Cost += cost
		m.Prompt += d.Usage.Prompt
		m.Cached += d.Usage.Cached
		if d.First > 0 {
			m.FirstSum += milliseconds(d.First)
			m.Firsts++
		}
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// minute returns the minute of a target, or nil if there are too many targets. The
// caller holds the lock.
func (b *board) minute(target targetKey, at time.Time) *minute {
	h := b.targets[target]
	if h == nil {
		if len(b.targets) >= maxHistories {
			return nil
		}
		if b.targets == nil {
			b.targets = map[targetKey]*history{}
		}
		h = &history{}
		b.targets[target] = h
	}
	n := at.Unix() / 60
	m := &h.minutes[n%minutes]
	if m.At != n*60 {
		*m = minute{At: n * 60}
	}
	return m
}

func (b *board) requests() []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(b.count, lastRequests)
	list := make([]request, 0, n)
	for i := range n {
		r := b.last[(b.count-1-i)%lastRequests]
		r.Tried = append([]tried(nil), r.Tried...)
		list = append(list, r)
	}
	return list
}

// hour returns a target's minutes of the last hour, without those in which nothing
// happened. If its last error is later than the one at *at, it becomes that.
func (b *board) hour(target targetKey, now time.Time, lastError *string, at *time.Time) (list []minute) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.targets[target]
	if h == nil {
		return nil
	}
	if h.errorAt.After(*at) {
		*lastError, *at = h.lastError, h.errorAt
	}
	from := now.Unix()/60 - minutes + 1
	for n := from; n < from+minutes; n++ {
		if m := h.minutes[n%minutes]; m.At == n*60 {
			list = append(list, m)
		}
	}
	return list
}

func (b *board) version() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.modified
}
