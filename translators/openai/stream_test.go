package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/jsonedit"
)

var testMeta = chat.Meta{ID: "abc", Created: 1700000000, Model: "m", IncludeUsage: true}

func encode(e chat.Encoder, deltas ...chat.Delta) string {
	var out []byte
	for i := range deltas {
		out = e.Append(out, &deltas[i])
	}
	return string(out)
}

// trimmed is a stream without what is the same in all chunks.
func trimmed(s string) string {
	for _, head := range []string{
		`data: {"id":"chatcmpl-abc","object":"chat.completion.chunk","created":1700000000,"model":"m","system_fingerprint":null,"choices":`,
		`data: {"id":"cmpl-abc","object":"text_completion","created":1700000000,"model":"m","choices":`,
	} {
		s = strings.ReplaceAll(s, head, "")
	}
	return strings.ReplaceAll(s, `,"usage":null}`+"\n\n", "}\n\n")
}

func TestStreamStartsWithRoleAndEndsWithDone(t *testing.T) {
	got := trimmed(encode(Chat.NewEncoder(testMeta),
		chat.Delta{Kind: chat.Start},
		chat.Delta{Kind: chat.TextDelta, Text: []byte("a\"b")},
		chat.Delta{Kind: chat.ToolStart, Index: 0, Name: []byte("f")},
		chat.Delta{Kind: chat.ToolArguments, Index: 0, Text: []byte(`{"x":1}`)},
		chat.Delta{Kind: chat.ToolStart, Index: 1, ID: []byte("id1"), Name: []byte("g"), Text: []byte("{}"), Signature: []byte("sig")},
		chat.Delta{Kind: chat.UsageDelta, Usage: &chat.Usage{Prompt: 3, Completion: 4, Cached: 2, Reasoning: 1}},
		chat.Delta{Kind: chat.Finish, Reason: chat.ToolCalls},
		chat.Delta{Kind: chat.End},
		chat.Delta{Kind: chat.End},
		chat.Delta{Kind: chat.TextDelta, Text: []byte("late")},
	))
	want := strings.Join([]string{
		`[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}`,
		`[{"index":0,"delta":{"content":"a\"b"},"logprobs":null,"finish_reason":null}]}`,
		`[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_abc_0","type":"function","function":{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}]}`,
		`[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]},"logprobs":null,"finish_reason":null}]}`,
		`[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"id1","type":"function","function":{"name":"g","arguments":"{}"},"extra_content":{"google":{"thought_signature":"sig"}}}]},"logprobs":null,"finish_reason":null}]}`,
		`[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}]}`,
		`[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`,
		"data: [DONE]", "",
	}, "\n\n")
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestThinkingEndsWithACompleteBlock(t *testing.T) {
	got := encode(Chat.NewEncoder(testMeta),
		chat.Delta{Kind: chat.Start},
		chat.Delta{Kind: chat.ThinkingDelta, Text: []byte("one ")},
		chat.Delta{Kind: chat.ThinkingDelta, Text: []byte("two")},
		chat.Delta{Kind: chat.SignatureDelta, Text: []byte("sig")},
		chat.Delta{Kind: chat.RedactedDelta, Text: []byte("secret")},
		chat.Delta{Kind: chat.ThinkingDelta, Text: []byte("three")},
		chat.Delta{Kind: chat.SignatureDelta, Text: []byte("sig2")},
	)
	for _, want := range []string{
		`"delta":{"reasoning_content":"one "}`,
		`"delta":{"thinking_blocks":[{"type":"thinking","thinking":"one two","signature":"sig"}]}`,
		`"delta":{"thinking_blocks":[{"type":"redacted_thinking","data":"secret"}]}`,
		`"delta":{"thinking_blocks":[{"type":"thinking","thinking":"three","signature":"sig2"}]}`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("want once %s in\n%s", want, got)
		}
	}
}

