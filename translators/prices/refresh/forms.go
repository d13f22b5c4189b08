package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go-ai-proxy/translators"
	"go-ai-proxy/translators/prices"
	"go-ai-proxy/translators/target"
)

// lists are the providers whose prices are taken, with their price list on the web and
// what the two files call them. Of several names, the first that has a model counts.
// NVIDIA, Hugging Face and the self-hosted ones publish none.
var lists = []struct {
	provider, source   string
	litellm, modelsdev []string
}{
	{"anthropic", "https://docs.claude.com/en/docs/about-claude/pricing", []string{"anthropic"}, []string{"anthropic"}},
	{"azure", "https://azure.microsoft.com/en-us/pricing/details/cognitive-services/openai-service/", []string{"azure", "azure_text", "azure_ai"}, []string{"azure"}},
	{"bedrock", "https://aws.amazon.com/bedrock/pricing/", []string{"bedrock_converse", "bedrock"}, []string{"amazon-bedrock"}},
	{"baseten", "https://www.baseten.co/pricing/", []string{"baseten"}, []string{"baseten"}},
	{"cerebras", "https://www.cerebras.ai/pricing", []string{"cerebras"}, []string{"cerebras"}},
	{"cohere", "https://cohere.com/pricing", []string{"cohere_chat", "cohere"}, []string{"cohere"}},
	{"dashscope", "https://www.alibabacloud.com/help/en/model-studio/model-pricing", []string{"dashscope"}, []string{"alibaba"}},
	{"databricks", "https://www.databricks.com/product/pricing/foundation-model-serving", []string{"databricks"}, []string{"databricks"}},
	{"deepseek", "https://api-docs.deepseek.com/quick_start/pricing", []string{"deepseek"}, []string{"deepseek"}},
	{"fireworks", "https://docs.fireworks.ai/serverless/pricing", []string{"fireworks_ai"}, []string{"fireworks-ai"}},
	{"gemini", "https://ai.google.dev/gemini-api/docs/pricing", []string{"gemini", "vertex_ai-language-models", "vertex_ai-anthropic_models"}, []string{"google", "google-vertex", "google-vertex-anthropic"}},
	{"github", "https://docs.github.com/en/billing/reference/costs-for-github-models", []string{"github"}, []string{"github-models"}},
	{"groq", "https://groq.com/pricing", []string{"groq"}, []string{"groq"}},
	{"kimi", "https://platform.kimi.ai/docs/pricing/chat", []string{"moonshot"}, []string{"moonshotai"}},
	{"mistral", "https://mistral.ai/pricing", []string{"mistral"}, []string{"mistral"}},
	{"openai", "https://platform.openai.com/docs/pricing", []string{"openai", "text-completion-openai"}, []string{"openai"}},
	{"openrouter", "https://openrouter.ai/models", []string{"openrouter"}, []string{"openrouter"}},
	{"perplexity", "https://docs.perplexity.ai/getting-started/pricing", []string{"perplexity"}, []string{"perplexity", "perplexity-agent"}},
	{"together", "https://www.together.ai/pricing", []string{"together_ai"}, []string{"togetherai"}},
	{"vercel", "https://vercel.com/ai-gateway/models", []string{"vercel_ai_gateway"}, []string{"vercel"}},
	{"xai", "https://docs.x.ai/docs/models", []string{"xai"}, []string{"xai"}},
}

