package budget

import (
	"net/http"
	"strconv"
	"time"
)

// names are the windows that Kong's rate-limiting-advanced has a name for.
// https://developer.konghq.com/plugins/rate-limiting-advanced/#headers-sent-to-the-client
var names = map[time.Duration]string{
	time.Minute: "Minute", time.Hour: "Hour", 24 * time.Hour: "Day", 30 * 24 * time.Hour: "Month",
}

// SetHeaders tells a client of its budgets, in the names of Kong's
// rate-limiting-advanced: the limit and what remains of it, by window, and of the
// budget that has the smallest share left also without the window, with the seconds
// until it begins anew. Costs have up to six decimals. The names without a window are those
// of an IETF draft, whose numbers are whole, of units that the server chooses: costs are in
// millionths there.
// https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06
func SetHeaders(h http.Header, states []State) {
	if len(states) == 0 {
		return
	}
	var tightest *State
	byWindow := map[time.Duration]*State{}
	for i := range states {
		s := &states[i]
		if tightest == nil || s.share() < tightest.share() {
			tightest = s
		}
		if known := byWindow[s.Budget.Window]; known == nil || s.share() < known.share() {
			byWindow[s.Budget.Window] = s
		}
	}
	for window, s := range byWindow {
		name := names[window]
		if name == "" {
			name = strconv.Itoa(int(window.Seconds()))
		}
		h["X-Ratelimit-Limit-"+name] = []string{s.Budget.decimal(s.Budget.Limit)}
		h["X-Ratelimit-Remaining-"+name] = []string{s.Budget.decimal(s.Remaining())}
	}
	set(h, "Ratelimit-Limit", tightest.Budget.whole(tightest.Budget.Limit))
	set(h, "Ratelimit-Remaining", tightest.Budget.whole(tightest.Remaining()))
	set(h, "Ratelimit-Reset", seconds(tightest.Reset))
}

func set(h http.Header, name string, n int64) { h[name] = []string{strconv.FormatInt(n, 10)} }

// millionths of the currency are the smallest costs that headers tell, in units.
const millionths = units / 1e6

// whole is n in tokens, or in millionths of the currency.
func (b *Budget) whole(n int64) int64 {
	if b.Cost {
		return n / millionths
	}
	return n
}

// decimal is n in tokens, or in the currency.
func (b *Budget) decimal(n int64) string {
	if b.Cost {
		n -= n % millionths // what remains is not rounded up
	}
	return strconv.FormatFloat(b.Amount(n), 'f', -1, 64)
}

// share is the part of the limit that is left.
func (s *State) share() float64 { return float64(s.Remaining()) / float64(max(s.Budget.Limit, 1)) }

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
