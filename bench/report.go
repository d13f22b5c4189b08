package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// row is a peer's results of a shape, one a round.
type row struct {
	peer    *peer
	results []*result
	failed  error // it did not start
}

// fewest is how many answers of a round make a figure.
const fewest = 5

// refused says why there is no figure; "" if there is one.
func (r *row) refused() string {
	if r.failed != nil {
		first, _, _ := strings.Cut(r.failed.Error(), "\n")
		return "did not start: " + first
	}
	for _, one := range r.results {
		switch {
		case one.wrong > 0:
			return fmt.Sprintf("%d of %d answers were wrong: %s", one.wrong, one.wrong+one.requests, cut(one.example))
		case one.requests < fewest:
			return fmt.Sprintf("%d answers within a round", one.requests)
		}
	}
	return ""
}

func cut(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 120 {
		text = text[:120] + "…"
	}
	return strings.ReplaceAll(text, "|", "\\|")
}

// spread is the median of a figure over the rounds, its least and its most.
type spread struct{ median, least, most float64 }

func (r *row) spread(of func(*result) float64) spread {
	var all []float64
	for _, one := range r.results {
		all = append(all, of(one))
	}
	slices.Sort(all)
	if len(all) == 0 {
		return spread{}
	}
	return spread{(all[(len(all)-1)/2] + all[len(all)/2]) / 2, all[0], all[len(all)-1]}
}

func (s spread) String() string {
	return fmt.Sprintf("%s (%s–%s)", short(s.median), short(s.least), short(s.most))
}

