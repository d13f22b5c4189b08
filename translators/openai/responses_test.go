package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

var meta = chat.Meta{ID: "A1", Created: 1700000000, Model: "m"}

func TestResponsesInputBecomesAConversation(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"text and instructions",
			`{"model":"m","instructions":"be brief","input":"hi","max_output_tokens":10,"temperature":0.1,"store":true,"include":["reasoning.encrypted_content"],"truncation":"auto"}`,
			`{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}],"max_tokens":10,"temperature":0.1}`},
		{"messages with and without type",
			`{"input":[{"role":"developer","content":"d"},{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"low"},{"type":"input_file","filename":"f.pdf","file_data":"data:application/pdf;base64,BB=="}]}]}`,
			`{"model":"m","messages":[{"role":"system","content":"d"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},{"type":"file","file":{"filename":"f.pdf","file_data":"data:application/pdf;base64,BB=="}}]}]}`},
		{"calls and their outputs",
			`{"input":[{"role":"user","content":"w?"},{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"let me see","annotations":[]}]},{"type":"function_call","id":"fc_1","call_id":"c1","name":"weather","arguments":"{\"x\":1.50}","status":"completed"},{"type":"function_call","call_id":"c2","name":"time","arguments":""},{"type":"function_call_output","call_id":"c1","output":"sunny"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"noon"}]}]}`,
			`{"model":"m","messages":[{"role":"user","content":"w?"},{"role":"assistant","content":"let me see","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"x\":1.50}"}},{"id":"c2","type":"function","function":{"name":"time","arguments":""}}]},{"role":"tool","tool_call_id":"c1","content":"sunny"},{"role":"tool","tool_call_id":"c2","content":"noon"}]}`},
		{"tools and choices",
			`{"input":"x","tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object","required":[],"additionalProperties":false},"strict":true}],"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false}`,
			`{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","additionalProperties":false,"properties":{}},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false}`},
		{"allowed tools", `{"input":"x","tool_choice":{"type":"allowed_tools","mode":"required","tools":[]},"tools":[{"type":"function","name":"f"}]}`,
			`{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"}`},
		{"reasoning, text and the rest",
			`{"input":"x","reasoning":{"effort":"high","summary":"auto"},"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{"type":"object","additionalProperties":false},"strict":true}},"user":"u","service_tier":"flex","prompt_cache_key":"k"}`,
			`{"model":"m","messages":[{"role":"user","content":"x"}],"reasoning_effort":"high","response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","additionalProperties":false},"strict":true}},"user":"u","service_tier":"flex","prompt_cache_key":"k","verbosity":"low"}`},
		{"web search", `{"input":"x","tools":[{"type":"web_search"}]}`,
			`{"model":"m","messages":[{"role":"user","content":"x"}],"web_search_options":{}}`},
		{"what OpenAI sealed is left out", `{"input":[{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"gAAAA"},{"role":"user","content":"x"}]}`,
			`{"model":"m","messages":[{"role":"user","content":"x"}]}`},
	} {
		req, err := chat.ParseRequest(Responses, []byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		out, err := Upstream{}.AppendRequest(nil, &target.Target{Model: "m", Options: &target.Options{}}, req)
		if err != nil || !jsontest.Equal(t, out, []byte(c.want)) {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, out, c.want)
		}
	}
}

