package record

import (
	"math"
	"reflect"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

func ptr(f float64) *float64 { return &f }

// primes are different primes, so that no sum can come about in another way.
func primes() target.Prices {
	return target.Prices{InputCost: ptr(2), OutputCost: ptr(3), CacheReadCost: ptr(5), CacheWriteCost: ptr(7),
		CacheWriteCostList: []target.TTLCost{{TTL: "5m", Cost: 11}, {TTL: "1h", Cost: 13}}}
}

func TestCostIsThatOfEachKindOfToken(t *testing.T) {
	without := func(change func(*target.Prices)) target.Prices {
		o := primes()
		change(&o)
		return o
	}
	all := chat.Usage{Prompt: 1000, Completion: 100, Cached: 200, CacheWrite: 300, CacheWrite5m: 40, CacheWrite1h: 50}
	for _, c := range []struct {
		name string
		o    target.Prices
		u    chat.Usage
		want float64 // of a million
	}{
		{"input and output", primes(), chat.Usage{Prompt: 10, Completion: 4}, 10*2 + 4*3},
		{"nothing", primes(), chat.Usage{}, 0},
		{"read from a cache", primes(), chat.Usage{Prompt: 10, Cached: 4}, 6*2 + 4*5},
		{"written to a cache", primes(), chat.Usage{Prompt: 10, CacheWrite: 4}, 6*2 + 4*7},
		{"kept for five minutes", primes(), chat.Usage{Prompt: 10, CacheWrite: 4, CacheWrite5m: 3}, 6*2 + 3*11 + 1*7},
		{"kept for an hour", primes(), chat.Usage{Prompt: 10, CacheWrite: 4, CacheWrite1h: 3}, 6*2 + 3*13 + 1*7},
		{"all of it", primes(), all, 500*2 + 200*5 + 210*7 + 40*11 + 50*13 + 100*3},
		{"more kept than written", primes(), chat.Usage{Prompt: 10, CacheWrite: 4, CacheWrite1h: 5}, 6*2 + 5*13},
		{"more from the cache than there is", primes(), chat.Usage{Prompt: 10, Cached: 12}, 12 * 5},
		{"no price for reading", without(func(o *target.Prices) { o.CacheReadCost = nil }), all, 500*2 + 200*2 + 210*7 + 40*11 + 50*13 + 100*3},
		{"no price for writing", without(func(o *target.Prices) { o.CacheWriteCost = nil }), all, 500*2 + 200*5 + 210*2 + 40*11 + 50*13 + 100*3},
		{"no price for an hour", without(func(o *target.Prices) { o.CacheWriteCostList = o.CacheWriteCostList[:1] }), all, 500*2 + 200*5 + 210*7 + 40*11 + 50*7 + 100*3},
		{"none of both", without(func(o *target.Prices) { o.CacheWriteCostList, o.CacheWriteCost = nil, nil }), all, 500*2 + 200*5 + 300*2 + 100*3},
		{"no price for output", without(func(o *target.Prices) { o.OutputCost = nil }), all, 0},
		{"no price for input", without(func(o *target.Prices) { o.InputCost = nil }), all, 0},
		{"free input", without(func(o *target.Prices) { o.InputCost = ptr(0) }), chat.Usage{Prompt: 10, Completion: 4}, 4 * 3},
	} {
		if got := Cost(&c.o, &c.u); math.Abs(got-c.want/1e6) > 1e-15 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want/1e6)
		}
	}
	if got := Cost(nil, &all); got != 0 {
		t.Errorf("without options: %v", got)
	}
}

