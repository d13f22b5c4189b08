package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go-ai-proxy/translators/prices"
)

// The two are in the published forms.
const (
	litellm = `{"sample_spec":{"input_cost_per_token":0.0,"max_tokens":"LEGACY parameter"},
"1024-x-1024/dall-e-2":{"input_cost_per_pixel":1.9e-08,"litellm_provider":"openai","mode":"image_generation"},
"gpt-4o-mini":{"cache_read_input_token_cost":7.5e-08,"input_cost_per_token":1.5e-07,"input_cost_per_token_batches":7.5e-08,"input_cost_per_token_priority":2.5e-07,
 "litellm_provider":"openai","mode":"chat","output_cost_per_token":6e-07,"output_cost_per_token_batches":3e-07,"output_cost_per_token_priority":1e-06},
"gpt-audio":{"input_cost_per_audio_token":3.2e-05,"input_cost_per_token":2.5e-06,"litellm_provider":"openai","mode":"chat","output_cost_per_audio_token":6.4e-05,"output_cost_per_token":1e-05},
"gpt-image-1.5":{"cache_read_input_token_cost":1.25e-06,"input_cost_per_token":5e-06,"litellm_provider":"openai","mode":"image_generation","output_cost_per_token":1e-05,"input_cost_per_image_token":8e-06,"output_cost_per_image_token":3.2e-05},
"whisper-1":{"input_cost_per_second":0.0001,"litellm_provider":"openai","mode":"audio_transcription"},
"tts-1":{"input_cost_per_character":1.5e-05,"litellm_provider":"openai","mode":"audio_speech"},
"text-embedding-3-small":{"input_cost_per_token":2e-08,"litellm_provider":"openai","mode":"embedding"},
"amazon.nova-canvas-v1:0":{"litellm_provider":"bedrock","max_input_tokens":2600,"mode":"image_generation","output_cost_per_image":0.06},
"rerank-v3.5":{"input_cost_per_query":0.002,"input_cost_per_token":0.0,"litellm_provider":"cohere","mode":"rerank","output_cost_per_token":0.0},
"gemini/gemini-2.5-pro":{"cache_read_input_token_cost":1.25e-07,"input_cost_per_token":1.25e-06,"input_cost_per_token_above_200k_tokens":2.5e-06,"litellm_provider":"gemini","mode":"chat","output_cost_per_token":1e-05,"output_cost_per_token_above_200k_tokens":1.5e-05},
"azure/eu/gpt-4o":{"input_cost_per_token":2.75e-06,"litellm_provider":"azure","mode":"chat","output_cost_per_token":1.1e-05},
"azure/gpt-4o":{"input_cost_per_token":2.5e-06,"litellm_provider":"azure","mode":"chat","output_cost_per_token":1e-05},
"groq/openai/gpt-oss-20b":{"input_cost_per_token":7.5e-08,"litellm_provider":"groq","mode":"chat","output_cost_per_token":3e-07},
"gmi/openai/gpt-4o":{"input_cost_per_token":2.5e-06,"litellm_provider":"gmi","mode":"chat","output_cost_per_token":1e-05},
"global.anthropic.claude-haiku-4-5-20251001-v1:0":{"cache_creation_input_token_cost":1.25e-06,"cache_creation_input_token_cost_above_1hr":2e-06,"cache_read_input_token_cost":1e-07,"input_cost_per_token":1e-06,"litellm_provider":"bedrock_converse","mode":"chat","output_cost_per_token":5e-06}}`

	modelsdev = `{"anthropic":{"id":"anthropic","models":{
 "claude-opus-4-6":{"id":"claude-opus-4-6","cost":{"input":5,"output":25,"cache_read":0.5,"cache_write":6.25},"experimental":{"modes":{"fast":{"cost":{"input":30,"output":150},"provider":{"body":{"speed":"fast"}}}}}},
 "claude-old":{"status":"deprecated","cost":{"input":5,"output":25}},"claude-free":{"cost":{"input":0,"output":0}},"claude-unknown":{}}},
"google":{"models":{"gemini-2.5-flash":{"cost":{"input":0.3,"output":2.5,"cache_read":0.03,"input_audio":1}}}},
"google-vertex":{"models":{"gemini-2.5-flash":{"cost":{"input":9,"output":9}},"claude-opus-4-6@default":{"cost":{"input":5,"output":25}}}},
"groq":{"models":{"openai/gpt-oss-20b":{"cost":{"input":0.075,"output":0.3}}}},"moonshotai":{"models":{"kimi-k3":{"cost":{"input":3,"output":15}}}},
"openai":{"models":{"gpt-5.5":{"cost":{"input":5,"output":30,"cache_read":0.5,"tiers":[{"input":10,"output":45,"cache_read":1,"tier":{"type":"context","size":272000}}],"context_over_200k":{"input":10,"output":45}},
 "experimental":{"modes":{"fast":{"cost":{"input":12.5,"output":75},"provider":{"body":{"service_tier":"priority"}}}}}}}},
"someone":{"models":{"m":{"cost":{"input":1,"output":1}}}}}`
)

