package bedrock

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/conformance"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
)

// ev is an event of ConverseStream.
func ev(typ, data string) frame.Event {
	return frame.Event{Type: []byte(typ), Data: []byte(data)}
}

// deltas are those of a stream of events, as text that can be compared.
func deltas(t *testing.T, events ...frame.Event) []string {
	t.Helper()
	s := Converse.NewStream(chatTarget(sonnet))
	var got []string
	for _, e := range events {
		ds, err := s.Next(e)
		if err != nil {
			t.Fatalf("%s %s: %v", e.Type, e.Data, err)
		}
		for i := range ds {
			got = append(got, describe(&ds[i]))
		}
	}
	return got
}

func describe(d *chat.Delta) string {
	kinds := map[chat.DeltaKind]string{
		chat.Start: "start", chat.TextDelta: "text", chat.ThinkingDelta: "thinking", chat.SignatureDelta: "signature", chat.RedactedDelta: "redacted",
		chat.ToolStart: "call", chat.ToolArguments: "arguments", chat.ImageDelta: "image", chat.Finish: "finish", chat.UsageDelta: "usage",
		chat.ErrorDelta: "error", chat.ExtraDelta: "extra", chat.End: "end",
	}
	fields := []string{kinds[d.Kind]}
	for _, f := range []string{string(d.ID), string(d.Model), string(d.Name), string(d.Text), string(d.Raw), string(d.Reason)} {
		if f != "" {
			fields = append(fields, f)
		}
	}
	if d.Kind == chat.ToolStart || d.Kind == chat.ToolArguments {
		fields = append(fields, "#"+string(rune('0'+d.Index)))
	}
	if d.Usage != nil {
		b, _ := json.Marshal(struct{ P, C, Cached, W, W5, W1 int }{d.Usage.Prompt, d.Usage.Completion, d.Usage.Cached, d.Usage.CacheWrite, d.Usage.CacheWrite5m, d.Usage.CacheWrite1h})
		fields = append(fields, string(b))
	}
	if d.Err != nil {
		b, _ := json.Marshal([]any{d.Err.Status, d.Err.Type, d.Err.Code, d.Err.Message})
		fields = append(fields, string(b))
	}
	return strings.Join(fields, " ")
}

