package ollama

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/openai"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// collect puts a stream together as a whole answer.
func collect(t testing.TB, stream io.Reader) (r *chat.Response, kinds []chat.DeltaKind, failed *chat.Error) {
	t.Helper()
	r = &chat.Response{NoUsage: true}
	c := chat.Choice{}
	s := Chat.NewStream(on("llm/v1/chat"))
	events := frame.New(frame.Lines, stream, 0)
	for {
		ev, err := events.Next()
		if err == io.EOF {
			r.Choices = []chat.Choice{c}
			return r, kinds, failed
		}
		if err != nil {
			t.Fatal(err)
		}
		deltas, err := s.Next(ev)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deltas {
			kinds = append(kinds, d.Kind)
			switch d.Kind {
			case chat.Start:
				r.Model, r.Created = string(d.Model), d.Created
			case chat.TextDelta, chat.ThinkingDelta:
				kind := chat.Text
				if d.Kind == chat.ThinkingDelta {
					kind = chat.Thinking
				}
				if n := len(c.Parts); n == 0 || c.Parts[n-1].Kind != kind {
					c.Parts = append(c.Parts, chat.Part{Kind: kind})
				}
				c.Parts[len(c.Parts)-1].Text = jsonedit.Plain(c.Parts[len(c.Parts)-1].Text.String() + string(d.Text))
			case chat.ToolStart:
				c.Parts = append(c.Parts, chat.Part{Kind: chat.ToolCall, ID: string(d.ID), Name: string(d.Name), Arguments: jsonedit.Plain(string(d.Text))})
			case chat.LogprobsDelta:
				c.Logprobs = append(c.Logprobs, d.Raw...)
			case chat.Finish:
				c.Finish = d.Reason
			case chat.UsageDelta:
				r.Usage, r.NoUsage = *d.Usage, false
			case chat.ErrorDelta:
				failed = d.Err
			}
		}
	}
}

