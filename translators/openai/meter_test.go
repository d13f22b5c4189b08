package openai

import (
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
)

func whole(m chat.Meter, body string) *chat.Seen {
	seen := &chat.Seen{}
	m.Whole([]byte(body), seen)
	return seen
}

// events feeds the data of events, one a line, with an SSE type before a tab.
func events(m chat.Meter, lines ...string) *chat.Seen {
	seen := &chat.Seen{}
	for _, line := range lines {
		typ, data, ok := strings.Cut(line, "\t")
		if !ok {
			typ, data = "", line
		}
		m.Event(frame.Event{Type: []byte(typ), Data: []byte(data)}, seen)
	}
	return seen
}

func TestUsageOfAnAnswer(t *testing.T) {
	seen := whole(Meter, `{"id":"x","model":"gpt-3.5-turbo-0613","service_tier":"FLEX_PLUS","choices":[{"message":{"content":"a\u00e9\ud83d\ude00\n"},"finish_reason":"length"}],
		"usage":{"prompt_tokens":150,"completion_tokens":10,"total_tokens":160,"prompt_tokens_details":{"cached_tokens":100,"audio_tokens":1},
		"completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":3,"accepted_prediction_tokens":4,"rejected_prediction_tokens":5}}}`)
	want := &chat.Seen{Model: "gpt-3.5-turbo-0613", Finish: chat.Length, Content: true, TextLen: len("aé😀\n"), HasUsage: true,
		Usage: chat.Usage{Prompt: 150, Completion: 10, Total: 160, Cached: 100, PromptAudio: 1, Reasoning: 2, CompletionAudio: 3,
			AcceptedPrediction: 4, RejectedPrediction: 5, ServiceTier: "FLEX_PLUS"}}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("got %+v, want %+v", seen, want)
	}
}

func TestUsageInOtherNames(t *testing.T) {
	for usage, want := range map[string]chat.Usage{
		`{"input_tokens":11,"output_tokens":4,"total_tokens":15,"input_tokens_details":{"text_tokens":5,"image_tokens":6},"output_tokens_details":{"image_tokens":4}}`: {
			Prompt: 11, Completion: 4, Total: 15, PromptText: 5, PromptImage: 6, CompletionImage: 4},
		`{"prompt_tokens":10,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2,"completion_tokens":1,"total_tokens":11}`: {Prompt: 10, Completion: 1, Total: 11, Cached: 8},
		`{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}`:     {Prompt: 32, Completion: 103, Total: 135, Reasoning: 94},
		`{"prompt_tokens":5,"total_tokens":5}`:                                      {Prompt: 5, Total: 5},
		`{"prompt_tokens":5,"completion_tokens":null,"prompt_tokens_details":null}`: {Prompt: 5},
	} {
		seen := whole(Meter, `{"usage":`+usage+`}`)
		if !seen.HasUsage || seen.Usage != want {
			t.Errorf("%s: got %+v, want %+v", usage, seen.Usage, want)
		}
	}
	for _, body := range []string{`{"usage":null}`, `{"usage":7}`, `{}`, `[]`, `no JSON`, ``} {
		if seen := whole(Meter, body); seen.HasUsage {
			t.Errorf("%s: saw usage %+v", body, seen.Usage)
		}
	}
}

func TestLaterUsageInAStreamReplacesEarlier(t *testing.T) {
	seen := events(Meter,
		`{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":{"prompt_tokens":20,"completion_tokens":2}}`,
		`{"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "say \"usage\": {\"prompt_tokens\":9}"}, "finish_reason": null}], "usage": null}`,
		`{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":7}}`)
	if seen.Usage.Prompt != 20 || seen.Usage.Completion != 7 || seen.UsageOnly || seen.Ended || seen.Finish != chat.Stop {
		t.Errorf("got %+v", seen)
	}
	if want := len(`say "usage": {"prompt_tokens":9}`); seen.TextLen != want {
		t.Errorf("text: got %d bytes, want %d", seen.TextLen, want)
	}
}

func TestUsageOnlyChunkIsRecognized(t *testing.T) {
	chunk := `{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
	seen := events(Meter, chunk)
	if !seen.UsageOnly || !seen.HasUsage || seen.Content {
		t.Errorf("got %+v", seen)
	}
	if seen = events(Meter, chunk, `[DONE]`); seen.UsageOnly || !seen.Ended {
		t.Errorf("after [DONE]: got %+v", seen)
	}
	// Azure's first chunk has no choices either, and no usage.
	if seen = events(Meter, `{"id":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}`); seen.UsageOnly {
		t.Errorf("a chunk of filter results: got %+v", seen)
	}
}

func TestWhatCountsAsContent(t *testing.T) {
	for data, want := range map[string]bool{
		`{"choices":[{"delta":{"role":"assistant","content":""}}]}`:                                 false,
		`{"choices":[{"delta":{"content":null,"refusal":null}}]}`:                                   false,
		`{"choices":[{"delta":{},"finish_reason":"stop"}]}`:                                         false,
		`{"choices":[{"delta":{"content":"x"}}]}`:                                                   true,
		`{"choices":[{"delta":{"reasoning_content":"x"}}]}`:                                         true,
		`{"choices":[{"delta":{"reasoning":"x"}}]}`:                                                 true,
		`{"choices":[{"delta":{"refusal":"x"}}]}`:                                                   true,
		`{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":""}}]}}]}`:          true,
		`{"choices":[{"delta":{"tool_calls":[]}}]}`:                                                 false,
		`{"choices":[{"delta":{"content":[{"type":"text","text":"x"}]}}]}`:                          true,
		`{"choices":[{"text":"x","index":0}]}`:                                                      true,
		`{"choices":[{"delta":{"content":""},"logprobs":{"content":[{"token":"","bytes":null}]}}]}`: false,
	} {
		if seen := events(Meter, data); seen.Content != want {
			t.Errorf("%s: got %v, want %v", data, seen.Content, want)
		}
	}
}

