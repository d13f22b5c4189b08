package main

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/prices"
	"go-ai-proxy/translators/target"
)

// merge returns the rows of old with those of found in their place, and those that are
// new, sorted. What a found row does not have is kept from the old one as long as the
// prices of input and output are the same. A new row that says what another does, by
// another name of its model, is left out, and so is one that is older than the old one.
func merge(old, found []*prices.Row, log io.Writer) []*prices.Row {
	rows := map[[2]string]*prices.Row{}
	for _, r := range old {
		rows[[2]string{r.Provider, r.Model}] = r
	}
	all := map[[2]string]*prices.Row{}
	for _, r := range found {
		all[[2]string{r.Provider, r.Model}] = r
	}
	found = slices.DeleteFunc(found, func(r *prices.Row) bool {
		return rows[[2]string{r.Provider, r.Model}] == nil && repeats(r, all)
	})
	for _, r := range found {
		key := [2]string{r.Provider, r.Model}
		before := rows[key]
		if before != nil && before.Date > r.Date {
			fmt.Fprintf(log, "kept: %s/%s is of %s\n", r.Provider, r.Model, before.Date)
			continue
		}
		rows[key] = r
		switch {
		case before == nil:
			fmt.Fprintf(log, "new: %s/%s\n", r.Provider, r.Model)
		case same(before.InputCost, r.InputCost) && same(before.OutputCost, r.OutputCost):
			keep(&r.Prices, &before.Prices)
			if reflect.DeepEqual(r.Prices, before.Prices) && before.Source != "" {
				r.Source = before.Source
			}
		default:
			fmt.Fprintf(log, "changed: %s/%s\n", r.Provider, r.Model)
		}
	}
	merged := slices.Collect(maps.Values(rows))
	slices.SortFunc(merged, func(a, b *prices.Row) int {
		return strings.Compare(a.Provider+"\x00"+a.Model, b.Provider+"\x00"+b.Model)
	})
	return merged
}

func same(a, b *float64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// keep fills in what p does not have.
func keep(p, from *target.Prices) {
	to, old := reflect.ValueOf(p).Elem(), reflect.ValueOf(from).Elem()
	for i := range to.NumField() {
		if to.Field(i).IsZero() {
			to.Field(i).Set(old.Field(i))
		}
	}
}

// repeats says whether the row under another of the model's names has the same prices.
func repeats(r *prices.Row, rows map[[2]string]*prices.Row) bool {
	p := translators.Lookup(r.Provider)
	for _, name := range prices.Names(p, r.Model)[1:] {
		if name == r.Model {
			continue
		}
		if other := rows[[2]string{r.Provider, name}]; other != nil {
			return reflect.DeepEqual(other.Prices, r.Prices)
		}
	}
	return false
}
