package anthropic

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func events(t testing.TB, stream io.Reader) []frame.Event {
	t.Helper()
	var all []frame.Event
	r := frame.New(frame.SSE, stream, frame.MaxEvent)
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, frame.Event{Type: bytes.Clone(ev.Type), Data: bytes.Clone(ev.Data), Raw: bytes.Clone(ev.Raw)})
	}
}

// collect puts a stream together as a whole answer.
func collect(t testing.TB, stream io.Reader) (*chat.Response, []chat.DeltaKind) {
	t.Helper()
	r := &chat.Response{}
	c := chat.Choice{}
	var kinds []chat.DeltaKind
	calls, ran := map[int]int{}, map[*chat.Run]int{}
	join := func(kind chat.PartKind, text []byte) {
		if n := len(c.Parts); n == 0 || c.Parts[n-1].Kind != kind {
			c.Parts = append(c.Parts, chat.Part{Kind: kind})
		}
		c.Parts[len(c.Parts)-1].Text = jsonedit.Plain(c.Parts[len(c.Parts)-1].Text.String() + string(text))
	}
	s := Messages.NewStream(&target.Target{})
	for _, ev := range events(t, stream) {
		deltas, err := s.Next(ev)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deltas {
			kinds = append(kinds, d.Kind)
			switch d.Kind {
			case chat.Start:
				r.ID, r.Model = string(d.ID), string(d.Model)
			case chat.TextDelta:
				join(chat.Text, d.Text)
			case chat.ThinkingDelta:
				join(chat.Thinking, d.Text)
			case chat.SignatureDelta:
				join(chat.Thinking, nil)
				c.Parts[len(c.Parts)-1].Signature += string(d.Text)
			case chat.RedactedDelta:
				join(chat.RedactedThinking, d.Text)
			case chat.ToolStart:
				if d.Index != len(calls) {
					t.Errorf("call %d begins as number %d", d.Index, len(calls))
				}
				calls[d.Index] = len(c.Parts)
				c.Parts = append(c.Parts, chat.Part{Kind: chat.ToolCall, ID: string(d.ID), Name: string(d.Name), Arguments: jsonedit.Plain(string(d.Text))})
			case chat.ToolArguments:
				c.Parts[calls[d.Index]].Arguments = jsonedit.Plain(c.Parts[calls[d.Index]].Arguments.String() + string(d.Text))
			case chat.RunStart:
				ran[d.Run] = len(c.Parts)
				c.Parts = append(c.Parts, chat.Part{Kind: chat.HostedRun, Run: d.Run})
			case chat.RunEnd:
				c.Parts[ran[d.Run]].Signature = string(d.Signature)
			case chat.Finish:
				c.Finish, c.StopText = d.Reason, string(d.Text)
			case chat.UsageDelta:
				r.Usage = *d.Usage
			}
		}
	}
	r.ServiceTier = r.Usage.ServiceTier
	r.Choices = []chat.Choice{c}
	return r, kinds
}

func TestStreamAndWholeAnswerAgree(t *testing.T) {
	whole, err := Messages.ParseResponse(chatTarget(sonnet), fixture(t, "blocks.json"))
	if err != nil {
		t.Fatal(err)
	}
	streamed, kinds := collect(t, bytes.NewReader(fixture(t, "blocks.sse")))
	// The model wrote a space into its arguments; the whole answer has the same object.
	for _, r := range []*chat.Response{whole, streamed} {
		for i := range r.Choices[0].Parts {
			p := &r.Choices[0].Parts[i]
			p.Arguments = jsonedit.Plain(strings.ReplaceAll(p.Arguments.String(), " ", ""))
		}
	}
	if !chattest.Equal(streamed, whole) {
		t.Errorf("streamed %+v\nwhole    %+v", streamed, whole)
	}
	if kinds[0] != chat.Start || kinds[len(kinds)-1] != chat.End {
		t.Errorf("begins with %v, ends with %v", kinds[0], kinds[len(kinds)-1])
	}
}

