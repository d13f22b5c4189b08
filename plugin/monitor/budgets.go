package monitor

import "github.com/prometheus/client_golang/prometheus"

// budgetCollector exports the budgets of a source. Those who have a budget are not
// told from each other: there may be any number of them, and their names are nobody
// else's business.
type budgetCollector struct{ source Source }

var (
	budgetLabels   = []string{"plugin", "budget", "unit"}
	budgetLimit    = prometheus.NewDesc("go_ai_proxy_budget_limit", "What may be used within a window, in tokens or in the currency of the prices.", budgetLabels, nil)
	budgetUsed     = prometheus.NewDesc("go_ai_proxy_budget_used", "What the one has used, in this window, that has used most.", budgetLabels, nil)
	budgetCounters = prometheus.NewDesc("go_ai_proxy_budget_counters", "How many have used something in this window.", budgetLabels, nil)
	budgetExceeded = prometheus.NewDesc("go_ai_proxy_budget_exceeded_total", "Requests for which not enough was left: refused, or sent to another target.", budgetLabels, nil)
	budgetWarned   = prometheus.NewDesc("go_ai_proxy_budget_warned_total", "Requests that were served although not enough was left.", budgetLabels, nil)
)

// Describe implements prometheus.Collector.
func (c *budgetCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{budgetLimit, budgetUsed, budgetCounters, budgetExceeded, budgetWarned} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *budgetCollector) Collect(to chan<- prometheus.Metric) {
	for _, b := range budgets(c.source) {
		labels := []string{b.Plugin, b.Budget, b.Unit}
		to <- prometheus.MustNewConstMetric(budgetLimit, prometheus.GaugeValue, b.Limit, labels...)
		to <- prometheus.MustNewConstMetric(budgetUsed, prometheus.GaugeValue, b.Used, labels...)
		to <- prometheus.MustNewConstMetric(budgetCounters, prometheus.GaugeValue, float64(b.Counters), labels...)
		to <- prometheus.MustNewConstMetric(budgetExceeded, prometheus.CounterValue, float64(b.Exceeded), labels...)
		to <- prometheus.MustNewConstMetric(budgetWarned, prometheus.CounterValue, float64(b.Warned), labels...)
	}
}