func TestWhatIsNotPlainTextHasItsOwnPrice(t *testing.T) {
	all := target.Prices{InputCost: ptr(2), OutputCost: ptr(3), CacheReadCost: ptr(5), AudioInputCost: ptr(7), AudioOutputCost: ptr(11),
		ImageInputCost: ptr(13), ImageOutputCost: ptr(17), ImageCost: ptr(19), CharacterCost: ptr(23), MinuteCost: ptr(29), SearchCost: ptr(31), RequestCost: ptr(37)}
	tokens := all
	tokens.ImageCost, tokens.CharacterCost, tokens.MinuteCost, tokens.SearchCost, tokens.RequestCost = nil, nil, nil, nil, nil
	for _, c := range []struct {
		name string
		p    target.Prices
		u    chat.Usage
		want float64
	}{
		{"nothing", all, chat.Usage{}, 0},
		{"sound in", tokens, chat.Usage{Prompt: 100, PromptAudio: 40}, (60*2 + 40*7) / 1e6},
		{"sound out", tokens, chat.Usage{Completion: 100, CompletionAudio: 40}, (60*3 + 40*11) / 1e6},
		{"images in", tokens, chat.Usage{Prompt: 100, PromptImage: 40}, (60*2 + 40*13) / 1e6},
		{"images out", tokens, chat.Usage{Completion: 100, CompletionImage: 40}, (60*3 + 40*17) / 1e6},
		{"sound from a cache", tokens, chat.Usage{Prompt: 100, Cached: 70, PromptAudio: 40}, (70*5 + 30*7) / 1e6},
		{"more sound than output", tokens, chat.Usage{Completion: 10, CompletionAudio: 40}, 10 * 11 / 1e6},
		{"no price of sound", target.Prices{InputCost: ptr(2), OutputCost: ptr(3)}, chat.Usage{Prompt: 10, PromptAudio: 4, Completion: 10, CompletionAudio: 4}, 50 / 1e6},
		{"images", target.Prices{ImageCost: ptr(0.04)}, chat.Usage{Images: 3}, 0.12},
		{"characters", target.Prices{CharacterCost: ptr(15)}, chat.Usage{Characters: 2e6}, 30},
		{"minutes", target.Prices{MinuteCost: ptr(0.006)}, chat.Usage{Milliseconds: 90e3}, 0.009},
		{"searches", target.Prices{SearchCost: ptr(2)}, chat.Usage{SearchUnits: 5}, 0.01},
		{"a request", target.Prices{RequestCost: ptr(0.005)}, chat.Usage{Prompt: 1}, 0.005},
		{"a request without an answer", target.Prices{RequestCost: ptr(0.005)}, chat.Usage{}, 0},
		{"a request of a tier", target.Prices{RequestCost: ptr(0.005), ServiceTierFactor: []target.TierFactor{{Tier: "flex", Factor: 0.5}}}, chat.Usage{Prompt: 1, ServiceTier: "flex"}, 0.0025},
		{"all", all, chat.Usage{Prompt: 1, Completion: 1, Images: 1, Characters: 1e6, Milliseconds: 60e3, SearchUnits: 1e3}, 5/1e6 + 19 + 23 + 29 + 31 + 37},
	} {
		if got := Cost(&c.p, &c.u); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestHighestContextFactorBelowThePromptCounts, in whatever order they are: the
// prompt must be above the bound.
func TestHighestContextFactorBelowThePromptCounts(t *testing.T) {
	up := []target.ContextFactor{{Above: "0", InputFactor: 2, OutputFactor: 3}, {Above: "1k", InputFactor: 5, OutputFactor: 7}, {Above: "2K", InputFactor: 11, OutputFactor: 13}, {Above: "what", InputFactor: 17, OutputFactor: 17}}
	down := []target.ContextFactor{up[2], up[3], up[1], up[0]}
	same := append(up[:len(up):len(up)], target.ContextFactor{Above: "2000", InputFactor: 19, OutputFactor: 19}) // the first of them counts
	for _, list := range [][]target.ContextFactor{up, down, same} {
		for prompt, want := range map[int][2]float64{0: {1, 1}, 1: {2, 3}, 1000: {2, 3}, 1001: {5, 7}, 2000: {5, 7}, 2001: {11, 13}, 1e9: {11, 13}} {
			o := target.Prices{InputCost: ptr(1), OutputCost: ptr(1), ContextWindowFactor: list}
			if got, want := Cost(&o, &chat.Usage{Prompt: prompt, Completion: 10}), (float64(prompt)*want[0]+10*want[1])/1e6; math.Abs(got-want) > want*1e-12 {
				t.Errorf("%d tokens: %v, want %v", prompt, got, want)
			}
		}
	}
}

// TestSumOfCallsIsPricedAsWhatItIsTheSumOf: many short prompts are no long one, and each
// call has the price of a request.
func TestSumOfCallsIsPricedAsWhatItIsTheSumOf(t *testing.T) {
	p := target.Prices{InputCost: ptr(1), OutputCost: ptr(1), RequestCost: ptr(0.5), ContextWindowFactor: []target.ContextFactor{{Above: "1000", InputFactor: 2, OutputFactor: 2}}}
	sum := func(prompts ...int) (u chat.Usage) {
		for _, n := range prompts {
			u.Add(&chat.Usage{Prompt: n})
		}
		return u
	}
	for _, c := range []struct {
		u    chat.Usage
		want float64
	}{
		{sum(900, 900, 900), 2700/1e6 + 1.5},
		{sum(900, 1001), 2*1901/1e6 + 1},
		{sum(1001, 900), 2*1901/1e6 + 1},
		{sum(1001), 2*1001/1e6 + 0.5},
		{chat.Usage{Prompt: 1001}, 2*1001/1e6 + 0.5},
	} {
		if got := Cost(&p, &c.u); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: %v, want %v", c.u, got, c.want)
		}
	}
}

func TestTierIsTheLongestThatTheReportedOneContains(t *testing.T) {
	list := []target.TierFactor{{Tier: "flex", Factor: 2}, {Tier: "Priority", Factor: 3}, {Tier: "priority_plus", Factor: 5}, {Tier: "fast", Factor: 7}}
	for reported, want := range map[string]float64{"": 1, "default": 1, "flex": 2, "FLEX": 2, "priority": 3, "ON_DEMAND_PRIORITY": 3, "priority_plus": 5,
		"fast": 3, "very-fast": 3, "breakfast": 7, "fasting": 7, "zfast": 7, "afast": 7, "flexfasts": 2} {
		if got := tierFactor(list, reported); got != want {
			t.Errorf("%q: %v, want %v", reported, got, want)
		}
	}
	unnamed := []target.TierFactor{{Tier: "", Factor: 2}, {Tier: "flex", Factor: 3}, {Tier: "c", Factor: 4}}
	for reported, want := range map[string]float64{"": 1, "default": 1, "fast": 1, "flex": 3, "c": 4} {
		if got := tierFactor(unnamed, reported); got != want {
			t.Errorf("%q without priority: %v, want %v", reported, got, want)
		}
	}
	o := target.Prices{InputCost: ptr(1), OutputCost: ptr(1), ServiceTierFactor: list}
	if got := Cost(&o, &chat.Usage{Prompt: 1, Completion: 2, ServiceTier: "flex"}); math.Abs(got-6e-6) > 1e-15 {
		t.Errorf("%v: the factor is that of the whole", got)
	}
}

func TestEstimatesRoundAsKongDoes(t *testing.T) {
	for words, want := range map[int][2]int{0: {0, 0}, 1: {1, 2}, 2: {2, 4}, 3: {3, 5}, 5: {5, 9}, 10: {10, 18}} {
		if got := [2]int{PromptTokens(words, false), PromptTokens(words, true)}; got != want {
			t.Errorf("%d words: %v, want %v", words, got, want)
		}
	}
}

func TestCountersThatAreNoCountsAreBounded(t *testing.T) {
	const most = 1_099_511_627_776
	for reported, want := range map[int64]int64{-1: 0, 0: 0, 7: 7, most: most, most + 1: most, math.MaxInt64: most, math.MinInt64: 0} {
		var u chat.Usage
		counters := reflect.ValueOf(&u).Elem()
		for _, field := range counters.Fields() {
			if field.CanInt() {
				field.SetInt(reported)
			}
		}
		Bound(&u)
		for of, field := range counters.Fields() {
			if field.CanInt() && field.Int() != want {
				t.Errorf("%s: %d becomes %d, want %d", of.Name, reported, field.Int(), want)
			}
		}
	}
}