func TestStreamAndWholeAnswerAgree(t *testing.T) {
	whole, err := Chat.ParseResponse(on("llm/v1/chat"), fixture(t, "thinking_tools.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := &chat.Response{Model: "qwen3", Created: 1751920373, Usage: chat.Usage{Prompt: 169, Completion: 18}, Choices: []chat.Choice{{
		Finish: chat.ToolCalls,
		Parts: []chat.Part{
			{Kind: chat.Thinking, Text: jsonedit.Plain("I need\nthe weather.")},
			{Kind: chat.Text, Text: jsonedit.Plain(`Let me "ask" ☺`)},
			{Kind: chat.ToolCall, ID: "call_1a2b3c4d", Name: "get_weather", Arguments: jsonedit.Plain(`{"city":"Zürich","days":12345678901234567,"exact":1.0}`)},
			{Kind: chat.ToolCall, ID: "call_5e6f7g8h", Name: "get_time", Arguments: jsonedit.Plain(`{}`)},
		},
	}}}
	if !chattest.Equal(whole, want) {
		t.Errorf("got  %+v\nwant %+v", whole, want)
	}
	in := fixture(t, "thinking_tools.ndjson")
	for name, stream := range map[string]io.Reader{
		"whole": bytes.NewReader(in), "byte by byte": iotest.OneByteReader(bytes.NewReader(in)),
		"without the last newline": bytes.NewReader(bytes.TrimSpace(in)), "with CRLF": bytes.NewReader(bytes.ReplaceAll(in, []byte("\n"), []byte("\r\n"))),
		"with blank lines": bytes.NewReader(bytes.ReplaceAll(in, []byte("\n"), []byte("\n\n"))),
	} {
		streamed, kinds, _ := collect(t, stream)
		if !chattest.Equal(streamed, want) {
			t.Errorf("%s: streamed %+v\nwant %+v", name, streamed, want)
		}
		if kinds[0] != chat.Start || kinds[len(kinds)-1] != chat.End {
			t.Errorf("%s: begins with %v, ends with %v", name, kinds[0], kinds[len(kinds)-1])
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       chat.Choice
		usage      chat.Usage
	}{
		{"of the first versions", `{"message":{"role":"assistant","content":"Hi"},"done":true}`,
			chat.Choice{Parts: []chat.Part{{Text: jsonedit.Plain("Hi")}}, Finish: chat.Stop}, chat.Usage{}},
		{"cut by the limit", `{"message":{"content":"Hi"},"done":true,"done_reason":"length","eval_count":2}`,
			chat.Choice{Parts: []chat.Part{{Text: jsonedit.Plain("Hi")}}, Finish: chat.Length}, chat.Usage{Completion: 2}},
		{"a call that was cut", `{"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":true,"done_reason":"length"}`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.ToolCall, Name: "f", Arguments: jsonedit.Plain(`{"a":1}`)}}, Finish: chat.Length}, chat.Usage{}},
		{"calls without ids or an object", `{"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":"{\"a\": 1}"}},{"function":{"name":"g"}}]},"done":true,"done_reason":"stop"}`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.ToolCall, Name: "f", Arguments: jsonedit.Plain(`{"a": 1}`)}, {Kind: chat.ToolCall, Name: "g", Arguments: jsonedit.Plain(`{}`)}}, Finish: chat.ToolCalls}, chat.Usage{}},
		{"not done", `{"message":{"content":"Hi"},"done":false}`, chat.Choice{Parts: []chat.Part{{Text: jsonedit.Plain("Hi")}}}, chat.Usage{}},
		{"a model that was loaded", `{"message":{"role":"assistant","content":""},"done_reason":"load","done":true}`, chat.Choice{Finish: chat.Stop}, chat.Usage{}},
		{"a reason of tomorrow", `{"message":{"content":""},"done_reason":"bored","done":true}`, chat.Choice{Finish: "bored"}, chat.Usage{}},
		{"a completion", `{"response":"Hi","thinking":"Hm","done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":1}`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.Thinking, Text: jsonedit.Plain("Hm")}, {Text: jsonedit.Plain("Hi")}}, Finish: chat.Stop}, chat.Usage{Prompt: 3, Completion: 1}},
		{"logprobs", `{"message":{"content":"a"},"done":true,"logprobs":[{"token":"a","logprob":-0.1}]}`,
			chat.Choice{Parts: []chat.Part{{Text: jsonedit.Plain("a")}}, Finish: chat.Stop, Logprobs: chat.Raw(`{"content":[{"token":"a","logprob":-0.1}],"refusal":null}`)}, chat.Usage{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole, err := Chat.ParseResponse(on("llm/v1/chat"), []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			streamed, _, _ := collect(t, strings.NewReader(c.body))
			for how, r := range map[string]*chat.Response{"whole": whole, "streamed": streamed} {
				if !chattest.Equal(r.Choices[0], c.want) || r.Usage != c.usage || r.NoUsage != (c.usage == chat.Usage{}) {
					t.Errorf("%s: got %+v", how, r)
				}
			}
		})
	}
}

