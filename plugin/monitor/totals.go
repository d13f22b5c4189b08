package monitor

import (
	"cmp"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// totals are what was done on a route beside calling a target, since the process
// started: sums of the metrics.
type totals struct {
	Route string `json:"route"`
	// Failovers are the calls that another one replaced, by the criterion; Replaced
	// is what their answers had used.
	Failovers counts `json:"failovers,omitempty"`
	Replaced  used   `json:"replaced"`
	// Hedged are the requests that were sent to two targets, by which of them answered;
	// Cancelled is what the other calls used.
	Hedged    counts `json:"hedged,omitempty"`
	Cancelled used   `json:"cancelled"`
	Affinity  counts `json:"affinity,omitempty"`       // by placement
	Prompts   counts `json:"prompt_cache,omitempty"`   // by state
	Answers   counts `json:"response_cache,omitempty"` // by state
	Saved     used   `json:"saved"`                    // by answers that were kept
}

// counts are numbers of requests or calls, by the value of a label.
type counts map[string]float64

// used is what calls used, or would have used.
type used struct {
	Tokens float64 `json:"tokens"`
	Cost   float64 `json:"cost"`
}

// counted are the metrics that are counted by a label.
var counted = map[string]struct {
	label string
	of    func(*totals) *counts
}{
	"go_ai_proxy_failovers_total":      {"outcome", func(t *totals) *counts { return &t.Failovers }},
	"go_ai_proxy_hedged_total":         {"winner", func(t *totals) *counts { return &t.Hedged }},
	"go_ai_proxy_affinity_total":       {"placement", func(t *totals) *counts { return &t.Affinity }},
	"go_ai_proxy_prompt_cache_total":   {"state", func(t *totals) *counts { return &t.Prompts }},
	"go_ai_proxy_response_cache_total": {"state", func(t *totals) *counts { return &t.Answers }},
}

// summed are those of which only the sum is shown.
var summed = map[string]func(*totals) *float64{
	"go_ai_proxy_replaced_tokens_total": func(t *totals) *float64 { return &t.Replaced.Tokens },
	"go_ai_proxy_replaced_cost_total":   func(t *totals) *float64 { return &t.Replaced.Cost },
	"go_ai_proxy_hedged_tokens_total":   func(t *totals) *float64 { return &t.Cancelled.Tokens },
	"go_ai_proxy_hedged_cost_total":     func(t *totals) *float64 { return &t.Cancelled.Cost },
	"go_ai_proxy_saved_tokens_total":    func(t *totals) *float64 { return &t.Saved.Tokens },
	"go_ai_proxy_saved_cost_total":      func(t *totals) *float64 { return &t.Saved.Cost },
}

// totals returns what was done on each route on which there was something to do.
func (m *metrics) totals() []totals {
	families, err := m.shown.Gather()
	if err != nil {
		return nil // two metrics of one name, which New does not make
	}
	routes := map[string]*totals{}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			route := labelOf(one, "route")
			t := routes[route]
			if t == nil {
				t = &totals{Route: route}
				routes[route] = t
			}
			n := one.GetCounter().GetValue()
			if sum := summed[f.GetName()]; sum != nil {
				*sum(t) += n
			} else {
				by := counted[f.GetName()]
				if all := by.of(t); *all == nil {
					*all = counts{}
				}
				(*by.of(t))[labelOf(one, by.label)] += n
			}
		}
	}
	list := make([]totals, 0, len(routes))
	for _, t := range routes {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b totals) int { return cmp.Compare(a.Route, b.Route) })
	return list
}

func labelOf(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
