package anthropic

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/openai"
	"go-ai-proxy/translators/target"
)

func parse(t testing.TB, body []byte) *chat.Request {
	t.Helper()
	r, err := chat.ParseRequest(Dialect, body)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return r
}

func TestClaudeCodesRequestSurvivesTheRoundTrip(t *testing.T) {
	body := fixture(t, "claude_code.json")
	req := parse(t, body)
	out, err := Messages.AppendRequest(nil, chatTarget(sonnet), req)
	if err != nil {
		t.Fatal(err)
	}
	accepted(t, out)
	if got, want := decode(t, out), decode(t, body); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", out, body)
	}
	if !bytes.Contains(out, []byte(`"limit":1.50`)) {
		t.Error("a number was written anew")
	}
	if again := parse(t, out); !chattest.Equal(sorted(again), sorted(req)) {
		t.Errorf("read again: got %+v\nwant %+v", again, req)
	}
}

// sorted leaves out the order of the other members, which is not kept.
func sorted(r *chat.Request) *chat.Request {
	c := *r
	c.Extra = nil
	return &c
}

func TestRequestsOfTheDialectAreRead(t *testing.T) {
	r := parse(t, fixture(t, "claude_code.json"))
	if r.Model != sonnet || !r.Stream || r.MaxTokens != "32000" || r.Temperature != "1" || !reflect.DeepEqual(r.Stop, []string{"</end>"}) {
		t.Errorf("got %+v", r)
	}
	if len(r.Tools) != 3 || r.Tools[1].CacheControl == nil || r.Tools[2].Native == nil || r.Tools[0].Name != "Read" {
		t.Errorf("tools: got %+v", r.Tools)
	}
	if r.ToolChoice.Mode != "auto" || r.ParallelTools == nil || !*r.ParallelTools {
		t.Errorf("tool_choice: got %+v", r.ToolChoice)
	}
	if len(r.Messages) != 4 || r.Messages[0].Role != chat.System || len(r.Messages[0].Parts) != 2 {
		t.Fatalf("messages: got %+v", r.Messages)
	}
	result := r.Messages[3].Parts[1]
	if result.Kind != chat.ToolResult || !result.IsError || result.ID != "toolu_2" || result.Parts[0].Text.String() != "exit 1" {
		t.Errorf("result: got %+v", result)
	}
	if !strings.HasPrefix(r.User, "user_0123") || r.Lookup("context_management") == nil {
		t.Errorf("got %+v", r)
	}
}

