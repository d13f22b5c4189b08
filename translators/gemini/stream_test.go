package gemini

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// collected is a stream put together as an answer.
func collected(t *testing.T, kind frame.Kind, r io.Reader) (*chat.Response, *chat.Error) {
	t.Helper()
	resp := &chat.Response{Choices: []chat.Choice{{}}}
	var failed *chat.Error
	s, events, to := onPublic("m"), frame.New(kind, r, 0), &resp.Choices[0]
	from := Generate.NewStream(&s)
	for {
		ev, err := events.Next()
		if errors.Is(err, io.EOF) {
			return resp, failed
		}
		if err != nil {
			t.Fatal(err)
		}
		deltas, err := from.Next(ev)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deltas {
			switch d.Kind {
			case chat.Start:
				resp.ID, resp.Created = string(d.ID), d.Created
			case chat.TextDelta, chat.ThinkingDelta:
				kind := map[chat.DeltaKind]chat.PartKind{chat.TextDelta: chat.Text, chat.ThinkingDelta: chat.Thinking}[d.Kind]
				if n := len(to.Parts); n > 0 && to.Parts[n-1].Kind == kind {
					to.Parts[n-1].Text = jsonedit.Plain(to.Parts[n-1].Text.String() + string(d.Text))
				} else {
					to.Parts = append(to.Parts, chat.Part{Kind: kind, Text: jsonedit.Plain(string(d.Text))})
				}
			case chat.ToolStart:
				to.Parts = append(to.Parts, chat.Part{Kind: chat.ToolCall, ID: string(d.ID), Name: string(d.Name), Arguments: jsonedit.Plain(string(d.Text)), Signature: string(d.Signature)})
			case chat.Finish:
				to.Finish = d.Reason
			case chat.UsageDelta:
				resp.Usage = *d.Usage
			case chat.ErrorDelta:
				failed = d.Err
			case chat.ExtraDelta:
				resp.Extra = append(resp.Extra, chat.Member{Name: string(d.Name), Value: bytes.Clone(d.Raw)})
			case chat.ImageDelta:
				to.Parts = append(to.Parts, chat.Part{Kind: chat.Image, Media: &chat.Media{MIME: string(d.Name), Data: jsonedit.Plain(string(d.Text))}})
			}
		}
	}
}

// asArray is an SSE fixture as the JSON array that comes without alt=sse.
func asArray(stream []byte) []byte {
	var items []string
	for _, e := range strings.Split(strings.TrimSpace(string(stream)), "\n\n") {
		items = append(items, strings.TrimPrefix(e, "data: "))
	}
	return []byte("[" + strings.Join(items, "\n,\r\n") + "\n]\n")
}

func TestStreamAndWholeAnswerAgree(t *testing.T) {
	to := onPublic("m")
	whole, err := Generate.ParseResponse(&to, fixture(t, "thinking_tools.json"))
	if err != nil {
		t.Fatal(err)
	}
	stream := fixture(t, "thinking_tools.sse")
	for name, got := range map[string]func() (*chat.Response, *chat.Error){
		"events": func() (*chat.Response, *chat.Error) { return collected(t, frame.SSE, bytes.NewReader(stream)) },
		"array": func() (*chat.Response, *chat.Error) {
			return collected(t, frame.Array, bytes.NewReader(asArray(stream)))
		},
		"array byte by byte": func() (*chat.Response, *chat.Error) {
			return collected(t, frame.Array, iotest.OneByteReader(bytes.NewReader(asArray(stream))))
		},
	} {
		resp, failed := got()
		if failed != nil || !chattest.Equal(resp, whole) {
			t.Errorf("%s: got  %+v\nwant %+v (error %v)", name, resp, whole, failed)
		}
	}
	c := whole.Choices[0]
	if c.Finish != chat.ToolCalls || c.Parts[2].Arguments.String() != `{"from":"A \"b\"","to":[1.50,2e3],"via":null}` || c.Parts[2].ID == c.Parts[3].ID || c.Parts[2].Signature != "c2ln" {
		t.Errorf("calls: %+v", c)
	}
	if want := (chat.Usage{Prompt: 43, Completion: 43, Total: 86, Cached: 16, Reasoning: 12, PromptText: 40, ServiceTier: "standard"}); whole.Usage != want {
		t.Errorf("usage: got %+v, want %+v", whole.Usage, want)
	}
}

