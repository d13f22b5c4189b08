package bedrock

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
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
	"go-ai-proxy/translators/origin"
	"go-ai-proxy/translators/provider"
)

func parsed(t *testing.T, body string) *chat.Request {
	t.Helper()
	r, err := chat.ParseRequest(Dialect, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return r
}

func TestClientsRequestIsUnderstood(t *testing.T) {
	r := parsed(t, `{"system":[{"text":"Be brief."},{"cachePoint":{"type":"default","ttl":"1h"}},{"text":"Be kind."}],"messages":[`+
		`{"role":"user","content":[{"text":"look"},{"image":{"format":"png","source":{"bytes":"aGk="}}},{"document":{"format":"pdf","name":"Q3","source":{"s3Location":{"uri":"s3://b/k"}}}},`+
		`{"document":{"format":"txt","name":"n","source":{"text":"hi"}}},{"guardContent":{"text":{"text":"judge me"}}},{"searchResult":{"title":"t"}}]},`+
		`{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"reasoningContent":{"redactedContent":"eA=="}},{"text":"ok"},`+
		`{"toolUse":{"toolUseId":"1","name":"f","input":{"n":1.0}}}]},`+
		`{"role":"user","content":[{"toolResult":{"toolUseId":"1","status":"error","content":[{"json":{"a":[1]}},{"text":"b"},{"image":{"format":"gif","source":{"bytes":"aGk="}}}]}},{"cachePoint":{"type":"default"}}]}],`+
		`"inferenceConfig":{"maxTokens":9,"temperature":0.10,"topP":1e0,"stopSequences":["END"]},`+
		`"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","strict":true,"inputSchema":{"json":{"type":"object"}}}},{"cachePoint":{"type":"default"}},{"systemTool":{"name":"s"}}],"toolChoice":{"tool":{"name":"f"}}},`+
		`"additionalModelRequestFields":{"top_k":5,"thinking":{"type":"enabled","budget_tokens":2048}},"serviceTier":{"type":"flex"},"requestMetadata":{"a":"b"},`+
		`"outputConfig":{"effort":"max","textFormat":{"type":"json_schema","structure":{"jsonSchema":{"name":"p","schema":"{\"type\":\"object\"}"}}}},"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1"}}`)
	strict := true
	ephemeral := chat.Raw(`{"type":"ephemeral"}`)
	want := &chat.Request{
		Messages: []chat.Message{
			{Role: chat.System, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("Be brief."), CacheControl: chat.Raw(`{"type":"ephemeral","ttl":"1h"}`)}}},
			{Role: chat.System, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("Be kind.")}}},
			{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("look")}, {Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("aGk=")}},
				{Kind: chat.File, Media: &chat.Media{MIME: "application/pdf", URL: "s3://b/k", Filename: "Q3.pdf"}}, {Kind: chat.File, Media: &chat.Media{MIME: "text/plain", Data: jsonedit.Plain("aGk="), Filename: "n.txt"}},
				{Kind: chat.Text, Text: jsonedit.Plain("judge me")}, {Kind: chat.Opaque, Type: "searchResult", Raw: chat.Raw(`{"type":"searchResult","searchResult":{"title":"t"}}`)}}},
			{Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.Thinking, Text: jsonedit.Plain("hm"), Signature: "s", Origin: origin.Anthropic}, {Kind: chat.RedactedThinking, Text: jsonedit.Plain("eA=="), Origin: origin.Anthropic}, {Kind: chat.Text, Text: jsonedit.Plain("ok")},
				{Kind: chat.ToolCall, ID: "1", Name: "f", Arguments: jsonedit.Plain(`{"n":1.0}`)}}},
			{Role: chat.User, Parts: []chat.Part{{Kind: chat.ToolResult, ID: "1", IsError: true, CacheControl: ephemeral, Parts: []chat.Part{
				{Kind: chat.Text, Text: jsonedit.Plain(`{"a":[1]}`)}, {Kind: chat.Text, Text: jsonedit.Plain("b")}, {Kind: chat.Image, Media: &chat.Media{MIME: "image/gif", Data: jsonedit.Plain("aGk=")}}}}}},
		},
		MaxTokens: "9", Temperature: "0.10", TopP: "1e0", TopK: "5", Stop: []string{"END"},
		Tools:      []chat.Tool{{Name: "f", Description: jsonedit.Plain("d"), Strict: &strict, Parameters: chat.Raw(`{"type":"object","properties":{}}`), CacheControl: ephemeral}, {Name: "s", Hosted: chat.OtherHosted, Native: chat.Raw(`{"systemTool":{"name":"s"}}`)}},
		ToolChoice: chat.ToolChoice{Mode: "function", Name: "f"}, Thoughts: true, ReasoningBudget: "2048", ReasoningEffort: "xhigh", ServiceTier: "flex", Metadata: chat.Raw(`{"a":"b"}`),
		ResponseFormat: chat.ResponseFormat{Type: "json_schema", Name: "p", Schema: chat.Raw(`{"type":"object"}`)},
		Extra: []chat.Member{{Name: "guardrailConfig", Value: chat.Raw(`{"guardrailIdentifier":"g","guardrailVersion":"1"}`)},
			{Name: "additionalModelRequestFields", Value: chat.Raw(`{"top_k":5,"thinking":{"type":"enabled","budget_tokens":2048}}`)}},
	}
	if !chattest.Equal(r, want) {
		a, _ := json.MarshalIndent(r, "", " ")
		b, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("got %s\nwant %s", a, b)
	}
}

