package openai

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/origin"
)

func parse(t *testing.T, body string) *chat.Request {
	t.Helper()
	req, err := chat.ParseRequest(Chat, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return req
}

func yes() *bool { b := true; return &b }
func no() *bool  { return new(bool) }

func TestEveryFieldOfARequestIsRead(t *testing.T) {
	got := parse(t, `{"model":"m","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},
		"max_tokens":5,"max_completion_tokens":1e1,"temperature":0.10,"top_p":1,"top_k":3,"n":2,"seed":-7,"presence_penalty":0.5,
		"frequency_penalty":-0.5,"logprobs":true,"top_logprobs":4,"logit_bias":{"1":-100},"stop":"END","user":"u","service_tier":"flex",
		"metadata":{"a":"b"},"reasoning_effort":"low","parallel_tool_calls":false,"tool_choice":"required","store":null,
		"verbosity":"high","extra_body":{"x":1},"messages":[],"custom_of_theirs":[1.50],
		"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","required":[]},"strict":true}}}`)
	want := &chat.Request{
		Model: "m", Stream: true, IncludeUsage: true, Messages: []chat.Message{}, ToolChoice: chat.ToolChoice{Mode: "required"}, ParallelTools: no(),
		MaxTokens: "1e1", Temperature: "0.10", TopP: "1", TopK: "3", N: "2", Seed: "-7", PresencePenalty: "0.5", FrequencyPenalty: "-0.5",
		TopLogprobs: "4", Logprobs: yes(), LogitBias: chat.Raw(`{"1":-100}`), Stop: []string{"END"}, User: "u", ServiceTier: "flex",
		Metadata: chat.Raw(`{"a":"b"}`), ReasoningEffort: "low", ExtraBody: chat.Raw(`{"x":1}`),
		ResponseFormat: chat.ResponseFormat{Type: "json_schema", Name: "n", Schema: chat.Raw(`{"type":"object","required":[]}`), Strict: yes()},
		Extra:          []chat.Member{{Name: "verbosity", Value: chat.Raw(`"high"`)}, {Name: "custom_of_theirs", Value: chat.Raw(`[1.50]`)}},
	}
	if !chattest.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReasoningEffortHasTwoNames(t *testing.T) {
	for body, want := range map[string]chat.Request{
		`{"reasoning":{"effort":"high"}}`:                              {ReasoningEffort: "high"},
		`{"reasoning":{"max_tokens":2000}}`:                            {ReasoningBudget: "2000"},
		`{"reasoning_effort":"low","reasoning":{"effort":"high"}}`:     {ReasoningEffort: "low"},
		`{"reasoning":{"effort":"high"},"reasoning_effort":"minimal"}`: {ReasoningEffort: "minimal"},
	} {
		if got := parse(t, body); !chattest.Equal(*got, want) {
			t.Errorf("%s: got %+v", body, got)
		}
	}
}

func TestPartsOfMessages(t *testing.T) {
	for name, test := range map[string]struct {
		message string
		want    chat.Message
	}{
		"developer": {`{"role":"developer","content":"x"}`, chat.Message{Role: chat.System, Parts: []chat.Part{{Text: jsonedit.Plain("x")}}}},
		"name":      {`{"role":"user","name":"ann","content":"x"}`, chat.Message{Role: chat.User, Name: "ann", Parts: []chat.Part{{Text: jsonedit.Plain("x")}}}},
		"cached text": {`{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}`,
			chat.Message{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("a"), CacheControl: chat.Raw(`{"type":"ephemeral"}`)}}}},
		"image data": {`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUI=","detail":"high"}}]}`,
			chat.Message{Role: chat.User, Parts: []chat.Part{{Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("QUI="), Detail: "high"}}}}},
		"image URL, bare": {`{"role":"user","content":[{"type":"image_url","image_url":"https://x/y.png"}]}`,
			chat.Message{Role: chat.User, Parts: []chat.Part{{Kind: chat.Image, Media: &chat.Media{URL: "https://x/y.png"}}}}},
		"sound": {`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"QUI=","format":"mp3"}}]}`,
			chat.Message{Role: chat.User, Parts: []chat.Part{{Kind: chat.Audio, Media: &chat.Media{MIME: "audio/mpeg", Data: jsonedit.Plain("QUI=")}}}}},
		"file data": {`{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,QUI=","filename":"a.pdf"}}]}`,
			chat.Message{Role: chat.User, Parts: []chat.Part{{Kind: chat.File, Media: &chat.Media{MIME: "application/pdf", Data: jsonedit.Plain("QUI="), Filename: "a.pdf"}}}}},
		"file id": {`{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}`,
			chat.Message{Role: chat.User, Parts: []chat.Part{{Kind: chat.File, Media: &chat.Media{FileID: "file-1"}}}}},
		"unknown part": {`{"role":"user","content":[{"type":"hologram","x":1}]}`,
			chat.Message{Role: chat.User, Parts: []chat.Part{{Kind: chat.Opaque, Type: "hologram", Raw: chat.Raw(`{"type":"hologram","x":1}`)}}}},
		"refusal": {`{"role":"assistant","content":null,"refusal":"no"}`, chat.Message{Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.Refusal, Text: jsonedit.Plain("no")}}}},
		"thinking in blocks": {`{"role":"assistant","content":"x","reasoning_content":"t","thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"}]}`,
			chat.Message{Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.Thinking, Text: jsonedit.Plain("t"), Signature: "s", Origin: origin.Anthropic}, {Kind: chat.RedactedThinking, Text: jsonedit.Plain("d"), Origin: origin.Anthropic}, {Text: jsonedit.Plain("x")}}}},
		"thinking as text": {`{"role":"assistant","content":"x","reasoning_content":"t"}`,
			chat.Message{Role: chat.Assistant, Parts: []chat.Part{{Kind: chat.Thinking, Text: jsonedit.Plain("t")}, {Text: jsonedit.Plain("x")}}}},
		"text beside calls": {`{"role":"assistant","content":"x","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{ \"b\": 1.0 }"},"extra_content":{"google":{"thought_signature":"sig"}}}]}`,
			chat.Message{Role: chat.Assistant, Parts: []chat.Part{{Text: jsonedit.Plain("x")}, {Kind: chat.ToolCall, ID: "a", Name: "f", Arguments: jsonedit.Plain(`{ "b": 1.0 }`), Signature: "sig", Origin: origin.Google}}}},
		"null content": {`{"role":"user","content":null}`, chat.Message{Role: chat.User}},
	} {
		req := parse(t, `{"messages":[`+test.message+`]}`)
		if !chattest.Equal(req.Messages[0], test.want) {
			t.Errorf("%s: got %+v, want %+v", name, req.Messages[0], test.want)
		}
	}
}

