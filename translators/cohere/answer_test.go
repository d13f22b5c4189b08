package cohere

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/route"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// whole is what a client of the OpenAI format gets of a whole answer.
func whole(t *testing.T, wanted route.Type, body string) string {
	t.Helper()
	resp, err := Chat.ParseResponse(to(wanted), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Meta = meta
	dialect := openai.Chat
	if wanted == "llm/v1/completions" {
		dialect = openai.Completions
	}
	out, err := dialect.AppendResponse(nil, resp)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

var meta = chat.Meta{ID: "made", Created: 1, Model: "command", IncludeUsage: true}

func TestWholeAnswersOfEveryVersion(t *testing.T) {
	const v1 = `"generation_id":"3fa8","token_count":{"billed_tokens":339,"prompt_tokens":102,"response_tokens":258,"total_tokens":360},"meta":{"api_version":{"version":"1"},"billed_units":{"input_tokens":81,"output_tokens":258}}`
	const usage = `"usage":{"prompt_tokens":81,"completion_tokens":258,"total_tokens":339}`
	for name, c := range map[string]struct{ route, in, want string }{
		"version 1": {
			"llm/v1/chat", `{"text":"The sum is 2.",` + v1 + `}`,
			`{"id":"3fa8","object":"chat.completion","created":1,"model":"command","choices":[{"index":0,"message":{"role":"assistant","content":"The sum is 2."},"finish_reason":"stop"}],` + usage + `}`,
		},
		"version 1, cut": {
			"llm/v1/chat", `{"text":"The","finish_reason":"MAX_TOKENS",` + v1 + `}`,
			`{"id":"3fa8","object":"chat.completion","created":1,"model":"command","choices":[{"index":0,"message":{"role":"assistant","content":"The"},"finish_reason":"length"}],` + usage + `}`,
		},
		"generations": {
			"llm/v1/completions", `{"id":"g","prompt":"p","generations":[{"id":"1","text":"1 + 1 is 2.","index":0},{"id":"2","text":"No","finish_reason":"ERROR_TOXIC"}],"meta":{"billed_units":{"input_tokens":0,"output_tokens":0,"search_units":0}}}`,
			`{"id":"g","object":"text_completion","created":1,"model":"command","choices":[{"text":"1 + 1 is 2.","index":0,"logprobs":null,"finish_reason":"stop"},{"text":"No","index":1,"logprobs":null,"finish_reason":"content_filter"}],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}`,
		},
		"version 1's text for completions": {
			"llm/v1/completions", `{"text":"x","generation_id":"g"}`,
			`{"id":"g","object":"text_completion","created":1,"model":"command","choices":[{"text":"x","index":0,"logprobs":null,"finish_reason":"stop"}]}`,
		},
		"content as a string": {
			"llm/v1/chat", `{"id":"a","message":{"role":"assistant","content":"x"},"finish_reason":"TIMEOUT"}`,
			`{"id":"a","object":"chat.completion","created":1,"model":"command","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"error"}]}`,
		},
		"calls of version 2": {
			"llm/v1/chat", string(fixture(t, "tools.json")),
			`{"id":"fba98ad3-e5a1","object":"chat.completion","created":1,"model":"command","choices":[{"index":0,"message":{"role":"assistant","content":"I will ask both.","tool_calls":[` +
				`{"id":"get_weather_a","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Bern\"}"}},{"id":"get_time_b","type":"function","function":{"name":"get_time","arguments":"{}"}}]},"finish_reason":"tool_calls"}],` +
				`"usage":{"prompt_tokens":37,"completion_tokens":28,"total_tokens":65,"prompt_tokens_details":{"cached_tokens":37,"audio_tokens":0}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) { jsontest.Same(t, whole(t, route.Type(c.route), c.in), c.want) })
	}
}

func TestPlanForCallsComesBehindTheThought(t *testing.T) {
	resp, err := Chat.ParseResponse(to("llm/v1/chat"), []byte(`{"id":"1","message":{"role":"assistant","tool_plan":"I look.","content":[{"type":"thinking","thinking":"hm"}],"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"TOOL_CALL"}`))
	if err != nil {
		t.Fatal(err)
	}
	parts := resp.Choices[0].Parts
	if len(parts) != 3 || parts[0].Kind != chat.Thinking || parts[1].Text.String() != "I look." || parts[2].Kind != chat.ToolCall {
		t.Errorf("%+v", parts)
	}
}

func TestEmptyAnswersAreErrors(t *testing.T) {
	for body, want := range map[string]string{
		`{"nothing_object":{"and_an_array":["why","not"]}}`: "'text' or 'generations' missing from cohere response body",
		`{"message":"a text is no message"}`:                "'text' or 'generations' missing from cohere response body",
		`[]`:                                                "'text' or 'generations' missing from cohere response body",
		`<html>`:                                            "failed to decode llm/v1/chat response",
		`{"id":"a","message":{"role":"assistant"},"finish_reason":"ERROR"}`: "the model failed and said nothing (finish_reason ERROR)",
	} {
		_, err := Chat.ParseResponse(to("llm/v1/chat"), []byte(body))
		var failed *chat.ResponseError
		if !errors.As(err, &failed) || err.Error() != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// collected is a stream put together, in the form of a whole answer.
func collected(t *testing.T, name string, oneByOne bool) *chat.Response {
	t.Helper()
	kind := frame.SSE
	if strings.HasSuffix(name, ".ndjson") {
		kind = frame.Lines
	}
	in := fixture(t, name)
	events := conformance.Events(t, kind, in)
	if oneByOne {
		r := frame.New(kind, iotest.OneByteReader(bytes.NewReader(in)), 0)
		for i := range events {
			ev, err := r.Next()
			if err != nil || !bytes.Equal(ev.Data, events[i].Data) {
				t.Fatalf("event %d: %q, %v", i, ev.Data, err)
			}
		}
	}
	r := &chat.Response{NoUsage: true, Choices: []chat.Choice{{}}}
	c := &r.Choices[0]
	s := Chat.NewStream(to("llm/v1/chat"))
	for _, ev := range events {
		deltas, err := s.Next(ev)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deltas {
			kind := map[chat.DeltaKind]chat.PartKind{chat.TextDelta: chat.Text, chat.ThinkingDelta: chat.Thinking}[d.Kind]
			switch d.Kind {
			case chat.Start:
				r.ID = string(d.ID)
			case chat.TextDelta, chat.ThinkingDelta:
				if n := len(c.Parts); n == 0 || c.Parts[n-1].Kind != kind {
					c.Parts = append(c.Parts, chat.Part{Kind: kind})
				}
				c.Parts[len(c.Parts)-1].Text = jsonedit.Plain(c.Parts[len(c.Parts)-1].Text.String() + string(d.Text))
			case chat.ToolStart:
				c.Parts = append(c.Parts, chat.Part{Kind: chat.ToolCall, ID: string(d.ID), Name: string(d.Name), Arguments: jsonedit.Plain(string(d.Text))})
			case chat.ToolArguments:
				c.Parts[len(c.Parts)-1].Arguments = jsonedit.Plain(c.Parts[len(c.Parts)-1].Arguments.String() + string(d.Text))
			case chat.LogprobsDelta:
				c.Logprobs = bytes.Clone(d.Raw)
			case chat.ExtraDelta:
				r.Extra = append(r.Extra, chat.Member{Name: string(d.Name), Value: bytes.Clone(d.Raw)})
			case chat.CitationDelta:
				c.Citations = append(c.Citations, *d.Citation)
			case chat.Finish:
				c.Finish = d.Reason
			case chat.UsageDelta:
				r.Usage, r.NoUsage = *d.Usage, false
			case chat.ErrorDelta:
				t.Fatal(d.Err)
			}
		}
	}
	return r
}

func TestStreamAndWholeAnswerAgree(t *testing.T) {
	for stream, body := range map[string]string{"tools.sse": "tools.json", "citations.sse": "citations.json", "tools_v1.ndjson": "tools_v1.json"} {
		want, err := Chat.ParseResponse(to("llm/v1/chat"), fixture(t, body))
		if err != nil {
			t.Fatal(err)
		}
		if got := collected(t, stream, true); !chattest.Equal(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", stream, got, want)
		}
	}
}

func translated(t *testing.T, kind frame.Kind, in string) string {
	t.Helper()
	out, err := conformance.Translate(kind, strings.NewReader(in), Chat.NewStream(to("llm/v1/chat")), openai.Chat.NewEncoder(meta))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestEndingsOfStreams(t *testing.T) {
	const v1 = `{"is_finished":false,"event_type":"stream-start","generation_id":"g"}` + "\n" + `{"event_type":"text-generation","text":"2"}` + "\n"
	for name, c := range map[string]struct {
		kind     frame.Kind
		in       string
		has, not []string
	}{
		"version 1": {frame.Lines, v1 + `{"event_type":"stream-end","finish_reason":"MAX_TOKENS","response":{"meta":{"billed_units":{"input_tokens":5,"output_tokens":7}}}}`,
			[]string{`"content":"2"`, `"finish_reason":"length"`, `"total_tokens":12`, "[DONE]"}, nil},
		"version 1, cut off":         {frame.Lines, v1, []string{`"content":"2"`}, []string{"[DONE]", `"finish_reason":"`}},
		"version 1 as an array":      {frame.Array, v1, []string{`"content":"2"`}, []string{"[DONE]"}},
		"version 1, failed":          {frame.Lines, `{"event_type":"stream-end","finish_reason":"ERROR","response":{}}`, []string{`"error":{"message":"the model failed"`}, []string{"[DONE]"}},
		"version 1, failed late":     {frame.Lines, v1 + `{"event_type":"stream-end","finish_reason":"ERROR"}`, []string{`"finish_reason":"error"`, "[DONE]"}, nil},
		"generate, failed":           {frame.Lines, `{"event_type":"stream-error","finish_reason":"ERROR","err":"out of memory"}`, []string{`"message":"out of memory"`}, []string{"[DONE]"}},
		"version 2, failed":          {frame.SSE, `data: {"type":"message-end","delta":{"error":"too many"}}`, []string{`"message":"too many"`}, []string{"[DONE]"}},
		"an error without a type":    {frame.SSE, `data: {"message":"internal error"}`, []string{`"message":"internal error"`}, []string{"[DONE]"}},
		"an OpenAI-like end":         {frame.SSE, "data: {\"type\":\"message-start\"}\n\ndata: [DONE]\n\n", []string{"[DONE]"}, nil},
		"an end and another":         {frame.SSE, "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\ndata: [DONE]\n\n", []string{`"finish_reason":"stop"`, "[DONE]"}, nil},
		"calls at once in version 1": {frame.Lines, `{"event_type":"tool-calls-generation","text":"plan","tool_calls":[{"name":"f","parameters":{"a":1}}]}`, []string{`"content":"plan"`, `"name":"f","arguments":"{\"a\":1}"`}, nil},
		"events that nobody knows":   {frame.SSE, "data: {\"type\":\"debug\",\"prompt\":\"x\"}\n\ndata: {}\n\ndata: 7\n\ndata: {\"event_type\":\"search-results\"}\n\n", nil, []string{"data"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := translated(t, c.kind, c.in)
			for _, s := range c.has {
				if strings.Count(got, s) != 1 {
					t.Errorf("has %q not once: %s", s, got)
				}
			}
			for _, s := range c.not {
				if strings.Contains(got, s) {
					t.Errorf("has %q: %s", s, got)
				}
			}
		})
	}
}

func TestMeterReadsNativeAnswers(t *testing.T) {
	for name, want := range map[string]chat.Seen{
		"tools.json":      {Usage: chat.Usage{Prompt: 37, Completion: 28, Cached: 37}, HasUsage: true, Finish: chat.ToolCalls, Content: true, TextLen: 16},
		"tools.sse":       {Usage: chat.Usage{Prompt: 37, Completion: 28, Cached: 37}, HasUsage: true, Finish: chat.ToolCalls, Content: true, TextLen: 51, Ended: true},
		"citations.sse":   {Usage: chat.Usage{Prompt: 9, Completion: 8}, HasUsage: true, Finish: chat.Stop, Content: true, TextLen: 41, Ended: true},
		"citations.json":  {Usage: chat.Usage{Prompt: 9, Completion: 8}, HasUsage: true, Finish: chat.Stop, Content: true, TextLen: 41},
		"tools_v1.ndjson": {Usage: chat.Usage{Prompt: 12, Completion: 7}, HasUsage: true, Finish: chat.Stop, Content: true, TextLen: 26, Ended: true},
		"tools_v1.json":   {Usage: chat.Usage{Prompt: 12, Completion: 7}, HasUsage: true, Finish: chat.Stop, Content: true, TextLen: 11},
	} {
		var got chat.Seen
		switch in := fixture(t, name); {
		case strings.HasSuffix(name, ".json"):
			Meter.Whole(in, &got)
		case strings.HasSuffix(name, ".ndjson"):
			for _, ev := range conformance.Events(t, frame.Lines, in) {
				Meter.Event(ev, &got)
			}
		default:
			for _, ev := range conformance.Events(t, frame.SSE, in) {
				Meter.Event(ev, &got)
			}
		}
		if !chattest.Equal(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
	var rerank chat.Seen
	Meter.Whole([]byte(`{"id":"r","results":[{"index":0,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":2}}}`), &rerank)
	if rerank.Usage.SearchUnits != 2 || !rerank.HasUsage || !rerank.Content {
		t.Errorf("rerank: %+v", rerank)
	}
	var text []byte
	collecting := chat.Seen{Collect: func(b []byte) { text = append(text, b...) }}
	for _, ev := range conformance.Events(t, frame.SSE, fixture(t, "citations.sse")) {
		Meter.Event(ev, &collecting)
	}
	if string(text) != "Emperor penguins are tall." {
		t.Errorf("collected %q", text)
	}
}

// stretched is a fixture with its event at line repeated n times.
func stretched(t testing.TB, n int) []frame.Event {
	t.Helper()
	events := conformance.Events(t, frame.SSE, fixture(t, "tools.sse"))
	var all []frame.Event
	for _, ev := range events {
		repeat := 1
		if string(ev.Type) == "tool-plan-delta" || string(ev.Type) == "tool-call-delta" {
			repeat = n
		}
		for range repeat {
			all = append(all, ev)
		}
	}
	return all
}

func TestEventDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, too")
	}
	events := stretched(t, 500)
	n := testing.AllocsPerRun(5, func() {
		s := Chat.NewStream(nil)
		for _, ev := range events {
			if _, err := s.Next(ev); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n > 60 {
		t.Errorf("%.0f allocations for %d events", n, len(events))
	}
	var seen chat.Seen
	if n := testing.AllocsPerRun(100, func() { Meter.Event(events[2], &seen) }); n > 0 {
		t.Errorf("the meter allocates %.0f times an event", n)
	}
}

func BenchmarkStream(b *testing.B) {
	events := stretched(b, 500)
	b.ReportAllocs()
	for b.Loop() {
		s := Chat.NewStream(nil)
		for _, ev := range events {
			if _, err := s.Next(ev); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}

func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"tools.json", "citations.json", "tools_v1.json", "tools.sse", "citations.sse", "tools_v1.ndjson"} {
		f.Add(fixture(f, name))
	}
	f.Add([]byte(`{"generations":[1,{"text":[]}],"meta":{"billed_units":{"input_tokens":-1,"output_tokens":1e99}},"usage":[]}`))
	f.Add([]byte(`{"type":"tool-call-delta","index":-1}` + "\n" + `{"event_type":"text-generation","index":-3,"text":"x"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		defer workload.Linear(t, len(in))()
		var seen chat.Seen
		Meter.Whole(in, &seen)
		if resp, err := Chat.ParseResponse(to("llm/v1/chat"), in); err == nil && json.Valid(in) {
			if out, err := openai.Chat.AppendResponse(nil, resp); err != nil || !json.Valid(out) {
				t.Fatalf("%s became no JSON: %s, %v", in, out, err)
			}
		}
		s, e := Chat.NewStream(nil), openai.Chat.NewEncoder(meta)
		for line := range bytes.SplitSeq(in, []byte("\n")) {
			ev := frame.Event{Data: bytes.TrimPrefix(line, []byte("data: "))}
			if !json.Valid(ev.Data) {
				continue
			}
			Meter.Event(ev, &seen)
			deltas, err := s.Next(ev)
			if err != nil {
				continue // valid for others, too deep for us
			}
			for i := range deltas {
				out := string(e.Append(nil, &deltas[i]))
				for data := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n\n") {
					if data = strings.TrimPrefix(data, "data: "); data != "" && data != "[DONE]" && !json.Valid([]byte(data)) {
						t.Fatalf("%s became no JSON: %s", ev.Data, data)
					}
				}
			}
		}
	})
}