func TestPricesAreReadInBothPublishedForms(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"LiteLLM": {litellm, []string{
			`"provider":"azure","model":"gpt-4o","input_cost":2.5,"output_cost":10`,
			`"provider":"bedrock","model":"amazon.nova-canvas-v1:0","image_cost":0.06`,
			`"provider":"bedrock","model":"global.anthropic.claude-haiku-4-5-20251001-v1:0","input_cost":1,"output_cost":5,"cache_read_cost":0.1,"cache_write_cost":1.25,"cache_write_cost_list":[{"ttl":"1h","cost":2}]`,
			`"provider":"cohere","model":"rerank-v3.5","search_cost":2`,
			`"provider":"gemini","model":"gemini-2.5-pro","input_cost":1.25,"output_cost":10,"cache_read_cost":0.125,"context_window_factor":[{"above":"200000","input_factor":2,"output_factor":1.5}]`,
			`"provider":"groq","model":"openai/gpt-oss-20b","input_cost":0.075,"output_cost":0.3`,
			`"provider":"openai","model":"gpt-4o-mini","input_cost":0.15,"output_cost":0.6,"cache_read_cost":0.075,"service_tier_factor":[{"tier":"batch","factor":0.5},{"tier":"priority","factor":1.6666667}]`,
			`"provider":"openai","model":"gpt-audio","input_cost":2.5,"output_cost":10,"audio_input_cost":32,"audio_output_cost":64`,
			`"provider":"openai","model":"gpt-image-1.5","input_cost":5,"output_cost":10,"cache_read_cost":1.25,"image_input_cost":8,"image_output_cost":32`,
			`"provider":"openai","model":"text-embedding-3-small","input_cost":0.02,"output_cost":0`,
			`"provider":"openai","model":"tts-1","character_cost":15`,
			`"provider":"openai","model":"whisper-1","minute_cost":0.006`,
		}},
		"models.dev": {modelsdev, []string{
			`"provider":"anthropic","model":"claude-opus-4-6","input_cost":5,"output_cost":25,"cache_read_cost":0.5,"cache_write_cost":6.25,"service_tier_factor":[{"tier":"fast","factor":6}]`,
			`"provider":"gemini","model":"claude-opus-4-6","input_cost":5,"output_cost":25`,
			`"provider":"gemini","model":"gemini-2.5-flash","input_cost":0.3,"output_cost":2.5,"cache_read_cost":0.03,"audio_input_cost":1`,
			`"provider":"groq","model":"openai/gpt-oss-20b","input_cost":0.075,"output_cost":0.3`,
			`"provider":"kimi","model":"kimi-k3","input_cost":3,"output_cost":15`,
			`"provider":"openai","model":"gpt-5.5","input_cost":5,"output_cost":30,"cache_read_cost":0.5,"context_window_factor":[{"above":"272000","input_factor":2,"output_factor":1.5}],"service_tier_factor":[{"tier":"priority","factor":2.5}]`,
		}},
	} {
		rows, err := read([]byte(c.file), "2026-03-04")
		if err != nil {
			t.Fatal(name, err)
		}
		for i, r := range rows {
			if r.Date != "2026-03-04" || !strings.HasPrefix(r.Source, "https://") {
				t.Errorf("%s: %+v", name, r)
			}
			r.Date, r.Source = "", ""
			line, _ := json.Marshal(r)
			got := strings.Replace(strings.Trim(string(line), "{}"), `,"date":""`, "", 1)
			got = strings.TrimSuffix(got, "}")
			if i >= len(c.want) || strings.Trim(got, "]}") != strings.Trim(c.want[i], "]}") {
				t.Errorf("%s: row %d is %s", name, i, got)
			}
		}
		if len(rows) != len(c.want) {
			t.Errorf("%s: %d rows, want %d", name, len(rows), len(c.want))
		}
	}
	if _, err := read([]byte(`{"a":{}}`), "2026-03-04"); err == nil {
		t.Error("a file in another form is taken")
	}
}

func table(t *testing.T, lines ...string) []*prices.Row {
	t.Helper()
	p, err := prices.Parse("p", []byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return p.Rows()
}

func TestRefreshKeepsWhatTheFileDoesNotSayOfAnUnchangedPrice(t *testing.T) {
	const row = `{"provider":"openai","model":"%m","date":"2026-01-02","source":"https://x","input_cost":%p,"output_cost":10%r}`
	line := func(model, price, rest string) string {
		return strings.NewReplacer("%m", model, "%p", price, "%r", rest).Replace(row)
	}
	const tier = `,"service_tier_factor":[{"tier":"batch","factor":0.5}]`
	var log bytes.Buffer
	got := merge(
		table(t, line("same", "1", tier), line("dearer", "1", tier), line("gone", "1", ""), strings.Replace(line("newer", "1", ""), "01-02", "01-03", 1)),
		table(t, line("same", "1", ""), line("newer", "9", ""), line("dearer", "2", ""), line("new", "3", ""), line("new-2026-01-02", "3", ""), line("new-2025-01-02", "4", "")), &log)
	var models []string
	for _, r := range got {
		models = append(models, r.Model)
		if r.Model == "newer" && *r.InputCost != 1 {
			t.Error("a newer price is replaced by an older one")
		}
		if tiered := len(r.ServiceTierFactor) > 0; tiered != (r.Model == "same") {
			t.Errorf("%s: %v", r.Model, r.ServiceTierFactor)
		}
	}
	if want := "dearer gone new new-2025-01-02 newer same"; strings.Join(models, " ") != want {
		t.Errorf("%v", models)
	}
	if want := "kept: openai/newer is of 2026-01-03\nchanged: openai/dearer\nnew: openai/new\nnew: openai/new-2025-01-02\n"; log.String() != want {
		t.Errorf("said %q", log.String())
	}
}

func TestRefreshWritesAListThatCanBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "api.json")
	if err := os.WriteFile(file, []byte(modelsdev), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{file}, "2026-03-04", &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	list, err := prices.Parse("new", out.Bytes())
	if err != nil || len(list.Rows()) < len(prices.List().Rows()) {
		t.Errorf("%v", err)
	}
	for _, args := range [][]string{nil, {file, file}, {file + ".none"}} {
		if run(args, "2026-03-04", io.Discard, io.Discard) == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