func TestErrorEventsAreSeen(t *testing.T) {
	seen := events(Meter, `{"error":{"message":"gave up","type":"server_error","code":"x","param":null}}`)
	if want := (&chat.Error{Message: "gave up", Type: "server_error", Code: "x"}); !reflect.DeepEqual(seen.Err, want) {
		t.Errorf("got %+v, want %+v", seen.Err, want)
	}
	if seen = events(Meter, `{"choices":[{"delta":{"content":"\"error\":"}}],"error":null}`); seen.Err != nil {
		t.Errorf("text about errors is none: got %+v", seen.Err)
	}
}

func TestTextIsCollected(t *testing.T) {
	var text []byte
	seen := &chat.Seen{Collect: func(b []byte) { text = append(text, b...) }}
	for _, data := range []string{`{"choices":[{"delta":{"content":"a\n"}}]}`, `{"choices":[{"delta":{"reasoning_content":"hidden"}}]}`, `{"choices":[{"delta":{"content":"\u00e9"}}]}`} {
		Meter.Event(frame.Event{Data: []byte(data)}, seen)
	}
	if string(text) != "a\né" {
		t.Errorf("got %q", text)
	}
}

func TestResponsesAreMetered(t *testing.T) {
	f := mock.ByName("openai/responses")
	for _, s := range mock.Scenarios {
		if len(s.Answer.Choices) > 1 || s.Error != nil {
			continue
		}
		all := &chat.Seen{}
		ResponsesMeter.Whole(f.Whole(s, nil), all)
		stream := &chat.Seen{}
		_, evs := f.Stream(s, nil)
		for _, e := range evs {
			typ, data, _ := strings.Cut(strings.TrimPrefix(string(e), "event: "), "\ndata: ")
			ResponsesMeter.Event(frame.Event{Type: []byte(typ), Data: []byte(strings.TrimSpace(data))}, stream)
		}
		want := s.Answer.Usage
		want.ServiceTier = "default"
		if all.Usage != want || stream.Usage != want {
			t.Errorf("%s: whole %+v, stream %+v, want %+v", s.Name, all.Usage, stream.Usage, want)
		}
		if finish := s.Answer.Choices[0].Finish; all.Finish != finish || stream.Finish != finish || !stream.Ended || all.Model != mock.Model || stream.Model != mock.Model {
			t.Errorf("%s: whole %+v, stream %+v", s.Name, all, stream)
		}
		if has := len(s.Answer.Choices[0].Parts) > 0 && s.Name != "plain"; has && !stream.Content {
			t.Errorf("%s: no content seen", s.Name)
		}
	}
}

func TestResponsesWithoutEventLines(t *testing.T) {
	seen := events(ResponsesMeter,
		`{"type":"response.created","response":{"id":"r1","model":"gpt-4o"}}`,
		`{"type":"response.output_text.delta","delta":"hi"}`,
		`{"type":"response.completed","response":{"id":"r1","model":"gpt-4o","usage":{"input_tokens":11,"output_tokens":4,"total_tokens":15}}}`)
	if seen.Usage.Prompt != 11 || seen.Usage.Completion != 4 || seen.TextLen != 2 || !seen.Ended {
		t.Errorf("got %+v", seen)
	}
	seen = events(ResponsesMeter, "error\t"+`{"type":"error","code":"server_error","message":"no","param":null}`)
	if seen.Err == nil || seen.Err.Message != "no" || seen.Ended {
		t.Errorf("got %+v", seen)
	}
	if seen = whole(ResponsesMeter, `{"id":"r","status":"queued","background":true,"usage":null,"error":null}`); seen.HasUsage || seen.Finish != "" || seen.Err != nil {
		t.Errorf("background: got %+v", seen)
	}
}

