package standalone

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	routetype "go-ai-proxy/translators/route"
)

// print writes what is served where, what is not, and a request to try.
func (l *loader) print(w io.Writer, address, name string) {
	fmt.Fprintf(w, "%s: %s on http://%s\n", program, name, address)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var first *route
	for _, r := range l.routes {
		if r.instance == nil {
			continue
		}
		if first == nil || first.example() == "" {
			first = r
		}
		methods := cmp.Or(strings.Join(r.methods, ","), "*")
		paths := cmp.Or(strings.Join(r.paths, " "), "/")
		for i, t := range r.block.targets {
			if i > 0 {
				methods, paths = "", ""
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", methods, paths, t.routeType, t.label())
		}
	}
	_ = table.Flush() // serving does not depend on stderr
	for _, n := range l.notes {
		fmt.Fprintln(w, "note: "+n)
	}
	if l.mock {
		fmt.Fprintln(w, "note: every answer comes from the built-in mock LLM")
	}
	path := cmp.Or(first.example(), "/…")
	fmt.Fprintf(w, "try:  curl http://%s%s -H 'Content-Type: application/json' -d '%s'\n", address, path, first.body())
}

// example returns a path that reaches the route, or "" if none can be derived from a
// regular expression.
func (r *route) example() string {
	for _, p := range r.paths {
		p = strings.TrimSuffix(strings.TrimPrefix(p, "~"), "$")
		if !strings.ContainsAny(p, `^$()[]{}|*+?\`) {
			return p
		}
	}
	return ""
}

// body returns a small request for the route.
func (r *route) body() string {
	t := r.block.targets[0]
	model := ""
	if text(t.model, "name") == "" {
		model = `"model":"` + cmp.Or(text(t.model, "model_alias"), "gpt-4o-mini") + `",`
	}
	switch t.routeType {
	case string(routetype.Completions):
		return `{` + model + `"prompt":"Hello"}`
	case string(routetype.Embeddings), string(routetype.Responses):
		return `{` + model + `"input":"Hello"}`
	}
	return `{` + model + `"messages":[{"role":"user","content":"Hello"}]}`
}