func TestStatefulResponsesRequestsAreRefusedWithTheReason(t *testing.T) {
	for body, want := range map[string]string{
		`{"input":"x","previous_response_id":"resp_1"}`:                           "previous_response_id: this provider stores no answers: set store to false",
		`{"input":"x","conversation":"conv_1"}`:                                   "conversation: this provider stores no conversations: send the whole conversation in input",
		`{"input":"x","background":true}`:                                         "background: the provider answers at once",
		`{"prompt":{"id":"p"},"input":"x"}`:                                       "prompt: this provider stores no prompts",
		`{"input":[{"type":"item_reference","id":"i"}]}`:                          "input[0].type: item_reference: items are not stored by this provider: set store to false",
		`{"input":[{"role":"user","content":"x"},{"type":"hologram"}]}`:           `input[1].type: "hologram" is no known type of item`,
		`{"input":[{"id":"msg_1"}]}`:                                              "input[0].type: item_reference: items are not stored",
		`{"input":[{"type":"compaction","encrypted_content":"x"}]}`:               "input[0].type: compaction: the conversation so far was compacted by OpenAI",
		`{"input":[{"role":"user","content":"x"},{"type":"compaction_trigger"}]}`: "input[1].type: compaction_trigger: this provider compacts no conversations",
		`{"input":[{"type":"computer_call"}]}`:                                    "input[0]: a computer_call needs call_id",
		`{"input":"x","tools":[{"type":"custom"}]}`:                               `tools[0].name: is missing`,
		`{"input":"x","tools":[{"type":"namespace","tools":[]}]}`:                 `tools[0].name: a namespace needs a name`,
		`{"input":"x","tool_choice":{"type":"mcp"}}`:                              "tool_choice: mcp is not among the tools",
		`{"input":[{"type":"function_call","name":"f"}]}`:                         "input[0]: a function_call needs call_id",
		`{"input":[{"type":"function_call_output","output":""}]}`:                 "input[0].call_id: is missing",
		`{"input":[{"role":"user","content":[{"type":"x"}]}]}`:                    `input[0].content[0].type: "x" cannot be translated`,
		`{"input":[{"role":"king","content":"x"}]}`:                               "input[0].role: must be",
		`{"input":3}`: "input: must be a string or an array of items",
		`{"input":"x","text":{"format":{"type":3}}}`: "text.format.type: must be a string",
		`[]`: "request body is not valid JSON",
	} {
		_, err := chat.ParseRequest(Responses, []byte(body))
		var refused *chat.RequestError
		if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", body, err, want)
		}
	}
	if _, err := chat.ParseRequest(Responses, []byte(`{"input":"x","background":false,"previous_response_id":null}`)); err != nil {
		t.Errorf("null and false ask for nothing: %v", err)
	}
}

// everything an answer may have, as parts and as the deltas of the same.
var everything = []chat.Part{
	{Kind: chat.Thinking, Text: jsonedit.Plain("hm \"1\""), Signature: "SIG"},
	{Kind: chat.RedactedThinking, Text: jsonedit.Plain("OPAQUE")},
	{Kind: chat.Text, Text: jsonedit.Plain("é, \n that is")},
	{Kind: chat.ToolCall, ID: "c1", Name: "f", Arguments: jsonedit.Plain(`{"x":1.50}`), Signature: "CALLSIG"},
	{Kind: chat.ToolCall, ID: "c2", Name: "g", Arguments: jsonedit.Plain("{}")},
}

func deltasOf(parts []chat.Part, finish chat.FinishReason, usage *chat.Usage) []chat.Delta {
	deltas := []chat.Delta{{Kind: chat.Start, ID: []byte("up-1"), Model: []byte("up-model"), Created: 5}}
	calls := 0
	for _, p := range parts {
		switch p.Kind {
		case chat.Text, chat.Refusal, chat.Thinking:
			kind := map[chat.PartKind]chat.DeltaKind{chat.Text: chat.TextDelta, chat.Refusal: chat.RefusalDelta, chat.Thinking: chat.ThinkingDelta}[p.Kind]
			for _, r := range p.Text.String() {
				deltas = append(deltas, chat.Delta{Kind: kind, Text: []byte(string(r))})
			}
			if p.Signature != "" {
				deltas = append(deltas, chat.Delta{Kind: chat.SignatureDelta, Text: []byte(p.Signature)})
			}
		case chat.RedactedThinking:
			deltas = append(deltas, chat.Delta{Kind: chat.RedactedDelta, Text: []byte(p.Text.String())})
		case chat.ToolCall:
			deltas = append(deltas, chat.Delta{Kind: chat.ToolStart, Index: calls, ID: []byte(p.ID), Name: []byte(p.Name), Signature: []byte(p.Signature)})
			for _, r := range p.Arguments.String() {
				deltas = append(deltas, chat.Delta{Kind: chat.ToolArguments, Index: calls, Text: []byte(string(r))})
			}
			calls++
		}
	}
	deltas = append(deltas, chat.Delta{Kind: chat.Finish, Reason: finish})
	if usage != nil {
		deltas = append(deltas, chat.Delta{Kind: chat.UsageDelta, Usage: usage})
	}
	return append(deltas, chat.Delta{Kind: chat.End})
}