func TestToolResultsNameTheirFunction(t *testing.T) {
	req := parse(t, mock.Named("tool_result").Request)
	var got []chat.Part
	for _, m := range req.Messages {
		if m.Role == chat.ToolRole {
			got = append(got, m.Parts...)
		}
	}
	want := []chat.Part{
		{Kind: chat.ToolResult, ID: "call_C3", Name: "get_time", Parts: []chat.Part{{Text: jsonedit.Plain("10:00")}}},
		{Kind: chat.ToolResult, ID: "call_A1", Name: "get_weather", Parts: []chat.Part{{Text: jsonedit.Plain(`{"celsius":`)}, {Text: jsonedit.Plain(`21}`)}}},
		{Kind: chat.ToolResult, ID: "call_B2", Name: "get_weather", Parts: []chat.Part{{Text: jsonedit.Plain(`{"celsius":28}`)}}},
	}
	if !chattest.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	req = parse(t, `{"messages":[{"role":"tool","tool_call_id":"a","content":{"n":1.50}}]}`)
	if text := req.Messages[0].Parts[0].Parts[0].Text.String(); text != `{"n":1.50}` {
		t.Errorf("a result that is an object: got %q", text)
	}
}

func TestLegacyFunctionsArePaired(t *testing.T) {
	req := parse(t, `{"functions":[{"name":"f","parameters":{}}],"function_call":{"name":"f"},"messages":[
		{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"r"}]}`)
	call, result := req.Messages[0].Parts[0], req.Messages[1].Parts[0]
	if call.ID == "" || call.ID != result.ID || result.Name != "f" || req.Messages[1].Role != chat.ToolRole {
		t.Errorf("call %+v, result %+v", call, result)
	}
	if len(req.Tools) != 1 || req.Tools[0].Name != "f" || req.ToolChoice != (chat.ToolChoice{Mode: "function", Name: "f"}) {
		t.Errorf("tools %+v, choice %+v", req.Tools, req.ToolChoice)
	}
}

