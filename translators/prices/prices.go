// Package prices knows what models cost: the public list prices that are built in, and
// the form of the file that they are in, which a file of the user's has, too.
//
// Each line of a file is a Row in JSON. Start with Parse and Table.Find. The built-in
// file is refreshed by the program in refresh/.
package prices

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

// Row is what a model costs at a provider. Its prices have the names that they have in
// `model.options`.
type Row struct {
	Provider string `json:"provider"`
	Model    string `json:"model"`
	Date     string `json:"date"`             // on which this was the price, 2026-07-02
	Source   string `json:"source,omitempty"` // the provider's price list
	target.Prices

	File string `json:"-"` // BuiltIn, or the file's path
}

// BuiltIn names the price list that is built in.
const BuiltIn = "built_in"

// Table is a price list. It is immutable.
type Table struct {
	rows map[[2]string]*Row // by provider and model
	list []*Row             // in the file's order
	rest *Table             // what this one lacks
}

// Rows are the rows of the table's own file, in its order. They must not be changed.
func (t *Table) Rows() []*Row { return t.list }

//go:embed prices.jsonl
var builtIn []byte

// List returns the price list that is built in.
var List = sync.OnceValue(func() *Table {
	t, err := Parse(BuiltIn, builtIn)
	if err != nil {
		panic(err) // a test reads it
	}
	return t
})

// maxLine bounds a line of a file, in bytes.
const maxLine = 64 << 10

// Parse reads a price list. Empty lines are ignored. An error names the line.
func Parse(name string, data []byte) (*Table, error) {
	t := &Table{rows: map[[2]string]*Row{}}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		r, err := parseRow(line)
		if err == nil && t.rows[r.key()] != nil {
			err = fmt.Errorf("%s/%s has two lines: remove one", r.Provider, r.Model)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		r.File = name
		t.rows[r.key()] = r
		t.list = append(t.list, r)
	}
	return t, nil
}

func (r *Row) key() [2]string { return [2]string{r.Provider, r.Model} }

func parseRow(line []byte) (*Row, error) {
	if len(line) > maxLine {
		return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
	}
	r := &Row{}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("not a price in JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("a line has one object")
	}
	if r.Provider == "" || r.Model == "" {
		return nil, errors.New("provider and model must be set")
	}
	if _, err := time.Parse(time.DateOnly, r.Date); err != nil {
		return nil, errors.New("date must be the day of the price, such as 2026-07-02")
	}
	if !r.Known() {
		return nil, errors.New("no price: set input_cost and output_cost, or another price")
	}
	return r, r.check()
}

// maxPrice bounds a price, so that sums stay numbers.
const maxPrice = 1e9

// check refuses prices that are none.
func (r *Row) check() error {
	prices := []struct {
		name  string
		price *float64
	}{
		{"input_cost", r.InputCost}, {"output_cost", r.OutputCost}, {"cache_read_cost", r.CacheReadCost}, {"cache_write_cost", r.CacheWriteCost},
		{"audio_input_cost", r.AudioInputCost}, {"audio_output_cost", r.AudioOutputCost}, {"image_input_cost", r.ImageInputCost},
		{"image_output_cost", r.ImageOutputCost}, {"image_cost", r.ImageCost}, {"character_cost", r.CharacterCost}, {"minute_cost", r.MinuteCost},
		{"search_cost", r.SearchCost}, {"request_cost", r.RequestCost},
	}
	type named = struct {
		name  string
		price *float64
	}
	for i := range r.CacheWriteCostList {
		prices = append(prices, named{"cache_write_cost_list", &r.CacheWriteCostList[i].Cost})
	}
	for i := range r.ContextWindowFactor {
		f := &r.ContextWindowFactor[i]
		prices = append(prices, named{"context_window_factor", &f.InputFactor}, named{"context_window_factor", &f.OutputFactor})
		if _, ok := target.ParseTokens(f.Above); !ok {
			return errors.New("context_window_factor.above must be a number of tokens, such as 200000 or 200k")
		}
	}
	for i := range r.ServiceTierFactor {
		prices = append(prices, named{"service_tier_factor", &r.ServiceTierFactor[i].Factor})
	}
	for _, p := range prices {
		if p.price != nil && !(*p.price >= 0 && *p.price <= maxPrice) {
			return fmt.Errorf("%s must be between 0 and %g", p.name, maxPrice)
		}
	}
	return nil
}

// Before returns a table that has t's rows, and those of rest that t lacks.
func (t *Table) Before(rest *Table) *Table { return &Table{rows: t.rows, list: t.list, rest: rest} }

// Find returns the price of a model at p, or nil. See Names.
func (t *Table) Find(p *provider.Provider, model string) *Row {
	for ; t != nil && model != ""; t = t.rest {
		if r := t.rows[[2]string{p.Name, model}]; r != nil { // most are found at once
			return r
		}
		for _, name := range Names(p, model)[1:] {
			if r := t.rows[[2]string{p.Name, name}]; r != nil {
				return r
			}
		}
	}
	return nil
}

// Names are the names under which p's price list may have a model, the nearest first:
// its own, p's PriceNames, and each of them in lower case and without its date.
func Names(p *provider.Provider, model string) []string {
	names := []string{model}
	if p.PriceNames != nil {
		names = append(names, p.PriceNames(model)...)
	}
	for _, name := range names[:len(names):len(names)] {
		if lower := strings.ToLower(name); lower != name {
			names = append(names, lower)
		}
	}
	for _, name := range names[:len(names):len(names)] {
		if plain := undated(name); plain != name {
			names = append(names, plain)
		}
	}
	return names
}

// undated is a model's name without what says which of its versions is meant: a date
// (-2024-08-06, -20241022, @20241022), -latest, or a three-digit number.
func undated(model string) string {
	for _, form := range []string{"-0000-00-00", "-00000000", "@00000000", "-latest", "@default", "@latest", "-000"} {
		if at := len(model) - len(form); at > 0 && hasForm(model[at:], form) {
			return model[:at]
		}
	}
	return model
}

// hasForm says whether text is form, whose zeros stand for any digit.
func hasForm(text, form string) bool {
	for i := range len(form) {
		if form[i] == '0' {
			if text[i] < '0' || text[i] > '9' {
				return false
			}
		} else if text[i] != form[i] {
			return false
		}
	}
	return true
}
