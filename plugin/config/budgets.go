package config

import (
	"fmt"
	"strings"

	"go-ai-proxy/plugin/budget"
)

// Budget is an entry of `budgets`: what those who have it may use within a window.
type Budget struct {
	Per            string      `json:"per"`    // consumer, group, header, route or model
	Header         string      `json:"header"` // its name, for Per header
	Limit          BudgetLimit `json:"limit"`
	Window         string      `json:"window"` // 1m … 30d
	What           string      `json:"what"`   // input, output or all
	OnExceeded     string      `json:"on_exceeded"`
	OnRedisFailure string      `json:"on_redis_failure"` // local or refuse
}

// RedisFailureRefuse is the value of on_redis_failure that lets no request pass that
// cannot be counted together with other nodes.
const RedisFailureRefuse = "refuse"

// BudgetLimit has one of its members.
type BudgetLimit struct {
	Tokens *int     `json:"tokens"`
	Cost   *float64 `json:"cost"`
}

// budgets applies the rules about budgets.
func (k *checker) budgets() {
	seen := map[string]bool{}
	for i := range k.c.Budgets {
		b := &k.c.Budgets[i]
		path := fmt.Sprintf("config.budgets[%d]", i+1)
		if _, err := budget.ParseWindow(b.Window); err != nil {
			k.fail(path+".window", "%s", err)
		}
		switch l := &b.Limit; {
		case l.Tokens == nil && l.Cost == nil || l.Tokens != nil && l.Cost != nil:
			k.fail(path+".limit", "must have either tokens or cost")
		case l.Tokens != nil && (*l.Tokens < 1 || float64(*l.Tokens) > budget.MaxLimit), l.Cost != nil && (*l.Cost <= 0 || budget.Cost(*l.Cost) >= budget.MaxLimit):
			k.fail(path+".limit", "must be above 0, and below %g tokens or a cost of 1000000", budget.MaxLimit)
		case l.Cost != nil:
			k.unpriced(path)
		}
		switch {
		case b.Per == "header" && b.Header == "":
			k.fail(path+".header", "must be the name of the header whose value has the budget")
		case b.Per != "header" && b.Header != "":
			k.warn(path+".header", "has no effect: only per header reads it")
		}
		switch {
		case b.OnExceeded == budget.NextTarget && b.Per != "model":
			k.fail(path+".on_exceeded", "next_target is for per model: other targets count against the same budget")
		case b.OnExceeded == budget.NextTarget && len(k.c.Targets) == 1:
			k.warn(path+".on_exceeded", "there is no other target: requests are refused")
		case b.OnExceeded == budget.Warn && b.OnRedisFailure == RedisFailureRefuse:
			k.warn(path+".on_redis_failure", "refuses requests that on_exceeded would only warn of")
		}
		same := strings.Join([]string{b.Per, strings.ToLower(b.Header), b.Window, b.What, fmt.Sprint(b.Limit.Cost != nil), b.OnExceeded}, "\x00")
		if seen[same] {
			k.warn(path, "differs from another budget in its limit only: the smaller one counts")
		}
		seen[same] = true
	}
}

// unpriced warns of targets whose requests cost nothing as far as is known.
func (k *checker) unpriced(path string) {
	for i := range k.c.Targets {
		if t := &k.c.Targets[i]; !t.Model.Options.Known() && t.Logging.PriceFile == "" {
			k.warn(path+".limit.cost", "does not count requests of %s, which has no prices: set model.options.input_cost and output_cost, or logging.price_file", k.c.Path(i))
		}
	}
}