// Ids of calls that the server did not name are made by who writes the answer:
// of the answer's own id, which no other answer has, and the call's position.
func TestCallsWithoutIdsGetThemFromTheAnswer(t *testing.T) {
	body := `{"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}},{"function":{"name":"f","arguments":{}}}]},"done":true}`
	resp, err := Chat.ParseResponse(on("llm/v1/chat"), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, answer := range []string{"one", "two"} {
		resp.Meta = chat.Meta{ID: answer, Created: 1}
		out, err := openai.Chat.AppendResponse(nil, resp)
		if err != nil {
			t.Fatal(err)
		}
		var a struct {
			Choices []struct {
				Message struct {
					Calls []struct{ ID string } `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal(out, &a); err != nil {
			t.Fatal(err)
		}
		for _, c := range a.Choices[0].Message.Calls {
			seen[c.ID] = true
		}
	}
	if len(seen) != 4 || seen[""] {
		t.Errorf("ids of two calls in two answers: %v", seen)
	}
}

func TestTimesAreUnixSeconds(t *testing.T) {
	for at, want := range map[string]int64{
		`"2024-01-15T08:13:38.876196Z"`: 1705306418, `"2024-01-15T00:13:38.876196111-08:00"`: 1705306418, `"2024-01-15T08:13:38Z"`: 1705306418,
		`"yesterday"`: 0, `null`: 0, `1705306418`: 0,
	} {
		resp, err := Chat.ParseResponse(on(""), []byte(`{"created_at":`+at+`,"message":{"content":"a"},"done":true}`))
		if err != nil || resp.Created != want {
			t.Errorf("%s: got %+v, %v", at, resp, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for body, want := range map[string]string{
		`<html>`:                          "failed to decode ollama response",
		`[]`:                              "failed to decode ollama response",
		`{"done":true}`:                   "neither 'message' nor 'response' in ollama response",
		`{"message":"x"}`:                 "neither 'message' nor 'response' in ollama response",
		`{"error":"model 'x' not found"}`: "model 'x' not found",
		`{"error":{"message":"busy"}}`:    "busy",
		`{"error":7}`:                     "the provider sent an error without a message",
	} {
		_, err := Chat.ParseResponse(on(""), []byte(body))
		var bad *chat.ResponseError
		if !errors.As(err, &bad) || err.Error() != want {
			t.Errorf("%s: got %v", body, err)
		}
	}
	s := Chat.NewStream(on(""))
	if _, err := s.Next(frame.Event{Data: []byte(`{"message":`)}); err == nil {
		t.Error("half a line was taken")
	}
	if deltas, err := s.Next(frame.Event{}); len(deltas) > 0 || err != nil {
		t.Errorf("no event: got %v, %v", deltas, err)
	}
	r, kinds, failed := collect(t, strings.NewReader(`{"message":{"content":"a"},"done":false}`+"\n"+`{"error":"an error was encountered while running the model"}`))
	if failed == nil || failed.Message != "an error was encountered while running the model" || r.Choices[0].Finish != "" || kinds[len(kinds)-1] != chat.ErrorDelta {
		t.Errorf("got %+v, %v, %v", r, kinds, failed)
	}
}

func TestVectorsAreInOpenAIsFormat(t *testing.T) {
	var seen chat.Seen
	got, err := Embed.AppendResponse([]byte("x"), on(""), []byte(`{"model":"all-minilm","embeddings":[[0.010071029,-1],[1e-7]],"total_duration":1,"prompt_eval_count":8}`), chat.Meta{}, &seen)
	if err != nil {
		t.Fatal(err)
	}
	if want := `x{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.010071029,-1]},{"object":"embedding","index":1,"embedding":[1e-7]}],` +
		`"model":"all-minilm","usage":{"prompt_tokens":8,"total_tokens":8}}`; string(got) != want {
		t.Errorf("got %s", got)
	}
	if seen.Usage.Prompt != 8 || !seen.HasUsage || seen.Model != "all-minilm" {
		t.Errorf("seen %+v", seen)
	}
	got, err = Embed.AppendResponse(nil, on(""), []byte(`{"embeddings":[]}`), chat.Meta{Model: "m"}, &seen)
	if want := `{"object":"list","data":[],"model":"m","usage":{"prompt_tokens":0,"total_tokens":0}}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	for body, want := range map[string]string{`<`: "failed to decode ollama response", `{"embedding":[1]}`: "'embeddings' not in ollama response"} {
		if _, err := Embed.AppendResponse(nil, on(""), []byte(body), chat.Meta{}, &seen); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestMeterSeesTheSameStreamedAndWhole(t *testing.T) {
	var whole, streamed chat.Seen
	Meter.Whole(fixture(t, "thinking_tools.json"), &whole)
	var said []byte
	streamed.Collect = func(b []byte) { said = append(said, b...) }
	for _, ev := range events(t) {
		Meter.Event(ev, &streamed)
	}
	if string(said) != `Let me "ask" ☺` {
		t.Errorf("collected %q", said)
	}
	if whole.Finish != chat.ToolCalls || streamed.Finish != chat.Stop { // the calls are in other lines than the reason
		t.Errorf("finish: whole %q, streamed %q", whole.Finish, streamed.Finish)
	}
	streamed.Finish, streamed.Collect, whole.TextLen, streamed.TextLen = whole.Finish, nil, 0, 0 // escapes differ
	want := chat.Seen{Usage: chat.Usage{Prompt: 169, Completion: 18}, HasUsage: true, Model: "qwen3", Finish: chat.ToolCalls, Content: true, Ended: true}
	if !reflect.DeepEqual(whole, want) || !reflect.DeepEqual(streamed, want) {
		t.Errorf("whole %+v\nstream %+v", whole, streamed)
	}
	var failed chat.Seen
	Meter.Event(frame.Event{Data: []byte(`{"error":"gone"}`)}, &failed)
	Meter.Event(frame.Event{Data: []byte(`no JSON`)}, &failed)
	Meter.Event(frame.Event{}, &failed)
	if failed.Err == nil || failed.Err.Message != "gone" || failed.Ended {
		t.Errorf("seen %+v", failed)
	}
}

// events are the fixture's lines.
func events(t testing.TB) []frame.Event {
	var all []frame.Event
	for _, l := range bytes.Split(bytes.TrimSpace(fixture(t, "thinking_tools.ndjson")), []byte("\n")) {
		all = append(all, frame.Event{Data: l})
	}
	return all
}

func TestWarmStreamAllocatesNothing(t *testing.T) {
	s := Chat.NewStream(on(""))
	var seen chat.Seen
	for _, ev := range events(t) {
		next := func() {
			if _, err := s.Next(ev); err != nil {
				t.Fatal(err)
			}
			Meter.Event(ev, &seen)
		}
		ceiling := 0.0
		if bytes.Contains(ev.Data, []byte("done_reason")) || bytes.Contains(ev.Data, []byte("tool_calls")) {
			ceiling = 2
		}
		next()
		if n := testing.AllocsPerRun(100, next); n > ceiling {
			t.Errorf("%s: %v allocations, want at most %v", ev.Data, n, ceiling)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	all := events(b)
	s := Chat.NewStream(on(""))
	size := 0
	for _, ev := range all {
		size += len(ev.Data)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, ev := range all {
			if _, err := s.Next(ev); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	text := strings.Repeat("words and words ", 1000)
	body := `{"messages":[{"role":"user","content":"` + text + `"},{"role":"assistant","content":"` + text + `"},{"role":"user","content":"And?"}],"max_tokens":9}`
	req, err := chat.ParseRequest(openai.Chat, []byte(body))
	if err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = Chat.AppendRequest(dst[:0], on(""), req); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzAnswer holds that a line is understood the same streamed and whole, and
// that a client gets JSON of it.
func FuzzAnswer(f *testing.F) {
	f.Add(fixture(f, "thinking_tools.json"))
	for _, ev := range events(f) {
		f.Add(ev.Data)
	}
	f.Add([]byte(`{"response":"a","done":true,"logprobs":[]}`))
	f.Add([]byte(`{"error":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		deltas, streamErr := Chat.NewStream(on("")).Next(frame.Event{Data: body})
		var out []byte
		e := openai.Chat.NewEncoder(chat.Meta{ID: "x", Model: "m", Created: 1})
		for i := range deltas {
			out = e.Append(out, &deltas[i])
		}
		for _, event := range strings.Split(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
			if data, _ := strings.CutPrefix(event, "data: "); data != "" && data != "[DONE]" && !json.Valid([]byte(data)) {
				t.Errorf("%q became %q", body, data)
			}
		}
		resp, err := Chat.ParseResponse(on(""), body)
		if err != nil {
			return
		}
		if streamErr != nil {
			t.Errorf("%q is an answer and no line: %v", body, streamErr)
		}
		if out, err := openai.Chat.AppendResponse(nil, resp); err != nil || !json.Valid(out) {
			t.Errorf("%q became %q, %v", body, out, err)
		}
		var seen chat.Seen
		Meter.Whole(body, &seen)
		if seen.Finish != resp.Choices[0].Finish {
			t.Errorf("%q: the meter saw %q, the answer has %q", body, seen.Finish, resp.Choices[0].Finish)
		}
	})
}
