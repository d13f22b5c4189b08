package openai

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/target"
)

const (
	patchTool = `{"type":"custom","custom":{"name":"apply_patch","description":"Edits files.","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: /.+/s"}}}}`
	patch     = "*** Begin Patch\n+\"a\\b\" \u00e9\n*** End Patch"
)

func customRequest(t *testing.T) *chat.Request {
	t.Helper()
	return parse(t, `{"messages":[{"role":"user","content":"go"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"custom","custom":{"name":"apply_patch","input":"a \"b\""}}]},`+
		`{"role":"tool","tool_call_id":"call_1","content":"Done"}],"tools":[`+patchTool+`],"tool_choice":{"type":"custom","custom":{"name":"apply_patch"}}}`)
}

func TestCustomToolIsAFunctionWithOneString(t *testing.T) {
	req := customRequest(t)
	tool := req.Tools[0]
	if tool.Hosted != "" || string(tool.Parameters) != inputSchema || !strings.Contains(tool.Description.String(), "lark grammar:\n\nstart: /.+/s") {
		t.Errorf("the tool is %+v", tool)
	}
	if got := req.Messages[1].Parts[0].Arguments.String(); got != `{"input":"a \"b\""}` {
		t.Errorf("the call's arguments are %s", got)
	}
	if req.ToolChoice != (chat.ToolChoice{Mode: "function", Name: "apply_patch"}) {
		t.Errorf("the choice is %+v", req.ToolChoice)
	}
	allowed := parse(t, `{"messages":[],"tools":[`+patchTool+`,{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"custom","custom":{"name":"apply_patch"}}]}}}`)
	if len(allowed.Tools) != 1 || allowed.Tools[0].Name != "apply_patch" || allowed.ToolChoice.Mode != "required" {
		t.Errorf("allowed: %+v, %+v", allowed.Tools, allowed.ToolChoice)
	}
}

func TestCallOfACustomToolHasTheBareInput(t *testing.T) {
	meta := chat.Meta{ID: "1", Tools: customRequest(t).ClientTools()}
	for arguments, want := range map[string]string{
		string(jsonedit.AppendText([]byte("{"), "input", patch)) + "}": patch,
		"*** Begin": "*** Begin",
		`{}`:        "",
	} {
		whole, err := Chat.AppendResponse(nil, &chat.Response{Meta: meta, Choices: []chat.Choice{{Finish: chat.ToolCalls, Parts: []chat.Part{
			{Kind: chat.ToolCall, ID: "call_1", Name: "apply_patch", Arguments: jsonedit.Plain(arguments)}, {Kind: chat.ToolCall, ID: "call_2", Name: "f", Arguments: jsonedit.Plain("{}")}}}}})
		if err != nil {
			t.Fatal(err)
		}
		calls := jsonedit.Elements(jsonedit.Lookup(jsonedit.Elements(jsonedit.Lookup(whole, "choices"), nil)[0], "message", "tool_calls"), nil)
		if call := `{"id":"call_1","type":"custom","custom":` + string(jsonedit.AppendText([]byte(`{"name":"apply_patch"`), "input", want)) + "}}"; string(calls[0]) != call {
			t.Errorf("got %s, want %s", calls[0], call)
		}
		if string(calls[1]) != `{"id":"call_2","type":"function","function":{"name":"f","arguments":"{}"}}` {
			t.Errorf("beside it: %s", calls[1])
		}
		for cut := range len(arguments) {
			if !utf8.RuneStart(arguments[cut]) {
				continue // JSON has whole characters
			}
			if got := streamedInput(t, meta, arguments[:cut], arguments[cut:]); got != want {
				t.Fatalf("streamed, cut at %d: %q, want %q", cut, got, want)
			}
		}
	}
}

// streamedInput streams a call whose arguments come in pieces, and joins its input.
func streamedInput(t *testing.T, meta chat.Meta, pieces ...string) (input string) {
	t.Helper()
	e := Chat.NewEncoder(meta)
	out := e.Append(nil, &chat.Delta{Kind: chat.ToolStart, ID: []byte("call_1"), Name: []byte("apply_patch"), Text: []byte(pieces[0])})
	for _, p := range pieces[1:] {
		out = e.Append(out, &chat.Delta{Kind: chat.ToolArguments, Text: []byte(p)})
	}
	out = e.Append(e.Append(out, &chat.Delta{Kind: chat.Finish, Reason: chat.ToolCalls}), &chat.Delta{Kind: chat.End})
	finished := false
	for line := range strings.SplitSeq(string(out), "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		v := jsonedit.MustParse(data).GetArray("choices")[0]
		finished = finished || v.GetString("finish_reason") != ""
		for _, call := range v.GetArray("delta", "tool_calls") {
			if call.Exists("function") || call.GetInt("index") != 0 || finished {
				t.Errorf("a piece of the call: %s", line)
			}
			input += string(call.GetStringBytes("custom", "input"))
		}
	}
	if !strings.Contains(string(out), `"id":"call_1","type":"custom","custom":{"name":"apply_patch","input":`) || !finished {
		t.Errorf("the stream is %s", out)
	}
	return input
}

func TestCustomToolsReachTheResponsesAPIAsTheyAre(t *testing.T) {
	body, err := responsesUpstream{models: Families}.AppendRequest(nil, &target.Target{Model: "gpt-5.4"}, customRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"tools":[{"type":"custom","name":"apply_patch","description":"Edits files.","format":{"type":"grammar","syntax":"lark","definition":"start: /.+/s"}}]`,
		`{"type":"custom_tool_call","call_id":"call_1","name":"apply_patch","input":"a \"b\""},{"type":"custom_tool_call_output","call_id":"call_1","output":"Done"}`,
		`"tool_choice":{"type":"custom","name":"apply_patch"}`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}

func TestCustomCallsOfTheResponsesAPIComeInPieces(t *testing.T) {
	const added = `{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","id":"ctc_1","call_id":"call_1","name":"apply_patch","input":""}}`
	const done = `{"type":"response.output_item.done","output_index":0,"item":{"type":"custom_tool_call","id":"ctc_1","call_id":"call_1","name":"apply_patch","input":"a\n\"b\""}}`
	delta := func(text string) string {
		return `{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":` + text + `}`
	}
	for name, events := range map[string][]string{
		"in pieces":     {added, delta(`"a\n"`), delta(`"\"b\""`), done},
		"at the end":    {added, done},
		"the item only": {done},
	} {
		s := responsesUpstream{}.NewStream(nil)
		var arguments strings.Builder
		for _, ev := range events {
			deltas, err := s.Next(frame.Event{Data: []byte(ev)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range deltas {
				arguments.Write(deltas[i].Text)
			}
		}
		if got := arguments.String(); got != `{"input":"a\n\"b\""}` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestOnlyBodiesWithCustomToolsAreTranslated(t *testing.T) {
	for body, want := range map[string]bool{
		`{"messages":[],"tools":[` + patchTool + `]}`:                                                                                                      true,
		`{"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"custom","custom":{"name":"x","input":""}}]}]}`:                                   true,
		`{"messages":[{"role":"user","content":"\"custom\""}],"tools":[{"type":"function","function":{"name":"custom"}}]}`:                                 false,
		`{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"type":"custom"}}}}]}`: false,
		`{"messages":"custom","tools":7}`: false,
	} {
		ms, err := jsonedit.Object([]byte(body), nil)
		if err != nil || hasCustomTools(ms) != want {
			t.Errorf("%s: %v, %v", body, hasCustomTools(ms), err)
		}
	}
}
