package record

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/target"
)

// Each member of a record, under its name; the numbers are all different.
func TestARecordNamesAllThatItSays(t *testing.T) {
	in, out := 2e6, 3e6
	d := Data{
		PluginID: "id", Provider: "azure", Category: "text/generation", Algorithm: "priority", Reason: "first",
		Logging: config.Logging{Statistics: true, Payloads: true},
		Options: &target.Options{AzureInstance: "i", AzureDeploymentID: "d", AzureAPIVersion: "v", Prices: target.Prices{InputCost: &in, OutputCost: &out}},
		Model:   "asked", ResponseModel: "answered", Mode: Stream, Outcome: CutOff, Message: "why", Warnings: []string{"w1", "w2"}, LeftOut: []string{"t"},
		Latency: 90 * time.Millisecond, First: 7 * time.Millisecond, Estimated: true, Modalities: true,
		Tried: []Tried{{Provider: "openai", Model: "m1", Route: "r", Scheme: "https", Host: "h", Path: "/p", IP: "10.0.0.1", Port: 443, Status: 500, Outcome: "error"}, {Port: 80}},
		Usage: chat.Usage{Prompt: 10, Completion: 20, Cached: 31, PromptAudio: 32, CacheWrite: 33, Reasoning: 41, CompletionAudio: 42,
			AcceptedPrediction: 43, RejectedPrediction: 44, PromptText: 51, PromptImage: 52, CompletionText: 61, CompletionImage: 62, SearchUnits: 71},
		Request: []byte("req"), Answer: []byte("ans"),
	}
	meta := `{"meta":{"plugin_id":"id","provider_name":"azure","request_model":"asked","response_model":"answered","llm_latency":90,"request_mode":"stream",` +
		`"genai_category":"text/generation","outcome":"upstream_cut","error":"why","warnings":["w1","w2"],"tools_left_out":["t"],"algorithm":"priority","reason":"first",` +
		`"azure_instance_id":"i","azure_deployment_id":"d","azure_api_version":"v"},`
	usage := `"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"time_per_token":4.5,"time_to_first_token":7,"cost":188,"estimated":true,` +
		`"prompt_tokens_details":{"cached_tokens":31,"audio_tokens":32,"cache_write_tokens":33},` +
		`"completion_tokens_details":{"reasoning_tokens":41,"audio_tokens":42,"accepted_prediction_tokens":43,"rejected_prediction_tokens":44},` +
		`"input_tokens":10,"output_tokens":20,"input_tokens_details":{"text_tokens":51,"image_tokens":52,"audio_tokens_count":32,"cached_tokens":31},` +
		`"output_tokens_details":{"text_tokens":61,"audio_tokens":42,"image_tokens":62,"reasoning_tokens":41},"search_units":71}`
	tried := `,"tried_targets":[{"provider":"openai","model":"m1","route_type":"r","host":"h","port":443,"ip":"10.0.0.1","upstream_scheme":"https","upstream_uri":"/p","status":500,"outcome":"error"},{"port":80}]`
	if got, want := string(d.append(nil)), meta+usage+tried+`,"payload":{"request":"req","response":"ans"}}`; got != want {
		t.Errorf("says\n%s, want\n%s", got, want)
	}

	d.Streamed, d.Finish, d.Modalities, d.Tried = true, "stop", false, nil
	got := string(d.append(nil))
	for _, part := range []string{`"payload":{"request":"req","response":"{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ans\"}}],\"object\":\"chat.completion\",\"model\":\"answered\",\"response\":\"ans\",\"usage\":{\"prompt_tokens\":10,`} {
		if !strings.Contains(got, part) {
			t.Errorf("%s\nhas no %s", got, part)
		}
	}
	if strings.Contains(got, "tried_targets") || strings.Contains(got, "input_tokens") {
		t.Errorf("says more than it knows: %s", got)
	}

	d = Data{Logging: config.Logging{Statistics: true}, Provider: "openai", Options: d.Options, Model: "asked", Outcome: Completed, Latency: 5 * time.Millisecond}
	const least = `{"meta":{"provider_name":"openai","request_model":"asked","response_model":"asked","llm_latency":5,"outcome":"completed"},` +
		`"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"time_per_token":0,"time_to_first_token":5,"cost":0,"prompt_tokens_details":{},"completion_tokens_details":{}}}`
	if got := string(d.append(nil)); got != least {
		t.Errorf("says\n%s, want\n%s", got, least)
	}
	d.Tried = []Tried{{Port: 80}}
	if got := string(d.append(nil)); !strings.HasSuffix(got, `,"tried_targets":[{"port":80}]}`) {
		t.Errorf("one attempt: %s", got)
	}
	d.Logging.Statistics = false
	if got := string(d.append([]byte("x "))); got != "x " {
		t.Errorf("says %q, and nothing is to be logged", got)
	}
}