func TestArrayCutAnywhereGivesTheSameDeltas(t *testing.T) {
	array := asArray(fixture(t, "thinking_tools.sse"))
	want, _ := collected(t, frame.Array, bytes.NewReader(array))
	for i := 1; i < len(array); i++ {
		got, _ := collected(t, frame.Array, io.MultiReader(bytes.NewReader(array[:i]), bytes.NewReader(array[i:])))
		if !chattest.Equal(got, want) {
			t.Fatalf("cut at %d: got %+v", i, got)
		}
	}
}

func TestStreamEvents(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       chat.Response
		failed     *chat.Error
	}{
		{"an error", `{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`, chat.Response{Choices: []chat.Choice{{}}},
			&chat.Error{Status: 503, Type: "overloaded_error", Code: "UNAVAILABLE", Message: "busy"}},
		{"an error in an array", `[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]`, chat.Response{Choices: []chat.Choice{{}}},
			&chat.Error{Status: 429, Type: "rate_limit_error", Code: "RESOURCE_EXHAUSTED", Message: "slow"}},
		{"a blocked prompt", `{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}`,
			chat.Response{Choices: []chat.Choice{{Finish: chat.ContentFilter}}, Usage: chat.Usage{Prompt: 4, Total: 4}, Extra: []chat.Member{{Name: "promptFeedback", Value: chat.Raw(`{"blockReason":"SAFETY"}`)}}}, nil},
		{"a picture", `{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]},"finishReason":"STOP"}]}`,
			chat.Response{Choices: []chat.Choice{{Finish: chat.Stop, Parts: []chat.Part{{Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("iVBO")}}}}}}, nil},
		{"grounding", `{"candidates":[{"finishReason":"MAX_TOKENS","groundingMetadata":{"webSearchQueries":["\u0001"]}}]}`,
			chat.Response{Choices: []chat.Choice{{Finish: chat.Length}}, Extra: []chat.Member{{Name: "groundingMetadata", Value: chat.Raw(`{"webSearchQueries":["\u0001"]}`)}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, failed := collected(t, frame.SSE, strings.NewReader("data: "+c.data+"\n\n"))
			if !chattest.Equal(got, &c.want) || !chattest.Equal(failed, c.failed) {
				t.Errorf("got  %+v, %+v\nwant %+v, %+v", got, failed, c.want, c.failed)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	to := onPublic("m")
	for _, c := range []struct {
		name, body string
		finish     chat.FinishReason
		parts      int
	}{
		{"unsafe, without content", `{"candidates":[{"finishReason":"SAFETY","index":0,"safetyRatings":[]}],"usageMetadata":{"promptTokenCount":319,"totalTokenCount":319}}`, chat.ContentFilter, 0},
		{"blocked prompt", `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}`, chat.ContentFilter, 0},
		{"a call, cut off", `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":"MAX_TOKENS"}]}`, chat.Length, 1},
		{"a malformed call", `{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}`, chat.Failed, 0},
		{"unfinished", `{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`, "", 1},
		{"code", `{"candidates":[{"content":{"parts":[{"executableCode":{"language":"PYTHON","code":"1"}},{"text":"a"}]},"finishReason":"STOP"}]}`, chat.Stop, 2},
	} {
		resp, err := Generate.ParseResponse(&to, []byte(c.body))
		if err != nil || len(resp.Choices) != 1 || resp.Choices[0].Finish != c.finish || len(resp.Choices[0].Parts) != c.parts {
			t.Errorf("%s: got %+v, %v", c.name, resp, err)
		}
	}
	for body, want := range map[string]string{
		`{"usageMetadata":{}}`: "no generation candidates received from Gemini, or max_tokens too short",
		`<html>`:               "the answer of Gemini is not valid JSON",
	} {
		if _, err := Generate.ParseResponse(&to, []byte(body)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestLogprobsAreInOpenAIsFormat(t *testing.T) {
	to := onPublic("m")
	resp, err := Generate.ParseResponse(&to, []byte(`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","logprobsResult":{
		"topCandidates":[{"candidates":[{"token":"a","logProbability":-0.1},{"token":"b"}]}],"chosenCandidates":[{"token":"a","tokenId":7,"logProbability":-0.1}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, string(resp.Choices[0].Logprobs), `{"content":[{"token":"a","logprob":-0.1,"bytes":null,"top_logprobs":[{"token":"a","logprob":-0.1,"bytes":null},{"token":"b","logprob":0,"bytes":null}]}]}`)
}

func TestMeterSeesUsageModelAndEnd(t *testing.T) {
	var whole, streamed chat.Seen
	Meter.Whole(fixture(t, "thinking_tools.json"), &whole)
	var said []byte
	streamed.Collect = func(b []byte) { said = append(said, b...) }
	events := frame.New(frame.SSE, bytes.NewReader(fixture(t, "thinking_tools.sse")), 0)
	for {
		ev, err := events.Next()
		if err != nil {
			break
		}
		Meter.Event(ev, &streamed)
	}
	streamed.Collect = nil
	if string(said) != `Let me "ask" ☺` {
		t.Errorf("collected %q", said)
	}
	whole.Finish, streamed.Finish = "", "" // the calls and the finish reason come in different events
	if !reflect.DeepEqual(whole, streamed) || !whole.Ended || !whole.Content || whole.Model != "gemini-3-pro" || whole.Usage.Completion != 43 {
		t.Errorf("whole %+v\nstream %+v", whole, streamed)
	}
}

// events are the fixture's events, for benchmarks.
func events(t testing.TB) []frame.Event {
	var all []frame.Event
	r := frame.New(frame.SSE, bytes.NewReader(fixture(t, "thinking_tools.sse")), 0)
	for {
		ev, err := r.Next()
		if err != nil {
			return all
		}
		all = append(all, frame.Event{Data: bytes.Clone(ev.Data)})
	}
}

func TestWarmStreamAllocatesNothing(t *testing.T) {
	to, all := onPublic("m"), events(t)
	s := Generate.NewStream(&to)
	run := func() {
		for _, ev := range all {
			if _, err := s.Next(ev); err != nil {
				t.Fatal(err)
			}
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n > 0 {
		t.Errorf("%v allocations for %d events", n, len(all))
	}
}

func BenchmarkStream(b *testing.B) {
	to, all := onPublic("m"), events(b)
	s := Generate.NewStream(&to)
	b.ReportAllocs()
	for i := range b.N {
		if _, err := s.Next(all[i%len(all)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMeter(b *testing.B) {
	all := events(b)
	var seen chat.Seen
	b.ReportAllocs()
	for i := range b.N {
		Meter.Event(all[i%len(all)], &seen)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(fixture(f, "thinking_tools.json"))
	f.Add([]byte(`[{"error":"x"}]`))
	f.Add([]byte(`{"candidates":[{"index":-1,"content":{"parts":[{"functionCall":{}}]},"finishReason":"STOP"}]}`))
	f.Add([]byte(`{"candidates":{"index":1e9},"usageMetadata":[],"promptFeedback":{"blockReason":"A"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		defer workload.Linear(t, len(data))()
		to := onPublic("m")
		s := Generate.NewStream(&to)
		for range 2 {
			if deltas, err := s.Next(frame.Event{Data: data}); err == nil {
				for _, d := range deltas {
					if d.Choice < 0 || d.Choice > maxCandidates {
						t.Fatalf("choice %d", d.Choice)
					}
				}
			}
		}
		_, _ = Generate.ParseResponse(&to, data)
		Meter.Whole(data, &chat.Seen{})
	})
}

func TestArgumentsOfSeveralLinesStayInOneEvent(t *testing.T) {
	e := Dialect.NewEncoder(chat.Meta{ID: "1", Model: "m"})
	var out []byte
	for _, d := range []chat.Delta{
		{Kind: chat.ToolStart, ID: []byte("c"), Name: []byte("f")}, {Kind: chat.ToolArguments, Text: []byte("{\n  \"q\": \"a\\nb\",\r\n")},
		{Kind: chat.ToolArguments, Text: []byte("  \"n\": 1\n}")}, {Kind: chat.Finish, Reason: chat.ToolCalls}, {Kind: chat.End},
	} {
		out = e.Append(out, &d)
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
		if data, found := strings.CutPrefix(event, "data: "); !found || jsonedit.Valid([]byte(data)) != nil || strings.Contains(data, "\r") {
			t.Errorf("an event is %q", event)
		}
	}
	if !strings.Contains(string(out), `"q": "a\nb"`) {
		t.Errorf("arguments of %s", out)
	}
}

func TestOpenAIsEndMarkerIsNoEventOfGemini(t *testing.T) {
	on := onPublic("m")
	if deltas, err := Generate.NewStream(&on).Next(frame.Event{Data: []byte("[DONE]")}); err != nil || len(deltas) != 0 {
		t.Errorf("got %v, %v", deltas, err)
	}
}
