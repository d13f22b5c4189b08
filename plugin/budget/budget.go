// Package budget limits what clients, routes and models may use within a time. Before a
// call, an estimate is reserved of each budget that the request counts against, all or
// none; afterwards, the hold is settled by what was used. With Redis, the counts are
// those of all nodes, and a reservation is one round trip; settlements follow at
// once, without anybody waiting for them, and are not lost when the process ends in order.
//
// Windows are fixed: they begin at multiples of their length since 1970, in UTC, so that
// a day begins at midnight. What is used is counted in the window in which it was
// reserved.
//
// Start with Budget and Store.Reserve. local.go counts in this process, shared.go in
// Redis, header.go has what a client is told.
package budget

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"time"
)

// What happens when a budget does not have enough left.
const (
	Refuse     = "refuse"      // the request is refused
	NextTarget = "next_target" // another target gets the request
	Warn       = "warn"        // the request is served, and a warning recorded
)

// What of a request counts.
const (
	Input  = "input"
	Output = "output"
	All    = "all"
)

// Budget is one configured budget. It is immutable.
type Budget struct {
	Plugin     string // Kong's id of the plugin
	Per        string // consumer, group, header, route, model
	Header     string // for Per header
	Limit      int64  // in tokens, or, with Cost, in billionths of the currency
	Cost       bool
	Window     time.Duration
	What       string
	OnExceeded string
	// Together means that a request is refused when Redis, which counts for all nodes,
	// does not answer. Otherwise, this node counts alone meanwhile.
	Together bool

	scope string
	group *group
}

// Units of a currency in which costs are counted.
const units = 1e9

// MaxLimit is the largest limit, in tokens or in units of the currency.
const MaxLimit = 1e6 * units

// Cost is an amount of money in the units in which costs are counted, rounded up.
func Cost(money float64) int64 { return int64(math.Ceil(min(max(money, 0), MaxLimit/units) * units)) }

// Amount is n of the budget's units, in tokens or in the currency.
func (b *Budget) Amount(n int64) float64 {
	if b.Cost {
		return float64(n) / units
	}
	return float64(n)
}

// Unit is tokens or cost.
func (b *Budget) Unit() string {
	if b.Cost {
		return "cost"
	}
	return "tokens"
}

// Name tells the budget from others of its plugin, for people and metrics.
func (b *Budget) Name() string {
	per := b.Per
	if b.Header != "" {
		per += " " + b.Header
	}
	what := ""
	if b.What != All {
		what = b.What + " "
	}
	return per + ": " + what + b.Unit() + " per " + Duration(b.Window)
}

// key is what the use of one who has the budget is counted under: a digest, since an
// identity may be the name of a consumer or the value of a header.
func (b *Budget) key(identity string) string {
	h := sha256.Sum256([]byte(b.scope + "\x00" + identity))
	return "go-ai-proxy:budget:" + hex.EncodeToString(h[:16])
}

// ParseWindow reads a window such as 1m, 12h or 30d.
func ParseWindow(s string) (time.Duration, error) {
	const form = "must be a number of minutes, hours or days from 1m to 30d"
	if s == "" {
		return 0, errors.New(form)
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 20)
	unit, known := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[len(s)-1]]
	d := time.Duration(n) * unit
	if err != nil || !known || d < time.Minute || d > 30*24*time.Hour {
		return 0, errors.New(form)
	}
	return d, nil
}

// Duration writes a window as ParseWindow reads it.
func Duration(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/time.Minute)) + "m"
}

// Ask is what a request wants of a budget.
type Ask struct {
	Budget   *Budget
	Identity string // whose: the consumer, the model …
	Amount   int64
	// Unchecked means that the request is served in any case.
	Unchecked bool
}

// hard says whether the budget must have enough left.
func (a *Ask) hard() bool { return !a.Unchecked && a.Budget.OnExceeded != Warn }

// State is what a budget was when a request reserved of it.
type State struct {
	Budget   *Budget
	Used     int64 // with what the request has reserved
	Reserved int64
	Reset    time.Duration // until its window ends
	Outcome  Outcome
	Alone    bool // counted by this node only, although there is Redis
}

// Outcome says what a budget did to a request.
type Outcome string

// The outcomes.
const (
	Admitted Outcome = "admitted"
	Exceeded Outcome = "exceeded" // by this request, which was refused or got another target
	Warned   Outcome = "warned"
	Uncalled Outcome = "not_counted" // another budget was exceeded
)

// Remaining is what the budget has left, at least 0.
func (s *State) Remaining() int64 { return max(s.Budget.Limit-s.Used, 0) }

// Hold is what a request has reserved. It must be settled.
type Hold struct {
	store *Store
	parts []part
}

// part is what is held of one budget.
type part struct {
	budget *Budget
	key    string
	window int64
	amount int64
}

// Settle replaces what is held by what was used. used returns it for a budget. A later
// call replaces that in turn; a nil hold holds nothing.
func (h *Hold) Settle(used func(b *Budget) int64) {
	if h == nil {
		return
	}
	for i := range h.parts {
		p := &h.parts[i]
		if change := min(max(used(p.budget), 0), MaxLimit) - p.amount; change != 0 {
			h.store.change(p, change)
			p.amount += change
		}
	}
}

// Release gives back what is held.
func (h *Hold) Release() { h.Settle(func(*Budget) int64 { return 0 }) }