func TestOtherToolsAreHosted(t *testing.T) {
	req := parse(t, `{"tools":[{"googleSearch":{}},{"type":"computer","name":"x"},{"type":"function","function":{"name":"f","strict":true}},{"function":{"name":"g"}}]}`)
	var got []string
	for _, tool := range req.Tools {
		got = append(got, string(tool.Hosted)+" "+tool.Name+" "+string(tool.Native))
	}
	if want := []string{`web search googleSearch {"googleSearch":{}}`, `other x {"type":"computer","name":"x"}`, " f ", " g "}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorsNameThePath(t *testing.T) {
	for body, want := range map[string]string{
		`{"messages":`:                   "request body is not valid JSON",
		`[]`:                             "request body is not valid JSON",
		`{"messages":{}}`:                "messages: must be an array",
		`{"messages":[{"content":"x"}]}`: "messages[0].role: is missing",
		`{"messages":[{"role":"x"}]}`:    "messages[0].role: must be",
		`{"messages":[{"role":"user","content":7}]}`:                                                     "messages[0].content: must be a string or an array of parts",
		`{"messages":[{"role":"user","content":[]}]}`:                                                    "message at position 1 does not match expected array format",
		`{"messages":[{"role":"user","content":[{"type":"text"}]}]}`:                                     "messages[0].content[0]: message part type is 'text' but is missing .text block",
		`{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`:                                "messages[0].content[0]: message part type is 'image_url' but is missing .image_url.url block",
		`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x,y"}}]}]}`: "messages[0].content[0].image_url.url: a data URI must be base64",
		`{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]}`:             "messages[0].content[0].input_audio.data: is missing",
		`{"messages":[{"role":"tool","content":"x"}]}`:                                                   "messages[0].tool_call_id: is missing",
		`{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{}}]}]}`:                    "messages[0].tool_calls[0].function.name: is missing",
		`{"tools":[{"type":"function"}]}`:                                                                "tools[0].function: must be an object",
		`{"tools":[{"type":"function","function":{}}]}`:                                                  "tools[0].function.name: is missing",
		`{"tool_choice":"maybe"}`:                                                                        "tool_choice: must be auto, none, required or a function",
		`{"tool_choice":{"type":"custom"}}`:                                                              "tool_choice.type: must be function",
		`{"temperature":"hot"}`:                                                                          "temperature: must be a number",
		`{"temperature":nan}`:                                                                            "request body is not valid JSON: found 'a' where null must stand at byte 16",
		`{"stream":"yes"}`:                                                                               "stream: must be true or false",
		`{"stop":[1]}`:                                                                                   "stop[0]: must be a string",
		`{"extra_body":[]}`:                                                                              "extra_body: must be an object",
		`{"response_format":"json"}`:                                                                     "response_format: must be an object",
		`{"stream_options":{"include_usage":1}}`:                                                         "stream_options.include_usage: must be true or false",
	} {
		_, err := chat.ParseRequest(Chat, []byte(body))
		if _, ok := err.(*chat.RequestError); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

func TestAPromptBecomesAUserMessage(t *testing.T) {
	for _, body := range []string{`{"prompt":"hi","logprobs":3,"suffix":"s"}`, `{"prompt":["hi"],"logprobs":3,"suffix":"s"}`} {
		req, err := chat.ParseRequest(Completions, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		want := []chat.Message{{Role: chat.User, Parts: []chat.Part{{Text: jsonedit.Plain("hi")}}}}
		if !chattest.Equal(req.Messages, want) || string(req.Lookup("logprobs")) != "3" || string(req.Lookup("suffix")) != `"s"` {
			t.Errorf("%s: got %+v", body, req)
		}
	}
	for _, body := range []string{`{"prompt":["a","b"]}`, `{"prompt":[1,2]}`, `{"prompt":7}`, `{"prompt":[]}`} {
		if _, err := chat.ParseRequest(Completions, []byte(body)); err == nil || !strings.HasPrefix(err.Error(), "prompt: ") {
			t.Errorf("%s: got %v, want a refusal of prompt", body, err)
		}
	}
}

func TestUnknownStringMembersStayJSON(t *testing.T) {
	req := parse(t, `{"their_own":"a\"b\u0001\u00e9😀\n"}`)
	var got string
	if err := json.Unmarshal(req.Lookup("their_own"), &got); err != nil || got != "a\"b\u0001é😀\n" {
		t.Errorf("got %s (error %v)", req.Lookup("their_own"), err)
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, s := range mock.Scenarios {
		f.Add([]byte(s.Request))
	}
	f.Add([]byte(`{"messages":[{"role":"function","name":"f","content":null}],"functions":[{"name":"f"}],"x":nan}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		for _, d := range []chat.Dialect{Chat, Completions} {
			req, err := chat.ParseRequest(d, body)
			if err != nil {
				if _, ok := err.(*chat.RequestError); !ok {
					t.Fatalf("error of type %T: %v", err, err)
				}
				continue
			}
			for _, m := range req.Extra {
				if !json.Valid(m.Value) {
					t.Fatalf("extra member %q has %q, which is no JSON", m.Name, m.Value)
				}
			}
			for _, n := range []chat.Number{req.Temperature, req.MaxTokens, req.Seed} {
				if n != "" && !json.Valid([]byte(n)) {
					t.Fatalf("number %q is no JSON", n)
				}
			}
		}
	})
}

// Agents send every API what they send to their favourite one.
func TestToolChoicesOfOtherMakersAreUnderstood(t *testing.T) {
	for choice, want := range map[string]struct {
		is    chat.ToolChoice
		tools string
	}{
		`"any"`:                          {chat.ToolChoice{Mode: "required"}, "a b"},
		`"validated"`:                    {chat.ToolChoice{Mode: "auto"}, "a b"},
		`{"type":"auto"}`:                {chat.ToolChoice{Mode: "auto"}, "a b"},
		`{"type":"any"}`:                 {chat.ToolChoice{Mode: "required"}, "a b"},
		`{"type":"none"}`:                {chat.ToolChoice{Mode: "none"}, "a b"},
		`{"type":"tool","name":"a"}`:     {chat.ToolChoice{Mode: "function", Name: "a"}, "a b"},
		`{"type":"function","name":"a"}`: {chat.ToolChoice{Mode: "function", Name: "a"}, "a b"},
		`{"type":"function","function":{"name":"a"}}`:                                                                        {chat.ToolChoice{Mode: "function", Name: "a"}, "a b"},
		`{"type":"allowed_tools","mode":"auto","tools":[{"name":"b"}]}`:                                                      {chat.ToolChoice{Mode: "auto"}, "b"},
		`{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"a"}}]}}`: {chat.ToolChoice{Mode: "required"}, "a"},
	} {
		r, err := chat.ParseRequest(Chat, []byte(`{"tool_choice":`+choice+`,"messages":[],"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b"}}]}`))
		if err != nil {
			t.Errorf("%s: %v", choice, err)
			continue
		}
		var tools []string
		for i := range r.Tools {
			tools = append(tools, r.Tools[i].Name)
		}
		if r.ToolChoice != want.is || strings.Join(tools, " ") != want.tools {
			t.Errorf("%s: %+v, %q", choice, r.ToolChoice, tools)
		}
	}
	if _, err := chat.ParseRequest(Chat, []byte(`{"tool_choice":{"type":"allowed_tools","tools":[{"name":"x"}]},"messages":[],"tools":[]}`)); err == nil {
		t.Error("a tool that is not there is allowed")
	}
}

func TestFunctionsInTheFormOfOtherAPIsAreFunctions(t *testing.T) {
	for _, tool := range []string{
		`{"type":"function","name":"a","description":"d","parameters":{"type":"object"},"strict":true}`,
		`{"name":"a","description":"d","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}`,
	} {
		r, err := chat.ParseRequest(Chat, []byte(`{"messages":[],"tools":[`+tool+`]}`))
		if err != nil || r.Tools[0].Name != "a" || r.Tools[0].Hosted != "" || string(r.Tools[0].Parameters) != `{"type":"object","properties":{}}` || r.Tools[0].Description.String() != "d" {
			t.Errorf("%s: %v, %+v", tool, err, r)
		}
	}
}