func encodeAll(deltas []chat.Delta) (out []byte) {
	e := Responses.NewEncoder(meta)
	for i := range deltas {
		out = e.Append(out, &deltas[i])
	}
	return out
}

// streamed reads a stream as a client does, holds its events to the order of the API, and
// returns the last one.
func streamed(t testing.TB, out []byte) map[string]any {
	t.Helper()
	r := frame.New(frame.SSE, bytes.NewReader(out), 0)
	open := map[string]string{} // item id → type
	said := map[string]string{}
	sequence := 0
	var last map[string]any
	for {
		ev, err := r.Next()
		if err == io.EOF {
			return last
		}
		if err != nil {
			t.Fatal(err)
		}
		last = map[string]any{}
		if err := json.Unmarshal(ev.Data, &last); err != nil {
			t.Fatalf("%v: %s", err, ev.Data)
		}
		typ := last["type"].(string)
		if typ != string(ev.Type) || int(last["sequence_number"].(float64)) != sequence {
			t.Fatalf("event %d is %s: %s", sequence, ev.Type, ev.Data)
		}
		if (sequence == 0) != (typ == "response.created") && typ != "error" {
			t.Fatalf("event %d is %s", sequence, typ)
		}
		sequence++
		item, _ := last["item"].(map[string]any)
		id, _ := last["item_id"].(string)
		switch {
		case typ == "response.output_item.added":
			id = item["id"].(string)
			if open[id] != "" {
				t.Fatalf("item %s is added twice", id)
			}
			open[id] = item["type"].(string)
		case typ == "response.output_item.done":
			id = item["id"].(string)
			if open[id] != item["type"] {
				t.Fatalf("item %s is done and not open", id)
			}
			open[id] = "done"
		case strings.HasSuffix(typ, ".delta"):
			if open[id] == "" || open[id] == "done" {
				t.Fatalf("a delta of an item that is not open: %s", ev.Data)
			}
			said[id] += last["delta"].(string)
		case strings.HasSuffix(typ, "_text.done"), strings.HasSuffix(typ, "arguments.done"), strings.HasSuffix(typ, "input.done"), strings.HasSuffix(typ, "refusal.done"):
			whole := ""
			for _, k := range []string{"text", "arguments", "input", "refusal"} {
				if s, ok := last[k].(string); ok {
					whole = s
				}
			}
			if whole != said[id] && !(said[id] == "" && whole == "{}") {
				t.Fatalf("item %s said %q and ends with %q", id, said[id], whole)
			}
		case typ == "response.completed", typ == "response.incomplete":
			for id, state := range open {
				if state != "done" {
					t.Fatalf("item %s is left open", id)
				}
			}
		}
	}
}

func TestResponsesStreamEndsWithTheWholeAnswer(t *testing.T) {
	usage := chat.Usage{Prompt: 12, Completion: 7, Cached: 3, Reasoning: 2}
	for _, finish := range []chat.FinishReason{chat.Stop, chat.ToolCalls, chat.Length, chat.ContentFilter} {
		out := encodeAll(deltasOf(everything, finish, &usage))
		last := streamed(t, out)
		got, _ := json.Marshal(last["response"])
		want, err := Responses.AppendResponse(nil, &chat.Response{
			ID: "up-1", Model: "up-model", Created: 5, Choices: []chat.Choice{{Parts: everything, Finish: finish}}, Usage: usage, Meta: meta,
		})
		if err != nil || !jsontest.Equal(t, got, want) {
			t.Errorf("%s: %v\n got %s\nwant %s", finish, err, got, want)
		}
		var streamedSeen, wholeSeen chat.Seen
		r := frame.New(frame.SSE, bytes.NewReader(out), 0)
		for ev, err := r.Next(); err == nil; ev, err = r.Next() {
			ResponsesMeter.Event(ev, &streamedSeen)
		}
		ResponsesMeter.Whole(want, &wholeSeen)
		if streamedSeen.Usage != wholeSeen.Usage || streamedSeen.Usage.Prompt != 12 || streamedSeen.Usage.Reasoning != 2 || !streamedSeen.Ended {
			t.Errorf("%s: usage of the stream %+v, of the answer %+v", finish, streamedSeen.Usage, wholeSeen.Usage)
		}
	}
}