// read returns the rows of a file in either form, of the providers that there are.
func read(data []byte, date string) ([]*prices.Row, error) {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	models := map[[2]string]*target.Prices{} // by the provider's name in the file, and the model's
	var of func(i int) []string
	switch {
	case file["anthropic"] != nil && strings.Contains(string(file["anthropic"]), `"models"`):
		of = func(i int) []string { return lists[i].modelsdev }
		for name, raw := range file {
			if err := readModelsDev(name, raw, models); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	case strings.Contains(string(data), `"litellm_provider"`):
		of = func(i int) []string { return lists[i].litellm }
		for name, raw := range file {
			if err := readLiteLLM(name, raw, models); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	default:
		return nil, errors.New("neither in the form of LiteLLM nor in that of models.dev")
	}
	return rowsOf(models, of, date), nil
}

// rowsOf makes rows of the models of our providers, sorted.
func rowsOf(models map[[2]string]*target.Prices, of func(i int) []string, date string) []*prices.Row {
	var rows []*prices.Row
	for i, l := range lists {
		if translators.Lookup(l.provider) == nil {
			continue
		}
		found := map[string]*target.Prices{}
		for _, name := range of(i) {
			for key, p := range models {
				if key[0] == name && found[key[1]] == nil && p.Known() {
					found[key[1]] = p
				}
			}
		}
		for _, model := range slices.Sorted(maps.Keys(found)) {
			rows = append(rows, &prices.Row{Provider: l.provider, Model: model, Date: date, Source: l.source, Prices: *found[model]})
		}
	}
	return rows
}

// devCost is a cost of models.dev, in dollars per million tokens.
// https://models.dev/api.json
type devCost struct {
	Input       *float64 `json:"input"`
	Output      *float64 `json:"output"`
	CacheRead   *float64 `json:"cache_read"`
	CacheWrite  *float64 `json:"cache_write"`
	InputAudio  *float64 `json:"input_audio"`
	OutputAudio *float64 `json:"output_audio"`
	Tiers       []struct {
		devPair
		Tier struct {
			Size int `json:"size"`
		} `json:"tier"`
	} `json:"tiers"`
	Over200k *devPair `json:"context_over_200k"`
}

type devPair struct {
	Input  float64 `json:"input"`
	Output float64 `json:"output"`
}

func readModelsDev(provider string, raw json.RawMessage, into map[[2]string]*target.Prices) error {
	var p struct {
		Models map[string]struct {
			Status       string   `json:"status"`
			Cost         *devCost `json:"cost"`
			Experimental struct {
				Modes map[string]struct {
					Cost     *devPair `json:"cost"`
					Provider struct {
						Body struct {
							Tier string `json:"service_tier"`
						} `json:"body"`
					} `json:"provider"`
				} `json:"modes"`
			} `json:"experimental"`
		} `json:"models"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	for name, m := range p.Models {
		c := m.Cost
		if c == nil || m.Status == "deprecated" || c.Input == nil || c.Output == nil || *c.Input+*c.Output == 0 {
			continue
		}
		prices := &target.Prices{InputCost: c.Input, OutputCost: c.Output, CacheReadCost: c.CacheRead, CacheWriteCost: c.CacheWrite, AudioInputCost: c.InputAudio, AudioOutputCost: c.OutputAudio}
		for _, t := range c.Tiers {
			prices.ContextWindowFactor = append(prices.ContextWindowFactor, above(t.Tier.Size, prices, t.Input, t.Output))
		}
		if c.Over200k != nil && len(c.Tiers) == 0 {
			prices.ContextWindowFactor = append(prices.ContextWindowFactor, above(200_000, prices, c.Over200k.Input, c.Over200k.Output))
		}
		for mode, how := range m.Experimental.Modes {
			if how.Cost == nil {
				continue
			}
			if tier := how.Provider.Body.Tier; tier != "" {
				mode = tier
			}
			prices.ServiceTierFactor = append(prices.ServiceTierFactor, target.TierFactor{Tier: mode, Factor: round(max(how.Cost.Input / *c.Input, how.Cost.Output / *c.Output))})
		}
		slices.SortFunc(prices.ServiceTierFactor, func(a, b target.TierFactor) int { return strings.Compare(a.Tier, b.Tier) })
		name, _, _ = strings.Cut(name, "@") // the version, at Vertex
		into[[2]string{provider, name}] = prices
	}
	return nil
}

// above are the factors on the prices of prompts of more than size tokens.
func above(size int, usual *target.Prices, input, output float64) target.ContextFactor {
	factor := func(price, usual float64) float64 {
		if usual == 0 {
			return 1
		}
		return round(price / usual)
	}
	return target.ContextFactor{Above: strconv.Itoa(size), InputFactor: factor(input, *usual.InputCost), OutputFactor: factor(output, *usual.OutputCost)}
}

// round is f without the noise of a division.
func round(f float64) float64 {
	f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', 8, 64), 64)
	return f
}

// readLiteLLM reads one model. Its prices are dollars per token.
// https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json
func readLiteLLM(name string, raw json.RawMessage, into map[[2]string]*target.Prices) error {
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil || name == "sample_spec" {
		return err
	}
	provider, _ := m["litellm_provider"].(string)
	mode, _ := m["mode"].(string)
	if head, rest, ok := strings.Cut(name, "/"); ok {
		if strings.Contains(rest, "/") && mode != "chat" || strings.ContainsAny(head, "0123456789") { // a size of images
			return nil
		}
		if head == provider || strings.HasPrefix(provider, head) || strings.HasPrefix(provider, strings.TrimSuffix(head, "_ai")) {
			name = rest
		}
	}
	if strings.Contains(name, "/") && !slices.Contains(byMaker, provider) { // a region, or an offer of its own
		return nil
	}
	per := func(field string, size float64) *float64 {
		f, ok := m[field].(float64)
		if !ok {
			return nil
		}
		return new(round(f * size))
	}
	const million = 1e6
	p := &target.Prices{
		InputCost: per("input_cost_per_token", million), OutputCost: per("output_cost_per_token", million),
		CacheReadCost: per("cache_read_input_token_cost", million), CacheWriteCost: per("cache_creation_input_token_cost", million),
		AudioInputCost: per("input_cost_per_audio_token", million), AudioOutputCost: per("output_cost_per_audio_token", million),
		ImageInputCost: per("input_cost_per_image_token", million), ImageOutputCost: per("output_cost_per_image_token", million),
		RequestCost: per("input_cost_per_request", 1),
	}
	switch mode {
	case "embedding":
		if p.OutputCost == nil && p.InputCost != nil {
			p.OutputCost = new(0.0)
		}
	case "image_generation":
		p.ImageCost = per("output_cost_per_image", 1)
	case "audio_speech":
		p.CharacterCost = per("input_cost_per_character", million)
	case "audio_transcription":
		p.MinuteCost = per("input_cost_per_second", 60)
	case "rerank":
		p.SearchCost = per("input_cost_per_query", 1000)
	}
	if hour := per("cache_creation_input_token_cost_above_1hr", million); hour != nil {
		p.CacheWriteCostList = []target.TTLCost{{TTL: "1h", Cost: *hour}}
	}
	factors(p, per)
	if p.InputCost != nil && p.OutputCost != nil && *p.InputCost+*p.OutputCost == 0 && p.AudioInputCost == nil {
		p.InputCost, p.OutputCost = nil, nil // free, or priced in another way
	}
	into[[2]string{provider, name}] = p
	return nil
}

// byMaker are LiteLLM's names of providers whose models are called by their maker, too:
// openai/gpt-oss-120b.
var byMaker = []string{"baseten", "fireworks_ai", "github", "groq", "openrouter", "perplexity", "together_ai", "vercel_ai_gateway"}

// factors are LiteLLM's prices of long prompts and of service tiers.
func factors(p *target.Prices, per func(field string, size float64) *float64) {
	if p.InputCost == nil || p.OutputCost == nil || *p.InputCost == 0 {
		return
	}
	for _, size := range []int{128, 200, 256, 272} {
		suffix := "_above_" + strconv.Itoa(size) + "k_tokens"
		in, out := per("input_cost_per_token"+suffix, 1e6), per("output_cost_per_token"+suffix, 1e6)
		if in == nil {
			in = p.InputCost
		}
		if out == nil {
			out = p.OutputCost
		}
		if *in != *p.InputCost || *out != *p.OutputCost {
			p.ContextWindowFactor = append(p.ContextWindowFactor, above(size*1000, p, *in, *out))
		}
	}
	for _, tier := range []struct{ suffix, name string }{{"_batches", "batch"}, {"_flex", "flex"}, {"_priority", "priority"}} {
		if in := per("input_cost_per_token"+tier.suffix, 1e6); in != nil {
			p.ServiceTierFactor = append(p.ServiceTierFactor, target.TierFactor{Tier: tier.name, Factor: round(*in / *p.InputCost)})
		}
	}
}
