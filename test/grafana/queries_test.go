// Package grafana holds the queries of deploy/ against the metrics that exist, with
// Prometheus's own parser. It is a module of its own: the program does not need what
// this needs.
package grafana

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"go-ai-proxy/plugin/monitor"
	"go-ai-proxy/plugin/promptcache"
	"go-ai-proxy/plugin/record"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// kongs are the metrics of Kong's own Prometheus plugin (kong/plugins/prometheus,
// exporter.lua of 3.9) and their labels.
var kongs = map[string][]string{
	"kong_ai_llm_requests_total":             kongLabels,
	"kong_ai_llm_cost_total":                 kongLabels,
	"kong_ai_llm_tokens_total":               append([]string{"token_type"}, kongLabels...),
	"kong_ai_llm_provider_latency_ms_bucket": append([]string{"le"}, kongLabels...),
}

var kongLabels = []string{"ai_provider", "ai_model", "cache_status", "vector_db", "embeddings_provider", "embeddings_model", "workspace"}

type source struct{}

func (source) Targets() []monitor.Target {
	return []monitor.Target{{Target: "t", Available: true, Checks: 1}}
}
func (source) Configurations() int       { return 1 }
func (source) IdleConnections() int      { return 0 }
func (source) Budgets() []monitor.Budget { return []monitor.Budget{{Budget: "b", Unit: "tokens"}} }

// exported returns the labels of each metric of the plugin, by its name in queries.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	m := monitor.New(source{}, "", map[string]func() uint64{
		"go_ai_proxy_records_dropped_total":     func() uint64 { return 0 }, // on Kong
		"go_ai_proxy_log_entries_dropped_total": func() uint64 { return 0 }, // standalone
	})
	m.Begin()
	m.Settle(everything())
	families, err := m.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	missing := described(m)
	all := maps.Clone(kongs)
	for _, f := range families {
		delete(missing, f.GetName())
		names := []string{"job", "instance"}
		for _, pair := range f.GetMetric()[0].GetLabel() {
			names = append(names, pair.GetName())
		}
		all[f.GetName()] = names
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			all[f.GetName()+suffix] = append([]string{"le"}, names...)
		}
	}
	for name := range missing {
		t.Errorf("no record of this test leads to %s: add to everything", name)
	}
	return all
}

// everything is a record of which every metric shows something.
func everything() *record.Data {
	one := 1.0
	used := chat.Usage{Prompt: 2, Completion: 2}
	return &record.Data{
		Label: record.Label{Operation: "chat"}, Outcome: record.Completed, Options: &target.Options{Prices: target.Prices{InputCost: &one, OutputCost: &one}}, Estimated: true,
		Latency: time.Second, First: time.Millisecond, Own: time.Millisecond, Usage: used,
		Tried: []record.Tried{{Outcome: "error", Spent: &record.Spent{Usage: used}}, {Outcome: "ok"}},
		Hedge: &record.Hedge{First: "t", Target: "u"}, Affinity: record.Affinity{Key: "user", Placement: "home"},
		ResponseCache: "miss", Saved: &record.Saved{Usage: used}, PromptCache: promptcache.Done{State: promptcache.Added},
	}
}

// described returns the names of all metrics of the plugin itself, whether they have a
// value or not.
func described(m *monitor.Monitor) map[string]bool {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		m.Metrics().(prometheus.Collector).Describe(descriptions)
	}()
	names := map[string]bool{}
	for d := range descriptions {
		if name := regexp.MustCompile(`fqName: "((?:go_ai_proxy|gen_ai)_\w+)"`).FindStringSubmatch(d.String()); name != nil {
			names[name[1]] = true
		}
	}
	return names
}

// check says what is wrong with a query, "" if nothing is.
func check(query string, all map[string][]string) (problems []string) {
	// Grafana replaces its variables before Prometheus sees the query.
	query = regexp.MustCompile(`\$__rate_interval`).ReplaceAllString(query, "1m")
	query = regexp.MustCompile(`\$[a-z]+`).ReplaceAllString(query, ".*")
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	known := map[string]bool{}
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		names, ok := all[selector.Name]
		if !ok {
			problems = append(problems, "there is no metric "+selector.Name)
			return nil
		}
		for _, name := range names {
			known[name] = true
		}
		for _, m := range selector.LabelMatchers {
			if m.Name != labels.MetricName && !slices.Contains(names, m.Name) {
				problems = append(problems, selector.Name+" has no label "+m.Name)
			}
		}
		return nil
	})
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		if sum, ok := node.(*parser.AggregateExpr); ok {
			for _, name := range sum.Grouping {
				if !known[name] {
					problems = append(problems, "no metric of the query has the label "+name)
				}
			}
		}
		return nil
	})
	return problems
}

// queries returns all queries of the dashboards and of the alert rules, by where they
// stand.
func queries(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	files, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	if err != nil || len(files) < 2 {
		t.Fatal("no dashboards", err)
	}
	for _, file := range files {
		var d struct {
			Panels []struct {
				Title   string
				Type    string
				Targets []struct{ Expr string }
			}
			Templating struct {
				List []struct{ Definition string }
			}
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range d.Panels {
			if len(p.Targets) == 0 && p.Type != "row" {
				t.Errorf("%s: %s has no query", file, p.Title)
			}
			for i, q := range p.Targets {
				found[filepath.Base(file)+": "+p.Title+string(rune('A'+i))] = q.Expr
			}
		}
		for _, v := range d.Templating.List { // label_values(metric, label)
			m := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(v.Definition)
			if m == nil {
				t.Fatalf("%s: %q", file, v.Definition)
			}
			found[filepath.Base(file)+": variable "+m[2]] = "count by (" + m[2] + ") (" + m[1] + ")"
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	data, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			found["alert "+r.Alert] = r.Expr
		}
	}
	return found
}

func TestQueriesAskForMetricsThatExist(t *testing.T) {
	all, n := exported(t), 0
	for where, query := range queries(t) {
		n++
		for _, problem := range check(query, all) {
			t.Errorf("%s: %s\n%s", where, problem, strings.TrimSpace(query))
		}
	}
	if n < 30 {
		t.Errorf("only %d queries were found", n)
	}
}

// TestEveryMetricIsShown: what nobody looks at need not be exported.
func TestEveryMetricIsShown(t *testing.T) {
	text := strings.Join(slices.Collect(maps.Values(queries(t))), "\n")
	for name := range exported(t) {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if !strings.HasPrefix(base, "go_ai_proxy_") && !strings.HasPrefix(base, "gen_ai_") {
			continue
		}
		if base == "go_ai_proxy_target_requests_in_flight" || base == "go_ai_proxy_target_latency_seconds" {
			continue // on the status page
		}
		if !strings.Contains(text, base) {
			t.Errorf("no dashboard and no alert has %s", base)
		}
	}
}

func TestAWrongQueryIsFound(t *testing.T) {
	all := exported(t)
	for query, want := range map[string]string{
		`sum(rate(go_ai_proxy_request_total[5m]))`:                      "no metric",
		`go_ai_proxy_requests_total{routes="x"}`:                        "no label",
		`sum by (consumer) (rate(go_ai_proxy_requests_total[5m]))`:      "label consumer",
		`sum(rate(go_ai_proxy_requests_total[5m])`:                      "unclosed",
		`histogram_quantile(0.5, go_ai_proxy_requests_total_bucket) + `: "unexpected",
	} {
		if problems := strings.Join(check(query, all), "; "); !strings.Contains(problems, want) {
			t.Errorf("%s: %q", query, problems)
		}
	}
}
