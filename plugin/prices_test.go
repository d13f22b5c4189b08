package plugin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"go-ai-proxy/plugin/engine/enginetest"
	"go-ai-proxy/plugin/monitor"
)

// priceFile is a price list with the prices of a model of openai's.
func priceFile(t *testing.T, model string, input, output float64) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "prices.jsonl")
	line := fmt.Sprintf(`{"provider":"openai","model":%q,"date":"2026-02-03","input_cost":%g,"output_cost":%g}`+"\n", model, input, output)
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestCostThatTheProviderTellsIsExact: only prices of the operator's own go before it.
func TestCostThatTheProviderTellsIsExact(t *testing.T) {
	own := priceFile(t, "gpt-4o", 1000, 10000)
	const tokens = `"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"cost":`
	var provider http.Handler
	s := newStage(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
	for _, c := range []struct {
		name, file, options, cost string
		want                      float64
		source                    any
	}{
		{"OpenRouter's", "", "", `0.25`, 0.25, "reported"},
		{"Perplexity's", "", "", `{"input_tokens_cost":0.01,"request_cost":0.2,"total_cost":0.21}`, 0.21, "reported"},
		{"before the built-in list", "built_in", "", `0.25`, 0.25, "reported"},
		{"a file of the operator's", own, "", `0.25`, 7*1e-3 + 2*1e-2, own},
		{"the target's prices", "", `"input_cost":1,"output_cost":2`, `0.25`, 11e-6, nil},
		{"a free one", "", "", `0`, 0, nil},
		{"none", "", "", `null`, 0, nil},
		{"less than nothing", "", "", `-3`, 0, nil},
		{"no amount", "", "", `"much"`, 0, nil},
		{"more than there is", "", "", `1e300`, 0, nil},
	} {
		for kind, answer := range map[string]string{
			"application/json":  `{"model":"m","choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],` + tokens + c.cost + `}}`,
			"text/event-stream": "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: {\"choices\":[]," + tokens + c.cost + "}}\n\ndata: [DONE]\n\n",
		} {
			for format, path := range map[string]string{"openai": "/chat", "anthropic": "/v1/messages"} {
				provider = says(200, kind, answer)
				conf := confOf(format, chatRoute, "openai", "gpt-4o", c.options)
				if c.file != "" {
					conf = strings.Replace(conf, `"log_statistics":true`, `"log_statistics":true,"price_file":"`+c.file+`"`, 1)
				}
				body := fmt.Sprintf(`{"messages":[{"role":"user","content":"x"}],"max_tokens":9,"stream":%t}`, kind != "application/json")
				out, r := s.post(s.instance(conf), path, "", []byte(body))
				var rec any
				if err := json.Unmarshal(r.Append(nil), &rec); err != nil {
					t.Fatal(err)
				}
				if got, _ := at(rec, "usage.cost").(float64); out.status != 200 || got < c.want*0.9999 || got > c.want*1.0001 || at(rec, "usage.price.source") != c.source {
					t.Errorf("%s, %s of %s: %d, cost %v by %v, want %v by %v", c.name, kind, format, out.status, got, at(rec, "usage.price.source"), c.want, c.source)
				}
			}
		}
	}
}

func TestCostOfAModelWithoutPricesIsThatOfThePriceList(t *testing.T) {
	own := priceFile(t, "gpt-4o", 1000, 10000)
	answer := func(model string) string { return strings.Replace(answerJSON, "gpt-4o-2024", model, 1) }
	for name, c := range map[string]struct {
		file, model, options, answer string
		cost                         float64
		price                        map[string]any
	}{
		"off":                    {"", "gpt-4o", "", answer("m"), 0, nil},
		"built in":               {"built_in", "gpt-4o", "", answer("m"), 7*2.5e-6 + 2*10e-6, map[string]any{"source": "built_in", "model": "openai/gpt-4o", "date": "2026-07-02"}},
		"a file":                 {own, "gpt-4o", "", answer("m"), 7*1e-3 + 2*1e-2, map[string]any{"source": own, "model": "openai/gpt-4o", "date": "2026-02-03"}},
		"what a file lacks":      {own, "gpt-5", "", answer("m"), 7*1.25e-6 + 2*10e-6, map[string]any{"source": "built_in", "model": "openai/gpt-5", "date": "2026-07-02"}},
		"configured":             {"built_in", "gpt-4o", `,"input_cost":1,"output_cost":2`, answer("m"), 11e-6, map[string]any{"source": "configured"}},
		"half configured":        {"built_in", "gpt-4o", `,"input_cost":1`, answer("m"), 7*2.5e-6 + 2*10e-6, map[string]any{"source": "built_in", "model": "openai/gpt-4o", "date": "2026-07-02"}},
		"unknown":                {"built_in", "a-model-of-our-own", "", answer("it"), 0, map[string]any{"source": "unknown"}},
		"by the provider's name": {"built_in", "our-alias", "", answer("gpt-4o-2024-08-06"), 7*2.5e-6 + 2*10e-6, map[string]any{"source": "built_in", "model": "openai/gpt-4o", "date": "2026-07-02"}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := strings.NewReplacer(`"gpt-4o"`, `"`+c.model+`"`, `/chat/completions"`, `/chat/completions"`+c.options).Replace(chatConf)
			if c.file != "" {
				conf = strings.Replace(conf, `"log_statistics":true`, `"log_statistics":true,"price_file":"`+c.file+`"`, 1)
			}
			b := newBench(t, conf, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, c.answer)
			})
			if resp, body := b.post(hello); resp.StatusCode != http.StatusOK {
				t.Fatal(body)
			}
			rec := b.record()
			if got := at(rec, "usage.cost").(float64); got < c.cost*0.9999 || got > c.cost*1.0001 {
				t.Errorf("cost %v, want %v", got, c.cost)
			}
			price, _ := at(rec, "usage.price").(map[string]any)
			if fmt.Sprint(price) != fmt.Sprint(c.price) {
				t.Errorf("price %v, want %v", price, c.price)
			}
		})
	}
}

