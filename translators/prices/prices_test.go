package prices

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/target"
)

func TestEveryBuiltInPriceIsOfAProviderAndNamesItsSource(t *testing.T) {
	n := 0
	for _, r := range List().Rows() {
		n++
		if translators.Lookup(r.Provider) == nil {
			t.Errorf("%s/%s: there is no such provider", r.Provider, r.Model)
		}
		if !strings.HasPrefix(r.Source, "https://") {
			t.Errorf("%s/%s: the source is %q", r.Provider, r.Model, r.Source)
		}
		if day, _ := time.Parse(time.DateOnly, r.Date); day.Year() < 2026 {
			t.Errorf("%s/%s: the price is of %s", r.Provider, r.Model, r.Date)
		}
		if r.InputCost != nil && (r.OutputCost == nil || *r.InputCost > 1000 || *r.OutputCost > 1000) {
			t.Errorf("%s/%s: not the price of a million tokens", r.Provider, r.Model)
		}
	}
	if n < 800 || n > 1500 {
		t.Errorf("%d prices", n)
	}
}

// TestEveryProviderThatPublishesPricesHasSome: the others are named here, with the reason.
func TestEveryProviderThatPublishesPricesHasSome(t *testing.T) {
	without := map[string]string{
		"huggingface": "a router, or a server of the user's", "llama2": "self-hosted", "ollama": "self-hosted", "vllm": "self-hosted",
		"nvidia": "the catalogue is free to try, and licensed by the GPU", "sagemaker": "an instance is paid by the hour",
	}
	rows := map[string]int{}
	for _, r := range List().Rows() {
		rows[r.Provider]++
	}
	for _, p := range translators.Providers {
		if has, excused := rows[p.Name] > 0, without[p.Name] != ""; has == excused {
			t.Errorf("%s has %d prices", p.Name, rows[p.Name])
		}
	}
}

// TestTiersOfServiceArePricedAsDocumented. A batch is half the price wherever there is one.
// https://openai.com/api-priority-processing/
// https://platform.claude.com/docs/en/about-claude/pricing
func TestTiersOfServiceArePricedAsDocumented(t *testing.T) {
	for name, want := range map[string]float64{
		"openai/gpt-5.5 priority": 2.5, "openai/gpt-5.4 priority": 2, "openai/gpt-5.4-mini priority": 2, "openai/gpt-5.2 priority": 2,
		"openai/gpt-5 priority": 2, "openai/gpt-5-mini priority": 1.8, "openai/gpt-4.1 priority": 1.75, "openai/gpt-6-astra flex": 0.5,
		"openai/gpt-6.2-astra flex":      0, // not offered
		"anthropic/claude-opus-4-8 fast": 2, "anthropic/claude-opus-5-5 fast": 2, "anthropic/claude-haiku-5-5 fast": 0, "gemini/gemini-4-neon priority": 1.8,
	} {
		model, tier, _ := strings.Cut(name, " ")
		provider, model, _ := strings.Cut(model, "/")
		got := 0.0
		for _, f := range List().Find(translators.Lookup(provider), model).ServiceTierFactor {
			if f.Tier == tier {
				got = f.Factor
			}
		}
		if got != want {
			t.Errorf("%s: factor %v, want %v", name, got, want)
		}
	}
	for _, r := range List().Rows() {
		batch := slices.IndexFunc(r.ServiceTierFactor, func(f target.TierFactor) bool { return f.Tier == "batch" })
		switch {
		case r.Provider == "anthropic" && batch < 0:
			t.Errorf("%s has no price in a batch", r.Model)
		case batch >= 0 && r.ServiceTierFactor[batch].Factor != 0.5 && r.Provider != "xai": // a fifth less there
			t.Errorf("%s/%s: a batch costs %v", r.Provider, r.Model, r.ServiceTierFactor[batch].Factor)
		}
	}
}

func TestModelsAreFoundByTheNamesThatTheyAreAskedBy(t *testing.T) {
	for asked, want := range map[string]string{
		"openai/gpt-5":                         "gpt-5",
		"openai/gpt-5-2025-08-07":              "gpt-5",
		"openai/GPT-5":                         "gpt-5",
		"openai/gpt-5-turbo":                   "",
		"openai/ft:gpt-4o:acme::x":             "",
		"openai/":                              "",
		"anthropic/claude-sonnet-4-5-20250929": "claude-sonnet-4-5",
		"anthropic/claude-sonnet-4-5-latest":   "claude-sonnet-4-5",
		"anthropic/gpt-5":                      "",
		"bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0":                                                             "anthropic.claude-sonnet-4-5-20250929-v1:0",
		"bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0":                                                          "anthropic.claude-sonnet-4-5-20250929-v1:0",
		"bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0":                                                          "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
		"bedrock/arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
		"bedrock/arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0":                                      "amazon.nova-pro-v1:0",
		"bedrock/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl":                     "",
		"gemini/gemini-2.5-pro":                                         "gemini-2.5-pro",
		"gemini/models/gemini-2.5-pro":                                  "gemini-2.5-pro",
		"gemini/publishers/google/models/gemini-2.5-pro":                "gemini-2.5-pro",
		"gemini/google/gemini-2.5-flash":                                "gemini-2.5-flash",
		"gemini/publishers/anthropic/models/claude-sonnet-4-5@20250929": "claude-sonnet-4-5",
		"azure/gpt-35-turbo-0125":                                       "gpt-3.5-turbo-0125",
		"azure/gpt-4o-2024-08-06":                                       "gpt-4o",
		"ollama/llama3":                                                 "",
	} {
		provider, model, _ := strings.Cut(asked, "/")
		r := List().Find(translators.Lookup(provider), model)
		got := ""
		if r != nil {
			got = r.Model
		}
		if got != want {
			t.Errorf("%s: found %q, want %q", asked, got, want)
		}
	}
}

