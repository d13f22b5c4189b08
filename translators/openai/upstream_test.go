package openai

import (
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/provider"
	"go-ai-proxy/translators/target"
)

var testTarget = &target.Target{Model: "m", Route: "llm/v1/chat", Options: &target.Options{}}

func body(t *testing.T, u Upstream, req *chat.Request) string {
	t.Helper()
	b, err := u.AppendRequest(nil, testTarget, req)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestResultsInAUsersTurnBecomeMessages(t *testing.T) {
	req := &chat.Request{Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{
		{Kind: chat.ToolResult, ID: "a", Parts: []chat.Part{{Text: jsonedit.Plain("one")}, {Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("QQ==")}}}},
		{Kind: chat.ToolResult, ID: "b"},
		{Text: jsonedit.Plain("go on")},
	}}}}
	want := `{"model":"m","messages":[{"role":"tool","tool_call_id":"a","content":"one"},{"role":"tool","tool_call_id":"b","content":""},` +
		`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}},{"type":"text","text":"go on"}]}]}`
	if got := body(t, Upstream{}, req); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestThinkingIsSentBackToAPIsThatTakeIt(t *testing.T) {
	req := &chat.Request{Messages: []chat.Message{{Role: chat.Assistant, Parts: []chat.Part{
		{Kind: chat.Thinking, Text: jsonedit.Plain("hm"), Signature: "s"}, {Kind: chat.ToolCall, ID: "a", Name: "f", Arguments: jsonedit.Plain("{}")}}}}}
	if got := body(t, Upstream{}, req); strings.Contains(got, "hm") || !strings.Contains(got, `"content":null,"tool_calls":[{"id":"a"`) {
		t.Errorf("got %s", got)
	}
	if got := body(t, Upstream{History: &provider.History{Thought: provider.ThoughtInReasoningContent}}, req); !strings.Contains(got, `"reasoning_content":"hm"`) {
		t.Errorf("got %s", got)
	}
}

func TestRequestsThatOtherFormatsAllow(t *testing.T) {
	for name, test := range map[string]struct {
		req       chat.Request
		has, lack string
	}{
		"a budget":         {chat.Request{ReasoningBudget: "4096"}, `"reasoning_effort":"medium"`, "budget"},
		"no thinking":      {chat.Request{ReasoningBudget: "0"}, "", "reasoning_effort"},
		"a free budget":    {chat.Request{ReasoningBudget: "-1"}, "", "reasoning_effort"},
		"a long user":      {chat.Request{User: strings.Repeat("u", 65)}, "", `"user"`},
		"another tier":     {chat.Request{ServiceTier: "standard_only"}, "", "service_tier"},
		"another's member": {chat.Request{Extra: []chat.Member{{Name: "safetySettings", Value: chat.Raw("[]")}, {Name: "store", Value: chat.Raw("true")}}, Metadata: chat.Raw(`{"a":"b"}`)}, `"store":true,"metadata":{"a":"b"}`, "safetySettings"},
		"a nameless form":  {chat.Request{ResponseFormat: chat.ResponseFormat{Type: "json_schema", Schema: chat.Raw(`{}`)}}, `{"type":"json_schema","json_schema":{"name":"answer","schema":{}}}`, ""},
		"a choice":         {chat.Request{Tools: []chat.Tool{{Name: "f"}}, ToolChoice: chat.ToolChoice{Mode: "function", Name: "f"}}, `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}}`, ""},
		"a choice of none": {chat.Request{ToolChoice: chat.ToolChoice{Mode: "auto"}}, "", "tool_choice"},
	} {
		got := body(t, Upstream{}, &test.req)
		if !strings.Contains(got, test.has) || test.lack != "" && strings.Contains(got, test.lack) {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestPartsThatCannotBeSentAreRefused(t *testing.T) {
	for name, part := range map[string]chat.Part{
		"opaque":     {Kind: chat.Opaque, Type: "x", Raw: chat.Raw("{}")},
		"sound URL":  {Kind: chat.Audio, Media: &chat.Media{URL: "https://x"}},
		"file URL":   {Kind: chat.File, Media: &chat.Media{URL: "https://x"}},
		"no picture": {Kind: chat.Image},
	} {
		req := &chat.Request{Messages: []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("x")}, part}}}}
		_, err := Upstream{}.AppendRequest(nil, testTarget, req)
		if e, ok := err.(*chat.RequestError); !ok || e.Field != "messages[0].content[1]" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestUnusableAnswersAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		`{"object":"x"}`:                  "'choices' not in llm/v1/chat response",
		`{"choices":null}`:                "'choices' is empty in llm/v1/chat response",
		`{"choices":[],"usage":{}}`:       "'choices' is empty in llm/v1/chat response",
		`no JSON`:                         "failed to decode llm/v1/chat response",
		`[]`:                              "failed to decode llm/v1/chat response",
		`{"error":{"message":"loading"}}`: "loading",
		`{"error":"say \"no\"\u0001"}`:    "say \"no\"\x01",
	} {
		_, err := Upstream{}.ParseResponse(testTarget, []byte(in))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
		if _, told := err.(*chat.Error); told != strings.Contains(in, `"error"`) {
			t.Errorf("%s: got a %T: only an error is the provider's own", in, err)
		}
	}
}