func TestThinkingAndFormatOfTheDialect(t *testing.T) {
	r := parse(t, []byte(`{"messages":[],"thinking":{"type":"enabled","budget_tokens":2048},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{"type":"object"}}},"service_tier":"standard_only","tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},"top_k":3,"top_p":0.5,"container":null}`))
	strict, parallel := true, false
	want := &chat.Request{Thoughts: true, ReasoningBudget: "2048", ReasoningEffort: "xhigh", ServiceTier: "default", TopK: "3", TopP: "0.5", ParallelTools: &parallel,
		ToolChoice:     chat.ToolChoice{Mode: "function", Name: "f"},
		ResponseFormat: chat.ResponseFormat{Type: "json_schema", Name: "answer", Schema: chat.Raw(`{"type":"object"}`), Strict: &strict}}
	if r.Lookup("thinking") == nil || r.Lookup("output_config") == nil || r.Lookup("container") != nil {
		t.Errorf("extra: got %+v", r.Extra)
	}
	if got := sorted(r); !chattest.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestInvalidDialectRequestsAreRefused(t *testing.T) {
	for body, field := range map[string]string{
		`{`:               "",
		`[]`:              "",
		`{"model":"m"}`:   "messages",
		`{"messages":{}}`: "messages",
		`{"messages":[{"role":"tool","content":""}]}`:                                      "messages[0].role",
		`{"messages":[{"role":"user"}]}`:                                                   "messages[0].content",
		`{"messages":[{"role":"user","content":3}]}`:                                       "messages[0].content",
		`{"messages":[{"role":"user","content":[{"text":"x"}]}]}`:                          "messages[0].content[0].type",
		`{"messages":[],"max_tokens":"1"}`:                                                 "max_tokens",
		`{"messages":[],"stream":1}`:                                                       "stream",
		`{"messages":[],"tools":{}}`:                                                       "tools",
		`{"messages":[],"system":1}`:                                                       "system",
		`{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{}]}]}]}`: "messages[0].content[0].content[0].type",
	} {
		_, err := chat.ParseRequest(Dialect, []byte(body))
		var refused *chat.RequestError
		if !errors.As(err, &refused) || refused.Field != field {
			t.Errorf("%s: got %v, want a request error about %q", body, err, field)
		}
	}
}

func TestAnswersSurviveTheRoundTrip(t *testing.T) {
	for _, s := range mock.Scenarios {
		if s.Error != nil || s.Name == "choices" || s.Name == "refusal" {
			continue
		}
		answer := s.Answer
		answer.Usage.CacheWrite, answer.Usage.CacheWrite1h = 3, 3
		body, err := Dialect.AppendResponse(nil, &answer)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Messages.ParseResponse(chatTarget(sonnet), body)
		if err != nil {
			t.Fatalf("%s: %v\n%s", s.Name, err, body)
		}
		want := answer.Choices[0]
		if !chattest.Equal(got.Choices[0], want) {
			t.Errorf("%s:\n got %+v\nwant %+v", s.Name, got.Choices[0], want)
		}
		answer.Usage.Total, answer.Usage.Prompt = 0, max(answer.Usage.Prompt, answer.Usage.Cached+3)
		if got.Usage != answer.Usage {
			t.Errorf("%s: usage\n got %+v\nwant %+v", s.Name, got.Usage, answer.Usage)
		}
	}
}

func TestMembersThatProvidersLeaveOutAreFilledIn(t *testing.T) {
	r := &chat.Response{NoUsage: true, Meta: chat.Meta{ID: "8T6Y", Model: "m", PromptTokens: 12}, Choices: []chat.Choice{{Finish: chat.Stop, Parts: []chat.Part{
		{Kind: chat.Text}, {Kind: chat.ToolCall, Name: "f", Arguments: jsonedit.Plain(`{"x":`)}, {Kind: chat.ToolCall, Name: "g"}}}}}
	body, err := Dialect.AppendResponse(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"msg_8T6Y","type":"message","role":"assistant","model":"m","content":[` +
		`{"type":"tool_use","id":"toolu_8T6Y_0","name":"f","input":{"arguments":"{\"x\":"}},{"type":"tool_use","id":"toolu_8T6Y_1","name":"g","input":{}}],` +
		`"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

func TestFinishReasonsOfTheDialect(t *testing.T) {
	for _, tt := range []struct {
		reason   chat.FinishReason
		sequence string
		calls    bool
		want     string
	}{
		{chat.Stop, "", false, `"stop_reason":"end_turn","stop_sequence":null`},
		{chat.Stop, "END", false, `"stop_reason":"stop_sequence","stop_sequence":"END"`},
		{chat.Stop, "", true, `"stop_reason":"tool_use","stop_sequence":null`},
		{chat.ToolCalls, "", true, `"stop_reason":"tool_use","stop_sequence":null`},
		{chat.Length, "", true, `"stop_reason":"max_tokens","stop_sequence":null`},
		{chat.ContentFilter, "", false, `"stop_reason":"refusal","stop_sequence":null`},
		{"", "", false, `"stop_reason":null,"stop_sequence":null`},
		{"guardrail_intervened", "", false, `"stop_reason":"guardrail_intervened","stop_sequence":null`},
	} {
		if got := string(appendStop(nil, tt.reason, []byte(tt.sequence), tt.calls)); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.reason, got, tt.want)
		}
	}
}

func TestStreamOfTheDialect(t *testing.T) {
	e := Dialect.NewEncoder(chat.Meta{ID: "1", Model: "m", PromptTokens: 7})
	usage := &chat.Usage{Prompt: 20, Cached: 5, Completion: 9}
	var got []byte
	for _, d := range []chat.Delta{
		{Kind: chat.Start, Model: []byte("gpt-5")},
		{Kind: chat.ThinkingDelta, Text: []byte("hm")},
		{Kind: chat.SignatureDelta, Text: []byte("sig")},
		{Kind: chat.RedactedDelta, Text: []byte("b64")},
		{Kind: chat.TextDelta, Text: []byte("a\"")},
		{Kind: chat.TextDelta, Text: []byte("b")},
		{Kind: chat.TextDelta, Choice: 1, Text: []byte("other choice")},
		{Kind: chat.ToolStart, Index: 0, ID: []byte("call_1"), Name: []byte("f")},
		{Kind: chat.ToolStart, Index: 1, Name: []byte("g"), Text: []byte(`{"y"`)},
		{Kind: chat.ToolArguments, Index: 1, Text: []byte(`:1}`)},
		{Kind: chat.ToolArguments, Index: 0, Text: []byte(`{}`)},
		{Kind: chat.Finish, Reason: chat.ToolCalls},
		{Kind: chat.UsageDelta, Usage: usage},
		{Kind: chat.End},
		{Kind: chat.TextDelta, Text: []byte("too late")},
	} {
		got = e.Append(got, &d)
	}
	if want := fixture(t, "encoded.sse"); !bytes.Equal(got, want) {
		t.Errorf("got:\n%s", got)
	}
}

func TestStreamOfTheDialectEndsWithAnError(t *testing.T) {
	e := Dialect.NewEncoder(chat.Meta{ID: "1", Model: "m"})
	got := string(e.Append(nil, &chat.Delta{Kind: chat.ErrorDelta, Err: &chat.Error{Type: "overloaded_error", Message: "Overloaded"}}))
	if want := "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"; got != want {
		t.Errorf("got %q", got)
	}
	if more := e.Append(nil, &chat.Delta{Kind: chat.End}); len(more) > 0 {
		t.Errorf("after the error: %s", more)
	}
}

func TestStreamsSurviveTheRoundTrip(t *testing.T) {
	stream := fixture(t, "blocks.sse")
	want, _ := collect(t, bytes.NewReader(stream))
	s, e := Messages.NewStream(&target.Target{}), Dialect.NewEncoder(chat.Meta{})
	var out []byte
	for _, ev := range events(t, bytes.NewReader(stream)) {
		deltas, err := s.Next(ev)
		if err != nil {
			t.Fatal(err)
		}
		for i := range deltas {
			out = e.Append(out, &deltas[i])
		}
	}
	got, _ := collect(t, bytes.NewReader(out))
	for _, r := range []*chat.Response{got, want} { // between texts there is a new line each time
		for i := range r.Choices[0].Parts {
			p := &r.Choices[0].Parts[i]
			p.Text = jsonedit.Plain(strings.TrimLeft(p.Text.String(), "\n"))
		}
	}
	if !chattest.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v\n%s", got, want, out)
	}
}