func TestAnswersAreUnderstood(t *testing.T) {
	r, err := Messages.ParseResponse(chatTarget(sonnet), fixture(t, "blocks.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := []chat.Part{
		{Kind: chat.Thinking, Text: jsonedit.Plain("Let me see."), Signature: "c2ln"},
		{Kind: chat.RedactedThinking, Text: jsonedit.Plain("b3BhcXVl")},
		{Kind: chat.Text, Text: jsonedit.Plain("One 😀")},
		{Kind: chat.HostedRun, Run: &chat.Run{Kind: chat.WebSearch, ID: "srvtoolu_1", Name: "web_search", Input: "x"},
			Signature: `[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}]`},
		{Kind: chat.Text, Text: jsonedit.Plain("\nTwo")},
		{Kind: chat.ToolCall, ID: "toolu_a", Name: "get_weather", Arguments: jsonedit.Plain(`{"city":"Paris"}`)},
		{Kind: chat.ToolCall, ID: "toolu_b", Name: "get_time", Arguments: jsonedit.Plain(`{}`)},
	}
	if !chattest.Equal(r.Choices[0].Parts, want) {
		t.Errorf("parts: got %+v", r.Choices[0].Parts)
	}
	usage := chat.Usage{Prompt: 18, Completion: 9, Cached: 10, CacheWrite: 5, CacheWrite5m: 4, CacheWrite1h: 1, Reasoning: 4, ServiceTier: "standard"}
	if r.Usage != usage || r.NoUsage {
		t.Errorf("usage: got %+v, want %+v", r.Usage, usage)
	}
}

func TestCitedPiecesOfASentenceAreJoined(t *testing.T) {
	body := `{"content":[{"type":"text","text":"It is "},{"type":"text","text":"21 °C","citations":[{"type":"web_search_result_location"}]},{"type":"text","text":"."},{"type":"text","text":"Bye."}]}`
	r, err := Messages.ParseResponse(chatTarget(sonnet), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Choices[0].Parts[0].Text.String(); got != "It is 21 °C.\nBye." {
		t.Errorf("got %q", got)
	}
}

func TestStopReasonsAreMapped(t *testing.T) {
	for reason, want := range map[string]chat.FinishReason{
		"end_turn": chat.Stop, "stop_sequence": chat.Stop, "pause_turn": chat.Stop, "max_tokens": chat.Length,
		"model_context_window_exceeded": chat.Length, "tool_use": chat.ToolCalls, "refusal": chat.ContentFilter, "brand_new": "brand_new",
	} {
		r, err := Messages.ParseResponse(chatTarget(sonnet), []byte(`{"content":[],"stop_reason":"`+reason+`","stop_sequence":"string"}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Choices[0].Finish; got != want {
			t.Errorf("%s: got %s, want %s", reason, got, want)
		}
		if got := r.Choices[0].StopText; (got == "string") != (reason == "stop_sequence") {
			t.Errorf("%s: stop text %q", reason, got)
		}
	}
	if r, _ := Messages.ParseResponse(chatTarget(sonnet), []byte(`{"content":[],"stop_reason":null}`)); r.Choices[0].Finish != "" {
		t.Errorf("a finish reason was invented: %s", r.Choices[0].Finish)
	}
}

func TestUnusableAnswersAreRefused(t *testing.T) {
	for body, want := range map[string]string{
		`{"nothing_object":{}}`: "'content' not in anthropic://llm/v1/chat response",
		`{"content":null}`:      "'content' not in anthropic://llm/v1/chat response",
		`<html>`:                "failed to decode llm/v1/chat response",
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`: "overloaded_error: Overloaded",
	} {
		_, err := Messages.ParseResponse(chatTarget(sonnet), []byte(body))
		var failed *chat.ResponseError
		if !errors.As(err, &failed) || failed.Message != want {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
	t.Run("complete", func(t *testing.T) {
		_, err := Complete.ParseResponse(&target.Target{Provider: "anthropic", Route: "llm/v1/completions"}, []byte(`{}`))
		if err == nil || err.Error() != "'completion' not in anthropic://llm/v1/chat response" {
			t.Errorf("got %v", err)
		}
	})
}

func TestMissingOrMalformedUsage(t *testing.T) {
	for body, want := range map[string]string{
		`{"content":[]}`:                                 `"no usage data returned from upstream"`,
		`{"content":[],"usage":null}`:                    `"no usage data returned from upstream"`,
		`{"content":[],"usage":{"foo":0,"bar":0}}`:       `{}`,
		`{"content":[],"usage":{"input_tokens":"many"}}`: `{}`,
		`{"content":[],"usage":{"input_tokens":0}}`:      ``,
	} {
		r, err := Messages.ParseResponse(chatTarget(sonnet), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if string(r.UsageText) != want || r.NoUsage != (want != "") {
			t.Errorf("%s: got %q, no usage %v", body, r.UsageText, r.NoUsage)
		}
	}
}

func TestIterationsAreSummed(t *testing.T) {
	body := `{"content":[],"usage":{"input_tokens":100,"output_tokens":20,"speed":"fast","iterations":[` +
		`{"type":"compaction","input_tokens":1000,"output_tokens":300,"cache_read_input_tokens":50,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":7}},` +
		`{"type":"message","input_tokens":100,"output_tokens":20}]}}`
	r, err := Messages.ParseResponse(chatTarget(sonnet), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if want := (chat.Usage{Prompt: 1157, Completion: 320, Cached: 50, CacheWrite: 7, CacheWrite1h: 7, ServiceTier: "fast", Calls: 2, Largest: 1057}); r.Usage != want {
		t.Errorf("got %+v, want %+v", r.Usage, want)
	}
}

func TestPromptCountedAtTheStartIsNotTakenBackAtTheEnd(t *testing.T) {
	for _, end := range []string{
		`{"output_tokens":9}`,
		`{"input_tokens":0,"output_tokens":9}`,
		`{"input_tokens":0,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"output_tokens":9}`,
		`{"input_tokens":null,"cache_read_input_tokens":null,"output_tokens":9}`,
		`{"input_tokens":2,"cache_read_input_tokens":30,"cache_creation_input_tokens":4,"output_tokens":9}`,
	} {
		var u chat.Usage
		for _, usage := range []string{`{"input_tokens":2,"cache_read_input_tokens":30,"cache_creation_input_tokens":4,"output_tokens":1}`, end} {
			v, err := jsonedit.Parse([]byte(usage))
			if err != nil || !mergeUsage(&u, v) {
				t.Fatal(usage, err)
			}
		}
		if want := (chat.Usage{Prompt: 36, Cached: 30, CacheWrite: 4, Completion: 9}); u != want {
			t.Errorf("%s: %+v, want %+v", end, u, want)
		}
	}
}

func TestStreamCutAnywhereSaysTheSame(t *testing.T) {
	stream := fixture(t, "blocks.sse")
	want, _ := collect(t, bytes.NewReader(stream))
	step := 1
	if testing.Short() {
		step = 37
	}
	for i := 0; i < len(stream); i += step {
		got, _ := collect(t, io.MultiReader(bytes.NewReader(stream[:i]), bytes.NewReader(stream[i:])))
		if !chattest.Equal(got, want) {
			t.Fatalf("cut at %d: got %+v", i, got)
		}
	}
	if got, _ := collect(t, iotest.OneByteReader(bytes.NewReader(stream))); !chattest.Equal(got, want) {
		t.Errorf("byte by byte: got %+v", got)
	}
}

func TestStreamErrorsAreDeltas(t *testing.T) {
	s := Messages.NewStream(&target.Target{})
	deltas, err := s.Next(frame.Event{Type: []byte("error"), Data: []byte(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)})
	if err != nil || len(deltas) != 1 || deltas[0].Kind != chat.ErrorDelta || *deltas[0].Err != (chat.Error{Type: "overloaded_error", Message: "Overloaded"}) {
		t.Errorf("got %+v, %v", deltas, err)
	}
	if _, err := s.Next(frame.Event{Data: []byte(`{"type":`)}); err == nil {
		t.Error("half an event is taken")
	}
	if _, err := s.Next(frame.Event{Data: []byte(`{"type":"content_block_start","index":1000000000,"content_block":{}}`)}); err == nil {
		t.Error("an index of a billion is taken")
	}
}

func TestArgumentsInTheStartEvent(t *testing.T) {
	stream := `data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{"x":1.0}}}

data: {"type":"content_block_stop","index":0}

data: {"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"}}

`
	r, _ := collect(t, strings.NewReader(stream))
	if c := r.Choices[0]; c.Parts[0].Arguments.String() != `{"x":1.0}` || c.StopText != "END" {
		t.Errorf("got %+v", c)
	}
}

func TestMeterSeesWhatTheTranslatorSees(t *testing.T) {
	var whole, streamed chat.Seen
	var said [2]string
	whole.Collect = func(b []byte) { said[0] += string(b) }
	streamed.Collect = func(b []byte) { said[1] += string(b) }
	Meter.Whole(fixture(t, "blocks.json"), &whole)
	for _, ev := range events(t, bytes.NewReader(fixture(t, "blocks.sse"))) {
		Meter.Event(ev, &streamed)
	}
	want := chat.Usage{Prompt: 18, Completion: 9, Cached: 10, CacheWrite: 5, CacheWrite5m: 4, CacheWrite1h: 1, Reasoning: 4, ServiceTier: "standard"}
	for i, seen := range []*chat.Seen{&whole, &streamed} {
		if seen.Usage != want || !seen.HasUsage || seen.Model != "claude-opus-4-7" || seen.Finish != chat.ToolCalls || !seen.Content {
			t.Errorf("%d: got %+v", i, seen)
		}
		if said[i] != "One 😀Two" {
			t.Errorf("%d: collected %q", i, said[i])
		}
	}
	if !streamed.Ended || whole.Ended {
		t.Error("the end is that of a stream")
	}
	Meter.Event(frame.Event{Data: []byte(`{"type":"error","error":{"type":"api_error","message":"m"}}`)}, &streamed)
	if streamed.Err == nil || streamed.Err.Message != "m" {
		t.Errorf("error: got %+v", streamed.Err)
	}
}

// allocations per event after warm-up: streams of 10^5 events per second must
// not be paced by the collector.
const allocsPerEvent = 0

func TestStreamsDoNotAllocate(t *testing.T) {
	all := events(t, bytes.NewReader(fixture(t, "blocks.sse")))
	s := Messages.NewStream(&target.Target{}).(*stream)
	run := func() {
		s.tools, s.texts = 0, textJoiner{}
		for _, ev := range all {
			if _, err := s.Next(ev); err != nil {
				t.Fatal(err)
			}
		}
	}
	run()
	const aSearch = 32 // there is one, which is kept
	if n := testing.AllocsPerRun(50, run); n > allocsPerEvent*float64(len(all))+aSearch {
		t.Errorf("%.0f allocations for %d events, want at most %d each", n, len(all), allocsPerEvent)
	}
}

func TestMeterDoesNotAllocateOnContent(t *testing.T) {
	if raceEnabled {
		t.Skip("pools forget under the race detector")
	}
	var seen chat.Seen
	ev := frame.Event{Type: []byte("content_block_delta"), Data: []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello \n world"}}`)}
	if n := testing.AllocsPerRun(200, func() { Meter.Event(ev, &seen) }); n > 0.5 {
		t.Errorf("%.1f allocations", n)
	}
}

func BenchmarkStream(b *testing.B) {
	all := events(b, bytes.NewReader(fixture(b, "blocks.sse")))
	b.ReportAllocs()
	for b.Loop() {
		s := Messages.NewStream(&target.Target{})
		for _, ev := range all {
			if _, err := s.Next(ev); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/event")
}

func FuzzStream(f *testing.F) {
	f.Add(fixture(f, "blocks.sse"))
	f.Add([]byte("data: {\"type\":\"content_block_start\",\"index\":-1}\n\ndata: {\"type\":\"message_start\"}\n\ndata: {\"type\":\"message_delta\",\"usage\":{\"iterations\":[1,null]}}\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		defer workload.Linear(t, len(stream))()
		s := Messages.NewStream(&target.Target{})
		var seen chat.Seen
		for _, line := range bytes.Split(stream, []byte("\n")) {
			data, _ := bytes.CutPrefix(line, []byte("data: "))
			ev := frame.Event{Data: data}
			Meter.Event(ev, &seen)
			deltas, err := s.Next(ev)
			if err != nil {
				var failed *chat.ResponseError
				if !errors.As(err, &failed) {
					t.Fatalf("a %T", err)
				}
				return
			}
			for _, d := range deltas {
				if d.Index < 0 || d.Usage != nil && d.Usage.Prompt < 0 {
					t.Fatalf("%+v", d)
				}
			}
		}
	})
}

func TestOpenAIsEndMarkerIsNoEventOfAnthropic(t *testing.T) {
	if deltas, err := Messages.NewStream(&target.Target{}).Next(frame.Event{Data: []byte("[DONE]")}); err != nil || len(deltas) != 0 {
		t.Errorf("got %v, %v", deltas, err)
	}
}