func TestWordsOfAPrompt(t *testing.T) {
	for body, want := range map[string]int{
		`{"messages":[{"role":"system","content":"word word"},{"role":"user","content":" two\n words "}]}`:                                   4,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"a b"},{"type":"image_url","image_url":{"url":"https://x/a b c"}}]}]}`: 2,
		`{"prompt":"one\ttwo \"three\""}`: 3,
		`{"prompt":["one two","three"]}`:  3,
		`{"prompt":[1,2,3]}`:              3,
		`{"input":"a b c"}`:               3,
		`{"input":[{"role":"user","content":[{"type":"input_text","text":"a b"}]}]}`:                                                         2,
		`{"system":[{"text":"a b"}],"messages":[{"content":[{"text":"c"},{"toolResult":{"toolUseId":"x y","content":[{"text":"d e"}]}}]}]}`:  5,
		`{"systemInstruction":{"parts":[{"text":"a b"}]},"contents":[{"role":"user","parts":[{"text":"c"},{"inlineData":{"data":"x y"}}]}]}`: 3,
		`{"instructions":"a b","input":"c"}`:       3,
		`{"messages":null}`:                        0,
		`{"messages":[{"content":"café\u0020x"}]}`: 1,
		`{}`: 0,
	} {
		members, err := jsonedit.Object([]byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := PromptWords(members); got != want {
			t.Errorf("%s: got %d, want %d", body, got, want)
		}
	}
}

func TestEventWithoutUsageDoesNotAllocate(t *testing.T) {
	chunk := frame.Event{Data: []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":"some words"},"logprobs":null,"finish_reason":null}],"usage":null}`)}
	delta := frame.Event{Type: []byte("response.output_text.delta"), Data: []byte(`{"type":"response.output_text.delta","item_id":"msg_1","delta":"some words"}`)}
	seen := &chat.Seen{Model: "m"}
	if n := testing.AllocsPerRun(100, func() { Meter.Event(chunk, seen); ResponsesMeter.Event(delta, seen) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMeterEvent(b *testing.B) {
	ev := frame.Event{Data: []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":"some words"},"logprobs":null,"finish_reason":null}],"usage":null}`)}
	seen := &chat.Seen{Model: "m"}
	b.ReportAllocs()
	for b.Loop() {
		Meter.Event(ev, seen)
	}
}

func TestErrorEventIsAnErrorWhateverItHolds(t *testing.T) {
	for _, data := range []string{
		`{"type":"error","code":"server_error","message":"overloaded","sequence_number":3}`,
		`{"type":"error"}`,
		`{"type":"error","error":null}`,
		`{"type":"error","object":"response"}`,
		`{"type":"error",`,
		`{"type":"error","message":"\u12`,
	} {
		seen := &chat.Seen{}
		ResponsesMeter.Event(frame.Event{Data: []byte(data)}, seen)
		if seen.Err == nil || seen.Err.Message == "" || seen.Ended { // response.failed ends the stream
			t.Errorf("%s: got %+v, ended %v", data, seen.Err, seen.Ended)
		}
	}
}

func FuzzMeter(f *testing.F) {
	for _, s := range mock.Scenarios {
		f.Add(mock.ByName("openai/chat").Whole(s, nil))
		f.Add(mock.ByName("openai/responses").Whole(s, nil))
	}
	f.Add([]byte(`{"choices":[{"delta":{"content":"\u12`))
	f.Add([]byte(`{"content":"\\`))
	f.Add([]byte(`{"type":"error",`))
	f.Fuzz(func(t *testing.T, data []byte) {
		defer workload.Linear(t, len(data))()
		seen := &chat.Seen{Collect: func([]byte) {}}
		Meter.Whole(data, seen)
		ResponsesMeter.Whole(data, seen)
		Meter.Event(frame.Event{Data: data}, seen)
		ResponsesMeter.Event(frame.Event{Data: data}, seen)
		if u := seen.Usage; u.Prompt < 0 || u.Completion < 0 || seen.TextLen < 0 || seen.TextLen > 8*len(data) {
			t.Fatalf("got %+v", seen)
		}
		stream := Upstream{}.NewStream(nil)
		_, _ = stream.Next(frame.Event{Data: data})
	})
}

func TestImagesAndSoundAreCounted(t *testing.T) {
	for body, want := range map[string]chat.Usage{
		`{"created":1,"data":[{"b64_json":"AAAA"},{"url":"https://h/x"}]}`:                                          {Images: 2},
		`{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"input_tokens":7,"output_tokens":9,"total_tokens":16}}`: {Images: 1, Prompt: 7, Completion: 9, Total: 16},
		`{"text":"hello","usage":{"type":"duration","seconds":12}}`:                                                 {Milliseconds: 12000},
		`{"text":"hello","duration":8.47,"language":"english","segments":[]}`:                                       {Milliseconds: 8470},
		`{"text":"hello","duration":"8.47"}`:                                                                        {},
		`{"text":"hello","duration":-1}`:                                                                            {},
		`{"text":"hello","duration":1e300}`:                                                                         {},
		`{"duration":8}`:                                                                                            {},
		`{"text":"hello","usage":{"type":"tokens","input_tokens":3,"output_tokens":4,"total_tokens":7,"input_token_details":{"audio_tokens":3}}}`: {Prompt: 3, Completion: 4, Total: 7, PromptAudio: 3},
	} {
		if seen := whole(MediaMeter, body); seen.Usage != want {
			t.Errorf("%s: got %+v, want %+v", body, seen.Usage, want)
		}
	}
}