func TestReasoningEffortIsReadInEveryModelsFormat(t *testing.T) {
	for fields, want := range map[string]string{
		`{"reasoning_effort":"low"}`: "low", `{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"medium"}}`: "medium",
		`{"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}}`: "xhigh", `{"thinking":{"type":"adaptive"}}`: "high", `{"thinking":{"type":"disabled"}}`: "none",
	} {
		r := parsed(t, `{"messages":[{"role":"user","content":[{"text":"x"}]}],"additionalModelRequestFields":`+fields+`}`)
		if r.ReasoningEffort != want {
			t.Errorf("%s: got %q, want %q", fields, r.ReasoningEffort, want)
		}
	}
}

func TestInvalidClientRequestsNameTheField(t *testing.T) {
	for body, want := range map[string]string{
		`[`: "request body is not valid JSON: the text ends where a value must stand at byte 1", `[]`: "request body is not valid JSON: want an object", `{}`: "messages: is missing",
		`{"messages":[{"role":"tool","content":[{"text":"x"}]}]}`:                                                                           "messages[0].role: must be user, assistant or system, not 'tool'",
		`{"messages":[{"role":"user","content":[]}]}`:                                                                                       "messages[0].content: is missing",
		`{"messages":[{"role":"user","content":["x"]}]}`:                                                                                    "messages[0].content[0]: must be a content block",
		`{"messages":[{"role":"user","content":[{"text":1}]}]}`:                                                                             "messages[0].content[0].text: must be a string",
		`{"messages":[{"role":"user","content":[{"image":{"format":"png"}}]}]}`:                                                             "messages[0].content[0].image.source: is missing",
		`{"messages":[{"role":"user","content":[{"toolUse":{"name":"f"}}]}]}`:                                                               "messages[0].content[0].toolUse: must have toolUseId and name",
		`{"messages":[{"role":"user","content":[{"toolResult":{"content":[]}}]}]}`:                                                          "messages[0].content[0].toolResult.toolUseId: is missing",
		`{"messages":[{"role":"user","content":[{"text":"x"}]}],"toolConfig":{"tools":[{}]}}`:                                               "toolConfig.tools[0]: is no toolSpec, systemTool or cachePoint",
		`{"messages":[{"role":"user","content":[{"text":"x"}]}],"toolConfig":{"tools":[{"toolSpec":{}}]}}`:                                  "toolConfig.tools[0].toolSpec.name: is missing",
		`{"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"topP":"1"}}`:                                            "inferenceConfig.topP: must be a number",
		`{"messages":[{"role":"user","content":[{"text":"x"}]}],"outputConfig":{"textFormat":{"structure":{"jsonSchema":{"schema":"{"}}}}}`: "outputConfig.textFormat.structure.jsonSchema.schema: must be the text of a JSON schema",
	} {
		_, err := chat.ParseRequest(Dialect, []byte(body))
		var refused *chat.RequestError
		if !errors.As(err, &refused) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

// What an OpenAI client says, told to Bedrock, understood as a client's and
// told again, is the same.
func TestRequestsSurviveTheRoundTrip(t *testing.T) {
	for _, s := range mock.Scenarios {
		if lacks[s.Name] != "" {
			continue
		}
		req, err := chat.ParseRequest(openai.Chat, []byte(s.Request))
		if err != nil {
			t.Fatal(err)
		}
		to := chatTarget("mock-model-1")
		first, err := Converse.AppendRequest(nil, to, req)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Converse.AppendRequest(nil, to, parsed(t, string(first)))
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if !reflect.DeepEqual(decode(t, first), decode(t, again)) {
			t.Errorf("%s:\n%s\n%s", s.Name, first, again)
		}
	}
}

var answerMeta = chat.Meta{ID: "abc", Created: 1, Model: "mock-model-1"}

// What another provider answers is, in Bedrock's format, what a client of
// Bedrock understands.
func TestAnswersSurviveTheRoundTrip(t *testing.T) {
	upstream, f := openai.Upstream{History: &provider.History{Thought: provider.ThoughtInReasoningContent}}, mock.ByName("openai/chat")
	for _, s := range mock.Scenarios {
		if s.Error != nil || s.Name == "choices" {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			whole, err := upstream.ParseResponse(chatTarget("m"), f.Whole(s, []byte(s.Request)))
			if err != nil {
				t.Fatal(err)
			}
			whole.Meta = answerMeta
			body, err := Dialect.AppendResponse(nil, whole)
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(body) {
				t.Fatalf("not JSON: %s", body)
			}
			if len(whole.Choices[0].Parts) == 0 {
				return // an answer of nothing, which has its own test
			}
			got, err := Converse.ParseResponse(chatTarget("m"), body)
			if err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			compare(t, whole, got)

			streamed := assembled(t, s, upstream, f)
			compare(t, whole, streamed)
			if streamed.Usage != got.Usage {
				t.Errorf("usage: streamed %+v, whole %+v", streamed.Usage, got.Usage)
			}
		})
	}
}

// assembled is a stream of s, written for a client of Bedrock and read as such
// a client would.
func assembled(t *testing.T, s *mock.Scenario, upstream chat.Upstream, f mock.Format) *chat.Response {
	t.Helper()
	body := strings.TrimSuffix(s.Request, "}") + `,"stream":true,"stream_options":{"include_usage":true}}`
	contentType, events := mock.Events(f, s, []byte(body))
	frames, err := conformance.Translate(conformance.Kind(t, contentType), bytes.NewReader(bytes.Join(events, nil)), upstream.NewStream(chatTarget("m")), Dialect.NewEncoder(answerMeta))
	if err != nil {
		t.Fatal(err)
	}
	r := &chat.Response{Choices: []chat.Choice{{}}}
	stream, ended := Converse.NewStream(chatTarget("m")), false
	for _, e := range conformance.Events(t, frame.EventStream, frames) {
		ds, err := stream.Next(e)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ds {
			if ended {
				t.Errorf("%s after the end", describe(&ds[i]))
			}
			ended = ds[i].Kind == chat.End
			collect(r, &ds[i])
		}
	}
	if !ended {
		t.Error("the stream does not end")
	}
	return r
}

func collect(r *chat.Response, d *chat.Delta) {
	c := &r.Choices[0]
	open := func(kind chat.PartKind) *chat.Part {
		if n := len(c.Parts); n == 0 || c.Parts[n-1].Kind != kind {
			c.Parts = append(c.Parts, chat.Part{Kind: kind})
		}
		return &c.Parts[len(c.Parts)-1]
	}
	switch d.Kind {
	case chat.TextDelta:
		open(chat.Text).Text = jsonedit.Plain(open(chat.Text).Text.String() + string(d.Text))
	case chat.ThinkingDelta:
		open(chat.Thinking).Text = jsonedit.Plain(open(chat.Thinking).Text.String() + string(d.Text))
	case chat.SignatureDelta:
		open(chat.Thinking).Signature = string(d.Text)
	case chat.ToolStart:
		c.Parts = append(c.Parts, chat.Part{Kind: chat.ToolCall, ID: string(d.ID), Name: string(d.Name)})
	case chat.ToolArguments:
		open(chat.ToolCall).Arguments = jsonedit.Plain(open(chat.ToolCall).Arguments.String() + string(d.Text))
	case chat.Finish:
		c.Finish = d.Reason
	case chat.UsageDelta:
		r.Usage = *d.Usage
	}
}

func compare(t *testing.T, want, got *chat.Response) {
	t.Helper()
	w, g := want.Choices[0], got.Choices[0]
	if len(w.Parts) != len(g.Parts) || w.Finish != g.Finish {
		t.Fatalf("got %+v, want %+v", g, w)
	}
	for i := range w.Parts {
		a, b := w.Parts[i], g.Parts[i]
		if a.Kind == chat.Refusal {
			a.Kind = chat.Text
		}
		if a.Kind != b.Kind || a.Text.String() != b.Text.String() || a.ID != b.ID || a.Name != b.Name || a.Arguments.String() != b.Arguments.String() {
			t.Errorf("part %d: got %+v, want %+v", i, b, a)
		}
	}
	u, v := want.Usage, got.Usage
	if u.Prompt != v.Prompt || u.Completion != v.Completion || u.Cached != v.Cached {
		t.Errorf("usage: got %+v, want %+v", v, u)
	}
}

func TestAnswerIsInConversesFormat(t *testing.T) {
	r := &chat.Response{Meta: answerMeta, ServiceTier: "flex", Usage: chat.Usage{Prompt: 45, Completion: 3, Cached: 30, CacheWrite: 10, CacheWrite5m: 6, CacheWrite1h: 4},
		Extra: []chat.Member{{Name: "trace", Value: chat.Raw(`{"a":1}`)}, {Name: "other", Value: chat.Raw(`1`)}},
		Choices: []chat.Choice{{Finish: chat.Stop, Parts: []chat.Part{{Kind: chat.Text}, {Kind: chat.Thinking, Text: jsonedit.Plain("hm")}, {Kind: chat.RedactedThinking, Text: jsonedit.Plain("no base64")},
			{Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("aGk=")}}, {Kind: chat.ToolCall, Name: "f", Arguments: jsonedit.Plain(`{"a":`)}, {Kind: chat.ToolCall, ID: "x", Name: "g"}}}}}
	got, err := Dialect.AppendResponse(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm"}}},{"reasoningContent":{"redactedContent":"bm8gYmFzZTY0"}},` +
		`{"image":{"format":"png","source":{"bytes":"aGk="}}},{"toolUse":{"toolUseId":"tooluse_abc_0","name":"f","input":{"arguments":"{\"a\":"}}},{"toolUse":{"toolUseId":"x","name":"g","input":{}}}]}},` +
		`"stopReason":"tool_use","usage":{"inputTokens":5,"outputTokens":3,"totalTokens":48,"cacheReadInputTokens":30,"cacheWriteInputTokens":10,"cacheDetails":[{"ttl":"1h","inputTokens":4},{"ttl":"5m","inputTokens":6}]},` +
		`"metrics":{"latencyMs":0},"trace":{"a":1},"serviceTier":{"type":"flex"}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStreamIsInConverseStreamsFormat(t *testing.T) {
	e := Dialect.NewEncoder(answerMeta)
	var out []byte
	for _, d := range []chat.Delta{
		{Kind: chat.Start}, {Kind: chat.ThinkingDelta, Text: []byte("hm")}, {Kind: chat.SignatureDelta, Text: []byte("s")}, {Kind: chat.RedactedDelta, Text: []byte("eA==")},
		{Kind: chat.TextDelta, Text: []byte("a\n")}, {Kind: chat.TextDelta}, {Kind: chat.ToolStart, Name: []byte("f"), Text: []byte("{")}, {Kind: chat.ToolArguments, Text: []byte("}")},
		{Kind: chat.ToolStart, Index: 1, ID: []byte("x"), Name: []byte("g")}, {Kind: chat.ToolArguments, Index: 7, Text: []byte("lost")}, {Kind: chat.TextDelta, Choice: 1, Text: []byte("other")},
		{Kind: chat.Finish, Reason: chat.Stop}, {Kind: chat.UsageDelta, Usage: &chat.Usage{Prompt: 2, Completion: 3}}, {Kind: chat.ExtraDelta, Name: []byte("trace"), Raw: []byte(`{}`)},
		{Kind: chat.End}, {Kind: chat.TextDelta, Text: []byte("late")},
	} {
		out = e.Append(out, &d)
	}
	want := []string{
		`messageStart {"role":"assistant"}`,
		`contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}`, `contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}`, `contentBlockStop {"contentBlockIndex":0}`,
		`contentBlockDelta {"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"eA=="}}}`, `contentBlockStop {"contentBlockIndex":1}`,
		`contentBlockDelta {"contentBlockIndex":2,"delta":{"text":"a\n"}}`, `contentBlockStop {"contentBlockIndex":2}`,
		`contentBlockStart {"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"tooluse_abc_0","name":"f"}}}`,
		`contentBlockDelta {"contentBlockIndex":3,"delta":{"toolUse":{"input":"{"}}}`, `contentBlockDelta {"contentBlockIndex":3,"delta":{"toolUse":{"input":"}"}}}`, `contentBlockStop {"contentBlockIndex":3}`,
		`contentBlockStart {"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"x","name":"g"}}}`, `contentBlockStop {"contentBlockIndex":4}`,
		`messageStop {"stopReason":"tool_use"}`, `metadata {"usage":{"inputTokens":2,"outputTokens":3,"totalTokens":5},"metrics":{"latencyMs":0},"trace":{}}`,
	}
	var got []string
	for _, ev := range conformance.Events(t, frame.EventStream, out) {
		got = append(got, string(ev.Type)+" "+string(ev.Data))
	}
	if !chattest.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestErrorsAreInBedrocksFormat(t *testing.T) {
	for status, want := range map[int]string{
		400: "ValidationException", 401: "AccessDeniedException", 403: "AccessDeniedException", 404: "ResourceNotFoundException", 413: "ValidationException", 424: "ServiceUnavailableException",
		429: "ThrottlingException", 500: "InternalServerException", 503: "ServiceUnavailableException", 504: "ModelTimeoutException", 529: "ServiceUnavailableException", 0: "InternalServerException",
	} {
		if got := string(Dialect.AppendError(nil, &chat.Error{Status: status, Message: "a \"b\""})); got != `{"__type":"`+want+`","message":"a \"b\""}` {
			t.Errorf("%d: got %s", status, got)
		}
	}
	for want, e := range map[string]*chat.Error{
		"throttlingException": {Status: http.StatusTooManyRequests, Message: "m"}, "validationException": {Type: "invalid_request_error", Message: "m"}, "internalServerException": {Message: "m"},
		"serviceUnavailableException": {Status: 424, Message: "m"},
	} {
		enc := Dialect.NewEncoder(answerMeta)
		out := enc.Append(nil, &chat.Delta{Kind: chat.ErrorDelta, Err: e})
		out = enc.Append(out, &chat.Delta{Kind: chat.End})
		events := conformance.Events(t, frame.EventStream, out)
		if len(events) != 1 || !events[0].Exception || string(events[0].Type) != want || string(events[0].Data) != `{"message":"m"}` {
			t.Errorf("%s: got %+v", want, events)
		}
	}
}

// pydantic-ai decodes redactedContent as UTF-8, which Claude's is.
func TestMarkedTokensInRedactedContentAreTextToWhoDecodesThem(t *testing.T) {
	token := origin.Text(origin.Google, origin.Anthropic, "+/+/")
	sent := blob(token)
	if text, err := base64.StdEncoding.DecodeString(sent); err != nil || string(text) != token {
		t.Errorf("%s says %q, %v", sent, text, err)
	}
	for _, data := range []string{sent, token} { // as it is sent now, and as it was before
		req, err := chat.ParseRequest(Dialect, []byte(`{"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"reasoningContent":{"redactedContent":"`+data+`"}},{"text":"y"}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if p := req.Messages[1].Parts[0]; p.Origin != origin.Google || p.Text.String()+p.Signature != "+/+/" {
			t.Errorf("%s was read as %+v", data, p)
		}
	}
	if got := unblob("eA=="); got != "eA==" {
		t.Errorf("what has no mark became %s", got)
	}
}