// TestUnknownPricesAreCounted by the metrics, by target.
func TestUnknownPricesAreCounted(t *testing.T) {
	b := newBench(t, `{"route_type":"llm/v1/chat","logging":{"price_file":"built_in","log_statistics":true},"model":{"provider":"openai","name":"ours","options":{"upstream_url":"$UP/v1"}}}`, answers)
	b.relay.seen = monitor.New(b.relay, "", nil)
	b.post(hello)
	<-b.records
	families, err := b.relay.seen.Metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "go_ai_proxy_unpriced_total" && f.GetMetric()[0].GetCounter().GetValue() == 1 {
			return
		}
	}
	t.Error("the request is not counted")
}

func answers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, answerJSON)
}

func TestPriceListThatCannotBeReadIsNamedWithItsLine(t *testing.T) {
	relay := NewRelay(testSchema, zerolog.Nop(), enginetest.Kind)
	defer relay.Close()
	broken := filepath.Join(t.TempDir(), "broken.jsonl")
	if err := os.WriteFile(broken, []byte("\n{\"provider\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{broken: "config.logging.price_file: price list: " + broken + ":2: ", broken + ".none": "no such file"} {
		inst, err := relay.NewInstance([]byte(`{"route_type":"llm/v1/chat","logging":{"price_file":"` + file + `"},"model":{"provider":"openai","name":"m"}}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		inst.Close()
	}
}

func TestPriceListWithoutEffectGetsAWarning(t *testing.T) {
	conf := func(statistics bool, model, options string) string {
		return fmt.Sprintf(`{"route_type":"llm/v1/chat","logging":{"log_statistics":%t,"price_file":"built_in"},"model":{"provider":"openai","name":%q,"options":{%s}}}`, statistics, model, options)
	}
	for c, want := range map[string]string{
		conf(true, "gpt-5", ""):                                    "",
		conf(true, "gpt-5", `"input_cost":1,"output_cost":1`):      "config.logging.price_file",
		conf(false, "gpt-5", ""):                                   "config.logging.price_file",
		conf(true, "ours", ""):                                     "config.logging.price_file",
		conf(true, "ours", `"input_cost":1,"output_cost":1`):       "config.logging.price_file",
		strings.Replace(conf(true, "x", ""), `"name":"x",`, "", 1): "",
	} {
		if got := strings.Join(loggedWarnings(t, c), " "); got != want {
			t.Errorf("%s: warned of %q, want %q", c, got, want)
		}
	}
}

func TestLowestUsageByCostTakesListedPrices(t *testing.T) {
	conf := strings.NewReplacer(`"m0"`, `"gpt-5"`, `"m1"`, `"gpt-4o"`, `"log_statistics":true`, `"price_file":"built_in"`).Replace(
		targetsConf(`"algorithm":"lowest-usage","tokens_count_strategy":"cost"`, "", "http://a", "http://b"))
	if got := loggedWarnings(t, conf); len(got) > 0 {
		t.Errorf("warned of %q", got)
	}
}

// TestEveryAnswerIsPricedAmongFailingTargets, while the price list is written again
// and again.
func TestEveryAnswerIsPricedAmongFailingTargets(t *testing.T) {
	t.Parallel()
	total := 1000
	if testing.Short() || raceEnabled {
		total = 300
	}
	file := filepath.Join(t.TempDir(), "prices.jsonl")
	write := func(price int) {
		var lines strings.Builder
		for i := range 5 {
			fmt.Fprintf(&lines, `{"provider":"openai","model":"m%d","date":"2026-02-%02d","input_cost":%d,"output_cost":%d}`+"\n", i, price, price, price)
		}
		if err := os.WriteFile(file+".new", []byte(lines.String()), 0o600); err != nil {
			t.Error(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Error(err)
		}
	}
	write(1)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				write(n%20 + 1)
			}
		}
	}()
	records := amongFailingTargets(t, total, `"max_fails":20,"fail_timeout":20`, func(conf string) string {
		return strings.ReplaceAll(conf, `"log_statistics":true`, `"log_statistics":true,"price_file":"`+file+`"`)
	})
	close(stop)
	<-stopped
	for path, rec := range records {
		if at(rec, "meta.outcome") != "completed" {
			continue
		}
		day, _ := time.Parse(time.DateOnly, fmt.Sprint(at(rec, "usage.price.date")))
		if want := 9 * float64(day.Day()) / 1e6; at(rec, "usage.price.source") != file || at(rec, "usage.cost") != want {
			t.Errorf("%s: %v", path, at(rec, "usage"))
		}
	}
}
