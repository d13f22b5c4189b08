package record

import (
	"strings"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// Cost is the price of u in the currency of the prices; what has no price is free. p
// may be nil. Cached and cache-write tokens have their own prices and fall back to
// the input price, as sound and images do; prompts above a context window, and
// service tiers, multiply. Of a sum of calls (a batch, a session), the largest prompt
// decides whether the prices of a context window apply.
func Cost(p *target.Prices, u *chat.Usage) float64 {
	if p == nil {
		return 0
	}
	cost := tokensCost(p, u) + per(p.ImageCost, u.Images, 1) + per(p.CharacterCost, u.Characters, 1e6) +
		per(p.MinuteCost, u.Milliseconds, 60e3) + per(p.SearchCost, u.SearchUnits, 1e3)
	if p.RequestCost != nil && u.Any() {
		cost += *p.RequestCost * float64(max(u.Calls, 1))
	}
	return cost * tierFactor(p.ServiceTierFactor, u.ServiceTier)
}

// per is the cost of n things whose price is that of size of them.
func per(price *float64, n int, size float64) float64 {
	if price == nil {
		return 0
	}
	return float64(n) * *price / size
}

// tokensCost is the cost of the tokens, without the factor of the service tier. It is
// 0 when the price of input or output is missing.
func tokensCost(p *target.Prices, u *chat.Usage) float64 {
	if p.InputCost == nil || p.OutputCost == nil {
		return 0
	}
	in, out := *p.InputCost, *p.OutputCost
	or := func(price *float64, otherwise float64) float64 {
		if price == nil {
			return otherwise
		}
		return *price
	}
	writePrice := func(ttl string) float64 {
		for _, c := range p.CacheWriteCostList {
			if c.TTL == ttl {
				return c.Cost
			}
		}
		return or(p.CacheWriteCost, in)
	}
	// extra is what n tokens of a kind cost beyond the usual price.
	extra := func(price *float64, n int, usual float64) float64 {
		return float64(n) * (or(price, usual) - usual)
	}
	untimed := max(u.CacheWrite-u.CacheWrite5m-u.CacheWrite1h, 0)
	plain := max(u.Prompt-u.Cached-u.CacheWrite, 0)
	input := float64(plain)*in + float64(u.Cached)*or(p.CacheReadCost, in) +
		float64(u.CacheWrite5m)*writePrice("5m") + float64(u.CacheWrite1h)*writePrice("1h") +
		float64(untimed)*or(p.CacheWriteCost, in) +
		extra(p.AudioInputCost, min(u.PromptAudio, plain), in) + extra(p.ImageInputCost, min(u.PromptImage, plain), in)
	output := float64(u.Completion)*out +
		extra(p.AudioOutputCost, min(u.CompletionAudio, u.Completion), out) + extra(p.ImageOutputCost, min(u.CompletionImage, u.Completion), out)
	if f := contextFactor(p.ContextWindowFactor, u.LargestPrompt()); f != nil {
		input *= f.InputFactor
		output *= f.OutputFactor
	}
	return (input + output) / 1e6
}

// contextFactor is the factor with the highest `above` below the prompt's size.
func contextFactor(list []target.ContextFactor, prompt int) *target.ContextFactor {
	var best *target.ContextFactor
	bestAbove := -1
	for i := range list {
		if above, ok := target.ParseTokens(list[i].Above); ok && prompt > above && above > bestAbove {
			best, bestAbove = &list[i], above
		}
	}
	return best
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
