package huggingface

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
	"go-ai-proxy/translators/target"
)

const mistral = "mistralai/Mistral-7B-Instruct-v0.2"

func to(wanted route.Type, model string) *target.Target {
	return &target.Target{Provider: "huggingface", Route: wanted, Model: model, Options: &target.Options{}}
}

func request(tgt *target.Target, body string) (string, error) {
	req, err := chat.ParseRequest(openai.Completions, []byte(body))
	if err != nil {
		return "", err
	}
	out, err := Generate.AppendRequest(nil, tgt, req)
	return string(out), err
}

func TestPromptsBecomeInputs(t *testing.T) {
	yes, no := true, false
	const details = `"details":true,"return_full_text":false`
	for name, c := range map[string]struct {
		options target.Huggingface
		in      string
		want    string
	}{
		"a prompt": {target.Huggingface{}, `{"prompt":"What are you?"}`, `"parameters":{` + details + `},"stream":false`},
		"parameters": {
			target.Huggingface{}, `{"prompt":"What are you?","max_tokens":9,"temperature":0.5,"top_p":0.75,"top_k":5,"seed":7,"stop":["a","b"],"frequency_penalty":0.5,"repetition_penalty":1.1,"stream":true}`,
			`"parameters":{` + details + `,"max_new_tokens":9,"temperature":0.5,"do_sample":true,"top_p":0.75,"top_k":5,"seed":7,"stop":["a","b"],"frequency_penalty":0.5,"repetition_penalty":1.1},"stream":true`,
		},
		"what TGI refuses":   {target.Huggingface{}, `{"prompt":"What are you?","temperature":0,"top_p":1,"top_k":0,"max_tokens":0}`, `"parameters":{` + details + `},"stream":false`},
		"echo":               {target.Huggingface{}, `{"prompt":"What are you?","echo":true}`, `"parameters":{"details":true,"return_full_text":true},"stream":false`},
		"options":            {target.Huggingface{UseCache: &no, WaitForModel: &yes}, `{"prompt":"What are you?"}`, `"parameters":{` + details + `},"options":{"use_cache":false,"wait_for_model":true},"stream":false`},
		"one of the options": {target.Huggingface{WaitForModel: &yes}, `{"prompt":"What are you?"}`, `"parameters":{` + details + `},"options":{"wait_for_model":true},"stream":false`},
	} {
		t.Run(name, func(t *testing.T) {
			tgt := to("llm/v1/completions", mistral)
			tgt.Options.Huggingface = c.options
			got, err := request(tgt, c.in)
			if err != nil {
				t.Fatal(err)
			}
			jsontest.Same(t, got, `{"inputs":"What are you?","model":"`+mistral+`",`+c.want+`}`)
		})
	}
}