func TestPartsInTheFormOfOtherAPIsAreUnderstood(t *testing.T) {
	for part, want := range map[string]chat.Part{
		`{"type":"input_text","text":"x"}`:                                                        {Kind: chat.Text, Text: jsonedit.Plain("x")},
		`{"type":"output_text","text":"x","annotations":[]}`:                                      {Kind: chat.Text, Text: jsonedit.Plain("x")},
		`{"type":"input_image","image_url":"data:image/png;base64,aGk=","detail":"auto"}`:         {Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("aGk=")}},
		`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}`:      {Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("aGk=")}},
		`{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,aGk="}`: {Kind: chat.File, Media: &chat.Media{MIME: "application/pdf", Filename: "a.pdf", Data: jsonedit.Plain("aGk=")}},
	} {
		r, err := chat.ParseRequest(Chat, []byte(`{"messages":[{"role":"user","content":[`+part+`]}]}`))
		if err != nil || !chattest.Equal(r.Messages[0].Parts[0], want) {
			t.Errorf("%s: %v, %+v", part, err, r)
		}
	}
}

func TestEmptyContentOfCallsAndResultsSaysNothing(t *testing.T) {
	req := parse(t, `{"messages":[{"role":"user","content":"weather?"},
		{"role":"assistant","content":[],"reasoning_content":"look","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"c1","content":[]}]}`)
	var kinds []chat.PartKind
	for _, p := range req.Messages[1].Parts {
		kinds = append(kinds, p.Kind)
	}
	if want := []chat.PartKind{chat.Thinking, chat.ToolCall}; !slices.Equal(kinds, want) {
		t.Errorf("the assistant's parts are %v, want %v", kinds, want)
	}
	if r := req.Messages[2].Parts[0]; r.ID != "c1" || r.Name != "f" || len(r.Parts) != 0 {
		t.Errorf("the result is %+v, want none of c1", r)
	}
}