func TestEventsBecomeDeltas(t *testing.T) {
	rows := []struct {
		name   string
		events []frame.Event
		want   []string
	}{
		{"calls are counted among themselves, and have arguments", []frame.Event{
			ev("messageStart", `{"role":"assistant","p":"abc"}`),
			ev("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"a"}}`), ev("contentBlockStop", `{"contentBlockIndex":0}`),
			ev("contentBlockStart", `{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"x","name":"f"}}}`),
			ev("contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolUse":{"input":""}}}`),
			ev("contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"a\":1}"}}}`), ev("contentBlockStop", `{"contentBlockIndex":1}`),
			ev("contentBlockStart", `{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"y","name":"g"}}}`), ev("contentBlockStop", `{"contentBlockIndex":2}`),
			ev("messageStop", `{"stopReason":"tool_use"}`),
			ev("metadata", `{"usage":{"inputTokens":5,"outputTokens":3,"totalTokens":48,"cacheReadInputTokens":30,"cacheWriteInputTokens":10,"cacheDetails":[{"ttl":"1h","inputTokens":4},{"ttl":"5m","inputTokens":6}]},"metrics":{"latencyMs":1}}`),
		}, []string{"start " + sonnet, "text a", "call x f #0", `arguments {"a":1} #0`, "call y g #1", "arguments {} #1", "finish tool_calls",
			`usage {"P":45,"C":3,"Cached":30,"W":10,"W5":6,"W1":4}`, "end"}},
		{"thoughts", []frame.Event{
			ev("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}`),
			ev("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s=="}}}`),
			ev("contentBlockDelta", `{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"eA=="}}}`),
		}, []string{"thinking hm", "signature s==", "redacted eA=="}},
		{"an answer by the tool of the asked form is text", []frame.Event{
			ev("contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"x","name":"response_format_json"}}}`),
			ev("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"a\":"}}}`), ev("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"1}"}}}`),
			ev("contentBlockStop", `{"contentBlockIndex":0}`), ev("messageStop", `{"stopReason":"tool_use"}`),
		}, []string{`text {"a":`, "text 1}", "finish stop"}},
		{"a system tool that is not known is left out", []frame.Event{
			ev("contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"x","name":"nova_magic","type":"server_tool_use"}}}`),
			ev("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}`), ev("contentBlockStop", `{"contentBlockIndex":0}`),
			ev("contentBlockStart", `{"contentBlockIndex":1,"start":{"toolResult":{"toolUseId":"x"}}}`), ev("contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolResult":[{"text":"x"}]}}`),
			ev("contentBlockDelta", `{"contentBlockIndex":2,"delta":{"text":"found"}}`), ev("contentBlockDelta", `{"contentBlockIndex":2,"delta":{"citation":{"title":"t"}}}`),
		}, []string{"text found"}},
		{"a picture comes as a whole", []frame.Event{
			ev("contentBlockStart", `{"contentBlockIndex":0,"start":{"image":{"format":"png"}}}`),
			ev("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"image":{"source":{"bytes":"aGk="}}}}`), ev("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"image":{"source":{"bytes":"IQ=="}}}}`),
			ev("contentBlockStop", `{"contentBlockIndex":0}`),
		}, []string{"image image/png aGkh"}},
		{"a guardrail's trace, and a stop sequence", []frame.Event{
			ev("messageStop", `{"stopReason":"guardrail_intervened"}`), ev("metadata", `{"trace":{"guardrail":{"a":"\u0001\n"}}}`),
			ev("messageStop", `{"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}}`),
		}, []string{"finish guardrail_intervened", `extra trace {"guardrail":{"a":"\u0001\n"}}`, "end", "finish END stop", `extra additionalModelResponseFields {"stop_sequence":"END"}`}},
		{"throttled", []frame.Event{{Type: []byte("throttlingException"), Data: []byte(`{"message":"slow down"}`), Exception: true}},
			[]string{`error [429,"rate_limit_error","throttlingException","slow down"]`}},
		{"the model gave up", []frame.Event{{Type: []byte("modelStreamErrorException"), Data: []byte(`{"message":"no","originalStatusCode":500,"originalMessage":"boom"}`), Exception: true}},
			[]string{`error [424,"api_error","modelStreamErrorException","no: boom"]`}},
		{"an exception that nobody knows", []frame.Event{{Type: []byte("newException"), Data: []byte(`broken`), Exception: true}},
			[]string{`error [500,"api_error","newException","broken"]`}},
		{"events that are none, or not known", []frame.Event{{}, ev("initial-response", `{}`), ev("contentBlockDelta", `{"contentBlockIndex":-1,"delta":{"toolUse":{"input":"x"}}}`),
			ev("contentBlockStop", `{"contentBlockIndex":99}`), ev("messageStop", `{}`)}, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := deltas(t, row.events...); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
		})
	}
}

func TestStreamThatIsBrokenEndsWithAnError(t *testing.T) {
	for _, e := range []frame.Event{ev("contentBlockDelta", `{"delta":`), ev("contentBlockStart", `{"contentBlockIndex":-1}`), ev("contentBlockStart", `{"contentBlockIndex":65536}`)} {
		_, err := Converse.NewStream(chatTarget(sonnet)).Next(e)
		var broken *chat.ResponseError
		if !errors.As(err, &broken) {
			t.Errorf("%s: got %v, want a *chat.ResponseError", e.Data, err)
		}
	}
}