func TestResponsesOutputSentBackAsInputLosesNothing(t *testing.T) {
	last := streamed(t, encodeAll(deltasOf(everything, chat.ToolCalls, nil)))
	body, _ := json.Marshal(map[string]any{"input": last["response"].(map[string]any)["output"]})
	req, err := chat.ParseRequest(Responses, body)
	if err != nil {
		t.Fatal(err)
	}
	if len(req.Messages) != 1 || !chattest.Equal(req.Messages[0].Parts, everything) {
		t.Errorf("got %+v\nwant %+v", req.Messages, everything)
	}
}

func TestFailedResponsesStreamEndsWithResponseFailedAndTheReason(t *testing.T) {
	e := Responses.NewEncoder(meta)
	out := e.Append(nil, &chat.Delta{Kind: chat.TextDelta, Text: []byte("a")})
	out = e.Append(out, &chat.Delta{Kind: chat.ErrorDelta, Err: &chat.Error{Status: 503, Message: "gone"}})
	out = e.Append(out, &chat.Delta{Kind: chat.End})
	last := streamed(t, out)
	response, _ := last["response"].(map[string]any)
	if why, _ := response["error"].(map[string]any); last["type"] != "response.failed" || response["status"] != "failed" || why["message"] != "gone" || why["code"] != "server_error" {
		t.Errorf("got %v", last)
	}
}

func TestResponsesEventsAreInOrderForAnyInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		deltas := []chat.Delta{}
		calls := 0
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			kind := rapid.SampledFrom([]chat.DeltaKind{chat.Start, chat.TextDelta, chat.ThinkingDelta, chat.SignatureDelta, chat.RedactedDelta,
				chat.RefusalDelta, chat.ToolStart, chat.ToolArguments, chat.ImageDelta, chat.Finish, chat.ExtraDelta}).Draw(t, "kind")
			d := chat.Delta{Kind: kind, Text: []byte(rapid.SampledFrom([]string{"", "a", "é\n"}).Draw(t, "text"))}
			if kind == chat.ToolStart {
				d.Index, d.Name = calls, []byte("f")
				calls++
			}
			if kind == chat.ToolArguments && calls > 0 {
				d.Index = rapid.IntRange(0, calls-1).Draw(t, "call")
			}
			deltas = append(deltas, d)
		}
		deltas = append(deltas, chat.Delta{Kind: chat.End}, chat.Delta{Kind: chat.End})
		failing := &failer{T: t}
		last := streamed(failing, encodeAll(deltas))
		if last["type"] != "response.completed" {
			t.Fatalf("ends with %v", last["type"])
		}
	})
}

// failer lets rapid's T stand in for testing.TB.
type failer struct {
	testing.TB
	T *rapid.T
}

func (f *failer) Helper()                      {}
func (f *failer) Fatal(args ...any)            { f.T.Fatal(args...) }
func (f *failer) Fatalf(s string, args ...any) { f.T.Fatalf(s, args...) }

func TestResponsesDeltasAllocateNothing(t *testing.T) {
	e := Responses.NewEncoder(meta)
	buf := make([]byte, 0, 1<<16)
	d := chat.Delta{Kind: chat.TextDelta, Text: []byte("some text ")}
	e.Append(buf, &d)
	if n := testing.AllocsPerRun(1000, func() { e.Append(buf, &d) }); n > 0 {
		t.Errorf("%.1f allocations per event", n)
	}
}

func BenchmarkResponsesDelta(b *testing.B) {
	e := Responses.NewEncoder(meta)
	buf := make([]byte, 0, 1<<16)
	d := chat.Delta{Kind: chat.TextDelta, Text: []byte("some text ")}
	for b.Loop() {
		e.Append(buf, &d)
	}
}

func FuzzResponsesRequest(f *testing.F) {
	f.Add([]byte(`{"input":"x"}`))
	f.Add([]byte(`{"input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"reasoning","summary":[{"text":"t"}],"encrypted_content":"signature:x"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"}],"tools":[{"type":"function","name":"f"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		req, err := chat.ParseRequest(Responses, body)
		if err != nil {
			var refused *chat.RequestError
			if !errors.As(err, &refused) {
				t.Fatalf("%T", err)
			}
			return
		}
		if out, err := (Upstream{}).AppendRequest(nil, &target.Target{Model: "m", Options: &target.Options{}}, req); err == nil && !json.Valid(out) {
			t.Errorf("no JSON: %s", out)
		}
	})
}