func TestChatWithMediaIsRefused(t *testing.T) {
	for in, want := range map[string]string{
		`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}]}]}`:                    "messages[0].content[0]: a completion takes text only",
		`{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}]}`:                               "tools: text generation has none: use the chat route",
		`{"messages":[{"role":"system","content":"a"},{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]}]}`: `{"inputs":"a\n\nbc",`,
	} {
		req, err := chat.ParseRequest(openai.Chat, []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		out, err := Generate.AppendRequest(nil, to("llm/v1/chat", mistral), req)
		var refused *chat.RequestError
		if errors.As(err, &refused) {
			out = []byte(err.Error())
		}
		if !strings.HasPrefix(string(out), want) {
			t.Errorf("%s: %s", in, out)
		}
	}
}

func TestModelIsThePath(t *testing.T) {
	for _, c := range []struct{ model, url, want string }{
		{mistral, "", "/hf-inference/models/" + mistral},
		{"gpt2", "", "/hf-inference/models/gpt2"},
		{"", "https://tgi.example", "/"},
		{"", "", "error: Could not parse the Hugging Face model endponit"},
		{"a/../b", "", "error: model: is no name"},
		{"a//b", "", "error: model: is no name"},
		{"a?b", "", "error: model: is no name"},
		{"a/b#c", "", "error: model: is no name"},
	} {
		tgt := to("llm/v1/completions", c.model)
		tgt.Options.UpstreamURL = c.url
		got, err := textGeneration.Path(tgt, false)
		var refused *chat.RequestError
		if errors.As(err, &refused) {
			got = "error: " + err.Error()
		}
		if got != c.want && (!strings.HasPrefix(c.want, "error: model") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%+v: got %s", c, got)
		}
	}
	if got, _ := featureExtraction.Path(to("", "a/b"), false); got != "/hf-inference/models/a/b/pipeline/feature-extraction" {
		t.Error(got)
	}
}

func TestGeneratedTextBecomesCompletionOrMessage(t *testing.T) {
	meta := chat.Meta{ID: "made", Created: 1, Model: mistral}
	const head = `{"id":"cmpl-made","object":"text_completion","created":1,"model":"` + mistral + `","choices":[{"text":"I am \"AI\"","message":{"role":"assistant","content":"I am \"AI\""},"index":0,"logprobs":null,"finish_reason":`
	for name, c := range map[string]struct {
		in, want string
		counted  bool
	}{
		"a list":            {`[{"generated_text":"I am \"AI\""}]`, `null}],"usage":null}`, false},
		"details":           {`{"generated_text":"I am \"AI\"","details":{"finish_reason":"length","generated_tokens":4,"prefill":[]}}`, `"length"}],"usage":null}`, false},
		"details and input": {`{"generated_text":"I am \"AI\"","details":{"finish_reason":"stop_sequence","generated_tokens":4,"prefill":[{"id":1},{"id":2}]}}`, `"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":4,"total_tokens":6}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := Generate.ParseResponse(to("llm/v1/completions", mistral), []byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if resp.NoUsage == c.counted {
				t.Errorf("NoUsage: %v", resp.NoUsage)
			}
			resp.Meta = meta
			out, err := openai.Completions.AppendResponse(nil, resp)
			if err != nil {
				t.Fatal(err)
			}
			jsontest.Same(t, string(out), head+c.want)
		})
	}
}

func TestErrorInsideA200IsAnError(t *testing.T) {
	for in, want := range map[string]string{
		`{"error":"Model is loading","estimated_time":3}`: "API error: Model is loading",
		`[{"error":"Model is loading"}]`:                  "API error: Model is loading",
		`{"error":{"message":"bad"}}`:                     "API error: bad",
		`{"error":["bad","worse"]}`:                       "API error: bad",
		`{"message":"missing field inputs"}`:              "API error: missing field inputs",
		`{"something":"else"}`:                            "Invalid response format",
		`[]`:                                              "Invalid response format",
		`"text"`:                                          "Invalid response format",
		`[{"generated_text":null}]`:                       "Invalid response format",
		`<html>`:                                          "Invalid response format",
	} {
		_, err := Generate.ParseResponse(to("llm/v1/completions", mistral), []byte(in))
		var failed *chat.ResponseError
		if !errors.As(err, &failed) || err.Error() != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func tokens(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/tokens.sse")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTokensBecomeText(t *testing.T) {
	var text string
	var kinds []chat.DeltaKind
	s := Generate.NewStream(nil)
	for _, ev := range conformance.Events(t, frame.SSE, tokens(t)) {
		deltas, err := s.Next(ev)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deltas {
			kinds = append(kinds, d.Kind)
			if d.Kind == chat.TextDelta {
				text += string(d.Text)
			}
			if d.Kind == chat.UsageDelta && *d.Usage != (chat.Usage{Prompt: 5, Completion: 4}) {
				t.Errorf("usage %+v", d.Usage)
			}
			if d.Kind == chat.Finish && d.Reason != chat.Stop {
				t.Errorf("finish %s", d.Reason)
			}
		}
	}
	want := []chat.DeltaKind{chat.TextDelta, chat.TextDelta, chat.TextDelta, chat.Finish, chat.UsageDelta, chat.End}
	if text != " I am! 😀" || !reflect.DeepEqual(kinds, want) {
		t.Errorf("%q, %v", text, kinds)
	}
}

func TestMeterReadsNativeTGIAnswers(t *testing.T) {
	var streamed, whole, list chat.Seen
	for _, ev := range conformance.Events(t, frame.SSE, tokens(t)) {
		Meter.Event(ev, &streamed)
	}
	if want := (chat.Seen{Usage: chat.Usage{Prompt: 5, Completion: 4}, HasUsage: true, Finish: chat.Stop, Content: true, TextLen: 11, Ended: true}); !reflect.DeepEqual(streamed, want) {
		t.Errorf("streamed: %+v", streamed)
	}
	Meter.Whole([]byte(`{"generated_text":"abc","details":{"finish_reason":"length","generated_tokens":4,"prefill":[{},{}]}}`), &whole)
	if want := (chat.Seen{Usage: chat.Usage{Prompt: 2, Completion: 4}, HasUsage: true, Finish: chat.Length, Content: true, TextLen: 3}); !reflect.DeepEqual(whole, want) {
		t.Errorf("whole: %+v", whole)
	}
	var text []byte
	list.Collect = func(b []byte) { text = append(text, b...) }
	Meter.Whole([]byte(`[{"generated_text":"abc"}]`), &list)
	if list.HasUsage || string(text) != "abc" {
		t.Errorf("a list: %+v %q", list, text)
	}
	Meter.Event(frame.Event{Data: []byte(`{"error":"Model is overloaded","error_type":"overloaded"}`)}, &list)
	if list.Err == nil || list.Err.Message != "Model is overloaded" {
		t.Errorf("an error: %+v", list.Err)
	}
}

func TestEmbeddingsUseFeatureExtraction(t *testing.T) {
	three := 3
	for _, c := range []struct {
		dimensions *int
		in, want   string
	}{
		{nil, `{"model":"x","input":"abc","encoding_format":"base64","user":"u"}`, `{"inputs":"abc"}`},
		{nil, `{"input":["abc","d"],"dimensions":2,"normalize":true}`, `{"inputs":["abc","d"],"dimensions":2,"normalize":true}`},
		{&three, `{"input":["abc"],"dimensions":2}`, `{"inputs":["abc"],"dimensions":3}`},
	} {
		tgt := to("llm/v1/embeddings", "a/b")
		tgt.Options.EmbeddingsDimensions = c.dimensions
		body, err := Embeddings.AppendRequest(nil, tgt, []byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		jsontest.Same(t, string(body), c.want)
		format := mock.ByName("huggingface/feature-extraction")
		r := httptest.NewRequest("POST", "/hf-inference/models/a/b/pipeline/feature-extraction", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if err := format.Check(r, body); err != nil || mock.Lookup(r) != format {
			t.Fatalf("the mock refuses it: %v", err)
		}
		if out, err := Embeddings.AppendResponse(nil, tgt, format.Whole(nil, body), chat.Meta{}, &chat.Seen{}); err != nil || !json.Valid(out) {
			t.Errorf("%s, %v", out, err)
		}
	}
	for in, want := range map[string]string{
		`[[1,2.50],[3,4]]`:          `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,2.50]},{"object":"embedding","index":1,"embedding":[3,4]}],"model":"m","usage":{"prompt_tokens":6,"total_tokens":6}}`,
		`[1,2]`:                     `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,2]}],"model":"m","usage":{"prompt_tokens":6,"total_tokens":6}}`,
		`[[[1,2],[3,4]]]`:           "Invalid response format",
		`{"error":"unknown model"}`: "API error: unknown model",
		`[]`:                        "Invalid response format",
	} {
		out, err := Embeddings.AppendResponse(nil, nil, []byte(in), chat.Meta{Model: "m", PromptTokens: 6}, &chat.Seen{})
		if err != nil {
			out = []byte(err.Error())
		}
		if string(out) != want {
			t.Errorf("%s: %s", in, out)
		}
	}
	for _, in := range []string{`{}`, `{"input":[]}`, `{"input":[1,2]}`, `{"input":7}`, `x`} {
		var refused *chat.RequestError
		if _, err := Embeddings.AppendRequest(nil, to("", "a/b"), []byte(in)); !errors.As(err, &refused) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// TestFieldsAreTreatedAsTheTableSays is the field law, which package
// conformance holds for chat only.
func TestFieldsAreTreatedAsTheTableSays(t *testing.T) {
	values := map[string]string{"stop": `["x"]`, "stream": "true", "stream_options": `{"include_usage":true}`, "user": `"u"`, "suffix": `"s"`, "echo": "true", "logit_bias": `{"1":2}`, "prompt": `"other"`, "top_p": "0.5"}
	plain, err := request(to("llm/v1/completions", mistral), `{"prompt":"x"}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, rule := range generateFields {
		if name == "model" || name == "extra_body" { // the target's; the relay's
			continue
		}
		value := values[name]
		if value == "" {
			value = "1"
		}
		body := `{"prompt":"x","` + name + `":` + value + `}`
		if name == "prompt" {
			body = `{"prompt":"other"}`
		}
		got, err := request(to("llm/v1/completions", mistral), body)
		if err != nil {
			t.Fatal(err)
		}
		if (got != plain) != (rule.Treatment == "mapped") {
			t.Errorf("%s is %s: %s", name, rule.Treatment, got)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	ev := conformance.Events(b, frame.SSE, tokens(b))[0]
	s := Generate.NewStream(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(ev); err != nil {
			b.Fatal(err)
		}
	}
}

func TestStreamedTokenDoesNotAllocate(t *testing.T) {
	ev := conformance.Events(t, frame.SSE, tokens(t))[0]
	s := Generate.NewStream(nil)
	next := func() {
		if _, err := s.Next(ev); err != nil {
			t.Fatal(err)
		}
	}
	next()
	if n := testing.AllocsPerRun(100, next); n > 0 {
		t.Errorf("%.0f allocations a token", n)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(tokens(f))
	f.Add([]byte(`[{"generated_text":"x","details":{"generated_tokens":-1,"prefill":[1],"input_length":1e99}}]`))
	f.Add([]byte(`[[1,2],[]]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		defer workload.Linear(t, len(in))()
		var seen chat.Seen
		Meter.Whole(in, &seen)
		if resp, err := Generate.ParseResponse(to("llm/v1/completions", mistral), in); err == nil {
			if out, err := openai.Completions.AppendResponse(nil, resp); err != nil || !json.Valid(out) {
				t.Fatalf("%s became no JSON: %s, %v", in, out, err)
			}
		}
		if out, err := Embeddings.AppendResponse(nil, nil, in, chat.Meta{}, &seen); err == nil && json.Valid(in) && !json.Valid(out) {
			t.Fatalf("%s became no JSON: %s", in, out)
		}
		s := Generate.NewStream(nil)
		for line := range bytes.SplitSeq(in, []byte("\n")) {
			ev := frame.Event{Data: bytes.TrimPrefix(line, []byte("data:"))}
			Meter.Event(ev, &seen)
			deltas, err := s.Next(ev)
			if err != nil {
				return
			}
			for _, d := range deltas {
				if d.Usage != nil && (d.Usage.Prompt < 0 || d.Usage.Completion < 0) {
					t.Fatalf("%+v", d.Usage)
				}
			}
		}
	})
}