// chatted is an OpenAI stream's text and calls.
func chatted(t *testing.T, stream []byte) string {
	t.Helper()
	var got strings.Builder
	for _, e := range conformance.Events(t, frame.SSE, stream) {
		var c struct {
			Choices []struct {
				Delta struct {
					Content   string
					ToolCalls []struct {
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
				Finish string `json:"finish_reason"`
			}
			Usage *struct {
				Total int `json:"total_tokens"`
			}
		}
		if string(e.Data) == "[DONE]" {
			got.WriteString("|done")
			continue
		}
		if err := json.Unmarshal(e.Data, &c); err != nil {
			t.Fatal(err)
		}
		for _, choice := range c.Choices {
			got.WriteString(choice.Delta.Content)
			for _, call := range choice.Delta.ToolCalls {
				got.WriteString(call.Function.Name + call.Function.Arguments)
			}
			if choice.Finish != "" {
				got.WriteString("|" + choice.Finish)
			}
		}
	}
	return got.String()
}

// Kong's recorded streams, where they are at hand.
func TestKongsRecordedStreams(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "spec", "data", "kong-oss-fixtures")
	text, err := os.ReadFile(filepath.Join(dir, "unit", "streaming-chunk-formats", "aws", "input.bin"))
	if err != nil {
		t.Skip("Kong's fixtures are not here")
	}
	var calls []byte
	for _, name := range []string{"chunk-1.txt", "chunk-2.txt", "chunk-3.txt"} {
		b, err := os.ReadFile(filepath.Join(dir, "bedrock", "chunks", name))
		if err != nil {
			t.Skip("Kong's fixtures are not here")
		}
		if calls, err = base64.StdEncoding.AppendDecode(calls, bytes.TrimSpace(b)); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		stream []byte
		want   string
	}{"text": {text, "matter.|stop|done"}, "calls": {calls, `add{"a": 2, "b": 12}|tool_calls|done`}} {
		out, err := conformance.Translate(frame.EventStream, bytes.NewReader(row.stream), Converse.NewStream(chatTarget(sonnet)), openai.Chat.NewEncoder(chat.Meta{ID: "x", Created: 1, Model: "m", IncludeUsage: true}))
		if err != nil {
			t.Fatal(err)
		}
		if got := chatted(t, out); !strings.HasSuffix(got, row.want) {
			t.Errorf("%s: got %q, want %q at the end", name, got, row.want)
		}
	}
}

func TestWholeAnswers(t *testing.T) {
	rows := []struct {
		name, content, more string
		want                chat.Choice
	}{
		{"texts are joined", `{"text":"a"},{"citationsContent":{"content":[{"text":"b"},{"text":"c"}],"citations":[]}}`, `"stopReason":"end_turn"`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("abc")}}, Finish: chat.Stop}},
		{"arguments keep their text", `{"toolUse":{"toolUseId":"1","name":"f","input":{"n":12345678901234567,"s":"\u0001\u00e9"}}},{"toolUse":{"toolUseId":"2","name":"g"}}`, `"stopReason":"tool_use"`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.ToolCall, ID: "1", Name: "f", Arguments: jsonedit.Plain(`{"n":12345678901234567,"s":"\u0001\u00e9"}`)}, {Kind: chat.ToolCall, ID: "2", Name: "g", Arguments: jsonedit.Plain("{}")}}, Finish: chat.ToolCalls}},
		{"thoughts", `{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"reasoningContent":{"redactedContent":"eA=="}},{"text":"a"}`, `"stopReason":"model_context_window_exceeded"`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.Thinking, Text: jsonedit.Plain("hm"), Signature: "s"}, {Kind: chat.RedactedThinking, Text: jsonedit.Plain("eA==")}, {Kind: chat.Text, Text: jsonedit.Plain("a")}}, Finish: chat.Length}},
		{"an answer by the tool of the asked form is text", `{"toolUse":{"toolUseId":"1","name":"response_format_json","input":{"a":1}}}`, `"stopReason":"tool_use"`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain(`{"a":1}`)}}, Finish: chat.Stop}},
		{"a system tool that is not known is left out", `{"toolUse":{"toolUseId":"1","name":"nova_magic","type":"server_tool_use","input":{}}},{"toolResult":{"toolUseId":"1","content":[]}},{"text":"a"}`, `"stopReason":"content_filtered"`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("a")}}, Finish: chat.ContentFilter}},
		{"a picture", `{"image":{"format":"png","source":{"bytes":"aGk="}}}`, `"stopReason":"new_reason"`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("aGk=")}}}, Finish: chat.Stop}},
		{"a stop sequence", `{"text":"a"}`, `"stopReason":"stop_sequence","additionalModelResponseFields":{"stop_sequence":"END"}`,
			chat.Choice{Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("a")}}, Finish: chat.Stop, StopText: "END"}},
		{"nobody says why it ended", `{"text":"a"}`, `"metrics":{}`, chat.Choice{Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("a")}}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r, err := Converse.ParseResponse(chatTarget(sonnet), []byte(`{"output":{"message":{"role":"assistant","content":[`+row.content+`]}},`+row.more+`}`))
			if err != nil {
				t.Fatal(err)
			}
			if !chattest.Equal(r.Choices, []chat.Choice{row.want}) {
				t.Errorf("got %+v, want %+v", r.Choices, row.want)
			}
			if !r.NoUsage || r.Model != sonnet {
				t.Errorf("NoUsage %v, model %q", r.NoUsage, r.Model)
			}
		})
	}
}