// short is a number with three digits that count.
func short(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

func rate(r *result) float64 { return float64(r.requests) / r.elapsed.Seconds() }
func cpuOf(r *result) float64 {
	return float64(r.cpu.Microseconds()) / float64(max(r.requests, 1))
}
func memoryOf(r *result) float64 { return float64(r.memory) / (1 << 20) }
func latencyOf(p float64) func(*result) float64 {
	return func(r *result) float64 { return float64(at(r.latency, p).Microseconds()) / 1000 }
}

// table is a shape's results in Markdown. What is added is over direct, round by round
// medians; a peer that answered wrongly gets its reason instead of figures.
func table(s *shape, rows []*row) string {
	var b strings.Builder
	unit, wait := "request", "latency"
	if s.frames > 0 {
		unit, wait = "stream", "first text"
	}
	fmt.Fprintf(&b, "### %s\n\n| | %ss/s | CPU µs per %s | of nginx | %s p50 ms | added | p99 ms | memory MiB |", s.title, unit, unit, wait)
	rule := "\n| --- | --- | --- | --- | --- | --- | --- | --- |"
	if s.frames > 0 {
		b.WriteString(" stalled |")
		rule += " --- |"
	}
	b.WriteString(rule + "\n")
	var base, floor spread
	for _, r := range rows {
		if r.refused() == "" {
			switch r.peer.name {
			case "nginx":
				base = r.spread(cpuOf)
			case direct:
				floor = r.spread(latencyOf(0.5))
			}
		}
	}
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s |", r.peer.name)
		if why := r.refused(); why != "" {
			fmt.Fprintf(&b, " no figure: %s | | | | | | |", why)
			if s.frames > 0 {
				b.WriteString(" |")
			}
			b.WriteString("\n")
			continue
		}
		cpu, of, added, memory := "", "", "", ""
		if c := r.spread(cpuOf); c.median > 0 {
			cpu, memory = c.String(), short(r.spread(memoryOf).most)
			if base.median > 0 {
				of = fmt.Sprintf("%.2f", c.median/base.median)
			}
		}
		p50 := r.spread(latencyOf(0.5))
		if floor.median > 0 && r.peer.name != direct {
			added = fmt.Sprintf("%+.2f", p50.median-floor.median)
		}
		fmt.Fprintf(&b, " %s | %s | %s | %s | %s | %s | %s |", r.spread(rate), cpu, of, short(p50.median), added, short(r.spread(latencyOf(0.99)).median), memory)
		if s.frames > 0 {
			stalled := 0
			for _, one := range r.results {
				stalled += one.stalls
			}
			fmt.Fprintf(&b, " %d |", stalled)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// conditions are those of a run.
type conditions struct {
	When, Machine string
	Versions      []string
}

// machine says what the figures were measured on, and how.
func (o *options) machine() string {
	where := "gateways, load and provider share all cores"
	if o.pinned {
		where = "the gateway on one core, load and provider on the others"
	}
	return fmt.Sprintf("%s, %d cores: %s; %d interleaved rounds of %s after one to warm up", machine(), o.all, where, o.rounds, o.duration)
}

// finished is a shape that was measured.
type finished struct {
	shape *shape
	rows  []*row
}

// report is what is printed.
func report(of *conditions, done []finished) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %s. Medians, with the least and the most in brackets; CPU is that of the gateway's processes, children too; *added* is p50 over `direct`.\n\n", of.When, of.Machine)
	for _, v := range of.Versions {
		b.WriteString("- " + v + "\n")
	}
	for _, f := range done {
		b.WriteString("\n" + table(f.shape, f.rows))
	}
	return b.String()
}

// stored is a shape's result in a file, for the page that shows several.
type stored struct {
	conditions
	Title, Table string
}

// save writes the results and charts.
func save(o *options, of *conditions, done []finished) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, f := range done {
		data, err := json.MarshalIndent(stored{*of, f.shape.title, table(f.shape, f.rows)}, "", "  ")
		if err != nil {
			return err
		}
		base := filepath.Join(o.out, f.shape.name)
		if err := errors.Join(os.WriteFile(base+".svg", chart(f), 0o644), os.WriteFile(base+".json", append(data, '\n'), 0o644)); err != nil {
			return err
		}
	}
	return nil
}

const begin, end = "<!-- results: written by bench -page -->\n", "<!-- /results -->"

// rewrite puts all results of the folder into the page, in the order of the shapes.
func rewrite(o *options) error {
	page, err := os.ReadFile(o.page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s lacks the marks %s… %s", o.page, begin, end)
	}
	folder, err := filepath.Rel(filepath.Dir(o.page), o.out)
	if err != nil {
		return err
	}
	var b strings.Builder
	said := map[string]bool{}
	for _, s := range shapes() {
		data, err := os.ReadFile(filepath.Join(o.out, s.name+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var r stored
		if err := errors.Join(err, json.Unmarshal(data, &r)); err != nil {
			return err
		}
		if !said[r.Machine] {
			said[r.Machine] = true
			fmt.Fprintf(&b, "\n%s. %s.\n\n- %s\n", r.When, r.Machine, strings.Join(r.Versions, "\n- "))
		}
		fmt.Fprintf(&b, "\n%s\n![CPU per request, %s](%s/%s.svg)\n", r.Table, r.Title, filepath.ToSlash(folder), s.name)
	}
	return os.WriteFile(o.page, []byte(before+begin+b.String()+"\n"+end+after), 0o644)
}

// chart draws the CPU per request of each peer as bars.
func chart(f finished) []byte {
	const width, left, line = 720, 150, 26
	type bar struct {
		name        string
		value       float64
		least, most float64
	}
	var bars []bar
	most := 0.0
	for _, r := range f.rows {
		if c := r.spread(cpuOf); r.refused() == "" && c.median > 0 {
			bars = append(bars, bar{r.peer.name, c.median, c.least, c.most})
			most = max(most, c.most)
		}
	}
	slices.SortStableFunc(bars, func(a, b bar) int { return cmp.Compare(a.value, b.value) })
	var b strings.Builder
	height := 50 + line*len(bars)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/><text x="10" y="24" font-size="15">CPU µs, %s</text>`, width, height, f.shape.title)
	for i, one := range bars {
		y := 40 + line*i
		scale := func(v float64) float64 { return v / max(most, 1) * (width - left - 90) }
		color := "#9aa5b1"
		if strings.Contains(one.name, "this") {
			color = "#2f6fdd"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.1f" height="16" fill="%s"/>`, left-8, y+13, one.name, left, y, scale(one.value), color)
		fmt.Fprintf(&b, `<path d="M%.1f %d H%.1f" stroke="#333333"/>`, float64(left)+scale(one.least), y+8, float64(left)+scale(one.most))
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`, float64(left)+scale(one.most)+6, y+13, short(one.value))
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}
