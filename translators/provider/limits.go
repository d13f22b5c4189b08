package provider

import (
	"fmt"
	"slices"

	"go-ai-proxy/translators/chat"
)

// Limits are the ranges of settings at an API that refuses what is outside. Formats
// differ in them, so a translated request is fitted; a request in the API's own format
// gets the API's error. The zero value has no limits.
type Limits struct {
	// Stops is how many stop sequences there may be, 0 for any number.
	Stops int
	// Temperature is the highest, "" for any.
	Temperature chat.Number
	// Greedy means that top_p is refused beside a temperature of 0.
	Greedy bool
	// TopK means that a top_k of 0, which elsewhere stands for all, is refused.
	TopK bool
}

// Fit returns a copy of r within the limits. Stop sequences that are empty, which would
// end an answer before it begins, are left out at any API.
func (l Limits) Fit(r *chat.Request) *chat.Request {
	fitted := *r
	fitted.Stop = slices.DeleteFunc(slices.Clone(r.Stop), func(s string) bool { return s == "" })
	if l.Stops > 0 && len(fitted.Stop) > l.Stops {
		fitted.Stop = fitted.Stop[:l.Stops]
	}
	temperature, set := r.Temperature.Float()
	if most, ok := l.Temperature.Float(); ok && set && temperature > most {
		fitted.Temperature = l.Temperature
	}
	if l.Greedy && set && temperature == 0 {
		fitted.TopP = ""
	}
	if k, ok := r.TopK.Float(); l.TopK && ok && k < 1 {
		fitted.TopK = ""
	}
	return &fitted
}

// Caveats says for the record which stop sequences are not asked for; nil if all are.
func (l Limits) Caveats(r *chat.Request) []string {
	all := len(Limits{}.Fit(r).Stop)
	if l.Stops == 0 || all <= l.Stops {
		return nil
	}
	return []string{fmt.Sprintf("stop: the first %d of %d are asked for, the API takes no more", l.Stops, all)}
}