func TestUnusableAnswersAreRefused(t *testing.T) {
	const none = "no generation candidates received from Bedrock, or max_tokens too short"
	for body, want := range map[string]string{
		`{`: "failed to decode response from Bedrock", `{}`: none, `{"output":null}`: none, `[]`: none, `{"stopReason":"end_turn"}`: none,
		`{"output":{"message":"x"},"stopReason":"max_tokens"}`: none,
	} {
		_, err := Converse.ParseResponse(chatTarget(sonnet), []byte(body))
		var e *chat.ResponseError
		if !errors.As(err, &e) || e.Message != want {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

func TestAnswerWithoutAMessageIsEmptyIfItEnded(t *testing.T) {
	for _, output := range []string{`{}`, `null`, `{"message":null}`} {
		r, err := Converse.ParseResponse(chatTarget(sonnet), []byte(`{"output":`+output+`,"stopReason":"end_turn","usage":{"inputTokens":20,"outputTokens":3,"totalTokens":23}}`))
		if err != nil || len(r.Choices) != 1 || len(r.Choices[0].Parts) != 0 || r.Choices[0].Finish != chat.Stop || r.Usage.Completion != 3 {
			t.Errorf("%s: %+v, %v", output, r, err)
		}
	}
}

func TestAnswerWithoutContentIsEmptyAndCounted(t *testing.T) {
	for _, message := range []string{`{"role":"assistant"}`, `{"role":"assistant","content":[]}`, `{"role":"assistant","content":null}`} {
		r, err := Converse.ParseResponse(chatTarget(sonnet), []byte(`{"output":{"message":`+message+`},"stopReason":"end_turn","usage":{"inputTokens":20,"outputTokens":3,"totalTokens":23}}`))
		if err != nil {
			t.Errorf("%s: %v", message, err)
			continue
		}
		if want := []chat.Choice{{Finish: chat.Stop}}; !chattest.Equal(r.Choices, want) || r.Usage.Prompt != 20 || r.Usage.Completion != 3 || r.NoUsage {
			t.Errorf("%s: choices %+v, usage %+v", message, r.Choices, r.Usage)
		}
	}
}

func TestTraceTierAndUsageOfAnAnswer(t *testing.T) {
	r, err := Converse.ParseResponse(chatTarget(sonnet), []byte(`{"output":{"message":{"content":[{"text":"a"}]}},"trace":{"a":1},"serviceTier":{"type":"priority"},`+
		`"usage":{"inputTokens":5,"outputTokens":3,"totalTokens":48,"cacheReadInputTokens":30,"cacheWriteInputTokens":10}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := chat.Usage{Prompt: 45, Completion: 3, Cached: 30, CacheWrite: 10, ServiceTier: "priority"}
	if r.Usage != want || r.ServiceTier != "priority" || len(r.Extra) != 1 || string(r.Extra[0].Value) != `{"a":1}` {
		t.Errorf("got %+v", r)
	}
}

func TestMeterSeesUsageOfEveryFormat(t *testing.T) {
	rows := []struct {
		name, body string
		want       chat.Usage
		finish     chat.FinishReason
		text       int
	}{
		{"Converse", string(mock.ByName("bedrock/converse").Whole(mock.Named("usage"), nil)), chat.Usage{Prompt: 150, Completion: 40, Cached: 100}, chat.Stop, 8},
		{"Nova", `{"output":{"message":{"content":[{"text":"hello"}],"role":"assistant"}},"stopReason":"max_tokens","usage":{"inputTokens":7,"outputTokens":5,"cacheReadInputTokenCount":2,"cacheWriteInputTokenCount":0}}`,
			chat.Usage{Prompt: 9, Completion: 5, Cached: 2}, chat.Length, 5},
		{"Claude", `{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":5,"cache_read_input_tokens":2}}`,
			chat.Usage{Prompt: 9, Completion: 5, Cached: 2}, chat.Stop, 5},
		{"Titan", `{"inputTextTokenCount":7,"results":[{"tokenCount":5,"outputText":"hello","completionReason":"FINISH"}]}`, chat.Usage{Prompt: 7, Completion: 5}, chat.Stop, 5},
		{"Titan's vectors", `{"embedding":[0.1],"inputTextTokenCount":7}`, chat.Usage{Prompt: 7}, "", 0},
		{"Llama", `{"generation":"hello","prompt_token_count":7,"generation_token_count":5,"stop_reason":"length"}`, chat.Usage{Prompt: 7, Completion: 5}, chat.Length, 5},
		{"Mistral", `{"outputs":[{"text":"hello","stop_reason":"stop"}]}`, chat.Usage{}, chat.Stop, 5},
		{"those with OpenAI's format", `{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}`, chat.Usage{Prompt: 7, Completion: 5}, chat.Stop, 5},
		{"Cohere", `{"generations":[{"text":"hello","finish_reason":"MAX_TOKENS"}],"meta":{"billed_units":{"input_tokens":7,"output_tokens":5}}}`, chat.Usage{Prompt: 7, Completion: 5}, chat.Length, 5},
		{"no JSON", `hello`, chat.Usage{}, "", 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			collected := 0
			seen := chat.Seen{Collect: func(b []byte) { collected += len(b) }}
			Meter.Whole([]byte(row.body), &seen)
			got := seen.Usage
			got.ServiceTier = ""
			if got != row.want || seen.HasUsage != (row.want != chat.Usage{}) || seen.Finish != row.finish || seen.TextLen != row.text || collected != row.text {
				t.Errorf("got %+v, collected %d", seen, collected)
			}
		})
	}
}

func TestMeterSeesUsageOfEveryStream(t *testing.T) {
	chunk := func(s string) frame.Event {
		return ev("chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(s))+`","p":"abc"}`)
	}
	_, frames := mock.ByName("bedrock/converse").Stream(mock.Named("usage"), nil)
	const metrics = `"amazon-bedrock-invocationMetrics":{"inputTokenCount":7,"outputTokenCount":5,"invocationLatency":9,"firstByteLatency":1}`
	rows := []struct {
		name   string
		events []frame.Event
		want   chat.Usage
		finish chat.FinishReason
	}{
		{"Converse", conformance.Events(t, frame.EventStream, bytes.Join(frames, nil)), chat.Usage{Prompt: 150, Completion: 40, Cached: 100}, chat.Stop},
		{"Claude", []frame.Event{
			chunk(`{"type":"message_start","message":{"id":"msg_1","model":"claude","usage":{"input_tokens":7,"output_tokens":1,"cache_read_input_tokens":3}}}`),
			chunk(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}`),
			chunk(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}`),
			chunk(`{"type":"message_stop",` + metrics + `}`)}, chat.Usage{Prompt: 10, Completion: 5, Cached: 3}, chat.Stop},
		{"Nova", []frame.Event{chunk(`{"messageStart":{"role":"assistant"}}`), chunk(`{"contentBlockDelta":{"delta":{"text":"hello"},"contentBlockIndex":0}}`), chunk(`{"messageStop":{"stopReason":"end_turn"}}`),
			chunk(`{"metadata":{"usage":{"inputTokens":7,"outputTokens":5}},` + metrics + `}`)}, chat.Usage{Prompt: 7, Completion: 5}, chat.Stop},
		{"Titan", []frame.Event{chunk(`{"outputText":"hello","index":0,"totalOutputTextTokenCount":5,"completionReason":"FINISH","inputTextTokenCount":7,` + metrics + `}`)}, chat.Usage{Prompt: 7, Completion: 5}, chat.Stop},
		{"Llama", []frame.Event{chunk(`{"generation":"hel","prompt_token_count":7,"generation_token_count":1,"stop_reason":null}`),
			chunk(`{"generation":"lo","prompt_token_count":null,"generation_token_count":5,"stop_reason":"stop",` + metrics + `}`)}, chat.Usage{Prompt: 7, Completion: 5}, chat.Stop},
		{"Mistral, which counts nothing itself", []frame.Event{chunk(`{"outputs":[{"text":"hello","stop_reason":null}]}`), chunk(`{"outputs":[{"text":"","stop_reason":"length"}],` + metrics + `}`)},
			chat.Usage{Prompt: 7, Completion: 5}, chat.Length},
		{"AI21", []frame.Event{chunk(`{"choices":[{"index":0,"delta":{"content":"hello"}}]}`), chunk(`{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":5},` + metrics + `}`)},
			chat.Usage{Prompt: 7, Completion: 5}, chat.Stop},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var seen chat.Seen
			for _, e := range row.events {
				Meter.Event(e, &seen)
			}
			if seen.Usage != row.want || !seen.HasUsage || seen.Finish != row.finish || !seen.Content || seen.TextLen < 5 || !seen.Ended {
				t.Errorf("got %+v", seen)
			}
		})
	}
	var seen chat.Seen
	for _, e := range []frame.Event{{}, chunk(`broken`), ev("chunk", `{"bytes":"!"}`), ev("chunk", `broken`), {Type: []byte("validationException"), Data: []byte(`{"message":"no"}`), Exception: true}} {
		Meter.Event(e, &seen)
	}
	if seen.Err == nil || seen.Err.Status != 400 || seen.Err.Message != "no" {
		t.Errorf("exception: got %+v", seen.Err)
	}
}