// What another provider streams, a client of this dialect understands as what
// was said.
func TestOpenAIStreamsReachTheDialect(t *testing.T) {
	format := mock.ByName("openai/chat")
	for _, s := range mock.Scenarios {
		if s.Error != nil || s.Name == "choices" || s.Name == "refusal" || s.Name == "empty" {
			continue
		}
		_, stream := format.Stream(s, []byte(`{"stream_options":{"include_usage":true}}`))
		from, to := openai.Upstream{}.NewStream(&target.Target{}), Dialect.NewEncoder(chat.Meta{ID: "1", Model: "m"})
		var out []byte
		for _, ev := range events(t, bytes.NewReader(bytes.Join(stream, nil))) {
			deltas, err := from.Next(ev)
			if err != nil {
				t.Fatal(err)
			}
			for i := range deltas {
				out = to.Append(out, &deltas[i])
			}
		}
		got, kinds := collect(t, bytes.NewReader(out))
		if kinds[len(kinds)-1] != chat.End {
			t.Errorf("%s: the stream does not end", s.Name)
		}
		want := append([]chat.Part{}, s.Answer.Choices[0].Parts...)
		for i := range want {
			want[i].Signature = "" // OpenAI's format has none
		}
		if c := got.Choices[0]; !chattest.Equal(c.Parts, want) || c.Finish != s.Answer.Choices[0].Finish {
			t.Errorf("%s:\n got %+v\nwant %+v", s.Name, c, want)
		}
		if got.Usage.Prompt != s.Answer.Usage.Prompt || got.Usage.Completion != s.Answer.Usage.Completion || got.Usage.Cached != s.Answer.Usage.Cached {
			t.Errorf("%s: usage %+v", s.Name, got.Usage)
		}
	}
}

func TestErrorsOfTheDialectHaveItsTypes(t *testing.T) {
	for _, tt := range []struct {
		err  chat.Error
		want string
	}{
		{chat.Error{Status: 400, Type: "invalid_request_error"}, "invalid_request_error"},
		{chat.Error{Status: 401, Type: "invalid_request_error", Code: "invalid_api_key"}, "authentication_error"},
		{chat.Error{Status: 402}, "billing_error"},
		{chat.Error{Status: 403}, "permission_error"},
		{chat.Error{Status: 404}, "not_found_error"},
		{chat.Error{Status: 413}, "request_too_large"},
		{chat.Error{Status: 429, Type: "insufficient_quota"}, "rate_limit_error"},
		{chat.Error{Status: 500, Type: "server_error"}, "api_error"},
		{chat.Error{Status: 504}, "timeout_error"},
		{chat.Error{Status: 529}, "overloaded_error"},
		{chat.Error{Status: 503, Type: "overloaded_error"}, "overloaded_error"},
		{chat.Error{Type: "overloaded_error"}, "overloaded_error"},
		{chat.Error{Type: "whatever"}, "api_error"},
	} {
		tt.err.Message = "a \"message\""
		var got struct {
			Type  string
			Error struct{ Type, Message string }
		}
		if err := json.Unmarshal(Dialect.AppendError(nil, &tt.err), &got); err != nil {
			t.Fatal(err)
		}
		if got.Type != "error" || got.Error.Type != tt.want || got.Error.Message != tt.err.Message {
			t.Errorf("%d %s: got %+v, want %s", tt.err.Status, tt.err.Type, got, tt.want)
		}
	}
}