func TestNothingFollowsAnErrorEvent(t *testing.T) {
	failed := chat.Delta{Kind: chat.ErrorDelta, Err: &chat.Error{Message: "gave\nup", Type: "overloaded_error"}}
	for _, d := range []chat.Dialect{Chat, Completions} {
		e := d.NewEncoder(testMeta)
		encode(e, chat.Delta{Kind: chat.Start})
		got := encode(e, failed, chat.Delta{Kind: chat.End}, chat.Delta{Kind: chat.TextDelta, Text: []byte("x")})
		if want := `data: {"error":{"message":"gave\nup","type":"overloaded_error","code":null,"param":null}}` + "\n\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestUsageIsSentOnlyIfKnownAndRequested(t *testing.T) {
	usage := chat.Delta{Kind: chat.UsageDelta, Usage: &chat.Usage{Prompt: 1, Completion: 1}}
	quiet := testMeta
	quiet.IncludeUsage = false
	for _, d := range []chat.Dialect{Chat, Completions} {
		if got := encode(d.NewEncoder(quiet), chat.Delta{Kind: chat.Start}, usage, chat.Delta{Kind: chat.End}); strings.Contains(got, "usage") {
			t.Errorf("usage that was not asked for: %s", got)
		}
		if got := encode(d.NewEncoder(testMeta), chat.Delta{Kind: chat.Start}, chat.Delta{Kind: chat.End}); strings.Contains(got, `"prompt_tokens"`) {
			t.Errorf("usage that nobody counted: %s", got)
		}
	}
}

func TestChoicesStartIndependently(t *testing.T) {
	got := encode(Chat.NewEncoder(testMeta), chat.Delta{Kind: chat.TextDelta, Choice: 1, Text: []byte("x")},
		chat.Delta{Kind: chat.Finish, Choice: 1, Reason: chat.Stop}, chat.Delta{Kind: chat.Finish, Choice: 1, Reason: chat.Length})
	if strings.Count(got, `"role":"assistant"`) != 1 || strings.Count(got, `"finish_reason":"`) != 1 || !strings.Contains(got, `"index":1`) {
		t.Errorf("got %s", got)
	}
}

func TestACompletionStreams(t *testing.T) {
	got := trimmed(encode(Completions.NewEncoder(testMeta),
		chat.Delta{Kind: chat.Start},
		chat.Delta{Kind: chat.ThinkingDelta, Text: []byte("hidden")},
		chat.Delta{Kind: chat.TextDelta, Text: []byte("hi")},
		chat.Delta{Kind: chat.Finish, Reason: chat.Stop},
		chat.Delta{Kind: chat.UsageDelta, Usage: &chat.Usage{Prompt: 1, Completion: 2}},
		chat.Delta{Kind: chat.End}))
	want := `[{"text":"hi","index":0,"logprobs":null,"finish_reason":null}]}` + "\n\n" + `[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}]}` + "\n\n" +
		`[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}` + "\n\ndata: [DONE]\n\n"
	if got != want {
		t.Errorf("got\n%s want\n%s", got, want)
	}
}

func TestWholeAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		choice chat.Choice
		want   string
	}{
		"text":      {chat.Choice{Parts: []chat.Part{{Text: jsonedit.Plain("a")}, {Text: jsonedit.Plain("b")}}, Finish: chat.Stop}, `{"index":0,"message":{"role":"assistant","content":"ab"},"finish_reason":"stop"}`},
		"nothing":   {chat.Choice{}, `{"index":0,"message":{"role":"assistant","content":""},"finish_reason":null}`},
		"calls":     {chat.Choice{Parts: []chat.Part{{Kind: chat.ToolCall, Name: "f"}}}, `{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_abc_0","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}`},
		"refusal":   {chat.Choice{Parts: []chat.Part{{Kind: chat.Refusal, Text: jsonedit.Plain("no")}}}, `{"index":0,"message":{"role":"assistant","content":null,"refusal":"no"},"finish_reason":null}`},
		"thinking":  {chat.Choice{Parts: []chat.Part{{Kind: chat.Thinking, Text: jsonedit.Plain("t")}, {Text: jsonedit.Plain("a")}}}, `{"index":0,"message":{"role":"assistant","content":"a","reasoning_content":"t"},"finish_reason":null}`},
		"signature": {chat.Choice{Parts: []chat.Part{{Kind: chat.Thinking, Text: jsonedit.Plain("t"), Signature: "s"}}}, `{"index":0,"message":{"role":"assistant","content":"","reasoning_content":"t","thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"}]},"finish_reason":null}`},
		"picture":   {chat.Choice{Parts: []chat.Part{{Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("QQ==")}}}}, `{"index":0,"message":{"role":"assistant","content":"","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]},"finish_reason":null}`},
		"logprobs":  {chat.Choice{Parts: []chat.Part{{Text: jsonedit.Plain("a")}}, Logprobs: chat.Raw(`{"content":[]}`)}, `{"index":0,"message":{"role":"assistant","content":"a"},"logprobs":{"content":[]},"finish_reason":null}`},
	} {
		got, err := Chat.AppendResponse(nil, &chat.Response{Choices: []chat.Choice{test.choice}, NoUsage: true, Meta: testMeta})
		want := `{"id":"chatcmpl-abc","object":"chat.completion","created":1700000000,"model":"m","choices":[` + test.want + `]}`
		if err != nil || string(got) != want || !json.Valid(got) {
			t.Errorf("%s: error %v\ngot  %s\nwant %s", name, err, got, want)
		}
	}
}

func TestIdOfTheProviderWins(t *testing.T) {
	resp := &chat.Response{ID: "msg_1", Model: "theirs", Created: 5, ServiceTier: "flex", SystemFingerprint: "fp", Meta: testMeta,
		Extra: []chat.Member{{Name: "trace", Value: chat.Raw(`{"a":1}`)}}, UsageText: chat.Raw(`"unknown"`)}
	got, _ := Chat.AppendResponse([]byte("x"), resp)
	want := `x{"id":"msg_1","object":"chat.completion","created":5,"model":"theirs","choices":[],"usage":"unknown","service_tier":"flex","system_fingerprint":"fp","trace":{"a":1}}`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestErrorsHaveOpenAIsShape(t *testing.T) {
	for want, e := range map[string]chat.Error{
		`{"error":{"message":"m","type":"invalid_request_error","code":null,"param":"stop"}}`: {Status: 400, Message: "m", Param: "stop"},
		`{"error":{"message":"m","type":"rate_limit_error","code":"c","param":null}}`:         {Status: 429, Message: "m", Code: "c"},
		`{"error":{"message":"m","type":"mine","code":null,"param":null}}`:                    {Status: 500, Message: "m", Type: "mine"},
	} {
		if got := string(Chat.AppendError(nil, &e)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func BenchmarkEncoderText(b *testing.B) {
	e := Chat.NewEncoder(testMeta)
	d := chat.Delta{Kind: chat.TextDelta, Text: []byte("some words of an answer")}
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = e.Append(dst[:0], &d)
	}
}

func TestDeltaDoesNotAllocate(t *testing.T) {
	e := Chat.NewEncoder(testMeta)
	dst := make([]byte, 0, 4096)
	for _, d := range []chat.Delta{
		{Kind: chat.TextDelta, Text: []byte("some \"words\"")},
		{Kind: chat.ToolArguments, Text: []byte(`{"a":`)},
		{Kind: chat.RefusalDelta, Text: []byte("no")},
	} {
		if n := testing.AllocsPerRun(100, func() { dst = e.Append(dst[:0], &d) }); n > 0 {
			t.Errorf("kind %d: %v allocations", d.Kind, n)
		}
	}
}
