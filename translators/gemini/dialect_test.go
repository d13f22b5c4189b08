package gemini

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"go-ai-proxy/translators/chat"
	"go-ai-proxy/translators/chat/chattest"
	"go-ai-proxy/translators/conformance/jsontest"
	"go-ai-proxy/translators/conformance/workload"
	"go-ai-proxy/translators/frame"
	"go-ai-proxy/translators/jsonedit"
	"go-ai-proxy/translators/mock"
	"go-ai-proxy/translators/origin"
)

// Google's SDK for Python sends base64url; other APIs refuse it.
func TestInlineDataIsHandedOnAsStandardBase64(t *testing.T) {
	for sent, want := range map[string]string{
		"iVBO": "iVBO", "_-_-": "/+/+", "_w==": "/w==", "_w": "/w==", "-_A": "+/A=", "AAA": "AAA=", "a+/b": "a+/b", "": "", "A": "A==",
		`\u002b\/Aa`: "+/Aa",
	} {
		got, err := chat.ParseRequest(Dialect, []byte(`{"contents":[{"parts":[{"text":"see"},{"inlineData":{"mimeType":"image/png","data":"`+sent+`"}}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if data := got.Messages[0].Parts[1].Media.Data.String(); data != want {
			t.Errorf("%s became %s, want %s", sent, data, want)
		}
	}
}

func TestClientRequest(t *testing.T) {
	const body = `{
		"system_instruction":{"parts":{"text":"Be brief."}},
		"contents":[
			{"role":"user","parts":[{"text":"Look"},{"inline_data":{"mime_type":"image/png","data":"iVBO"}},{"fileData":{"mimeType":"video/mp4","fileUri":"gs://b/v.mp4"}}]},
			{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"name":"f","args":{"a":1.0}},"thoughtSignature":"c2ln"},{"functionCall":{"name":"g","args":{}}}]},
			{"role":"function","parts":[{"functionResponse":{"name":"g","response":{"output":"two"}}},{"function_response":{"name":"f","response":{"one":1}}},{"text":"so?"}]}
		],
		"tools":[{"function_declarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"a":{"type":"NUMBER","nullable":true}},"propertyOrdering":["a"]}},{"name":"g","parametersJsonSchema":{"type":"object"}}]},{"googleSearch":{}}],
		"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
		"generationConfig":{"maxOutputTokens":"100","temperature":0.5,"topP":0.9,"topK":4,"candidateCount":2,"stopSequences":["END"],"responseMimeType":"application/json",
			"responseSchema":{"type":"ARRAY","items":{"type":"STRING"},"maxItems":"3"},"thinkingConfig":{"thinkingBudget":1024},"responseModalities":["TEXT","IMAGE"]},
		"safetySettings":[{"category":"A","threshold":"B"}]}`
	got, err := chat.ParseRequest(Dialect, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	f, g := got.Messages[2].Parts[1].ID, got.Messages[2].Parts[2].ID
	if f == "" || f == g {
		t.Errorf("ids of calls: %q and %q", f, g)
	}
	want := &chat.Request{
		Messages: []chat.Message{
			{Role: chat.System, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("Be brief.")}}},
			{Role: chat.User, Parts: []chat.Part{
				{Kind: chat.Text, Text: jsonedit.Plain("Look")},
				{Kind: chat.Image, Media: &chat.Media{MIME: "image/png", Data: jsonedit.Plain("iVBO")}},
				{Kind: chat.Video, Media: &chat.Media{MIME: "video/mp4", URL: "gs://b/v.mp4"}},
			}},
			{Role: chat.Assistant, Parts: []chat.Part{
				{Kind: chat.Thinking, Text: jsonedit.Plain("hm")},
				{Kind: chat.ToolCall, ID: f, Name: "f", Arguments: jsonedit.Plain(`{"a":1.0}`), Signature: "c2ln", Origin: origin.Google},
				{Kind: chat.ToolCall, ID: g, Name: "g", Arguments: jsonedit.Plain(`{}`)},
			}},
			{Role: chat.ToolRole, Parts: []chat.Part{{Kind: chat.ToolResult, ID: g, Name: "g", Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("two")}}}}},
			{Role: chat.ToolRole, Parts: []chat.Part{{Kind: chat.ToolResult, ID: f, Name: "f", Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain(`{"one":1}`)}}}}},
			{Role: chat.User, Parts: []chat.Part{{Kind: chat.Text, Text: jsonedit.Plain("so?")}}},
		},
		Tools: []chat.Tool{
			{Name: "f", Description: jsonedit.Plain("d"), Parameters: chat.Raw(`{"type":"object","properties":{"a":{"type":["number","null"]}}}`)},
			{Name: "g", Parameters: chat.Raw(`{"type":"object","properties":{}}`)},
			{Name: "googleSearch", Hosted: chat.WebSearch, Native: chat.Raw(`{"googleSearch":{}}`)},
		},
		ToolChoice: chat.ToolChoice{Mode: "function", Name: "f"},
		MaxTokens:  "100", Temperature: "0.5", TopP: "0.9", TopK: "4", N: "2", Stop: []string{"END"}, ReasoningBudget: "1024",
		ResponseFormat: chat.ResponseFormat{Type: "json_schema", Name: "response", Schema: chat.Raw(`{"type":"array","items":{"type":"string"},"maxItems":3}`)},
		Extra:          []chat.Member{{Name: "modalities", Value: chat.Raw(`["text","image"]`)}},
	}
	if !chattest.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestClientRequestSurvivesTheRoundTrip(t *testing.T) {
	const body = `{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"a"}]},
		{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{"a":[1,2]}},"thoughtSignature":"c2ln"}]},
		{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"ok":true}}}]}],
		"generationConfig":{"temperature":0.5}}`
	req, err := chat.ParseRequest(Dialect, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	to := onPublic("gemini-3-pro")
	got, err := Generate.AppendRequest(nil, &to, req)
	if err != nil {
		t.Fatal(err)
	}
	jsontest.Same(t, string(got), body)
}

func TestInvalidClientRequestsAreRefused(t *testing.T) {
	for body, want := range map[string]string{
		`[`:                              "request body is not valid JSON",
		`{}`:                             "contents: is missing",
		`{"contents":"a"}`:               "contents: must be an array",
		`{"contents":[{"role":"user"}]}`: "contents[0].parts: must not be empty",
		`{"contents":[{"role":"x","parts":[{"text":"a"}]}]}`:                                                 "contents[0].role: must be user or model",
		`{"contents":{"parts":[{}]}}`:                                                                        "contents[0].parts[0]: holds nothing",
		`{"contents":{"parts":[{"text":"a"}]},"cachedContent":"c"}`:                                          "cachedContent: only Gemini itself",
		`{"contents":{"parts":[{"text":"a"}]},"generationConfig":{"topK":"x"}}`:                              "generationConfig.topK: must be a number",
		`{"contents":{"parts":[{"text":"a"}]},"tools":[{"functionDeclarations":[{}]}]}`:                      "tools[0].functionDeclarations[0].name: is missing",
		`{"contents":{"parts":[{"text":"a"}]},"generationConfig":{"thinkingConfig":{"thinkingBudget":"-"}}}`: "thinkingBudget: must be a number",
	} {
		_, err := chat.ParseRequest(Dialect, []byte(body))
		var refused *chat.RequestError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", body, err, want)
		}
	}
}

// answers are the scenarios' answers as the format can say them.
func answers() []chat.Response {
	var all []chat.Response
	for _, s := range mock.Scenarios {
		if s.Error != nil {
			continue
		}
		r := s.Answer
		r.Choices = append([]chat.Choice(nil), r.Choices...)
		for i := range r.Choices {
			parts := append([]chat.Part(nil), r.Choices[i].Parts...)
			for j := range parts {
				if parts[j].Kind == chat.Refusal {
					parts[j].Kind = chat.Text
				}
			}
			r.Choices[i].Parts = parts
		}
		all = append(all, r)
	}
	return all
}

func TestAnswersSurviveTheClientsFormat(t *testing.T) {
	to := onPublic("m")
	for _, want := range answers() {
		body, err := Dialect.AppendResponse(nil, &want)
		if err != nil || !json.Valid(body) {
			t.Fatalf("%s: %v: %s", want.ID, err, body)
		}
		got, err := Generate.ParseResponse(&to, body)
		if err != nil {
			t.Fatalf("%s: %v", want.ID, err)
		}
		got.Model, got.Created = want.Model, want.Created
		if !sameAnswer(got, &want) {
			t.Errorf("%s: got  %+v\nwant %+v", want.ID, got, want)
		}
	}
}

// sameAnswer compares answers; a nil list equals an empty one.
func sameAnswer(a, b *chat.Response) bool {
	if a.ID != b.ID || a.Usage != b.Usage || len(a.Choices) != len(b.Choices) {
		return false
	}
	for i := range a.Choices {
		x, y := &a.Choices[i], &b.Choices[i]
		if x.Index != y.Index || x.Finish != y.Finish || len(x.Parts) != len(y.Parts) || len(x.Parts) > 0 && !chattest.Equal(x.Parts, y.Parts) {
			return false
		}
	}
	return true
}

// TestStreamsSurviveTheClientsFormat writes each answer as deltas, with
// arguments in pieces, and reads what a client gets.
func TestStreamsSurviveTheClientsFormat(t *testing.T) {
	for name, d := range map[string]chat.Dialect{"events": Dialect, "array": ArrayDialect} {
		for _, want := range answers() {
			e := d.NewEncoder(chat.Meta{ID: "x", Model: "m"})
			var out []byte
			put := func(d chat.Delta) { out = e.Append(out, &d) }
			put(chat.Delta{Kind: chat.Start, ID: []byte(want.ID)})
			for _, c := range want.Choices {
				n := 0
				for _, p := range c.Parts {
					switch p.Kind {
					case chat.Text:
						put(chat.Delta{Kind: chat.TextDelta, Choice: c.Index, Text: []byte(p.Text.String())})
					case chat.Thinking:
						put(chat.Delta{Kind: chat.ThinkingDelta, Choice: c.Index, Text: []byte(p.Text.String())})
						put(chat.Delta{Kind: chat.SignatureDelta, Choice: c.Index, Text: []byte(p.Signature)})
					case chat.ToolCall:
						put(chat.Delta{Kind: chat.ToolStart, Choice: c.Index, Index: n, ID: []byte(p.ID), Name: []byte(p.Name)})
						for _, piece := range mock.Cut(p.Arguments.String(), 3) {
							put(chat.Delta{Kind: chat.ToolArguments, Choice: c.Index, Index: n, Text: []byte(piece)})
						}
						n++
					}
				}
				put(chat.Delta{Kind: chat.Finish, Choice: c.Index, Reason: c.Finish})
			}
			put(chat.Delta{Kind: chat.UsageDelta, Usage: &want.Usage})
			put(chat.Delta{Kind: chat.End})
			put(chat.Delta{Kind: chat.End})
			put(chat.Delta{Kind: chat.TextDelta, Text: []byte("late")})
			kind := frame.SSE
			if name == "array" {
				kind = frame.Array
				if !json.Valid(out) {
					t.Fatalf("%s: not one JSON value: %s", want.ID, out)
				}
			}
			if len(want.Choices) > 1 {
				continue // collected reads the first
			}
			got, failed := collected(t, kind, bytes.NewReader(out))
			for i := range want.Choices[0].Parts {
				if want.Choices[0].Parts[i].Kind == chat.Thinking {
					want.Choices[0].Parts[i].Signature = "" // collected reads none
				}
			}
			if failed != nil || !sameAnswer(got, &want) {
				t.Errorf("%s of %s: got  %+v\nwant %+v\n%s", name, want.ID, got, want, out)
			}
		}
	}
}

func TestErrorsAreInGooglesFormat(t *testing.T) {
	got := Dialect.AppendError(nil, &chat.Error{Status: 429, Type: "rate_limit_error", Message: "slow \"down\""})
	jsontest.Same(t, string(got), `{"error":{"code":429,"message":"slow \"down\"","status":"RESOURCE_EXHAUSTED"}}`)
	for name, d := range map[frame.Kind]chat.Dialect{frame.SSE: Dialect, frame.Array: ArrayDialect} {
		e := d.NewEncoder(chat.Meta{})
		out := e.Append(nil, &chat.Delta{Kind: chat.TextDelta, Text: []byte("a")})
		out = e.Append(out, &chat.Delta{Kind: chat.ErrorDelta, Err: &chat.Error{Status: 500, Message: "gone"}})
		out = e.Append(out, &chat.Delta{Kind: chat.End})
		if _, failed := collected(t, name, bytes.NewReader(out)); failed == nil || failed.Message != "gone" {
			t.Errorf("got %+v in %s", failed, out)
		}
	}
}

// TestMockRefusesWhatGoogleRefuses keeps the mock strict.
func TestMockRefusesWhatGoogleRefuses(t *testing.T) {
	format := mock.ByName("gemini/generate")
	for body, want := range map[string]string{
		`{"contents":[{"role":"user","parts":[{"text":"a"}]}]}`:             "",
		`{"contents":[{"role":"user","parts":[{"text":"a"}]}],"model":"m"}`: "model",
		`{"contents":[{"role":"assistant","parts":[{"text":"a"}]}]}`:        "role",
		`{"contents":[{"role":"user","parts":[{}]}]}`:                       "oneof",
		`{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"text":"a"}]}]}`:                          "number of function response parts",
		`{"contents":[{"role":"user","parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"object","additionalProperties":false}}]}]}`:            "additionalProperties",
		`{"contents":[{"role":"user","parts":[{"text":"a"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":1,"thinkingLevel":"LOW"}}}`:                                         "thinking",
		`{"contents":[{"role":"user","parts":[{"text":"a"}]}],"labels":{"a":"b"}}`:                                                                                                       "labels",
		`{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`:                                                                                       "number of function response parts",
		`{"contents":[{"role":"user","parts":[{"text":"a"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"tools":[{"functionDeclarations":[]}]}`: "not declared",
	} {
		r := httptest.NewRequest("POST", "/v1beta/models/gemini-2.5-pro:generateContent", nil)
		r.Header.Set("Content-Type", "application/json")
		err := format.Check(r, []byte(body))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", body, err, want)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"g","response":{"output":"two"}}},{"text":"a"}]}]}`))
	f.Add([]byte(`{"contents":{"parts":{"inlineData":{"data":"a"}}},"tools":{"a\n":1},"generationConfig":{"responseSchema":{"type":"A","properties":{"\"":[]}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer workload.Linear(t, len(body))()
		req, err := chat.ParseRequest(Dialect, body)
		if err != nil {
			return
		}
		to := onPublic("gemini-3-pro")
		if out, err := Generate.AppendRequest(nil, &to, req); err == nil && json.Valid(body) && !json.Valid(out) {
			t.Fatalf("%s became %s", body, out)
		}
	})
}

func TestWarmEncoderAllocatesNothing(t *testing.T) {
	e := Dialect.NewEncoder(chat.Meta{ID: "x", Model: "m"})
	d := chat.Delta{Kind: chat.TextDelta, Text: []byte("some text, \"quoted\"")}
	dst := e.Append(nil, &d)
	if n := testing.AllocsPerRun(100, func() { dst = e.Append(dst[:0], &d) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBudgetsOfGeminisClients(t *testing.T) {
	for budget, want := range map[string][2]string{"-1": {"", ""}, "0": {"none", ""}, "512": {"", "512"}} {
		r, err := chat.ParseRequest(Dialect, []byte(`{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":`+budget+`}}}`))
		if err != nil || r.ReasoningEffort != want[0] || string(r.ReasoningBudget) != want[1] {
			t.Errorf("%s: %v, effort %q, budget %q", budget, err, r.ReasoningEffort, r.ReasoningBudget)
		}
	}
}

func TestResultsWithoutIDsBelongToTheirCalls(t *testing.T) {
	r, err := chat.ParseRequest(Dialect, []byte(`{"contents":[{"parts":[{"text":"x"}]},
		{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"g","args":{}}},{"executableCode":{"language":"PYTHON","code":"1+1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"2"}},{"toolCall":{"id":"s"}}]},
		{"role":"tool","parts":[{"functionResponse":{"name":"g","response":{"n":12345678901234567890}}},{"functionResponse":{"id":"made-up","name":"f","response":{"output":"y"}}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	calls, g, f := r.Messages[1].Parts, r.Messages[2].Parts[0], r.Messages[3].Parts[0]
	if g.ID == "" || g.ID != calls[1].ID || f.ID != calls[0].ID || f.ID == g.ID {
		t.Errorf("calls %q %q, results %q %q", calls[0].ID, calls[1].ID, f.ID, g.ID)
	}
	if got := g.Parts[0].Text.String(); got != `{"n":12345678901234567890}` {
		t.Errorf("the result has become %s", got)
	}
	if len(calls) != 3 || calls[2].Text.String() != "```\n1+1\n```\n2" {
		t.Errorf("code: %+v", calls[2:])
	}
}

func TestOnlyAllowedFunctionsOfSeveralAreOffered(t *testing.T) {
	for config, want := range map[string]string{
		`{"mode":"ANY","allowedFunctionNames":["a","c"]}`:   "required a c",
		`{"mode":"VALIDATED","allowedFunctionNames":["b"]}`: "auto b",
		`{"mode":"ANY","allowed_function_names":["a"]}`:     "function a b c",
		`{"mode":"AUTO"}`: "auto a b c",
		`{"mode":"ANY","allowedFunctionNames":["a","none"]}`: "",
	} {
		r, err := chat.ParseRequest(Dialect, []byte(`{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"},{"name":"c"}]}],"toolConfig":{"functionCallingConfig":`+config+`}}`))
		got := ""
		if err == nil {
			got = r.ToolChoice.Mode
			for i := range r.Tools {
				got += " " + r.Tools[i].Name
			}
		}
		if got != want {
			t.Errorf("%s: %q, %v", config, got, err)
		}
	}
}
