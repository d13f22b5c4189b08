package record

import (
	"strconv"
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// Cost is the price of u in the currency of the configured prices (per million
// tokens), 0 when a price for input or output is missing. Cached and cache-write
// tokens have their own prices and fall back to the input price; prompts above
// a context window, and service tiers, multiply.
func Cost(o *target.Options, u *chat.Usage) float64 {
	if o == nil || o.InputCost == nil || o.OutputCost == nil {
		return 0
	}
	in, out := *o.InputCost, *o.OutputCost
	fallback := func(p *float64) float64 {
		if p == nil {
			return in
		}
		return *p
	}
	writePrice := func(ttl string) float64 {
		for _, c := range o.CacheWriteCostList {
			if c.TTL == ttl {
				return c.Cost
			}
		}
		return fallback(o.CacheWriteCost)
	}
	untimed := max(u.CacheWrite-u.CacheWrite5m-u.CacheWrite1h, 0)
	plain := max(u.Prompt-u.Cached-u.CacheWrite, 0)
	input := float64(plain)*in + float64(u.Cached)*fallback(o.CacheReadCost) +
		float64(u.CacheWrite5m)*writePrice("5m") + float64(u.CacheWrite1h)*writePrice("1h") +
		float64(untimed)*fallback(o.CacheWriteCost)
	output := float64(u.Completion) * out
	if f := contextFactor(o.ContextWindowFactor, u.Prompt); f != nil {
		input *= f.InputFactor
		output *= f.OutputFactor
	}
	return (input + output) * tierFactor(o.ServiceTierFactor, u.ServiceTier) / 1e6
}

// contextFactor is the factor with the highest `above` below the prompt's size.
func contextFactor(list []target.ContextFactor, prompt int) *target.ContextFactor {
	var best *target.ContextFactor
	bestAbove := -1
	for i := range list {
		if above, ok := ParseTokens(list[i].Above); ok && prompt > above && above > bestAbove {
			best, bestAbove = &list[i], above
		}
	}
	return best
}

// ParseTokens reads a number of tokens as the configuration writes it:
// "200000", "200k", "1M".
func ParseTokens(s string) (int, bool) {
	s = strings.TrimSpace(s)
	unit := 1
	switch {
	case strings.HasSuffix(s, "k"), strings.HasSuffix(s, "K"):
		unit = 1e3
	case strings.HasSuffix(s, "m"), strings.HasSuffix(s, "M"):
		unit = 1e6
	}
	if unit > 1 {
		s = s[:len(s)-1]
	}
	n, err := strconv.Atoi(s)
	return n * unit, err == nil && n >= 0
}

// tierFactor is that of the longest configured tier that the reported tier
// contains; "priority" also stands for the word "fast". 1 when none does.
func tierFactor(list []target.TierFactor, reported string) float64 {
	factor, length := 1.0, 0
	reported = strings.ToLower(reported)
	for _, t := range list {
		tier := strings.ToLower(t.Tier)
		if (strings.Contains(reported, tier) || tier == "priority" && hasWord(reported, "fast")) && len(tier) > length {
			factor, length = t.Factor, len(tier)
		}
	}
	return factor
}

func hasWord(s, word string) bool {
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r < 'a' || r > 'z' }) {
		if w == word {
			return true
		}
	}
	return false
}