func TestEncoderDoesNotAllocate(t *testing.T) {
	e := Dialect.NewEncoder(chat.Meta{ID: "1", Model: "m"})
	d := chat.Delta{Kind: chat.TextDelta, Text: []byte("hello \n world")}
	dst := e.Append(make([]byte, 0, 4096), &d)
	if n := testing.AllocsPerRun(100, func() { dst = e.Append(dst[:0], &d) }); n > 0 {
		t.Errorf("%.0f allocations per event", n)
	}
}

func FuzzDialect(f *testing.F) {
	f.Add(fixture(f, "claude_code.json"))
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"image"},{"type":"document","source":{"type":"text","data":"x"}},{"type":"server_tool_use"}]}],"tools":[{}],"output_config":[],"thinking":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		r, err := chat.ParseRequest(Dialect, body)
		if err == nil {
			var out []byte
			if out, err = Messages.AppendRequest(nil, chatTarget(sonnet), r); err == nil && !json.Valid(out) {
				t.Fatalf("%s became no JSON: %s", body, out)
			}
		}
		var refused *chat.RequestError
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("a %T: %v", err, err)
		}
	})
}

func TestServerToolsOfTheHistoryBecomeTextOrNothing(t *testing.T) {
	for content, want := range map[string]string{
		`{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]},{"type":"text","text":"found"}`: "found",
		`{"type":"compaction","content":"what was said"}`:                                                                                                 "what was said",
		`{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`:                             "t\ns\na\nb",
		`{"type":"mcp_tool_use","id":"m","name":"f","input":{"a":1}},{"type":"mcp_tool_result","tool_use_id":"m","content":[{"type":"text","text":"b"}]}`: "[f: {\"a\":1}]\n[Result: b]",
		`{"type":"server_tool_use","id":"s","name":"bash_code_execution","input":{"command":"ls"}},{"type":"bash_code_execution_tool_result","tool_use_id":"s","content":{"type":"bash_code_execution_result","stdout":"a.txt","stderr":"","return_code":0,"content":[]}}`: "[bash_code_execution: {\"command\":\"ls\"}]\n[Result: a.txt]",
		`{"type":"server_tool_use","id":"s","name":"web_fetch","input":{"url":"u"}},{"type":"web_fetch_tool_result","tool_use_id":"s","content":{}}`:                                                                                                                       "",
	} {
		r, err := chat.ParseRequest(Dialect, []byte(`{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[`+content+`]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		r = r.Owned("another")
		for _, m := range r.Messages[1:] {
			for _, p := range m.Parts {
				got += p.Text.String()
			}
		}
		if got != want || want == "" && len(r.Messages) != 1 {
			t.Errorf("%s\nbecame %q in %d messages, want %q", content, got, len(r.Messages), want)
		}
	}
	r, err := chat.ParseRequest(Dialect, []byte(`{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"tool_reference","tool_name":"docs_search"}]}]}]}`))
	if err != nil || r.Messages[0].Parts[0].Parts[0].Text.String() != "docs_search" {
		t.Errorf("a reference to a tool: %v %+v", err, r)
	}
}

func TestThinkingThatIsTurnedOffIsAskedForSo(t *testing.T) {
	r, err := chat.ParseRequest(Dialect, []byte(`{"thinking":{"type":"disabled"},"output_config":{"effort":"high"},"messages":[{"role":"user","content":"x"}]}`))
	if err != nil || r.ReasoningEffort != "none" {
		t.Errorf("%v, effort %q", err, r.ReasoningEffort)
	}
}

func TestToolsThatTheClientRunsAreFunctionsForOthers(t *testing.T) {
	r, err := chat.ParseRequest(Dialect, []byte(`{"tools":[{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728","name":"str_replace_based_edit_tool"},{"type":"memory_20250818","name":"memory"},{"type":"computer_20250124","name":"computer"},{"type":"web_search_20250305","name":"web_search","allowed_domains":["a.example"],"user_location":{"type":"approximate","city":"Paris"},"max_uses":3}],"messages":[{"role":"user","content":"x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range r.Tools[:4] {
		if tool.Hosted != "" || tool.Description.Empty() || jsonedit.Valid(tool.Parameters) != nil || len(tool.Native) == 0 {
			t.Errorf("%+v", tool)
		}
	}
	if s := r.Tools[4]; s.Hosted != chat.WebSearch || s.Name != "web_search" || s.Search == nil || s.Search.Allowed[0] != "a.example" || s.Search.City != "Paris" || s.Search.MaxUses != "3" {
		t.Errorf("%+v", s)
	}
}