func TestErrorsNameFileAndLine(t *testing.T) {
	const good = `{"provider":"openai","model":"m","date":"2026-01-02","input_cost":1,"output_cost":2}` + "\n"
	for text, want := range map[string]string{
		good + good:                                                                         `p.jsonl:2: openai/m has two lines`,
		"\n" + good + "{":                                                                   `p.jsonl:3: not a price in JSON`,
		`{"provider":"openai","modell":"m"}`:                                                `p.jsonl:1: not a price in JSON: json: unknown field "modell"`,
		good + `{"provider":"openai"}`:                                                      `p.jsonl:2: provider and model must be set`,
		`{"provider":"openai","model":"m"}`:                                                 `p.jsonl:1: date must be`,
		`{"provider":"openai","model":"m","date":"x"}`:                                      `p.jsonl:1: date must be`,
		`{"provider":"openai","model":"m","date":"2026-01-02"}`:                             `p.jsonl:1: no price`,
		`{"provider":"openai","model":"m","date":"2026-01-02","input_cost":1}`:              `p.jsonl:1: no price`,
		strings.Replace(good, ":1", ":-1", 1):                                               `p.jsonl:1: input_cost must be between`,
		strings.Replace(good, ":1", ":1e300", 1):                                            `p.jsonl:1: input_cost must be between`,
		strings.Replace(good, "}", `,"service_tier_factor":[{"tier":"x","factor":-1}]}`, 1): `p.jsonl:1: service_tier_factor must`,
		strings.Replace(good, "}", `,"cache_write_cost_list":[{"ttl":"1h","cost":-1}]}`, 1): `p.jsonl:1: cache_write_cost_list must`,
		strings.Replace(good, "}", `,"context_window_factor":[{"above":"lots","input_factor":1,"output_factor":1}]}`, 1): `p.jsonl:1: context_window_factor.above must be`,
		strings.TrimSpace(good) + ` {}`: `p.jsonl:1: a line has one object`,
		`[]`:                            `p.jsonl:1: not a price`,
		`{"provider":"` + strings.Repeat("x", maxLine) + `"}`: `p.jsonl:1: a line of more than`,
	} {
		_, err := Parse("p.jsonl", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s…", text, err, want)
		}
	}
	if _, err := Parse("p.jsonl", []byte("\n\n"+good+"\n")); err != nil {
		t.Error(err)
	}
}

func TestOwnPricesWinAndTheRestIsBuiltIn(t *testing.T) {
	own, err := Parse("/own", []byte(`{"provider":"openai","model":"gpt-5","date":"2026-01-02","input_cost":0.5,"output_cost":2}`))
	if err != nil {
		t.Fatal(err)
	}
	all, openai := own.Before(List()), translators.Lookup("openai")
	if r := all.Find(openai, "gpt-5-2025-08-07"); r.File != "/own" || *r.InputCost != 0.5 {
		t.Errorf("%+v", r)
	}
	if r := all.Find(openai, "gpt-5-mini"); r.File != BuiltIn {
		t.Errorf("%+v", r)
	}
	if r := own.Find(openai, "gpt-5-mini"); r != nil {
		t.Errorf("%+v", r)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"provider":"openai","model":"m","date":"2026-01-02","input_cost":1,"output_cost":2}` + "\n\n{}"))
	f.Add([]byte(`{"provider":"a","model":"m","date":"2026-01-02","image_cost":1e9,"service_tier_factor":[{"tier":"x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		defer workload.Linear(t, len(text))()
		table, err := Parse("p", text)
		if err != nil {
			return
		}
		for _, r := range table.Rows() {
			if r.Model == "" || !r.Known() {
				t.Errorf("%+v", r)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	p := translators.Lookup("openai")
	b.ReportAllocs()
	for b.Loop() {
		if List().Find(p, "gpt-5") == nil {
			b.Fatal("no price")
		}
	}
}
