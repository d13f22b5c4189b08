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
// until it begins anew. Numbers are whole: a part of the currency's unit counts as none.
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
		set(h, "X-Ratelimit-Limit-"+name, s.Budget.whole(s.Budget.Limit))
		set(h, "X-Ratelimit-Remaining-"+name, s.Budget.whole(s.Remaining()))
	}
	set(h, "Ratelimit-Limit", tightest.Budget.whole(tightest.Budget.Limit))
	set(h, "Ratelimit-Remaining", tightest.Budget.whole(tightest.Remaining()))
	set(h, "Ratelimit-Reset", seconds(tightest.Reset))
}

func set(h http.Header, name string, n int64) { h[name] = []string{strconv.FormatInt(n, 10)} }

// whole is n in whole tokens, or in whole units of the currency.
func (b *Budget) whole(n int64) int64 { return int64(b.Amount(n)) }

// share is the part of the limit that is left.
func (s *State) share() float64 { return float64(s.Remaining()) / float64(max(s.Budget.Limit, 1)) }

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