func TestOutputThatNobodyCountedIsEstimated(t *testing.T) {
	for _, c := range []struct{ counted, said, want int }{{0, 0, 0}, {0, 1, 1}, {0, 4, 1}, {0, 5, 2}, {0, 400, 100}, {7, 400, 7}} {
		u := chat.Usage{Prompt: 3, Completion: c.counted, Total: 9}
		made := EstimateOutput(&u, c.said)
		total := 9
		if made {
			total = 0
		}
		if u.Completion != c.want || made != (c.counted == 0 && c.said > 0) || u.Total != total {
			t.Errorf("%d counted, %d bytes: %+v %v", c.counted, c.said, u, made)
		}
	}
}

func TestARecordBeginsPendingAndIsSettledOnce(t *testing.T) {
	rec := New(Data{Outcome: Completed, Mode: Stream})
	if d := rec.Data(); d.Outcome != Pending || d.Mode != Oneshot {
		t.Errorf("%+v", d)
	}
	if !rec.Settle(Failed, "why", nil) || rec.Settle(Completed, "", nil) {
		t.Error("it is settled once")
	}
	rec.Update(func(d *Data) { d.Reason = "later" })
	if d := rec.Data(); d.Reason != "later" || rec.Outcome() != Failed || d.Outcome != Failed || d.Message != "why" {
		t.Errorf("%+v", d)
	}
}

func TestARecordThatIsPendingSaysHowLongItHasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := New(Data{Logging: config.Logging{Statistics: true}, Started: time.Now()})
		time.Sleep(3 * time.Millisecond)
		for range 2 { // the lock is free after the first
			if got := string(rec.Append([]byte("x "))); !strings.HasPrefix(got, `x {"meta":{"llm_latency":3,"request_mode":"oneshot","outcome":"pending"},"usage":{`) {
				t.Errorf("says %s", got)
			}
		}
		for _, d := range []Data{{Outcome: Completed}, {Outcome: Completed, Latency: 5 * time.Millisecond}, {Outcome: Pending, Latency: 5 * time.Millisecond}} {
			d.Started = time.Now().Add(-time.Hour)
			if got := string(d.appendMeta(nil)); strings.Contains(got, `"llm_latency":5`) != (d.Latency > 0) || strings.Contains(got, "3600000") {
				t.Errorf("%v of %v: says %s", d.Latency, d.Outcome, got)
			}
		}
	})
}

func TestPayloadsAreLoggedWithoutStatistics(t *testing.T) {
	for want, d := range map[string]Data{
		`{"payload":{}}`:                              {},
		`{"payload":{"request":"req"}}`:               {Request: []byte("req")},
		`{"payload":{"response":"ans"}}`:              {Answer: []byte("ans")},
		`{"payload":{"request":"","response":"ans"}}`: {Request: []byte{}, Answer: []byte("ans")},
	} {
		d.Logging.Payloads = true
		if got := string(d.append(nil)); got != want {
			t.Errorf("says %s, want %s", got, want)
		}
	}
}

func TestNumbersAreWholeWhereTheyCanBe(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 7: "7", -7: "-7", 0.5: "0.5", 999_999_999_999_999: "999999999999999", 1e15: "1e+15", -1e15: "-1e+15", 1e15 + 0.5: "1.0000000000000005e+15"} {
		if got := string(appendFloat(nil, "n", f)); got != `"n":`+want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
	d := Data{Latency: 5 * time.Millisecond, Usage: chat.Usage{Completion: 1}}
	if got := string(d.appendUsage(nil)); !strings.Contains(got, `"time_per_token":5,`) {
		t.Errorf("the time of one token: %s", got)
	}
}

func TestCostIsSaidToBeUnknownWithoutPrices(t *testing.T) {
	in, out := 0.0, 0.0
	for _, c := range []struct {
		o     *target.Options
		usage chat.Usage
		want  bool
	}{
		{nil, chat.Usage{Prompt: 1}, true},
		{&target.Options{}, chat.Usage{Characters: 9}, true},
		{&target.Options{}, chat.Usage{}, false},
		{&target.Options{Prices: target.Prices{InputCost: &in, OutputCost: &out}}, chat.Usage{Prompt: 1}, false},
	} {
		d := Data{Logging: config.Logging{Statistics: true}, Options: c.o, Usage: c.usage}
		if got := string(d.append(nil)); strings.Contains(got, `"cost":0,"cost_unknown":true`) != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