// TestIrregularToolCallPiecesAreAssembled: the id again in every piece, or no index at all.
func TestIrregularToolCallPiecesAreAssembled(t *testing.T) {
	for name, chunks := range map[string][]string{
		"id repeated": {`{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`, `{"index":0,"id":"a","function":{"arguments":"}"}}`, `{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}`},
		"no index":    {`{"id":"a","function":{"name":"f","arguments":"{"}}`, `{"function":{"arguments":"}"}}`, `{"id":"b","function":{"name":"g","arguments":"{}"}}`},
		"from one":    {`{"index":1,"id":"a","function":{"name":"f","arguments":"{"}}`, `{"index":1,"function":{"arguments":"}"}}`, `{"index":2,"id":"b","function":{"name":"g","arguments":"{}"}}`},
	} {
		s := Upstream{}.NewStream(testTarget)
		arguments := map[int]string{}
		names := map[int]string{}
		for _, c := range chunks {
			deltas, err := s.Next(frame.Event{Data: []byte(`{"id":"x","choices":[{"index":0,"delta":{"tool_calls":[` + c + `]}}]}`)})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range deltas {
				if d.Kind == chat.ToolStart || d.Kind == chat.ToolArguments {
					names[d.Index] += string(d.Name)
					arguments[d.Index] += string(d.Text)
				}
			}
		}
		if names[0] != "f" || names[1] != "g" || arguments[0] != "{}" || arguments[1] != "{}" || len(names) != 2 {
			t.Errorf("%s: got names %v, arguments %v", name, names, arguments)
		}
	}
}

func FuzzUpstreamStream(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":-1,"function":{"name":"f"}}]}}]}`))
	f.Add([]byte(`{"choices":[{"index":9999999999,"delta":{"content":[{"summary":"x"}]}}],"usage":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		defer workload.Linear(t, len(data))()
		s, e := Upstream{}.NewStream(testTarget), Chat.NewEncoder(testMeta)
		for range 2 {
			deltas, _ := s.Next(frame.Event{Data: data})
			for i := range deltas {
				e.Append(nil, &deltas[i])
			}
		}
	})
}

func TestArgumentsMayBeTheObjectItself(t *testing.T) {
	const call = `"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":{"q":"x"}}}]`
	resp, err := Upstream{}.ParseResponse(testTarget, []byte(`{"choices":[{"message":{`+call+`},"finish_reason":"tool_calls"}]}`))
	if err != nil || resp.Choices[0].Parts[0].Arguments.String() != `{"q":"x"}` {
		t.Errorf("whole: %+v, %v", resp, err)
	}
	deltas, err := Upstream{}.NewStream(testTarget).Next(frame.Event{Data: []byte(`{"choices":[{"delta":{` + call + `}}]}`)})
	if err != nil || len(deltas) != 2 || string(deltas[1].Text) != `{"q":"x"}` {
		t.Errorf("streamed: %+v, %v", deltas, err)
	}
}

// TestWhatOthersServersLeftInAnAnswerDoesNotEndTheConversation: a kind of block that is not
// known here is left out of what the model said.
func TestWhatOthersServersLeftInAnAnswerDoesNotEndTheConversation(t *testing.T) {
	req := &chat.Request{Messages: []chat.Message{{Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.Opaque, Type: "new_tool_result", Raw: chat.Raw(`{"type":"new_tool_result"}`)}, {Text: jsonedit.Plain("found")}}}}}
	body, err := Upstream{}.AppendRequest(nil, testTarget, req)
	if err != nil || !strings.Contains(string(body), `"content":"found"`) || strings.Contains(string(body), "new_tool_result") {
		t.Errorf("got %s, %v", body, err)
	}
}

// A user message between the results of one turn is refused.
func TestImagesOfResultsStandBehindAllResultsOfTheTurn(t *testing.T) {
	result := func(id string, parts ...chat.Part) chat.Message {
		return chat.Message{Role: chat.ToolRole, Parts: []chat.Part{{Kind: chat.ToolResult, ID: id, Parts: parts}}}
	}
	image := chat.Part{Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("QQ==")}}
	said := chat.Part{Kind: chat.Text, Text: jsonedit.Plain("see")}
	const picture = `{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]}`
	two := []chat.Message{result("a", said, image), result("b", said)}
	const results = `{"role":"tool","tool_call_id":"a","content":"see"},{"role":"tool","tool_call_id":"b","content":"see"},`
	for name, c := range map[string]struct {
		behind []chat.Message
		want   string
	}{
		"at the end":          {nil, results + picture},
		"before an assistant": {[]chat.Message{{Role: chat.Assistant, Parts: []chat.Part{said}}}, results + picture + `,{"role":"assistant","content":"see"}`},
		"before a user": {[]chat.Message{{Role: chat.User, Parts: []chat.Part{said}}},
			results + `{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}},{"type":"text","text":"see"}]}`},
		"before a system": {[]chat.Message{{Role: chat.System, Parts: []chat.Part{said}}}, results + picture + `,{"role":"system","content":"see"}`},
	} {
		want := `{"model":"m","messages":[` + c.want + `]}`
		if got := body(t, Upstream{}, &chat.Request{Messages: append(slices.Clone(two), c.behind...)}); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
}
